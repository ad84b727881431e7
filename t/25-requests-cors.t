#!/usr/bin/perl

# Cross-origin requests: which pages may read what, by tenant.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Raw;

use constant {
    OURS   => 'https://app.acme.example',
    THEIRS => 'http://localhost:5173',
    EVIL   => 'https://evil.example',
};

my $voice = Voice->start(workers => 0);
my $owner = $voice->tenant('acme');
my $other = $voice->tenant('beta');

$voice->sql("update core.tenant set cors_origins = array['@{[OURS]}']"
            . " where id = '$owner->{tenant_id}'");
$voice->sql("update core.tenant set cors_origins = array['@{[THEIRS]}']"
            . " where id = '$other->{tenant_id}'");
$voice->sql('insert into core.tenant_host (tenant_id, host)'
            . " values ('$owner->{tenant_id}', 'api.acme.example')");

# What the edge knows of tenants follows the database within a second.
$voice->wait_for(sub { allowed(get($owner, OURS)) eq OURS }, 20);

preflights();
requests();
before_identity();
hosts();
errors();
streams();
changes();
many_origins();

$voice->finish;


sub ask {
    my ($line, @headers) = @_;

    my $raw = Voice::Raw->new($voice);
    push @headers, 'Host: x' unless grep { /^Host:/ } @headers;
    $raw->put(join "\r\n", "$line HTTP/1.1", @headers, '', '');

    return $raw->reply(head => 1);
}


sub get {
    my ($who, $origin, $path) = @_;

    return ask('GET ' . ($path // '/api/v1/auth/me'), "Origin: $origin",
               $who ? "Authorization: Bearer $who->{token}" : ());
}


sub preflight {
    my ($origin, $path, @more) = @_;

    return ask("OPTIONS $path", "Origin: $origin",
               'Access-Control-Request-Method: POST',
               'Access-Control-Request-Headers: authorization', @more);
}


sub allowed {
    my ($reply) = @_;

    return $reply->{headers}{'access-control-allow-origin'} // 'none';
}


sub preflights {
    my $reply = preflight(OURS, '/api/v1/test-suites');
    my $headers = $reply->{headers};

    is($reply->{status}, 204, 'a preflight needs no credentials');
    is(allowed($reply), OURS, 'an origin that a tenant lists may ask');
    is($headers->{'access-control-allow-methods'},
       'GET, POST, HEAD, OPTIONS', 'by the methods of the path');
    like($headers->{'access-control-allow-headers'}, qr/\b$_\b/,
         "with $_") for qw(Authorization X-API-Key Idempotency-Key If-Match
                           If-None-Match Content-Type traceparent);
    is($headers->{'access-control-max-age'}, 600, 'for ten minutes');
    ok(!exists $headers->{'access-control-allow-credentials'},
       'without cookies');
    like($headers->{vary}, qr/$_/, "the reply varies by $_")
        for qw(Origin Access-Control-Request-Method
               Access-Control-Request-Headers);

    for my $origin (EVIL, 'null', 'https://app.acme.example.evil.example',
                    'HTTPS://app.acme.example', 'https://app.acme.example/',
                    'x' x 200, "https://app.acme.example\xff", '*',
                    OURS . ' ' . THEIRS)
    {
        $reply = preflight($origin, '/api/v1/test-suites');
        is($reply->{status}, 204, 'any other origin is answered');
        is(allowed($reply), 'none', 'and not let in');
        ok(!exists $reply->{headers}{'access-control-allow-methods'},
           'in any way');
    }

    $reply = ask('OPTIONS /health', 'Origin: ' . OURS);
    ok(!exists $reply->{headers}{'access-control-allow-methods'},
       'OPTIONS that is no preflight tells no more than Allow');
}


sub requests {
    my $reply = get($owner, OURS);

    is($reply->{status}, 200, 'a request of a listed origin');
    is(allowed($reply), OURS, 'may be read by its page');
    like($reply->{headers}{'access-control-expose-headers'}, qr/\b$_\b/,
         "$_ included") for qw(X-Request-Id ETag Location Retry-After
                               RateLimit RateLimit-Policy
                               Idempotent-Replayed);
    like($reply->{headers}{vary}, qr/Origin/, 'the reply varies by it');

    $reply = get($owner, THEIRS);
    is($reply->{status}, 200, 'that of another tenant\'s origin is served');
    is(allowed($reply), 'none', 'but not to be read');
    is(allowed(get($other, THEIRS)), THEIRS, 'as it is for that tenant');
    is(allowed(get($owner, EVIL)), 'none', 'nobody\'s is not');

    my $plain = ask('GET /api/v1/auth/me',
                    "Authorization: Bearer $owner->{token}");
    is(allowed($plain), 'none', 'without an origin there is nothing to say');
    like($plain->{headers}{vary}, qr/Origin/,
         'yet a cache must know that it would matter');
}


sub before_identity {
    is(allowed(get(undef, OURS)), OURS, 'a 401 may be read by any of them');
    is(allowed(get(undef, THEIRS)), THEIRS, 'since nobody is known yet');
    is(allowed(get(undef, EVIL)), 'none', 'but by no other');
    is(allowed(get(undef, OURS, '/health')), OURS, 'so may public ones');
}


sub hosts {
    my $reply = preflight(THEIRS, '/api/v1/test-suites',
                          'Host: api.acme.example');
    is(allowed($reply), 'none', 'on a tenant\'s host only its origins ask');
    is(allowed(preflight(OURS, '/api/v1/test-suites',
                         'Host: api.acme.example')), OURS, 'as its own do');
    is(allowed(preflight(OURS, '/api/v1/test-suites',
                         'Host: app.acme.example')), 'none',
       'a page of the edge itself needs nothing');
}


sub errors {
    my %status = ('/api/v1/nothing' => 404,
        '/api/v1/test-suites/1' => 422,
        '/api/v1/test-suites/00000000-0000-7000-8000-000000000000' => 404);

    for my $path (sort keys %status) {
        my $reply = get($owner, OURS, $path);
        is($reply->{status}, $status{$path}, "GET $path fails");
        is(allowed($reply), OURS, 'and its page may read why');
    }

    is(allowed(ask('PATCH /api/v1/test-suites', 'Origin: ' . OURS)), OURS,
       'so with a method that is not there');
    my $large = ask('POST /api/v1/test-suites', 'Origin: ' . OURS,
                    "Authorization: Bearer $owner->{token}",
                    'Content-Length: 99999999');
    is($large->{status}, 413, 'a body that nginx refuses');
    is(allowed($large), OURS, 'is refused readably');
}


sub streams {
    my $path = "/events/stream/$owner->{tenant_id}";

    for my $case ([OURS, OURS], [THEIRS, 'none'], [EVIL, 'none']) {
        my ($origin, $expected) = @$case;
        my $reply = get($owner, $origin, $path);
        is($reply->{status}, 200, "a stream for $origin");
        is(allowed($reply), $expected, 'by the tenant\'s list');
        ok(!exists $reply->{headers}{'access-control-allow-credentials'},
           'without cookies');
    }
}


sub changes {
    $voice->sql('update core.tenant set cors_origins = \'{}\''
                . " where id = '$owner->{tenant_id}'");
    ok($voice->wait_for(sub { allowed(get($owner, OURS)) eq 'none' }, 20),
       'an origin that is taken off the list is refused soon');
    ok($voice->wait_for(sub {
           allowed(preflight(OURS, '/health')) eq 'none' }, 20),
       'also by preflights');
}


# Strangers with many origins do not fill or stop anything.
sub many_origins {
    my $raw = Voice::Raw->new($voice);
    my $n = 3000;
    my $allowed = 0;

    for my $batch (0 .. $n / 100 - 1) {
        $raw->put(join '', map {
            "OPTIONS /health HTTP/1.1\r\nHost: x\r\nOrigin: https://"
            . ($batch * 100 + $_) . ".example\r\n\r\n" } 1 .. 100);
        for (1 .. 100) {
            my $reply = $raw->reply(head => 1);
            $allowed++ if $reply->{status} != 204
                || allowed($reply) ne 'none';
        }
    }

    is($allowed, 0, 'none of them is let in');
    ok($voice->wait_for(sub {
           allowed(preflight(THEIRS, '/health')) eq THEIRS }, 20),
       'and those that are listed still are');
}
