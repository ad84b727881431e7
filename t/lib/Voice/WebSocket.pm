package Voice::WebSocket;

# A subscriber by WebSocket (RFC 6455), which learns the messages' ids by
# nchan's subprotocol and so can go on where it was.
#
#   my $socket = Voice::WebSocket->open($voice, $path, %headers);
#   my $event = $socket->next(0.2);     # {id, json}, or undef
#   $again = Voice::WebSocket->open($voice, "$path?last_event_id="
#                                   . Voice::escape($socket->last_id));

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Time::HiRes qw(time);


# The status says whether it has opened: 101.
sub open {
    my ($class, $voice, $path, %headers) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $voice->{stack}{port}, Timeout => 10) or return undef;
    $socket->autoflush(1);

    print $socket "GET $path HTTP/1.1\r\nHost: localhost\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket\r\n",
        "Sec-WebSocket-Version: 13\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        "Sec-WebSocket-Protocol: ws+meta.nchan\r\n",
        map({ "$_: $headers{$_}\r\n" } sort keys %headers), "\r\n";

    my $self = bless { socket => $socket, raw => '' }, $class;

    $self->read_more(time + 10)
        until $self->{raw} =~ /\r\n\r\n/ || $self->{end};
    my $head = $self->{raw} =~ s/^(.*?)\r\n\r\n//s ? $1 : '';
    ($self->{status}) = $head =~ m{^HTTP/1\.1 (\d+)};

    return $self;
}


# The next event, or undef after that many seconds or at the end.
sub next {
    my ($self, $seconds) = @_;

    my $deadline = time + ($seconds // 30);

    while (1) {
        while (defined(my $frame = $self->frame)) {
            my ($kind, $text) = @$frame;
            $self->close_frame($text) if $kind == 8;
            $self->pong($text) if $kind == 9;
            next if $kind != 1;

            # the edge's own streams have no head, their events an id
            my ($head, $body) = $text =~ /^([^{].*?)\n\n(.*)$/s
                ? ($1, $2) : ('', $text);
            my $json = eval { JSON::PP->new->utf8->decode($body) };
            my ($id) = $head =~ /^id: (\S+)/m;
            $id //= $json->{id} if $head eq '' && ref $json;
            $self->{last_id} = $id if defined $id;
            return { id => $id, json => $json, data => $body };
        }
        return undef if $self->{end} || !$self->read_more($deadline);
    }
}


sub last_id { return $_[0]{last_id} }
sub ended { return $_[0]{end} }
sub closed { return $_[0]{closed} }     # "4401 REASON" of a close
sub close { close $_[0]{socket} }


# [kind, bytes] of a whole frame; a server's are not masked.
sub frame {
    my ($self) = @_;

    return undef if length $self->{raw} < 2;
    my ($kind, $size) = unpack 'CC', $self->{raw};
    my $start = $size == 126 ? 4 : $size == 127 ? 10 : 2;
    return undef if length $self->{raw} < $start;

    $size = unpack 'x2n', $self->{raw} if $size == 126;
    $size = unpack 'x2Q>', $self->{raw} if $size == 127;
    return undef if length $self->{raw} < $start + $size;

    my $bytes = substr $self->{raw}, $start, $size;
    substr $self->{raw}, 0, $start + $size, '';

    return [$kind & 15, $bytes];
}


sub close_frame {
    my ($self, $bytes) = @_;

    $self->{end} = 1;
    $self->{closed} //= unpack('n', $bytes) . ' ' . substr $bytes, 2
        if length $bytes >= 2;
}


sub pong {
    my ($self, $bytes) = @_;

    local $SIG{PIPE} = 'IGNORE';
    # masked with zeros, which leaves the bytes as they are
    syswrite $self->{socket}, pack('CCN', 0x8a, 0x80 | length $bytes, 0)
        . $bytes if length $bytes < 126;
}


sub read_more {
    my ($self, $deadline) = @_;

    my $left = $deadline - time;
    return 0 if $left <= 0;
    return 0 unless IO::Select->new($self->{socket})->can_read($left);

    my $got = sysread $self->{socket}, $self->{raw}, 65536,
        length $self->{raw};
    $self->{end} = 1 unless $got;

    return $got;
}


1;
