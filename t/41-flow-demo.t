#!/usr/bin/perl

# The demo as `make run` gives it: its table, and demo.json as the start of
# a script that goes on by itself.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Temp qw(tempdir);
use HTTP::Tiny;
use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Demo;
use Voice::Stream;

my $build = abs_path($ENV{VOICE_BUILD} || 'build');
my $dir = tempdir('voice-demo-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my @where = ('--dir', $dir, '--build', $build);
my @flavour = $ENV{VOICE_SANITIZE} ? ('--sanitize') : ();

my $first = output('bin/demo', @where, @flavour, '--port', 0);
is($?, 0, 'the demo runs to its end') or diag($first);
like($first, qr/^failed: 13 tests, 10 passed, 3 failed/m,
     'most of its cases pass, some rightly fail');

like($first, qr/^call demo-\d+: ARCHIVED, \d+ packets, 0 missing$/m,
     'a call of packets that came late and twice is processed');
like($first, qr/^ +transcript +.*package came late.*money back$/m,
     'what was said in it is heard');
like($first, qr/^ +sentiment +negative/m, 'and how');

my $second = output('bin/demo', @where, @flavour);
is($?, 0, 'the demo can be shown again');
is(table($second), table($first), 'with the stored result');

my $demo = decode_json(Voice::slurp("$dir/demo.json"));
is(join(' ', grep { !$demo->{$_} } qw(base_url email password api_key
                                      tenant_id test_run_id ingest_key
                                      call_id)), '',
   'demo.json has what a script needs');

my $http = HTTP::Tiny->new(timeout => 60);
my $token = api('POST', '/auth/login', { email => $demo->{email},
    password => $demo->{password} })->{tokens}{access_token};
ok($token, 'a script logs in with it');

my $suite = make_suite();
my ($port) = $demo->{base_url} =~ /:(\d+)$/;
my $stream = Voice::Stream->open($port,
    "/events/stream/$demo->{tenant_id}?access_token=$token");
is($stream->{status}, 200, 'follows its run by SSE');

my $run = api('POST', '/api/v1/test-runs', { suite_id => $suite });
my $end = follow($run->{id});
is($end->{event}, 'test_run.completed', 'up to its end');

my $list = api('GET', "/api/v1/test-runs/$run->{id}/executions");
is(join(' ', map { $_->{status} } @$list), 'passed passed',
   'reads the results');

for my $kind (qw(input response)) {
    my $wav = $http->get("$demo->{base_url}/api/v1/executions/"
        . "$list->[0]{id}/audio/$kind",
        { headers => { Authorization => "Bearer $token" } });
    my @samples = unpack 's<*', substr $wav->{content}, 44;
    ok($wav->{content} =~ /^RIFF....WAVE/s && grep({ abs > 1000 } @samples),
       "downloads the $kind audio, which is no silence");
}

my $log = Voice::slurp("$dir/log/access.log");
unlike($log, qr/\Q$token\E/, 'a token in a query is in no log');

output('bin/stack', @where, 'clean');
is($?, 0, 'the stack is cleaned away');

done_testing();


sub output {
    my @command = @_;

    open my $out, '-|', @command or die "$command[0]: $!";
    my $text = join '', <$out>;
    close $out;

    return $text;
}


# From the head of the table to the summary.
sub table {
    my ($text) = @_;

    return $text =~ /^(case .*? to review)$/ms ? $1 : 'no table';
}


sub make_suite {
    my $cases = Voice::Demo::cases();
    my $suite = api('POST', '/api/v1/test-suites', { name => 'From a script' });

    for my $case (@{$cases->{cases}}[0, 1]) {
        my ($outcome) = grep { $_->{outcome_code} eq $case->{outcome} }
            @{$cases->{outcomes}};
        my $known = api('GET', '/api/v1/expected-outcomes?page_size=100');
        my ($expected) = grep {
            $_->{outcome_code} eq $outcome->{outcome_code} } @$known;
        my $made = api('POST', '/api/v1/test-cases', {
            name => $case->{name}, languages => $case->{languages},
            suite_id => $suite->{id} });
        api('POST', "/api/v1/test-cases/$made->{id}/outcomes",
            { expected_outcome_id => $expected->{id} });
    }

    return $suite->{id};
}


sub follow {
    my ($id) = @_;

    while (my $event = $stream->next(90)) {
        return $event
            if $event->{event} =~ /^test_run\.(?:completed|failed)$/
            && $event->{json}{payload}{test_run_id} eq $id;
    }

    return { event => 'the end of the stream' };
}


sub api {
    my ($method, $path, $body) = @_;

    my %options;
    $options{headers}{Authorization} = "Bearer $token" if $token;
    if ($body) {
        $options{headers}{'Content-Type'} = 'application/json';
        $options{content} = encode_json($body);
    }
    my $reply = $http->request($method, "$demo->{base_url}$path", \%options);

    die "$method $path: $reply->{status} $reply->{content}"
        unless $reply->{success};

    return decode_json($reply->{content})->{data};
}
