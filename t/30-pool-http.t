#!/usr/bin/perl

# The pool's outbound HTTP against a server that misbehaves.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use POSIX qw(strftime);
use Test::More;

my $root = abs_path(dirname(__FILE__) . '/..');
my $program = ($ENV{VOICE_BUILD} || "$root/build") . '/pool-http_call';
my $dir = tempdir(CLEANUP => 1);
my $json = JSON::PP->new;
my @children;

die "$program is not built" . "\n" unless -x $program;

my %answers = (
    '/ok'       => sub { reply($_[0], '200 OK', 'hello', 'X-Echo:  yes ') },
    '/teapot'   => sub { reply($_[0], "418 I'm a teapot", 'short') },
    '/moved'    => sub { reply($_[0], '302 Found', '', 'Location: /ok') },
    '/busy'     => sub { reply($_[0], '503 Busy', '', 'Retry-After: 7') },
    '/dated'    => sub { reply($_[0], '503 Busy', '', 'Retry-After: '
                               . strftime('%a, %d %b %Y %H:%M:%S GMT',
                                          gmtime(time + 100))) },
    '/never'    => sub { reply($_[0], '503 Busy', '',
                               'Retry-After: 1000000000') },
    '/flaky'    => \&flaky,
    '/big'      => sub { reply($_[0], '200 OK', 'x' x 100_000) },
    '/chunked'  => \&chunked,
    '/headers'  => sub { reply($_[0], '200 OK', '',
                               map { "X-$_: " . 'y' x 900 } 1 .. 40) },
    '/cut'      => sub { print { $_[0] } "HTTP/1.1 200 OK\r\n"
                             . "Content-Length: 100\r\n\r\nhalf" },
    '/silent'   => sub { readline $_[0] },
    '/garbage'  => sub { print { $_[0] } "no HTTP at all\r\n\r\n" },
    '/echo'     => sub { reply($_[0], '200 OK', join '|', @_[1, 2]) },
);

my $server = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1')
    or BAIL_OUT("no socket: $!");
my $local = IO::Socket::UNIX->new(Listen => 64, Local => "$dir/sock")
    or BAIL_OUT("no socket: $!");
my $url = 'http://127.0.0.1:' . $server->sockport;

serve($_) for $server, $local;

my $r = call('/ok');
is($r->{result}, 'ok', 'a 200 is good');
is($r->{body}, 'hello', 'the body is there');
is($r->{type}, 'text/plain', 'the media type is there');
is($r->{echo}, 'yes', 'a header is found in any case, without its spaces');
cmp_ok($r->{first_byte_ms}, '>=', $r->{connected_ms},
       'the first byte comes after the connection');
cmp_ok($r->{total_ms}, '>=', $r->{first_byte_ms}, 'the last byte comes last');

$r = call('/teapot');
is($r->{result}, 'status', 'a 418 is an answer, and not a good one');
is($r->{status}, 418, 'its status is told');
ok(!$r->{retryable}, 'it is not worth trying again');
is($r->{body}, 'short', 'its body is kept');

$r = call('/moved');
is($r->{status}, 302, 'a redirect is not followed');

$r = call('/busy');
ok($r->{retryable}, 'a 503 is worth trying again');
is($r->{retry_after}, 7, 'Retry-After is told');
is($r->{attempts}, 1, 'without retries there is one attempt');
$r = call('/dated');
ok($r->{retry_after} > 60 && $r->{retry_after} <= 100,
   'so is one that is a date') or diag($r->{retry_after});
is(call('/never')->{retry_after}, 0, 'one of more than a day is none');

$r = call('/busy', 'retries=3', 'deadline=1500');
is($r->{attempts}, 1, 'a wait that the deadline forbids is not begun');

$r = call('/flaky', 'retries=1', 'prepare=1');
is($r->{result}, 'ok', 'a passing fault is overcome by a retry');
is($r->{attempts}, 2, 'it took two attempts');
is($r->{prepared}, 2, 'each attempt is prepared');
like($r->{body}, qr/X-Attempt: 2/, 'the second attempt has its own header');

$r = call('/ok', 'prepare=1', 'abort=1');
is($r->{result}, 'aborted', 'a request that cannot be prepared is not sent');

$r = call('/big', 'max=1000');
is($r->{result}, 'too_large', 'a body over the cap is refused');
cmp_ok(length $r->{body}, '<=', 1000, 'no more than the cap is kept');
$r = call('/chunked', 'max=1000');
is($r->{result}, 'too_large', 'so is one that does not tell its length');
$r = call('/headers');
is($r->{result}, 'too_large', 'endless headers are refused');

$r = call('/cut');
is($r->{result}, 'broken', 'a reply that is cut short is broken');
ok($r->{retryable}, 'and worth trying again');
$r = call('/garbage');
is($r->{result}, 'broken', 'what is no HTTP is broken');

$r = call('/silent', 'timeout_ms=60000', 'cancel_ms=200');
is($r->{result}, 'aborted', 'a call of a job that is cancelled ends');
$r = call('/busy', 'retries=3', 'cancel_ms=200');
is($r->{result}, 'aborted', 'so does its wait for another attempt');
is($r->{attempts}, 1, 'which is not made');
$r = call('/silent', 'timeout_ms=200');
is($r->{result}, 'timeout', 'a silent host times out');
cmp_ok($r->{total_ms}, '<', 2000, 'in its time');
is($r->{first_byte_ms}, -1, 'no first byte is told');
$r = call('/silent', 'deadline=200');
is($r->{result}, 'timeout', 'the deadline of a job ends a call');
$r = call('/ok', 'deadline=-1');
is($r->{result}, 'timeout', 'after the deadline there is no call');

$r = call('/echo', 'method=POST', 'body=data', 'header=X-Key: value');
like($r->{body}, qr/^POST .*X-Key: value/s, 'method and header arrive');
like($r->{body}, qr/\|data$/, 'the body arrives');
unlike($r->{body}, qr/Expect:/, 'no "100 Continue" is waited for');
$r = call('/echo', 'method=POST', 'pieces=3', 'pause_ms=30');
like($r->{body}, qr/Transfer-Encoding: chunked/, 'a stream is chunked');
like($r->{body}, qr/piece;.*piece;.*piece;/s, 'its pieces arrive');
cmp_ok($r->{sent_ms}, '>=', 90, 'the time of its last byte is told');

$r = call('/ok', "header=X-Bad: a\r\nX-Worse: b");
is($r->{result}, 'refused', 'a header with a line break is refused');

$r = call_url('http://localhost/ok', "unix=$dir/sock");
is($r->{result}, 'ok', 'a unix socket can be called');

for my $host ('127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]',
              '0.0.0.0', '10.1.2.3', '172.31.0.1', '192.168.0.1',
              '169.254.169.254', '100.64.0.1', '[fd00::1]', '[fe80::1]',
              '[64:ff9b::7f00:1]', '2130706433', '0x7f.1')
{
    $r = call_url("http://$host:9/", 'private=0', 'connect_ms=1000');
    is($r->{result}, 'refused', "$host is not called unless allowed");
}

for my $bad ('ftp://127.0.0.1/', 'file:///etc/passwd', 'http://',
             'http://user:secret@127.0.0.1/', 'gopher://127.0.0.1/')
{
    $r = call_url($bad);
    is($r->{result}, 'refused', "$bad is refused");
    unlike($r->{error}, qr/secret/, 'no secret is in the message');
}

my $closed = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1');
my $port = $closed->sockport;
close $closed;

my @r = call_url("http://127.0.0.1:$port/", 'calls=6');
is_deeply([map { $_->{result} } @r], [('connect') x 5, 'circuit_open'],
          'after five failures in a row a host is left alone');
cmp_ok($r[5]{retry_after}, '>', 20, 'and the caller told for how long');
@r = call_url("$url/teapot", 'calls=7');
is($r[6]{status}, 418, 'a host that answers is not left alone');

untrusted();

kill 'TERM', @children;
waitpid $_, 0 for @children;

done_testing();


sub call {
    my ($path, @options) = @_;

    return call_url("$url$path", @options);
}


sub call_url {
    my ($target, @options) = @_;

    unshift @options, 'private=1' unless grep { /^private=/ } @options;

    open my $out, '-|', $program, $target, @options
        or BAIL_OUT("$program: $!");
    my @replies = map { $json->decode($_) } <$out>;
    close $out;

    return wantarray ? @replies : $replies[0];
}


# One process a socket, one more for each connection.
sub serve {
    my ($socket) = @_;

    my $pid = fork() // BAIL_OUT("fork: $!");

    if ($pid) {
        push @children, $pid;
        return;
    }

    $SIG{CHLD} = 'IGNORE';
    $SIG{TERM} = sub { require POSIX; POSIX::_exit(0) };

    for ( ;; ) {
        my $client = $socket->accept or next;
        my $one = fork();
        if (defined $one && $one == 0) {
            answer($client);
            require POSIX;
            POSIX::_exit(0);
        }
        close $client;
    }
}


sub answer {
    my ($client) = @_;

    $client->autoflush(1);
    my ($head, $body) = ('', '');

    while (defined(my $line = <$client>)) {
        last if $line =~ /^\r?\n/;
        $head .= $line;
    }

    if ($head =~ /^Content-Length: (\d+)/mi) {
        read $client, $body, $1;

    } elsif ($head =~ /^Transfer-Encoding: chunked/mi) {
        while (defined(my $size = <$client>)) {
            my $n = hex $size =~ s/\s+//r;
            read $client, my $chunk, $n + 2;
            $body .= substr $chunk, 0, $n;
            last unless $n;
        }
    }

    my ($path) = $head =~ m{^\S+ (/\w*)};
    $answers{$path // ''}->($client, $head, $body);
    close $client;
}


sub reply {
    my ($client, $status, $body, @headers) = @_;

    print $client join("\r\n", "HTTP/1.1 $status",
        'Content-Type: text/plain', 'Content-Length: ' . length $body,
        'Connection: close', @headers, '', ''), $body;
}


sub flaky {
    my ($client, $head) = @_;

    return reply($client, '200 OK', $head) if $head =~ /X-Attempt: 2/;
    reply($client, '503 Busy', '', 'Retry-After: 1');
}


sub chunked {
    my ($client) = @_;

    local $SIG{PIPE} = 'IGNORE';
    print $client "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    print $client "100\r\n", 'z' x 256, "\r\n" for 1 .. 100;
    print $client "0\r\n\r\n";
}


# A certificate that nobody signed.
sub untrusted {
    my @key = ('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
               'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj',
               '/CN=localhost', '-keyout', "$dir/key", '-out', "$dir/cert");

    SKIP: {
        skip 'no openssl program', 2
            unless system("@key >/dev/null 2>&1") == 0;

        my $pid = open(my $out, '-|', "exec openssl s_server -www -accept "
                       . "127.0.0.1:0 -key $dir/key -cert $dir/cert "
                       . '2>/dev/null') // skip 'no s_server', 2;
        my $tls;
        while (defined(my $line = <$out>)) {
            ($tls) = $line =~ /^ACCEPT 127\.0\.0\.1:(\d+)/ and last;
        }

        my $reply = call_url("https://127.0.0.1:$tls/");
        is($reply->{result}, 'tls', 'an unknown certificate is refused');
        ok(!$reply->{retryable}, 'and not tried again');

        kill 'TERM', $pid;
        close $out;
    }
}
