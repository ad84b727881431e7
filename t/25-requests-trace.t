#!/usr/bin/perl

# W3C Trace Context: in, through the database, jobs and events, and out.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Agent::Http;
use Voice::Cases;
use Voice::Raw;

use constant {
    TRACE => '0af7651916cd43dd8448eb211c80319c',
    SPAN  => 'b7ad6b7169203331',
    ANY   => qr/^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\z/,
};

my $agent = Voice::Agent::Http->start(
    answer => sub { +{ spoken => 'Hello.', intent => 'greet' } });
my $voice = Voice->start(profiles => { 'agent fake' => {
    provider => 'http', base_url => $agent->url, path => '/chat',
    allow_private => 'yes', retries => 0, mode => 'text' } });
my $owner = $voice->tenant('acme');
my $ids = 0;

taken_over();
begun_anew();
through_jobs();

$voice->finish;


# The line of the access log of a request.
sub logged {
    my ($id) = @_;

    return $voice->wait_for(sub {
        my ($line) = grep { $_->{request_id} eq $id }
            map { eval { decode_json($_) } || () }
            split /\n/, Voice::slurp("$voice->{stack}{log}/access.log");
        return $line;
    }, 20);
}


# A request with the given headers; its reply, its line in the log.
sub ask {
    my (%headers) = @_;

    my $id = 'trace-' . ++$ids;
    my $reply = $voice->call('me', as => $owner,
        headers => { %headers, 'X-Request-Id' => $id });

    return ($reply, logged($id));
}


sub taken_over {
    my ($reply, $line) = ask(traceparent => '00-' . TRACE . '-' . SPAN
                             . '-01');
    my ($trace, $span, $flags)
        = ($reply->{headers}{traceparent} // '') =~ ANY;

    is($trace, TRACE, 'the reply names the client\'s trace');
    isnt($span, SPAN, 'with a span of our own');
    is($flags, '01', 'and its flags');
    is($line->{trace_id}, TRACE, 'the access log names the trace');

    ($reply) = ask(traceparent => 'cc-' . TRACE . '-' . SPAN . '-01-new');
    like($reply->{headers}{traceparent}, qr/^00-@{[TRACE]}-/,
         'a version to come is read like ours and answered in ours');

    my $refused = $voice->request('GET', '/api/v1/nothing', headers => {
        traceparent => '00-' . TRACE . '-' . SPAN . '-00' });
    like($refused->{headers}{traceparent}, qr/^00-@{[TRACE]}-.*-00\z/,
         'errors name the trace, too');
}


sub begun_anew {
    my ($reply, $line) = ask();
    my (undef, $other) = ask();

    ok(!exists $reply->{headers}{traceparent},
       'a client without a trace gets none');
    like($line->{trace_id}, qr/^[0-9a-f]{32}\z/,
         'yet its request has one in the log');
    isnt($line->{trace_id}, $other->{trace_id}, 'each its own');

    my %bad = ('upper case' => '00-' . uc(TRACE) . '-' . SPAN . '-01',
        'no trace' => '00-' . '0' x 32 . '-' . SPAN . '-01',
        'no span' => '00-' . TRACE . '-' . '0' x 16 . '-01',
        'too much' => '00-' . TRACE . '-' . SPAN . '-01-x',
        'version ff' => 'ff-' . TRACE . '-' . SPAN . '-01',
        'noise' => 'x' x 3000);

    for my $what (sort keys %bad) {
        ($reply, $line) = ask(traceparent => $bad{$what});
        is($reply->{status}, 200, "a traceparent with $what is no error");
        isnt($line->{trace_id}, TRACE, 'it is not taken over');
        ok(!exists $reply->{headers}{traceparent}, 'nor answered');
    }

    my $raw = Voice::Raw->new($voice);
    my $sent = "traceparent: 00-" . TRACE . '-' . SPAN . "-01\r\n";
    $raw->put("GET /health HTTP/1.1\r\nHost: x\r\n$sent$sent\r\n");
    ok(!exists $raw->reply->{headers}{traceparent},
       'two of them are as good as none');
}


sub through_jobs {
    my $cases = Voice::Cases->new($voice, $owner, 'fake');
    my $id = $cases->add(name => 'Hello', expected_response => 'Hello.');
    my $run = $voice->call('create_test_run', as => $owner,
        headers => { traceparent => '00-' . TRACE . '-' . SPAN . '-01' },
        body => { test_case_ids => [$id] })->{json}{data};
    $voice->wait_run($owner, $run->{id});

    my ($call) = @{$agent->calls};
    my ($trace, $span, $flags)
        = ($call->{headers}{traceparent} // '') =~ ANY;
    is($trace, TRACE, 'the agent under test gets the trace of the request');
    isnt($span, SPAN, 'from a span of the worker');
    is($flags, '01', 'and that it is sampled');

    is($voice->sql('select string_agg(distinct trace_id, \' \')'
                   . ' from core.job'),
       TRACE, 'jobs, and those that follow from them, carry it');
    is($voice->sql('select string_agg(distinct trace_id, \' \')'
                   . ' from core.event'),
       TRACE, 'so do events');

    my $events = $voice->call('list_events', as => $owner)->{json}{data};
    is($events->[0]{metadata}{trace_id}, TRACE, 'as the API tells');

    like(Voice::slurp("$voice->{stack}{log}/workers.log"),
         qr/"trace_id":"@{[TRACE]}"/, 'workers log it');
}
