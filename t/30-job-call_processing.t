#!/usr/bin/perl

# The kind call_processing against an AI service that misbehaves: what it is
# sent, when it is asked again, when it is left alone, and that each call is
# processed once in the end.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Ai;

# How late a retry may be on a machine that does other things, too.
use constant LATE => 3;

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my %key = (good => 'sk-ai-0c2f7d9be1', bad => 'sk-ai-ffffffffff');
my (%ai, %profile);

# What a service does first, where it is worth asking again; then it is good.
my @passing = qw(503 500 429 408 hang drop cut garbage nonsense odd moody);

service($_) for 'plain', 'policy', 'window', 'later', 'breaker', 'kill',
    map { "f$_" } @passing;
service('stranger', api_key => $key{bad});
service('refuser');
$profile{'analysis breaker'}{open_ms} = 2000;
$profile{'analysis breaker'}{timeout_ms} = 60_000;
$profile{'analysis policy'}{open_ms} = 1000;
$profile{'analysis fhang'}{timeout_ms} = 500;

my $voice = Voice->start(workers => 4, profiles => \%profile,
    settings => { default_analysis => 'plain', call_text_max => 1024 });
my $tenant = $voice->tenant('acme')->{tenant_id};

settings();
what_it_is_sent();
long_texts();
policy_and_redrive();
window();
retry_after();
passing_faults();
lasting_faults();
breaker();
killed_worker();
erased();
once();

# The entries that killed children had read are the keeper's in a minute.
$voice->redis('DEL', 'voice:queue:call_processing');
$voice->finish;


sub service {
    my ($name, %more) = @_;

    $ai{$name} = Voice::Ai->start(api_key => $key{good}, path => '/ai');
    $profile{"analysis $name"} = { base_url => $ai{$name}->url,
        path => '/ai', api_key => $key{good}, allow_private => 'yes',
        timeout_ms => 5000, %more };
}


# --- calls ----------------------------------------------------------------

# The tenant's settings of calls.
sub settings {
    my (%more) = @_;

    $voice->sql("update core.tenant set settings = jsonb_build_object("
        . "'calls', :'calls'::jsonb) where id = '$tenant'",
        calls => $json->encode({ grace_seconds => 0, redrive_seconds => 3600,
                                 %more }));
}


# A call of these packets, complete; a packet undef is missing.
sub complete {
    my ($call, @packets) = @_;

    my @sent = grep { defined $packets[$_] } 0 .. $#packets;
    my $array = sub { '{' . join(',', map { $json->encode("$_") } @_) . '}' };

    $voice->sql("begin; select core.use_tenant('$tenant');"
        . "select status from api.ingest_packet(null, :'calls'::text[],"
        . " :'numbers'::bigint[], :'times'::float8[], :'media'::text[],"
        . " :'data'::text[], 100);"
        . "select status from api.complete_call(null, jsonb_build_object("
        . "'call_id', :'call', 'total_packets', :total)); commit",
        call => $call, calls => $array->(map { $call } @sent),
        numbers => $array->(@sent), total => scalar @packets,
        times => $array->(map { 1000 + $_ } @sent),
        media => $array->(map { 'text' } @sent),
        data => $array->(@packets[@sent]));
}


sub of {
    my ($call, $column) = @_;

    return $voice->sql("select $column from core.call"
        . " where external_id = :'call'", call => $call);
}


sub reaches {
    my ($call, $state, $seconds) = @_;

    return $voice->wait_for(sub {
        of($call, 'processing_state') eq $state }, $seconds // 60);
}


# "1.1 failed, 1.2 done"
sub tries {
    my ($call) = @_;

    return $voice->sql("select string_agg(t.drive || '.' || t.try || ' ' ||"
        . " coalesce(t.outcome, '-'), ', ' order by t.drive, t.try)"
        . ' from core.call_try t join core.call c on c.id = t.call_id'
        . " where c.external_id = :'call'", call => $call);
}


# Seconds between arrivals.
sub gaps {
    my ($call, $name) = @_;

    my @at = map { $_->{at} } $ai{$name}->arrivals($call);

    return map { $at[$_] - $at[$_ - 1] } 1 .. $#at;
}


sub after {
    my ($gap, $least, $what) = @_;

    ok(defined $gap && $gap >= $least && $gap < $least + LATE, $what)
        or diag($gap // 'never');
}


# --- what it is asked -----------------------------------------------------

sub what_it_is_sent {
    $ai{plain}->script('ok:negative');
    complete('spoken', 'Good', 'morning', undef, "caf\x{e9}  bar");
    ok(reaches('spoken', 'ARCHIVED'), 'a call is processed');

    my ($asked, @more) = $ai{plain}->arrivals('spoken');
    is(@more, 0, 'by one request');
    is($asked->{problem}, undef, 'of the shape that the service wants');
    is($asked->{body}{data}, "Good morning caf\x{e9}  bar",
       'packets are joined in their order by single spaces');
    is($asked->{body}{media}, 'text/plain', 'as a text');
    is($asked->{body}{packets}, 3, 'it is told how many there are');
    is($asked->{body}{missing}, 1, 'and how many are missing');
    ok(!exists $asked->{body}{language}, 'no language that nobody knows');
    is(of('spoken', 'sentiment'), 'negative', 'what it says is kept');
    is(of('spoken', 'transcription'), "Heard: Good morning caf\xe9  bar"
       =~ s/\xe9/\xc3\xa9/r, 'the transcription');
    is(of('spoken', "sentiment_detail->>'confidence'"), '0.9',
       'the confidence');
    is(of('spoken', 'duration_ms'), 3000, 'it took as long as its packets');
    is(tries('spoken'), '1.1 done', 'a try is noted');

    settings(language => 'de', analysis => 'plain');
    complete('german', 'Guten Tag');
    ok(reaches('german', 'ARCHIVED'), 'a call of a tenant with a language');
    is(($ai{plain}->arrivals('german'))[0]{body}{language}, 'de',
       'is sent with it');
}


sub long_texts {
    complete('long', 'x' x 1000, "\x{e9}" x 100, 'tail');
    ok(reaches('long', 'ARCHIVED'), 'a text over the limit is processed');

    my ($asked) = $ai{plain}->arrivals('long');
    is($asked->{body}{data}, 'x' x 1000 . ' ' . "\x{e9}" x 11,
       'up to the limit, at the end of a character');
    cmp_ok(of('long', 'octet_length(transcription)'), '<=', 1024,
           'so is what came of it');
    is(of('long', "recording_notes->0->>'bytes'"), 178 + 5,
       'what was cut is noted');
    is(of('long', "recording_notes->1->>'note'"), 'transcription_cut',
       'also of what came of it');
}


# --- when it is asked again -----------------------------------------------

sub policy_and_redrive {
    settings(analysis => 'policy', redrive_seconds => 2);
    $ai{policy}->script(('503') x 5, 'ok');
    complete('policy', 'hello');

    ok($voice->wait_for(sub { tries('policy') =~ /1\.5 failed/ }, 60),
       'a call whose tries all fail has failed after five');
    my @gaps = gaps('policy', 'policy');
    after($gaps[$_], 2 ** $_, 'one after ' . 2 ** $_ . ' s')
        for 0 .. 3;
    like($voice->sql("select m.reason from core.call_move m join core.call c"
        . " on c.id = m.call_id where c.external_id = 'policy'"
        . " and m.to_state = 'FAILED'"),
         qr/^AI service failed after maximum retries: .*503/,
         'the reason is told');

    ok(reaches('policy', 'ARCHIVED'), 'it is driven again without a person');
    is(tries('policy'), '1.1 failed, 1.2 failed, 1.3 failed, 1.4 failed, '
       . '1.5 failed, 2.1 done', 'in a second drive');
    is(of('policy', 'drive'), 2, 'which is counted');
    cmp_ok((gaps('policy', 'policy'))[4], '>=', 2,
           'not before the time that the tenant set');
}


sub window {
    $voice->sql("update core.job_kind set window_seconds = 4"
                . " where kind = 'call_processing'");
    settings(analysis => 'window');
    $ai{window}->script('503');
    complete('window', 'hello');

    ok(reaches('window', 'FAILED'), 'a window of 4 s ends a drive');
    is(tries('window'), '1.1 failed, 1.2 failed, 1.3 failed',
       'after three tries');
    $voice->sql("update core.job_kind set window_seconds = 60"
                . " where kind = 'call_processing'");
}


sub retry_after {
    settings(analysis => 'later');
    $ai{later}->script('429:3', '503:1', 'ok');
    complete('later', 'hello');

    ok(reaches('later', 'ARCHIVED'), 'a service that asks for time gets it');
    my @gaps = gaps('later', 'later');
    after($gaps[0], 3, 'a Retry-After of 3 s is waited for');
    after($gaps[1], 2, 'one that is shorter than the own wait is not');

    $ai{later}->script('429:61', 'ok');
    complete('much later', 'hello');
    ok(reaches('much later', 'FAILED'),
       'one that is longer than the window ends the drive');
    cmp_ok($voice->sql("select round(extract(epoch from j.run_at"
        . ' - c.failed_at)) from core.job j join core.call c'
        . " on c.id = j.subject_id where c.external_id = 'much later'"
        . " and j.state = 'queued'"), '>=', 3599,
        'and the next drive keeps its own time');
}


# Each of a tenant with a service of its own, all at once.
sub passing_faults {
    my $usual = $tenant;

    for my $fault (@passing) {
        $tenant = $voice->tenant("f$fault")->{tenant_id};
        settings(analysis => "f$fault");
        $ai{"f$fault"}->script($fault, 'ok');
        complete("fault $fault", 'hello');
    }
    $tenant = $usual;

    for my $fault (@passing) {
        ok(reaches("fault $fault", 'ARCHIVED'),
           "$fault is a fault that passes");
        is(tries("fault $fault"), '1.1 failed, 1.2 done', 'it took two tries');
    }
}


sub lasting_faults {
    settings(analysis => 'stranger');
    complete('stranger', 'hello');
    ok(reaches('stranger', 'FAILED'), 'a wrong key ends the drive');
    is(tries('stranger'), '1.1 failed', 'at once');
    like(of('stranger', 'failure_reason'), qr/refused the credentials/,
         'the reason says so');
    unlike(of('stranger', 'failure_reason'), qr/sk-ai/, 'and not the key');

    settings(analysis => 'refuser');
    $ai{refuser}->script('422');
    complete('refuser', 'hello');
    ok(reaches('refuser', 'FAILED'), 'so does a service that will not');

    settings(analysis => 'nobody');
    complete('nobody', 'hello');
    ok(reaches('nobody', 'FAILED'), 'and a profile that there is not');
    like(of('nobody', 'failure_reason'), qr/profile is unknown/,
         'which is told');
}


# --- when it is left alone ------------------------------------------------

sub breaker {
    settings(analysis => 'breaker');
    $ai{breaker}->script('503');
    complete("breaker $_", 'hello') for 1 .. 12;

    ok($voice->wait_for(sub { put_off() == 12 }, 60),
       'after failures all calls are put off');

    $ai{breaker}->script('wait');
    ok($voice->wait_for(sub { waiting() }, 60), 'the service is tried again');
    my $seen = put_off_in_all();
    ok($voice->wait_for(sub { put_off_in_all() >= $seen + 11 }, 60),
       'while the others are put off once more');
    is(waiting(), 1, 'by one call of one child');

    my @failed = grep { $_->{step} eq '503' } $ai{breaker}->arrivals;
    my @first = grep { $_->{at} < $failed[4]{at} + 2 } @failed;
    cmp_ok(@first, '<=', 8, 'it is left alone after the fifth failure,'
           . ' but for what was under way');
    my @at = map { $_->{at} } @failed[$#first .. $#failed];
    is(scalar(grep { $at[$_] - $at[$_ - 1] < 2 } 1 .. $#at), 0,
       'and after each that tried again');

    $ai{breaker}->script('ok');
    $ai{breaker}->go;
    ok(reaches("breaker $_", 'ARCHIVED'), "then call $_ is processed")
        for 1 .. 12;
    is($voice->sql("select count(*) from core.call_try t join core.call c"
        . " on c.id = t.call_id where c.external_id like 'breaker %'"
        . " and t.outcome = 'failed'"), scalar @failed,
        'only what was asked was a try');
}


# How many requests have been left without an answer.
sub waiting {
    return scalar grep { $_->{step} eq 'wait' } $ai{breaker}->arrivals;
}


# How many calls have been put off.
sub put_off {
    return $voice->sql("select count(*) from core.job j join core.call c"
        . " on c.id = j.subject_id where c.external_id like 'breaker %'"
        . ' and j.deferred > 0');
}


sub put_off_in_all {
    return $voice->sql("select sum(j.deferred) from core.job j"
        . ' join core.call c on c.id = j.subject_id'
        . " where c.external_id like 'breaker %'");
}


# --- what goes wrong here -------------------------------------------------

sub killed_worker {
    settings(analysis => 'kill');
    $ai{kill}->script('503', 'hang', 'ok');
    complete('kill', 'hello');
    ok($voice->wait_for(sub { $ai{kill}->arrivals == 2 }, 60),
       'the second try of a call is under way');

    my @before = $voice->children('workers');
    kill 'KILL', @before;
    ok(reaches('kill', 'ARCHIVED'), 'its worker is killed, and it goes on');
    is(tries('kill'), '1.1 failed, 1.2 -, 1.3 done', 'where it was');
    is($voice->sql("select string_agg(m.to_state, ' ' order by m.position)"
        . ' from core.call_move m join core.call c on c.id = m.call_id'
        . " where c.external_id = 'kill'"),
        'COMPLETED PROCESSING_AI ARCHIVED', 'in the same drive');
}


sub erased {
    settings(analysis => 'plain');
    $ai{plain}->script_of('erased', 'hang');
    complete('erased', 'secret');
    ok($voice->wait_for(sub { $ai{plain}->arrivals('erased') }, 60),
       'a call is being processed');

    $voice->sql("begin; select core.use_tenant('$tenant');"
        . "select core.call_erase(core.call_named('erased')); commit");
    ok($voice->wait_for(sub {
        $voice->sql("select count(*) from core.job where state in"
                    . " ('queued', 'running') and run_at <= now()") == 0 }, 60),
       'once it is erased its job ends');
    is($voice->sql("select count(*) from core.event"
                   . " where payload::text like '%secret%'"), 0,
       'and nothing is told of it');
}


# Of all calls of this test.
sub once {
    is($voice->sql("select count(*) from (select subject_id from core.event"
        . " where type = 'call.ai_completed' group by subject_id"
        . ' having count(*) > 1) e'), 0, 'no call has two results');

    my %good;
    for my $name (keys %ai) {
        $good{$_->{call_id}}++
            for grep { $_->{step} =~ /^ok/ } $ai{$name}->arrivals;
    }
    is_deeply([grep { $good{$_} > 1 } keys %good], [],
              'no call was asked for again that had an answer');
}
