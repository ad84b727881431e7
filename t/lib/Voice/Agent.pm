package Voice::Agent;

# Fakes of what the workers call: HTTP servers on a free loopback port, each
# a process group of its own that ends with the test.  The kinds are
# Voice::Agent::Houndify, ::Http and ::Openai; this is the server.
#
#   my $agent = Voice::Agent::Houndify->start(
#       client_id => 'id', client_key => $key,
#       answer => sub { my ($heard) = @_; return { spoken => 'Hello' } },
#       fault => sub { my ($n, $request) = @_; $n == 1 ? '500' : undef });
#   $agent->url; $agent->calls;
#
# Both subs run in the server's children: what they change, the test does not
# see.  Faults (of the n-th call, from 1; or one name for all of them):
#
#   429, 500, ..  that status           hang       no answer, ever
#   slow          0.3 s late            cut        half of the body, then gone
#   malformed     no JSON               short      Content-Length too small
#   garbage       no HTTP               huge       1 MB more than was asked

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Fcntl qw(:flock);
use File::Temp qw(tempdir);
use IO::Handle;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use POSIX ();

use constant {
    BODY_MAX => 32 << 20,
    HEAD_MAX => 64 << 10,
    LATE     => 0.3,
    HUGE     => 1 << 20,
};

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my @lifelines;


sub start {
    my ($class, %opt) = @_;

    my $self = bless {
        %opt,
        pid => $$,
        dir => tempdir('voice-agent-XXXXXXXX', TMPDIR => 1, CLEANUP => 1),
        listener => IO::Socket::INET->new(Listen => 64,
            LocalAddr => '127.0.0.1') || die("no socket: $!"),
    }, $class;

    $self->{port} = $self->{listener}->sockport;
    pipe(my $here, my $there) or die "pipe: $!";

    my $server = fork() // die "fork: $!";

    if ($server == 0) {
        POSIX::setpgid(0, 0);
        close $_ for $there, @lifelines;
        eval { $self->serve($here) };
        POSIX::_exit(0);
    }

    POSIX::setpgid($server, $server);
    close $here;
    close delete $self->{listener};
    push @lifelines, $there;
    $self->{server} = $server;

    return $self;
}


sub url { return "http://127.0.0.1:$_[0]{port}" }


# What was called so far: [{n, method, path, headers (lower case), names (as
# sent), body_sha256, body_bytes, status}].
sub calls {
    my ($self) = @_;

    open my $in, '<:raw', "$self->{dir}/calls" or return [];

    return [map { $json->decode($_) } <$in>];
}


sub stop {
    my ($self) = @_;

    my $server = delete $self->{server} or return;
    kill 'KILL', -$server;
    waitpid $server, 0;
}


sub DESTROY {
    my ($self) = @_;

    local ($?, $@, $!);
    $self->stop if $$ == $self->{pid};
}


# --- the server -----------------------------------------------------------

# Each connection has a process, so that one that hangs stops no other.
sub serve {
    my ($self, $lifeline) = @_;

    local $SIG{CHLD} = 'IGNORE';
    my $select = IO::Select->new($self->{listener}, $lifeline);

    while (my @ready = $select->can_read) {
        # The test is gone, and with it the other end of the pipe.
        kill 'KILL', -$$ if grep { $_ == $lifeline } @ready;

        my $peer = $self->{listener}->accept or next;
        my $pid = fork();
        if (defined $pid && $pid == 0) {
            binmode $peer;
            eval { $self->exchange($peer) };
            print STDERR "# fake: $@" if $@;
            POSIX::_exit(0);
        }
        close $peer;
    }
}


sub exchange {
    my ($self, $peer) = @_;

    my $request = read_request($peer) or return;
    my $n = $self->count;
    my $fault = ref $self->{fault} ? $self->{fault}->($n, $request)
        : $self->{fault};
    my $reply = ($fault // '') =~ /^(\d{3})$/
        ? refusal($1, 'as the test wishes') : $self->handle($request);

    $self->note($request, $n, $reply->{status});
    send_reply($peer, $reply, $fault // '');
}


# {method, path, query, headers, names, body}; undef: that is no HTTP.
sub read_request {
    my ($peer) = @_;

    my ($head, $rest) = read_head($peer) or return undef;
    my ($first, @lines) = split /\r\n/, $head;
    my ($method, $target) = ($first // '') =~ m{^(\w+) (\S+) HTTP/1\.1$}
        or return undef;
    my ($path, $query) = split /\?/, $target, 2;
    my %request = (method => $method, path => $path, headers => {},
                   query => form($query // ''), names => []);

    for my $line (@lines) {
        my ($name, $value) = $line =~ /^([!-9;-~]+):\s*(.*?)\s*$/
            or return undef;
        push @{$request{names}}, $name;
        $request{headers}{lc $name} = $value;
    }

    my $coding = $request{headers}{'transfer-encoding'} // '';
    $request{body} = lc $coding eq 'chunked' ? read_chunks($peer, $rest)
        : read_bytes($peer, \$rest,
                     $request{headers}{'content-length'} // 0);

    return defined $request{body} ? \%request : undef;
}


sub read_head {
    my ($peer) = @_;

    my $head = '';
    until ($head =~ /\r\n\r\n/) {
        return if length $head > HEAD_MAX;
        sysread($peer, $head, 16384, length $head) or return;
    }

    return split /\r\n\r\n/, $head, 2;
}


sub read_bytes {
    my ($peer, $buffer, $count) = @_;

    return undef if $count !~ /^\d+$/ || $count > BODY_MAX;
    while (length $$buffer < $count) {
        sysread($peer, $$buffer, 65536, length $$buffer) or return undef;
    }

    return substr $$buffer, 0, $count, '';
}


sub read_chunks {
    my ($peer, $buffer) = @_;

    my $body = '';
    while (length $body <= BODY_MAX) {
        until ($buffer =~ /\r\n/) {
            sysread($peer, $buffer, 65536, length $buffer) or return undef;
        }
        $buffer =~ s/^([0-9a-fA-F]+)[^\r\n]*\r\n// or return undef;
        my $chunk = read_bytes($peer, \$buffer, hex $1) // return undef;
        my $end = read_bytes($peer, \$buffer, 2) // return undef;
        return undef if $end ne "\r\n";
        return $body if $chunk eq '';
        $body .= $chunk;
    }

    return undef;
}


sub form {
    my ($query) = @_;

    my %form = map { my ($name, $value) = split /=/, $_, 2;
                     ($name => unescape($value // '')) } split /&/, $query;

    return \%form;
}


sub unescape {
    my ($text) = @_;

    $text =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;

    return $text;
}


# --- what is kept ---------------------------------------------------------

# The number of this call.
sub count {
    my ($self) = @_;

    return $self->state('count', sub { ($_[0] // 0) + 1 });
}


# Changes something that all children see; its new value.
sub state {
    my ($self, $name, $change) = @_;

    my $file = "$self->{dir}/state-" . sha256_hex($name);
    open my $lock, '>>', "$file.lock" or die "$file: $!";
    flock $lock, LOCK_EX;

    my $old = -e $file ? $json->decode(slurp($file)) : undef;
    my $new = $change->($old);
    open my $out, '>:raw', $file or die "$file: $!";
    print $out $json->encode($new);
    close $out or die "$file: $!";

    return $new;
}


sub note {
    my ($self, $request, $n, $status) = @_;

    open my $out, '>>:raw', "$self->{dir}/calls" or die "calls: $!";
    flock $out, LOCK_EX;
    print $out $json->encode({
        n => $n, method => $request->{method}, path => $request->{path},
        query => $request->{query}, headers => $request->{headers},
        names => $request->{names}, status => $status + 0,
        body_sha256 => sha256_hex($request->{body}),
        body_bytes => length $request->{body},
        body => $request->{body} =~ /^\s*\{/ ? $request->{body} : '' }), "\n";
    close $out or die "calls: $!";
}


sub slurp {
    my ($file) = @_;

    open my $in, '<:raw', $file or die "$file: $!";
    local $/;

    return <$in> // '';
}


# --- replies --------------------------------------------------------------

# {status, type, headers => {}, pieces => [bytes]}
sub reply {
    my ($status, $type, @pieces) = @_;

    return { status => $status, type => $type, headers => {},
             pieces => \@pieces };
}


sub refusal {
    my ($status, $why) = @_;

    return reply($status, 'application/json',
                 $json->encode({ error => { message => $why } }));
}


sub send_reply {
    my ($peer, $reply, $fault) = @_;

    if ($fault eq 'hang') {
        pause($peer, undef);
        return;
    }

    pause($peer, LATE) if $fault eq 'slow';
    $reply->{pieces} = ['{"broken": '] if $fault eq 'malformed';
    push @{$reply->{pieces}}, ' ' x HUGE if $fault eq 'huge';

    if ($fault eq 'garbage') {
        put($peer, "this is no HTTP\r\n\r\n");
    } elsif ($fault eq 'cut' || $fault eq 'short') {
        my $body = join '', @{$reply->{pieces}};
        my $half = int(length($body) / 2);
        put($peer, head($reply, 'Content-Length: '
                . ($fault eq 'cut' ? length $body : $half)),
            $fault eq 'cut' ? substr($body, 0, $half) : $body);
    } else {
        send_pieces($peer, $reply);
    }
}


# A piece comes a little after the one before, as from one who thinks.
sub send_pieces {
    my ($peer, $reply) = @_;

    my @pieces = @{$reply->{pieces}};

    if (@pieces < 2) {
        my $body = $pieces[0] // '';
        put($peer, head($reply, 'Content-Length: ' . length $body), $body);
        return;
    }

    put($peer, head($reply, 'Transfer-Encoding: chunked'));
    for my $piece (@pieces) {
        put($peer, sprintf("%x\r\n", length $piece), $piece, "\r\n");
        pause($peer, 0.03);
    }
    put($peer, "0\r\n\r\n");
}


sub head {
    my ($reply, $length) = @_;

    my %header = (%{$reply->{headers}}, Connection => 'close',
                  'Content-Type' => $reply->{type});

    return "HTTP/1.1 $reply->{status} Answer\r\n$length\r\n"
        . join('', map { "$_: $header{$_}\r\n" } sort keys %header) . "\r\n";
}


sub put {
    my ($peer, @bytes) = @_;

    local $SIG{PIPE} = 'IGNORE';
    my $bytes = join '', @bytes;

    while (length $bytes) {
        my $n = syswrite($peer, $bytes) // return;
        substr $bytes, 0, $n, '';
    }
}


# Waits, at most until the peer has gone.
sub pause {
    my ($peer, $seconds) = @_;

    my $select = IO::Select->new($peer);
    while ($select->can_read($seconds)) {
        sysread($peer, my $ignored, 65536) or last;
    }
}


1;
