#!/usr/bin/perl

# Errors of operations with x-errors "flat", wherever they are made, and what
# answers at "/".

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Voice;

my $voice = Voice->start(workers => 0);

banner();
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


sub nobody_else {
    for my $path ('/api/v1/nothing', '/nothing', '/health/nothing') {
        my $reply = $voice->request('GET', $path);
        is($reply->{status}, 404, "$path is not there");
        ok(!$reply->{json}{success} && exists $reply->{json}{success}
           && !exists $reply->{json}{detail}, 'and said so as ever');
    }
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
