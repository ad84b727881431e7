#!/usr/bin/perl

# Clients that are slow, huge, many or gone: the edge's memory stays flat,
# others are served as before, and timers end what nobody ends.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Voice;
use Voice::Check;
use Voice::Raw;

use constant {
    LONG      => $ENV{VOICE_TEST_LONG} || 0,
    FILES     => 12_000,
    REQUESTS  => 200,       # of others, for one figure
    SLOWER    => 10,        # times, what others may be; machines are busy
    QUICK     => 0.001,     # seconds; what is below is no figure
    PAGE      => 4,         # KiB
};

use constant {
    IDLE      => LONG ? 10_000 : 2000,
    TIMEOUT   => LONG ? 12 : 5,     # of the edge's timers here, seconds
    ATTACK    => LONG ? 12 : 3,     # of slowhttptest, seconds
};

# The shell knows how to raise a limit; Perl's core does not.
if (!$ENV{VOICE_FILES}) {
    $ENV{VOICE_FILES} = 1;
    exec 'sh', '-c', 'ulimit -Sn ' . FILES . ' 2>/dev/null; exec "$@"', 'sh',
        $^X, '-It/lib', $0;
}

my $json = JSON::PP->new->utf8->canonical;
my $voice = Voice->start(workers => 0);
my $owner = $voice->tenant('acme');
my $data = $voice->{stack}{data};
my $bearer = "Authorization: Bearer $owner->{token}\r\n";
my $me = "GET /api/v1/auth/me HTTP/1.1\r\nHost: x\r\n$bearer\r\n";
my $url = "http://127.0.0.1:$voice->{stack}{port}";

quick_timers();
my ($pid) = $voice->children('nginx');
my ($local, $asked) = (0, 0);
my $usual = others();
my $files = descriptors();

early_closes();
pipelining();
huge_headers();
slow_tools();
idle_connections();
kept_connections();

is(join(' ', $voice->children('nginx')), $pid, 'no process has died');
ok($voice->wait_for(sub { descriptors() <= $files + 4 }, 60),
   'every connection is closed in the end')
    or diag(descriptors() . " descriptors, $files before");

$voice->finish;


# --- clients that go ------------------------------------------------------

# At each byte of a request, then at each stage of what follows.
sub early_closes {
    my $body = $json->encode({ email => $owner->{email},
                               password => 'Wrong-Horse-99' });
    my $login = "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\n"
        . "Content-Type: application/json\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body";
    my $events = "GET /events/stream/$owner->{tenant_id} HTTP/1.1\r\n"
        . "Host: x\r\nAccept: text/event-stream\r\n$bearer\r\n";
    my $count = 0;

    for my $text ($login, $me, $events) {
        for my $length (0 .. length $text) {
            my $raw = Voice::Raw->new($voice, address(++$count));
            $raw->put(substr $text, 0, $length);
            $length % 2 ? $raw->abort : $raw->end;
        }
    }
    for my $text ($me, $events, $me x 20) {
        for my $bytes (1, 20, 200) {
            my $raw = Voice::Raw->new($voice, address(++$count));
            $raw->put($text);
            $raw->take($bytes);
            $raw->abort;
        }
    }

    cmp_ok($count, '>', 500, "$count connections were left at every stage");
    served('and others are served');
}


sub pipelining {
    my $raw = Voice::Raw->new($voice);
    my %status;

    my $writer = fork() // die "fork: $!";
    if ($writer == 0) {
        $raw->put($me x 1000);
        POSIX::_exit(0);
    }
    for (1 .. 1000) {
        my $reply = $raw->reply // last;
        $status{$reply->{status}}++;
    }
    waitpid $writer, 0;

    my $other = join ' ', grep { !/^(?:200|429)$/ } keys %status;
    is(($status{200} // 0) + ($status{429} // 0), 1000,
       'a thousand requests at once have a thousand replies')
        or diag(explain(\%status));
    is($other, '', 'each good or over the limit');
}


# --- headers --------------------------------------------------------------

sub huge_headers {
    my $before = memory();
    my $get = "GET /health HTTP/1.1\r\nHost: x\r\n";
    my %case = (
        'one of 20 KB'      => "${get}A: " . 'x' x 20_000 . "\r\n\r\n",
        'one of 1 MB'       => "${get}A: " . 'x' x 1_000_000 . "\r\n\r\n",
        '100 of 1 KB'       => $get . join('', map { "A$_: "
                               . 'x' x 1000 . "\r\n" } 1 .. 100) . "\r\n",
        'a name of 20 KB'   => $get . 'x' x 20_000 . ": x\r\n\r\n",
        'a path of 20 KB'   => 'GET /' . 'x' x 20_000
                               . " HTTP/1.1\r\nHost: x\r\n\r\n",
        'a token of 12 KB'  => "GET /api/v1/auth/me HTTP/1.1\r\nHost: x\r\n"
                               . 'Authorization: Bearer ' . 'x' x 12_000
                               . "\r\n\r\n",
    );

    for my $what (sort keys %case) {
        my $raw = Voice::Raw->new($voice, address(int rand 60_000));
        $raw->put($case{$what});
        is(improper($voice, $raw->reply, 400, 401, 414, 431), '',
           "headers: $what: refused");
    }

    # all that is allowed, but never the end of it
    my @open = map { my $raw = Voice::Raw->new($voice, address($_));
                     $raw->put($get . join '', map { "A$_: " . 'x' x 15_000
                         . "\r\n" } 1 .. 3); $raw } 1 .. 300;
    served('others are served beside 300 that hold 45 KB of headers');
    my $held = memory() - $before;
    costs($held, 300 * 80, "which cost $held KiB");
    gone('who does not end his headers is', map { $_->{socket} } @open);
}


# --- Debian's slowhttptest ------------------------------------------------

sub slow_tools {
    my @tests = (
        ['slow headers', 300, '-H', '-u', "$url/health"],
        ['slow headers of who is known', 300, '-H', '-u',
         "$url/api/v1/auth/me"],
        ['slow bodies', 300, '-B', '-u', "$url/api/v1/auth/login", '-f',
         'application/json', '-s', 1_000_000],
        ['slow bodies of who is not known', 300, '-B', '-u',
         "$url/api/v1/test-suites", '-f', 'application/json'],
        ['slow reading', 200, '-X', '-u', "$url/openapi.json", '-w', 16,
         '-y', 64, '-n', 1, '-z', 8, '-k', 3],
        ['many ranges', 200, '-R', '-u', "$url/openapi.json", '-a', 1, '-b',
         2000],
    );

    for my $test (@tests) {
        my ($what, $connections, @words) = @$test;
        my $before = memory();
        my $tool = tool('-c', $connections, '-r', 500, '-i', 1, '-l',
                        ATTACK, '-x', 10, '-p', 20, @words);

        $voice->wait_for(sub { descriptors() > $files + $connections / 4 },
                         TIMEOUT);
        served("$what: others are served");
        my $held = memory() - $before;
        my $output = join('', readline $tool) =~ s/\e\[[\d;]*[A-Za-z]//gr;
        close $tool;

        like($output, qr/service available:\s*YES/,
             "$what: the tool finds the service available") or diag($output);
        costs($held, $connections * 64, "$what: cost $held KiB");
    }
}


sub tool {
    my (@words) = @_;

    my $pid = open(my $out, '-|') // die "fork: $!";

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        exec 'slowhttptest', @words or die "slowhttptest: $!";
    }

    return $out;
}


# --- many -----------------------------------------------------------------

# Twice: what the first ten thousand leave, the second take again.
sub idle_connections {
    my @held;

    for my $wave (1, 2) {
        my $before = memory();
        my @open = map { connected() // () } 1 .. IDLE;
        ok($voice->wait_for(sub { descriptors() >= $files + 0.95 * IDLE }, 20),
           IDLE . ' idle connections are open')
            or diag(@open . ' of ours, ' . descriptors() . " there: $!");
        served('others are served beside them');
        push @held, memory() - $before;
        gone('who never says a word is', @open);
    }

    costs($held[0], IDLE * 4, "the first cost $held[0] KiB");
    costs($held[1], IDLE, "the second $held[1] KiB more");
}


# Each has had a reply, and stays.
sub kept_connections {
    my $before = memory();
    my @open;

    for (1 .. 2000) {
        my $socket = connected() // last;
        $socket->blocking(1);
        syswrite $socket, "GET /ready HTTP/1.1\r\nHost: x\r\n\r\n";
        push @open, $socket;
    }
    for my $socket (@open) {
        sysread $socket, my $reply, 65536
            if IO::Select->new($socket)->can_read(20);
    }
    served('others are served beside ' . @open . ' that are kept');
    my $held = memory() - $before;
    costs($held, @open * 8, "which cost $held KiB");
    gone('who is kept and asks no more is', @open);
}


# Does not wait for the other side.
sub connected {
    # several addresses, as one has not enough ports
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', Blocking => 0,
        PeerPort => $voice->{stack}{port}, Proto => 'tcp',
        LocalAddr => '127.0.9.' . (1 + $local++ % 4));
}


# All of them see the end.
sub gone {
    my ($who, @sockets) = @_;

    my $select = IO::Select->new(@sockets);
    $voice->wait_for(sub {
        for my $socket ($select->can_read(0)) {
            my $got = sysread $socket, my $bytes, 65536;
            $select->remove($socket) if !$got;
        }
        return !$select->count;
    }, 15 * TIMEOUT);

    is($select->count, 0, "$who ended by a timer");
}


# --- figures --------------------------------------------------------------

# The median time of requests of somebody else; each must be good.  By a
# process of its own, which does not have the test's many sockets.
sub others {
    # a stranger has a limit
    my $address = '127.0.8.' . (1 + $asked++);
    my $pid = open(my $out, '-|') // die "fork: $!";

    if ($pid == 0) {
        POSIX::close($_) for 3 .. FILES;
        syswrite STDOUT, median($address) // 'undef';
        POSIX::_exit(0);
    }

    my $median = readline $out;
    close $out;

    return $median eq 'undef' ? undef : $median;
}


sub median {
    my ($address) = @_;

    my (@times, $raw);

    for (1 .. REQUESTS) {
        $raw //= Voice::Raw->new($voice, $address);
        my $start = time;
        $raw->put("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
        my $reply = $raw->reply;
        push @times, time - $start if $reply && $reply->{status} == 200;
        $raw = undef
            if !$reply || ($reply->{headers}{connection} // '') eq 'close';
    }

    return @times < REQUESTS ? undef
        : (sort { $a <=> $b } @times)[@times / 2];
}


sub served {
    my ($what) = @_;

    my $median = others();
    my $floor = $usual > QUICK ? $usual : QUICK;
    ok(defined $median && $median < SLOWER * $floor, $what)
        or diag(defined $median ? "median $median s, before $usual s"
                                : 'not all were served');
    diag(sprintf '%s: median %.2f ms, before %.2f ms, %d descriptors',
         $what, 1000 * $median, 1000 * $usual, descriptors())
        if defined $median;
}


# A sanitizer keeps what was given back.
sub costs {
    my ($held, $most, $what) = @_;

    SKIP: {
        skip "$what: with a sanitizer", 1 if $ENV{VOICE_SANITIZE};
        cmp_ok($held, '<', $most, $what);
    }
}


# Resident, in KiB.
sub memory {
    my (undef, $pages) = split / /, Voice::slurp("/proc/$pid/statm");

    return $pages * PAGE;
}


sub descriptors { return scalar(() = glob "/proc/$pid/fd/*") }


sub address {
    my ($n) = @_;

    return sprintf '127.7.%d.%d', $n / 250, 1 + $n % 250;
}


# Timers that a test can wait for, and room for many.
sub quick_timers {
    my $timeout = TIMEOUT . 's';

    for my $file (glob "$data/etc/*.conf") {
        my $text = Voice::slurp($file);
        my $new = $text
            =~ s/^(\s*(?:client_header|client_body|send|keepalive)_timeout)
                 \ \S+;/$1 $timeout;/gmxr
            =~ s/worker_connections \d+;/worker_connections 16384;/r
            =~ s/^(worker_processes .*)$/$1\nworker_rlimit_nofile 16384;/mr;
        Voice::spew($file, $new) if $new ne $text;
    }

    my %old = map { $_ => 1 } $voice->children('nginx');
    local @ENV{keys %{$voice->{stack}{preload}}}
        = values %{$voice->{stack}{preload}};
    my $out = `$Voice::ROOT/bin/voicegate-reload --pid-file $data/run/nginx.pid 2>&1`;
    $? == 0 or BAIL_OUT("no reload: $out");
    $voice->wait_for(sub { !grep { $old{$_} } $voice->children('nginx') }, 60);
}
