package Voice::Upstream;

# A server behind the edge, on a free loopback port, a process of its own
# that ends with the test.  It answers with what it was asked:
#
#   {"method": "GET", "target": "/a?b", "headers": {"host": "x"},
#    "body": "...", "name": "crm"}
#
# and, below /stream, with three server-sent events, one after the other.

use strict;
use warnings;

use IO::Socket::INET;
use JSON::PP;
use POSIX ();

my $json = JSON::PP->new->utf8->canonical;


sub start {
    my ($class, $name) = @_;

    my $listener = IO::Socket::INET->new(Listen => 64,
        LocalAddr => '127.0.0.1') or die "no socket: $!\n";
    my $self = bless { port => $listener->sockport, owner => $$ }, $class;

    $self->{pid} = fork() // die "fork: $!\n";
    return $self if $self->{pid};

    $SIG{PIPE} = 'IGNORE';
    $SIG{CHLD} = 'IGNORE';
    $SIG{TERM} = sub { POSIX::_exit(0) };
    while (1) {
        my $client = $listener->accept or next;
        my $child = fork() // next;
        if ($child == 0) {
            serve($client, $name);
            POSIX::_exit(0);
        }
        close $client;
    }
}


sub port { return $_[0]{port} }


sub serve {
    my ($client, $name) = @_;

    binmode $client;
    while (my $request = receive($client)) {
        $request->{name} = $name;
        if ($request->{target} =~ m{^/stream}) {
            stream($client);
            return;
        }
        my $body = $json->encode($request);
        print $client "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n",
            'Content-Length: ', length($body), "\r\n\r\n", $body;
        $client->flush;
    }
}


sub receive {
    my ($client) = @_;

    my $line = <$client> // return undef;
    my ($method, $target) = $line =~ /^(\S+) (\S+)/ or return undef;

    my %headers;
    while (defined($line = <$client>) && $line =~ /^([^:]+):\s*(.*?)\r\n/) {
        my $name = lc $1;
        $headers{$name} = defined $headers{$name} ? "$headers{$name}, $2"
                                                  : $2;
    }

    read $client, my $body, $headers{'content-length'} // 0;

    return { method => $method, target => $target, headers => \%headers,
             body => $body // '' };
}


# The next event follows when something was read of the one before: nothing
# but the edge can tell, so they are just three.
sub stream {
    my ($client) = @_;

    print $client "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n",
        "Connection: close\r\n\r\n",
        map { "id: $_\ndata: {\"n\": $_}\n\n" } 1 .. 3;
    $client->flush;
}


sub DESTROY {
    my ($self) = @_;

    return if $$ != $self->{owner};
    local ($?, $!);
    kill 'TERM', $self->{pid};
    waitpid $self->{pid}, 0;
}


1;
