package Voice::Stream;

# A subscriber of server-sent events (WHATWG HTML, "Server-sent events"),
# with the last id, as EventSource keeps it.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Time::HiRes qw(time);


sub open {
    my ($class, $port, $path, %headers) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $port, Timeout => 10) or return undef;
    $socket->autoflush(1);

    print $socket "GET $path HTTP/1.1\r\nHost: localhost\r\n",
        "Accept: text/event-stream\r\n",
        map({ "$_: $headers{$_}\r\n" } sort keys %headers), "\r\n";

    my $self = bless { socket => $socket, raw => '', text => '',
                       last_id => undef }, $class;

    $self->read_more(time + 10) until $self->{raw} =~ /\r\n\r\n/ || $self->{end};
    my $head = $self->{raw} =~ s/^(.*?)\r\n\r\n//s ? $1 : '';

    $self->{head} = $head;
    ($self->{status}) = $head =~ m{^HTTP/1\.1 (\d+)};
    $self->{chunked} = $head =~ /^transfer-encoding:\s*chunked/mi;
    ($self->{length}) = $head =~ /^content-length:\s*(\d+)/mi;
    $self->dechunk;

    return $self;
}


# The next event {event, id, data, json}, or undef after that many seconds
# or at the end of the stream.
sub next {
    my ($self, $seconds) = @_;

    my $deadline = time + ($seconds // 30);

    while (1) {
        while ($self->{text} =~ s/^(.*?)\n\n//s) {
            my $event = parse($1) or next;
            $self->{last_id} = $event->{id} if defined $event->{id};
            return $event;
        }
        return undef if $self->{end} || !$self->read_more($deadline);
        $self->dechunk;
    }
}


sub last_id { return $_[0]{last_id} }
sub ended { return $_[0]{end} }
sub close { close $_[0]{socket} }


sub parse {
    my ($block) = @_;

    my %event;
    for my $line (split /\r?\n/, $block) {
        next if $line =~ /^:/;
        my ($name, $value) = $line =~ /^(\w+): ?(.*)$/ or next;
        $event{$name} = defined $event{$name} && $name eq 'data'
            ? "$event{$name}\n$value" : $value;
    }
    return undef unless defined $event{data};
    $event{json} = eval { JSON::PP->new->utf8->decode($event{data}) };

    return \%event;
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


sub dechunk {
    my ($self) = @_;

    if (!$self->{chunked}) {
        $self->{text} .= $self->{raw};
        $self->{raw} = '';
        return;
    }

    while ($self->{raw} =~ /^([0-9a-fA-F]+)\r\n/) {
        my ($size, $start) = (hex $1, length($1) + 2);
        last if length $self->{raw} < $start + $size + 2;
        $self->{text} .= substr $self->{raw}, $start, $size;
        substr $self->{raw}, 0, $start + $size + 2, '';
        $self->{end} = 1 if $size == 0;
    }
}


1;
