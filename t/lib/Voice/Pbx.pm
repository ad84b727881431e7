package Voice::Pbx;

# A PBX with many connections, each of which sends its requests one after the
# other without waiting for replies (HTTP/1.1 pipelining).
#
#   my $pbx = Voice::Pbx->new(ports => [8080, 8081], connections => 64,
#                             header => 'X-API-Key: ...');
#   $pbx->packet(3, 'call', 7, 'data');     # over connection 3
#   $pbx->complete(0, 'call', 8);
#   my @exchanges = $pbx->run;
#
# An exchange is {connection, kind, call, sequence, data, total, tag; status,
# json; begun, ended}: begun and ended are moments of one clock that counts
# what this process has seen, so that a reply ended before a request begun
# was read before that was written.  status 0: the connection has broken
# before a reply came; repeat => 1 sends such a request again.

use strict;
use warnings;

use IO::Poll qw(POLLIN POLLOUT POLLHUP POLLERR);
use IO::Socket::INET;
use JSON::PP;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

use constant SECONDS => 120;           # without a byte from anybody


sub new {
    my ($class, %opt) = @_;

    my $self = bless {
        ports => $opt{ports}, header => $opt{header} // '',
        window => $opt{window} // 32,  # requests under way on one connection
        connections => [map { { number => $_ } } 0 .. $opt{connections} - 1],
        repeat => $opt{repeat}, answered => $opt{answered},
        clock => 0, json => JSON::PP->new->utf8,
    }, $class;

    $self->reset($_) for @{$self->{connections}};

    return $self;
}


sub packet {
    my ($self, $connection, $call, $sequence, $data, %more) = @_;

    $data =~ s/(["\\])/\\$1/g;
    $self->add($connection, "/v1/call/stream/$call",
        qq({"sequence":$sequence,"data":"$data","timestamp":1.5}),
        { kind => 'packet', call => $call, sequence => $sequence,
          data => $data, %more });
}


sub complete {
    my ($self, $connection, $call, $total, %more) = @_;

    $self->add($connection, "/v1/call/complete/$call",
        qq({"total_packets":$total}),
        { kind => 'complete', call => $call, total => $total, %more });
}


sub add {
    my ($self, $number, $path, $body, $exchange) = @_;

    my $connection = $self->{connections}[$number];

    $exchange->{connection} = $number;
    my $header = $exchange->{header} // $self->{header};
    $exchange->{bytes} = "POST $path HTTP/1.1\r\nHost: pbx\r\n"
        . (length $header ? "$header\r\n" : "")
        . "Content-Type: application/json\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body";
    push @{$connection->{waiting}}, $exchange;
}


# Sends everything and reads the replies; exchanges in the order of replies.
sub run {
    my ($self) = @_;

    local $SIG{PIPE} = 'IGNORE';
    my @busy = grep { @{$_->{waiting}} } @{$self->{connections}};

    $self->{done} = [];
    $self->{heard} = time;

    while (@busy) {
        my $poll = IO::Poll->new;
        my %of;

        for my $connection (@busy) {
            my $socket = $self->socket($connection) or next;
            $self->fill($connection);
            $of{fileno $socket} = $connection;
            $poll->mask($socket => POLLIN
                | (length $connection->{out} ? POLLOUT : 0));
        }

        my $ready = %of ? $poll->poll(0.2) : select(undef, undef, undef, 0.05);
        last if time - $self->{heard} > SECONDS;

        for my $connection ($ready > 0 && %of ? values %of : ()) {
            my $events = $poll->events($connection->{socket}) or next;
            $self->write($connection) if $events & POLLOUT;
            $self->read($connection)
                if $events & (POLLIN | POLLHUP | POLLERR);
        }

        @busy = grep { @{$_->{waiting}} || @{$_->{sent}} } @busy;
    }

    return @{$self->{done}};
}


# Random distribution, in this order on each connection.
sub spread {
    my ($self, @calls) = @_;

    for my $call (@calls) {
        my ($method, @arguments) = @$call;
        $self->$method(int rand @{$self->{connections}}, @arguments);
    }
}


sub socket {
    my ($self, $connection) = @_;

    return $connection->{socket} if $connection->{socket};

    my $ports = $self->{ports};
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $ports->[$connection->{number} % @$ports],
        Timeout => 10) or return undef;

    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    binmode $socket;
    $socket->blocking(0);
    $connection->{socket} = $socket;

    return $socket;
}


# Requests that are begun go into the buffer, up to the window.
sub fill {
    my ($self, $connection) = @_;

    while (@{$connection->{waiting}}
           && @{$connection->{sent}} < $self->{window})
    {
        my $exchange = shift @{$connection->{waiting}};
        $exchange->{begun} = ++$self->{clock};
        $connection->{out} .= $exchange->{bytes};
        push @{$connection->{sent}}, $exchange;
    }
}


sub write {
    my ($self, $connection) = @_;

    my $sent = syswrite $connection->{socket}, $connection->{out};
    substr $connection->{out}, 0, $sent, '' if $sent;
}


sub read {
    my ($self, $connection) = @_;

    my $got = sysread $connection->{socket}, $connection->{in}, 65536,
        length $connection->{in};
    return if !defined $got && $!{EAGAIN};

    $self->{heard} = time;
    my $ended = ++$self->{clock};

    while ($connection->{in}
           =~ m{\AHTTP/1\.1\ (\d{3})[^\r]*\r\n(.*?\r\n)\r\n}xs)
    {
        my ($status, $head, $start) = ($1, $2, $+[0]);
        my ($size) = $head =~ /^content-length: (\d+)/im;
        last if length $connection->{in} < $start + ($size // 0);

        my $body = substr $connection->{in}, $start, $size // 0;
        substr $connection->{in}, 0, $start + ($size // 0), '';
        $self->answer($connection, $ended, $status, $body);
    }

    $self->broken($connection) unless $got;
}


sub answer {
    my ($self, $connection, $ended, $status, $body) = @_;

    my $exchange = shift @{$connection->{sent}} or return;

    $exchange->{status} = $status;
    $exchange->{ended} = $ended;
    $exchange->{json} = eval { $self->{json}->decode($body) };

    # 503: not taken now
    if ($self->{repeat} && $status =~ /^5/) {
        $exchange->{repeated}++;
        push @{$connection->{waiting}}, $exchange;
        return;
    }

    delete $exchange->{bytes};
    push @{$self->{done}}, $exchange;
    $self->{answered}->($exchange) if $self->{answered};
}


# What was under way may have been done or not.
sub broken {
    my ($self, $connection) = @_;

    my @lost = @{$connection->{sent}};
    my @waiting = @{$connection->{waiting}};

    $self->reset($connection);

    if ($self->{repeat}) {
        $_->{repeated}++ for @lost;
        $connection->{waiting} = [@lost, @waiting];
        return;
    }

    for my $exchange (@lost) {
        $exchange->{status} = 0;
        $exchange->{ended} = ++$self->{clock};
        push @{$self->{done}}, $exchange;
    }
    $connection->{waiting} = \@waiting;
}


sub reset {
    my ($self, $connection) = @_;

    close $connection->{socket} if $connection->{socket};
    @$connection{qw(socket in out sent waiting)} = (undef, '', '', [], []);
}


1;
