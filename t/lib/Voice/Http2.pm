package Voice::Http2;

# HTTP/2 in clear on a port of its own, by prior knowledge: what curl and
# h2load see of it, and frames as bytes for what neither would send.
#
#   my $h2 = Voice::Http2->start($voice);
#   my $reply = $h2->get('/health', 'Header: value');
#   my $raw = $h2->raw; $raw->request(1, ':method' => 'GET', ...);

use strict;
use warnings;

use File::Temp;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Time::HiRes qw(time);

use constant {
    DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4, PING => 6,
    GOAWAY => 7, WINDOW_UPDATE => 8, END_STREAM => 1, END_HEADERS => 4,
    SECONDS => 20,
};


# Adds a listener to the server of the stack and reloads.
sub start {
    my ($class, $voice) = @_;

    my $free = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
        or die "no socket: $!";
    my $port = $free->sockport;
    close $free;

    my $file = "$voice->{stack}{data}/etc/nginx.conf";
    my $text = Voice::slurp($file);
    $text =~ s/^( *)(listen .*;)$/$1$2\n$1listen 127.0.0.1:$port http2;/m
        or die 'no listener';
    Voice::spew($file, $text);

    my %old = map { $_ => 1 } $voice->children('nginx');
    kill 'HUP', $voice->pid('nginx');
    $voice->wait_for(sub {
        my @now = $voice->children('nginx');
        return @now && !grep({ $old{$_} } @now)
            && IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") }, 60)
        or die "nothing listens on $port";

    return bless { voice => $voice, port => $port,
                   url => "http://127.0.0.1:$port" }, $class;
}


# A request by curl: {status, headers, content, json}.
sub ask {
    my ($self, $path, @options) = @_;

    my $head = File::Temp->new;
    my $pid = open(my $out, '-|') // die "fork: $!";

    if ($pid == 0) {
        open STDERR, '>', '/dev/null';
        exec 'curl', '-sS', '--http2-prior-knowledge', '-m', SECONDS, '-D',
            "$head", @options, "$self->{url}$path" or die "curl: $!";
    }

    local $/;
    my $content = <$out> // '';
    close $out;

    my ($first, @lines) = split /\r\n/, Voice::slurp("$head");
    my %headers = map { /^([^:]+): (.*)$/ ? (lc $1 => $2) : () } @lines;
    my ($version, $status) = ($first // '') =~ m{^HTTP/(\S+) (\d+)};

    return { status => $status // 0, version => $version // '',
             headers => \%headers, content => $content,
             json => scalar eval { JSON::PP->new->utf8->decode($content) } };
}


sub get {
    my ($self, $path, @headers) = @_;

    return $self->ask($path, map { ('-H', $_) } @headers);
}


# A connection of frames.
sub raw {
    my ($self) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $self->{port}) or die "connect: $!";
    binmode $socket;
    $socket->autoflush(1);

    my $raw = bless { socket => $socket, buffer => '' },
        'Voice::Http2::Raw';
    $raw->put("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    $raw->frame(SETTINGS, 0, 0, '');

    return $raw;
}


package Voice::Http2::Raw;

sub put {
    my ($self, $bytes) = @_;

    local $SIG{PIPE} = 'IGNORE';

    return syswrite $self->{socket}, $bytes;
}


sub frame {
    my ($self, $type, $flags, $stream, $payload) = @_;

    return $self->put(substr(pack('N', length $payload), 1)
        . pack('CCN', $type, $flags, $stream) . $payload);
}


# Headers as literals that are not indexed, without Huffman codes.
sub request {
    my ($self, $stream, $end, @fields) = @_;

    my $block = '';
    while (my ($name, $value) = splice @fields, 0, 2) {
        $block .= "\0" . integer($name) . $name . integer($value) . $value;
    }

    return $self->frame(Voice::Http2::HEADERS,
        Voice::Http2::END_HEADERS | ($end ? Voice::Http2::END_STREAM : 0),
        $stream, $block);
}


# RFC 7541 5.1, prefix of seven bits.
sub integer {
    my $n = length $_[0];

    return pack 'C', $n if $n < 127;

    my $bytes = pack 'C', 127;
    $n -= 127;
    while ($n >= 128) {
        $bytes .= pack 'C', $n % 128 + 128;
        $n = int($n / 128);
    }

    return $bytes . pack 'C', $n;
}


# The next frame {type, flags, stream, payload}; undef at the end.
sub next {
    my ($self, $seconds) = @_;

    my $deadline = Time::HiRes::time + ($seconds // Voice::Http2::SECONDS);

    while (1) {
        if (length $self->{buffer} >= 9) {
            my $size = unpack 'N', "\0" . substr $self->{buffer}, 0, 3;
            if (length $self->{buffer} >= 9 + $size) {
                my $head = substr $self->{buffer}, 0, 9, '';
                my ($type, $flags, $stream) = unpack 'x3CCN', $head;
                return { type => $type, flags => $flags, stream => $stream,
                         payload => substr $self->{buffer}, 0, $size, '' };
            }
        }

        my $left = $deadline - Time::HiRes::time;
        return undef if $left <= 0;
        return undef
            unless IO::Select->new($self->{socket})->can_read($left);
        return undef unless sysread $self->{socket}, $self->{buffer}, 65536,
            length $self->{buffer};
    }
}


# Frames until one of a type (of a stream); undef at the end.
sub until {
    my ($self, $type, $stream) = @_;

    my $deadline = Time::HiRes::time + Voice::Http2::SECONDS;

    # pings of a stream come for ever
    while (my $frame = $self->next) {
        return undef if Time::HiRes::time > $deadline;
        return $frame if $frame->{type} == $type
            && (!defined $stream || $frame->{stream} == $stream);
    }

    return undef;
}


1;
