#!/usr/bin/perl

# Errors of operations with x-errors "flat", wherever they are made, and what
# answers at "/".

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Raw;

my $json = JSON::PP->new->utf8->canonical;
my $voice = Voice->start(workers => 0);
my $owner = $voice->tenant('acme');
my $person = $voice->person('acme', 'operator');

banner();
sentences();
lists();
routing();
nobody_else();

$voice->finish;


sub banner {
    my $reply = $voice->call('service_banner');

    is($reply->{status}, 200, '/ answers');
    is_deeply($reply->{json}, { service => 'VoiceStream PBX Microservice',
        status => 'running', version => '1.0.0' }, 'as the source does');
    is($voice->request('HEAD', '/')->{status}, 200, 'HEAD, too');
    flat($voice->request('POST', '/'), 405, 'METHOD_NOT_ALLOWED',
         'another method of /');

    $voice->stack('stop', 'postgres');
    is($voice->request('GET', '/')->{status}, 200,
       '/ answers without the database');
    $voice->stack('start', 'postgres');
    ok($voice->wait_for(sub {
        $voice->request('GET', '/ready')->{status} == 200 }),
       'the database is back');
}


# What is refused before the SQL call, and by it.
sub sentences {
    my $good = '{"sequence":0,"data":"x","timestamp":1}';

    flat(post('/v1/call/stream/c', $good, as => undef), 401,
         'AUTH_INVALID_TOKEN', 'no credential');
    flat(post('/v1/call/stream/c', $good, as => { token => 'x.y.z' }), 401,
         'AUTH_INVALID_TOKEN', 'a wrong one');
    flat(post('/v1/call/stream/c', $good,
              as => $voice->person('acme', 'viewer')), 403,
         'AUTH_INSUFFICIENT_PERMISSIONS', 'a role that may not');
    flat(post('/v1/call/complete/nobody', '{"total_packets":1}'), 404,
         'RESOURCE_NOT_FOUND', 'a call that is none');
    flat(post('/v1/call/stream/c', '{"sequence":0,'), 400, 'BAD_REQUEST',
         'half a body');
    flat(post('/v1/call/stream/c', ''), 400, 'BAD_REQUEST', 'an empty body');
    flat(post('/v1/call/stream/c', "{\"data\":\"\xff\"}"), 400,
         'BAD_REQUEST', 'broken UTF-8');
    flat(post('/v1/call/stream/c', $good, type => 'text/plain'), 415,
         'UNSUPPORTED_MEDIA_TYPE', 'text');
    flat(post('/v1/call/stream/c', '{"data":"' . 'x' x 900_000 . '"}'), 413,
         'PAYLOAD_TOO_LARGE', 'more than the operation takes');
    flat(post('/v1/call/stream/c', '{"data":"' . 'x' x 2_000_000 . '"}'),
         413, 'PAYLOAD_TOO_LARGE', 'more than nginx takes');
}


sub lists {
    my @rows = (
        ['{"sequence":-1,"data":"x","timestamp":1}',
         'body sequence', 'greater_than_equal'],
        ['{"sequence":"0","data":"x","timestamp":1}',
         'body sequence', 'int_type'],
        ['{"sequence":0,"timestamp":1}', 'body data', 'missing'],
        ['{"sequence":0,"data":"","timestamp":1}',
         'body data', 'string_too_short'],
        ['{"sequence":0,"data":7,"timestamp":1}',
         'body data', 'string_type'],
        ['{"sequence":0,"data":"x","timestamp":0}',
         'body timestamp', 'greater_than'],
        ['{"sequence":0,"data":"x","timestamp":"now"}',
         'body timestamp', 'float_type'],
        ['{"sequence":2147483648,"data":"x","timestamp":1}',
         'body sequence', 'less_than_equal'],
        ['[]', 'body', 'dict_type'],
    );

    for my $row (@rows) {
        my ($body, $place, $type) = @$row;
        my $reply = post('/v1/call/stream/c', $body);
        flat($reply, 422, 'VALIDATION_ERROR', $body);
        my ($found) = grep { "@{$_->{loc}}" eq $place }
            @{$reply->{json}{detail}};
        is($found->{type}, $type, "$place is $type");
        ok(length $found->{msg}, 'with a message');
    }

    my $reply = post('/v1/call/stream/c', '{}');
    is_deeply([sort map { "@{$_->{loc}} $_->{type}" }
                    @{$reply->{json}{detail}}],
              ['body data missing', 'body sequence missing',
               'body timestamp missing'], 'all that is missing is told');

    $reply = post('/v1/call/stream/' . 'c' x 300,
                  '{"sequence":0,"data":"x","timestamp":1}');
    flat($reply, 422, 'VALIDATION_ERROR', 'an id that is too long');
    is("@{$reply->{json}{detail}[0]{loc}}", 'path call_id', 'at its place');
}


# Paths without an operation look like their neighbours.
sub routing {
    my $get = $voice->request('GET', '/v1/call/stream/x');

    flat($get, 405, 'METHOD_NOT_ALLOWED', 'GET of a stream');
    is($get->{headers}{allow}, 'POST, OPTIONS', 'with the right ones');
    flat($voice->request('PUT', '/v1/call/complete/x'), 405,
         'METHOD_NOT_ALLOWED', 'PUT of a completion');
    flat($voice->request($_->[0], $_->[1]), 404, 'RESOURCE_NOT_FOUND',
         "$_->[0] $_->[1]")
        for [GET => '/v1/call/nothing'], [POST => '/v1/call/stream'],
            [POST => '/v1/call/stream/'], [POST => '/v1/call/stream/a/b'];

    my $raw = Voice::Raw->new($voice);
    $raw->put("POST /v1/call/stream/x HTTP/1.1\r\nHost: x\r\n"
              . "Content-Length: -1\r\n\r\n");
    my $reply = $raw->reply;
    $reply->{json} = $json->decode($reply->{content});
    flat($reply, 400, 'BAD_REQUEST', 'what nginx itself refuses');
}


sub nobody_else {
    for my $path ('/api/v1/nothing', '/nothing', '/health/nothing') {
        my $reply = $voice->request('GET', $path);
        is($reply->{status}, 404, "$path is not there");
        ok(!$reply->{json}{success} && exists $reply->{json}{success}
           && !exists $reply->{json}{detail}, 'and said so as ever');
    }
}


sub post {
    my ($path, $body, %opt) = @_;

    my $as = exists $opt{as} ? $opt{as} : $person;

    return $voice->request('POST', $path, content => $body, headers => {
        'Content-Type' => $opt{type} // 'application/json',
        $as ? (Authorization => "Bearer $as->{token}") : () });
}


# The status, the code, and all members that such an error has.
sub flat {
    my ($reply, $status, $code, $what) = @_;

    is($reply->{status}, $status, "$what: $status");

    my $body = $reply->{json} || {};
    my $error = $body->{error} || {};
    my $id = $reply->{headers}{'x-request-id'} // '';

    is_deeply([sort keys %$body], [qw(detail error request_id)],
              "$what: flat") or diag($reply->{content});
    is_deeply([sort keys %$error],
              [qw(code details message request_id timestamp)],
              "$what: with the error");
    is("$error->{code} $error->{request_id} $body->{request_id}",
       "$code $id $id", "$what: $code");

    if ($status == 422) {
        is(ref $body->{detail}, 'ARRAY', "$what: detail is a list");
        is(scalar(grep { join(' ', sort keys %$_) ne 'loc msg type' }
                      @{$body->{detail}}), 0, "$what: of such items");
    } else {
        is($body->{detail}, $error->{message},
           "$what: detail is the sentence");
    }
}
