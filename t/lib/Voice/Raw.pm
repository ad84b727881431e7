package Voice::Raw;

# HTTP as bytes on a socket, for what no client library would send.
#
#   my $raw = Voice::Raw->new($voice);          # or ($voice, '127.0.0.9')
#   $raw->put("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
#   my $reply = $raw->reply;                    # undef at the end
#
# A reply is {status, headers, content}; a header that comes twice is joined
# by ", ".

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP SOL_SOCKET SO_LINGER TCP_NODELAY);
use Time::HiRes qw(time);

use constant SECONDS => 20;    # from the last thing sent


# The address we come from is one of 127/8: limits of strangers are by it.
sub new {
    my ($class, $voice, $from) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $voice->{stack}{port}, Timeout => 10,
        LocalAddr => $from // '127.0.0.1') or die "connect: $!\n";
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    binmode $socket;

    return bless { socket => $socket, buffer => '',
                   deadline => time + SECONDS }, $class;
}


# False when the other side has gone.
sub put {
    my ($self, $bytes) = @_;

    local $SIG{PIPE} = 'IGNORE';

    $self->{deadline} = time + SECONDS;

    while (length $bytes) {
        my $sent = syswrite $self->{socket}, $bytes;
        return 0 unless $sent;
        substr $bytes, 0, $sent, '';
    }

    return 1;
}


# No more from us; replies can still be read.
sub end { shutdown $_[0]{socket}, 1 }


# Gone without a word: RST.
sub abort {
    my ($self) = @_;

    setsockopt $self->{socket}, SOL_SOCKET, SO_LINGER, pack 'll', 1, 0;
    close $self->{socket};
}


sub reply {
    my ($self, %opt) = @_;

    my $head = $self->until(qr/\r\n\r\n/) // return undef;
    my ($line, @lines) = split /\r\n/, $head;
    my ($status) = $line =~ m{^HTTP/1\.[01] (\d{3})} or return undef;
    my %headers;

    for (@lines) {
        my ($name, $value) = /^([^:]+):\s*(.*?)\s*$/ or next;
        $name = lc $name;
        $headers{$name} = defined $headers{$name}
            ? "$headers{$name}, $value" : $value;
    }

    my $reply = { status => $status, headers => \%headers, content => '' };
    return $reply if $opt{head} || $status < 200 || $status == 204;

    $reply->{content} = $self->content(\%headers) // return undef;

    return $reply;
}


sub content {
    my ($self, $headers) = @_;

    if (($headers->{'transfer-encoding'} // '') =~ /chunked/i) {
        my $content = '';
        while (1) {
            my $size = hex($self->until(qr/\r\n/) // return undef);
            $content .= $self->take($size) // return undef;
            $self->take(2);
            return $content if $size == 0;
        }
    }

    return $self->take($headers->{'content-length'})
        if defined $headers->{'content-length'};

    1 while $self->more;

    return $self->take(length $self->{buffer});
}


# Everything to the end of the connection.
sub rest {
    my ($self) = @_;

    1 while $self->more;

    return $self->take(length $self->{buffer});
}


sub until {
    my ($self, $pattern) = @_;

    until ($self->{buffer} =~ $pattern) {
        return undef unless $self->more;
    }

    $self->{buffer} =~ s/^(.*?)$pattern//s;

    return $1;
}


sub take {
    my ($self, $size) = @_;

    while (length $self->{buffer} < $size) {
        return undef unless $self->more;
    }

    return substr $self->{buffer}, 0, $size, '';
}


sub more {
    my ($self) = @_;

    my $left = $self->{deadline} - time;
    return 0 if $left <= 0;
    return 0 unless IO::Select->new($self->{socket})->can_read($left);

    return sysread $self->{socket}, $self->{buffer}, 65536,
        length $self->{buffer};
}


1;
