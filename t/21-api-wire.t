#!/usr/bin/perl

# HTTP as bytes: broken requests, framing, pipelines, slow clients and such
# that go away.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Check;
use Voice::Raw;

my $voice = Voice->start(workers => 0, processes => 2);
my $owner = $voice->tenant('acme');
my $auth = "Authorization: Bearer $owner->{token}\r\n";
my $type = "Content-Type: application/json\r\n";
my @pids = sort $voice->children('nginx');

request_ids();
broken_requests();
framing();
lenient_requests();
credentials();
pipeline();
byte_by_byte();
aborted();
too_many();
methods_are_kept();
stream_heads();

is(join(' ', sort $voice->children('nginx')), "@pids",
   'no process of nginx has died');
logs_are_whole();

$voice->finish;


# --- request ids ----------------------------------------------------------

sub request_ids {
    for my $id ('a', 'A-b_c.9', 'x' x 128,
                '018f3b5e-0000-7000-8000-000000000000')
    {
        my $reply = get("X-Request-Id: $id\r\n");
        is($reply->{headers}{'x-request-id'}, $id,
           'a harmless request id is kept');
    }

    my %bad = ('empty' => '', 'too long' => 'x' x 129, 'a blank' => 'a b',
        'a quote' => 'a"b', 'a tab' => "a\tb", 'a control' => "a\x01b",
        'high bytes' => "\xe9\xff", 'markup' => '<b>', 'a comma' => 'a,b',
        'a fold' => "a\r\n b", 'a percent' => '%0d%0aSet-Cookie:x',
        'JSON' => '","level":"x');

    for my $what (sort keys %bad) {
        my $reply = get("X-Request-Id: $bad{$what}\r\n");
        if ($reply->{status} == 400) {
            is(improper($voice, $reply, 400), '',
               "a request id with $what is refused");
            next;
        }
        like($reply->{headers}{'x-request-id'},
             qr/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}$/,
             "a request id with $what is replaced");
    }

    my $twice = get("X-Request-Id: one\r\nX-Request-Id: two\r\n");
    like($twice->{headers}{'x-request-id'}, qr/^(?:one|two)$/,
         'of two request ids one is taken');
    my $split = get("X-Request-Id: a\r\nSet-Cookie: b\r\n");
    ok(!exists $split->{headers}{'set-cookie'}, 'headers are not echoed');
}


sub get {
    my ($headers) = @_;

    return exchange("GET /api/v1/auth/me HTTP/1.1\r\nHost: x\r\n$headers"
                    . "Connection: close\r\n\r\n");
}


# --- requests that are none -----------------------------------------------

sub broken_requests {
    my $get = "GET /api/v1/auth/me HTTP/1.1\r\nHost: x\r\n";
    my @broken = (
        ['an unknown version', "GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505],
        ['no version of HTTP', "GET / FTP/1.1\r\nHost: x\r\n\r\n", 400],
        ['no path', "GET HTTP/1.1\r\nHost: x\r\n\r\n", 400],
        ['a path without a slash', "GET x HTTP/1.1\r\nHost: x\r\n\r\n", 400],
        ['a lower-case method', "get / HTTP/1.1\r\nHost: x\r\n\r\n", 400],
        ['no host', "GET /health HTTP/1.1\r\n\r\n", 400],
        ['two hosts', "GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
         400],
        ['a bad host', "GET /health HTTP/1.1\r\nHost: a/b\r\n\r\n", 400],
        ['a NUL in a header', "${get}X: a\0b\r\n\r\n", 400],
        ['a NUL in the path', "GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n", 400],
        ['a broken escape', "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400],
        ['a path above the root', "GET /../x HTTP/1.1\r\nHost: x\r\n\r\n",
         400],
        ['a header too large', $get . 'X: ' . 'x' x 20000 . "\r\n\r\n", 400],
        ['too many headers', $get . ('X: ' . 'x' x 1000 . "\r\n") x 80
         . "\r\n", 400],
        ['TLS', "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
        ['noise', join('', map { chr(128 + $_ * 7 % 128) } 1 .. 64)
         . "\r\n\r\n", 400],
        ['TRACE', "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 405],
        ['CONNECT', "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400, 405],
    );

    for my $case (@broken) {
        my ($what, $bytes, @statuses) = @$case;
        is(improper($voice, exchange($bytes), @statuses), '',
           "$what is refused");
    }
}


# What could be read in two ways is not read at all.
sub framing {
    my $post = "POST /api/v1/test-suites HTTP/1.1\r\nHost: x\r\n$auth$type";
    my $body = '{"name":"x"}';
    my @broken = (
        ['two lengths', "Content-Length: 12\r\nContent-Length: 12\r\n\r\n"
         . $body, 400],
        ['a length and chunks', "Content-Length: 12\r\n"
         . "Transfer-Encoding: chunked\r\n\r\nc\r\n$body\r\n0\r\n\r\n", 400],
        ['two codings', "Transfer-Encoding: chunked, chunked\r\n\r\n"
         . "0\r\n\r\n", 501, 400],
        ['an unknown coding', "Transfer-Encoding: gzip\r\n\r\n", 501],
        ['a negative length', "Content-Length: -1\r\n\r\n", 400],
        ['a length with a sign', "Content-Length: +12\r\n\r\n$body", 400],
        ['chunks that are nearly all frame', "Transfer-Encoding: chunked\r\n"
         . "\r\n" . "1\r\n \r\n" x 200000, 413],
        ['a length of text', "Content-Length: twelve\r\n\r\n", 400],
        ['an endless length', 'Content-Length: ' . '9' x 40 . "\r\n\r\n",
         400],
        ['a huge length', "Content-Length: 999999999999\r\n\r\n", 413],
        ['no length', "\r\n", 422],
        ['a chunk without size', "Transfer-Encoding: chunked\r\n\r\n"
         . "x\r\n$body\r\n0\r\n\r\n", 400],
        ['a chunk of endless size', "Transfer-Encoding: chunked\r\n\r\n"
         . 'f' x 40 . "\r\n$body", 400],
        ['a chunk of a huge size', "Transfer-Encoding: chunked\r\n\r\n"
         . "7fffffffffff\r\n$body", 413],
        ['a chunk that is longer than told', "Transfer-Encoding: chunked"
         . "\r\n\r\n2\r\n$body\r\n0\r\n\r\n", 400],
    );

    for my $case (@broken) {
        my ($what, $rest, @statuses) = @$case;
        is(improper($voice, exchange("$post$rest"), @statuses), '',
           "$what is refused");
    }

    is($voice->call('list_test_suites', as => $owner)
             ->{json}{pagination}{total_items}, 0, 'and nothing was made');
}


# What RFC 9110 and 9112 allow.
sub lenient_requests {
    my $post = "POST /api/v1/test-suites HTTP/1.1\r\nHost: x\r\n$auth$type";
    my $body = '{"name":"wire"}';
    my $length = length $body;
    my @fine = (
        ['chunks of one byte', "Transfer-Encoding: chunked\r\n\r\n"
         . join('', map { "1\r\n$_\r\n" } split //, $body) . "0\r\n\r\n"],
        ['chunks with extensions and trailers',
         "Transfer-Encoding: Chunked\r\n\r\n"
         . sprintf("%X;a=b\r\n%s\r\n0\r\nX-Trailer: y\r\n\r\n", $length,
                   $body)],
        ['an expectation', "Expect: 100-continue\r\nContent-Length: "
         . "$length\r\n\r\n$body"],
        ['bare line feeds', "Content-Length: $length\n\n$body"],
        ['blank lines before', "Content-Length: $length\r\n\r\n$body",
         "\r\n\r\n"],
    );

    for my $case (@fine) {
        my ($what, $rest, $before) = @$case;
        my $reply = exchange(($before // '') . "$post$rest");
        is($reply->{status}, 201, "$what is understood");
    }

    is($voice->call('list_test_suites', as => $owner,
                    query => { search => 'wire' })
             ->{json}{pagination}{total_items}, scalar @fine,
       'each made one suite');

    my $old = exchange("GET /health HTTP/1.0\r\n\r\n");
    is($old->{status}, 200, 'HTTP/1.0 is answered');
    is(exchange("GET http://other.example/health HTTP/1.1\r\nHost: x\r\n\r\n")
       ->{status}, 200, 'an absolute target is a target');
}


sub credentials {
    my @headers = ('Bearer', 'Bearer ', 'Bearer  x', 'bearer x', 'Basic eDp5',
        'Bearer ' . 'a' x 7000, 'Bearer a.b.c', 'Bearer ..', 'Token x',
        'Bearer ' . "\xff" x 40, 'Bearer ' . join('.', ('e30') x 3),
        'Bearer eyJhbGciOiJIUzI1NiJ9.' . 'W10' x 500 . '.x', ',', 'Negotiate');

    for my $header (@headers) {
        my $name = substr $header =~ s/[^ -~]/?/gr, 0, 30;
        is(improper($voice, get("Authorization: $header\r\n"), 401), '',
           "\"$name\" is no credential");
    }
    for my $key ('', 'x', 'vgk_', 'vgk_' . 'A' x 43, 'v' x 7000, "vgk_\xff") {
        my $name = substr $key =~ s/[^ -~]/?/gr, 0, 30;
        is(improper($voice, get("X-API-Key: $key\r\n"), 401), '',
           "\"$name\" is no key");
    }

    is(improper($voice, get("$auth$auth"), 400, 401), '',
       'two credentials are one too many');
    is(improper($voice, exchange('GET /api/v1/auth/me?access_token='
        . "$owner->{token} HTTP/1.1\r\nHost: x\r\n\r\n"), 401), '',
       'a token in a query is for streams alone');
}


# --- many at once, slowly, and not to the end -----------------------------

# Good and bad ones, sent in one go: each gets its own answer, in order.
sub pipeline {
    my @send = map { my $n = $_; (
        ["GET /api/v1/auth/me HTTP/1.1\r\nHost: x\r\n$auth", '', 200],
        ["GET /nowhere HTTP/1.1\r\nHost: x\r\n", '', 404],
        ["POST /api/v1/test-suites HTTP/1.1\r\nHost: x\r\n$auth$type",
         '{"name":', 400],
        ["POST /api/v1/test-suites HTTP/1.1\r\nHost: x\r\n$auth$type",
         '{"name":"pipeline"}', 201],
        ["GET /api/v1/auth/me HTTP/1.1\r\nHost: x\r\n", '', 401],
        ["GET /api/v1/test-suites?search=pipeline HTTP/1.1\r\nHost: x\r\n"
         . $auth, '', 200],
        ["DELETE /api/v1/auth/me HTTP/1.1\r\nHost: x\r\n$auth", 'body', 405],
        ) } 1 .. 10;
    my $raw = Voice::Raw->new($voice);
    my $n = 0;
    my @wrong;

    $raw->put(join '', map { $n++; "$_->[0]X-Request-Id: p$n\r\n"
        . 'Content-Length: ' . length($_->[1]) . "\r\n\r\n$_->[1]" } @send);
    $n = 0;
    for my $request (@send) {
        $n++;
        my $reply = $raw->reply;
        push @wrong, "p$n " . ($reply ? $reply->{status} : 'none')
            unless $reply && $reply->{status} == $request->[2]
                && $reply->{headers}{'x-request-id'} eq "p$n";
    }
    is("@wrong", '', 'seventy requests in a pipeline are answered in order');
}


sub byte_by_byte {
    my $body = '{"name":"slow"}';
    my $request = "POST /api/v1/test-suites HTTP/1.1\r\nHost: x\r\n$auth$type"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
    my $raw = Voice::Raw->new($voice);

    $raw->put($_) for split //, $request;
    is($raw->reply->{status}, 201, 'a request may come byte by byte');

    my @half = map { Voice::Raw->new($voice) } 1 .. 100;
    $_->put(substr $request, 0, -3) for @half;
    is($voice->request('GET', '/health')->{status}, 200,
       'a hundred slow clients hold nobody up');
    $_->abort for @half;
}


sub aborted {
    my $before = suites();
    my $body = '{"name":"aborted"}';
    my $post = "POST /api/v1/test-suites HTTP/1.1\r\nHost: x\r\n$auth$type"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
    my $list = "GET /api/v1/test-suites?page_size=100 HTTP/1.1\r\nHost: x"
        . "\r\n$auth\r\n";
    my $chunked = "POST /api/v1/test-suites HTTP/1.1\r\nHost: x\r\n$auth$type"
        . "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"nam";

    for my $part ((map { substr $post, 0, $_ } 1, 20, 200, -1), $chunked) {
        for my $how (qw(abort end)) {
            my $raw = Voice::Raw->new($voice);
            $raw->put($part);
            $raw->$how;
            $raw->rest if $how eq 'end';
        }
    }
    is(suites(), $before, 'half a request does nothing');

    for (1 .. 40) {
        my $raw = Voice::Raw->new($voice);
        $raw->put($list x 3);
        $raw->abort;
    }
    my $mid = Voice::Raw->new($voice);
    $mid->put($list);
    $mid->more;
    $mid->abort;
    my $login = Voice::Raw->new($voice);
    my $who = encode_json({ email => $owner->{email}, password => 'x' });
    $login->put("POST /auth/login HTTP/1.1\r\nHost: x\r\n${type}"
                . 'Content-Length: ' . length($who) . "\r\n\r\n$who");
    $login->abort;

    my $raw = Voice::Raw->new($voice);
    $raw->put("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
    is($raw->reply->{status}, 200, 'clients that go away do no harm');
}


sub suites {
    return $voice->call('list_test_suites', as => $owner)
        ->{json}{pagination}{total_items};
}


# Nothing of a stream is worth a HEAD.
sub stream_heads {
    my $raw = Voice::Raw->new($voice);
    $raw->put("HEAD /events/stream/$owner->{tenant_id} HTTP/1.1\r\n"
              . "Host: x\r\n$auth\r\n");
    my $reply = $raw->reply(head => 1);

    is($reply && $reply->{status}, 405, 'a HEAD of a stream is refused');
    is($reply && $reply->{headers}{allow}, 'GET, OPTIONS',
       'with what it takes');
}


# What nginx refuses by itself is told under the method that was sent.
sub methods_are_kept {
    for my $method (qw(POST PUT PATCH DELETE)) {
        my $line = qr/"method":"$method","endpoint":"-","status":400/;
        my $before = logged($line);
        exchange("$method /methods HTTP/1.1\r\n\r\n");
        exchange("$method /methods HTTP/1.1\r\nHost: x\r\n"
                 . "Content-Length: x\r\n\r\n");
        ok($voice->wait_for(sub { logged($line) == $before + 2 }, 10),
           "a broken $method is logged as such");
    }
}


# Lines of the access log that match.
sub logged {
    my ($line) = @_;

    return scalar grep { /$line/ }
        split /\n/, Voice::slurp("$voice->{stack}{log}/access.log");
}


sub too_many {
    my $raw = Voice::Raw->new($voice, '127.0.0.77');
    my $one = "POST /auth/login HTTP/1.1\r\nHost: x\r\n${type}"
        . "Content-Length: 2\r\n\r\n{}";
    my %status;
    my $refused;

    $raw->put($one x 60);
    for (1 .. 60) {
        my $reply = $raw->reply;
        $status{$reply->{status}}++;
        $refused //= $reply if $reply->{status} == 429;
    }

    cmp_ok($status{422} // 0, '>=', 15, 'a burst of logins is taken');
    cmp_ok($status{429} // 0, '>=', 20, 'what is above it is refused');
    is(improper($voice, $refused, 429), '', 'as it should be');
    like($refused->{headers}{'retry-after'}, qr/^[1-9]\d*$/,
         'with the time to wait');
    my $other = Voice::Raw->new($voice, '127.0.0.78');
    $other->put($one);
    is($other->reply->{status}, 422, 'others are not held up by it');
}


# --- small things ---------------------------------------------------------

# Sends bytes on a connection of its own; the first reply that counts.
sub exchange {
    my ($bytes) = @_;

    my $raw = Voice::Raw->new($voice);
    $raw->put($bytes);
    my $reply = $raw->reply;
    $reply = $raw->reply if $reply && $reply->{status} == 100;

    return $reply;
}


sub logs_are_whole {
    my (@broken, %status);

    for my $file (map { "$voice->{stack}{log}/$_.log" } qw(access error)) {
        for my $line (split /\n/, Voice::slurp($file)) {
            my $entry = eval { decode_json($line) };
            push @broken, $line unless ref $entry eq 'HASH';
            $status{$entry->{status} // 0}++;
        }
    }

    is(join("\n", @broken), '', 'every line of the logs is one JSON object');
    is(join(' ', map { "$_:$status{$_}" } grep { $_ >= 500 }
            sort keys %status), '501:4 505:2',
       'nothing of this was our fault');
}
