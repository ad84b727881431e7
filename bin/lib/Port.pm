package Port;

# TCP ports of 127.0.0.1 for servers that are about to start.

use strict;
use warnings;

use Fcntl qw(O_CREAT O_EXCL O_WRONLY);
use IO::Socket::INET;

use constant {
    KEPT  => '/var/tmp/voicegate-ports',   # a file for each that was given
    HOLDS => 120,                          # seconds for its server to bind it
    FIRST => 10240,                        # below the kernel's ephemeral
    COUNT => 22000,                        # range: no connection takes one
};


# One that nobody listens at, and that nobody else is given meanwhile.
sub free {
    if (!-d KEPT && mkdir KEPT) {
        chmod 01777, KEPT or die 'port: ' . KEPT . ": $!\n";
    }

    for (1 .. 500) {
        my $port = FIRST + int rand COUNT;
        return $port if keep($port) && is_free($port);
    }

    die "port: none is free\n";
}


sub keep {
    my ($port) = @_;

    my $file = KEPT . "/$port";
    my $since = (stat $file)[9];
    unlink $file if defined $since && time - $since > HOLDS;

    return sysopen my $kept, $file, O_CREAT | O_EXCL | O_WRONLY, 0600;
}


# By a bind without listening: nobody's connection ends there, and who binds
# in this moment (with SO_REUSEADDR, as servers do) does not stumble over it.
sub is_free {
    my ($port) = @_;

    return defined IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $port, Proto => 'tcp', ReuseAddr => 1);
}


1;
