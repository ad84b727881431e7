#!/usr/bin/perl

# Test runs, executions and validation results, over HTTP.  The jobs are
# done here by their SQL calls, so that every turn of a run can be seen.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;

use constant WAV => "RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80\x3e\0\0"
    . "\0\x7d\0\0\2\0\x10\0data\0\0\0\0";

my $voice = Voice->start(workers => 0);
my $owner = $voice->tenant('acme');
my $stranger = $voice->tenant('other');
my $operator = $voice->person('acme', 'operator');
my $viewer = $voice->person('acme', 'viewer');
my $validator = $voice->person('acme', 'validator');
my $null = '00000000-0000-7000-8000-000000000000';
my ($suite, @cases, $run, $execution, $result);

prepare();
creation();
working();
results();
recording();
review();
retry();
cancel();
others();

$voice->finish;


sub prepare {
    $suite = $voice->call('create_test_suite', as => $owner,
        body => { name => 'Suite' })->{json}{data};
    my $outcome = $voice->call('create_expected_outcome', as => $owner,
        body => { outcome_code => 'HOME', name => 'Home' })->{json}{data};

    for my $name ('One', 'Two') {
        my $case = $voice->call('create_test_case', as => $owner, body => {
            suite_id => $suite->{id}, name => $name, languages => [
                { language_code => 'en-US', input_text => 'take me home' }]
            })->{json}{data};
        $voice->call('link_test_case_outcome', as => $owner,
            path => { id => $case->{id} },
            body => { expected_outcome_id => $outcome->{id} });
        push @cases, $case->{id};
    }
}


sub creation {
    my $made = $voice->call('create_test_run', as => $operator, body => {
        suite_id => $suite->{id}, name => 'Nightly', priority => 7,
        trigger_type => 'ci_cd',
        trigger_metadata => { commit_sha => 'abc', branch => 'main' } });
    is($made->{status}, 201, 'an operator makes a run');
    $run = $made->{json}{data};
    is($made->{headers}{location}, "/api/v1/test-runs/$run->{id}",
       'its place is told');
    is($run->{status}, 'pending', 'it is pending');
    is($run->{total_tests}, 2, 'with an execution for each case');
    is($run->{trigger_metadata}{branch}, 'main', 'it keeps its trigger');

    is($voice->call('create_test_run', as => $viewer,
                    body => { suite_id => $suite->{id} })->{status}, 403,
       'a viewer makes none');

    my %wrong = (
        'nothing'             => [{}, 422],
        'suite and cases'     => [{ suite_id => $suite->{id},
                                    test_case_ids => [$cases[0]] }, 422],
        'no case'             => [{ test_case_ids => [] }, 422],
        'an unknown suite'    => [{ suite_id => $null }, 404],
        'an unknown case'     => [{ test_case_ids => [$null] }, 404],
        'priority 11'         => [{ suite_id => $suite->{id},
                                    priority => 11 }, 422],
        'a made-up trigger'   => [{ suite_id => $suite->{id},
                                    trigger_type => 'retry' }, 422],
        'no language'         => [{ suite_id => $suite->{id},
                                    languages => ['??'] }, 422],
    );
    is($voice->call('create_test_run', as => $operator,
                    body => $wrong{$_}[0])->{status}, $wrong{$_}[1],
       "a run of $_ is refused") for sort keys %wrong;

    my $skipped = $voice->call('create_test_run', as => $operator, body => {
        test_case_ids => [@cases], languages => ['fr-FR'] })->{json}{data};
    is($skipped->{skipped_tests}, 2, 'a language that is not there is skipped');
    is($skipped->{status}, 'completed', 'such a run ends at once');

    is($voice->call('list_test_runs', as => $viewer, query => {
        suite_id => $suite->{id}, status => 'pending', sort => '-priority',
        start_date => '2020-01-01T00:00:00Z', search => 'night',
        created_by => $operator->{user_id}, language_code => 'EN-us',
        trigger_type => 'ci_cd' })->{json}{pagination}{total_items}, 1,
       'a run is found');
    is($voice->call('list_test_runs', as => $viewer,
                    query => { start_date => 'today' })->{status}, 422,
       'what is no time is refused');
}


# Ends the run's jobs: the first case is left to a human, the second fails.
sub working {
    answer();
    is(show()->{status}, 'running', 'a run with a call under way is running');
    judge('manual_review', 0.5);
    is(show()->{pending_validation}, 1, 'a doubtful one waits for a human');
    is(show()->{progress_percentage}, 50, 'half of it is over');
    answer();
    judge('auto_fail', 0.1);
    is(show()->{status}, 'failed', 'a run with a failure has failed');
    is(show()->{in_progress}, 0, 'nothing is in progress');
}


sub results {
    my $list = $voice->call('list_test_run_executions', as => $viewer,
        path => { id => $run->{id} },
        query => { status => 'pending', review_status => 'manual_review',
                   language_code => 'en-US', sort => '-response_time_ms' });
    is($list->{json}{pagination}{total_items}, 1, 'executions are filtered');

    $execution = $voice->call('get_execution', as => $viewer,
        path => { id => $list->{json}{data}[0]{id} })->{json}{data};
    is($execution->{heard_text}, 'going home', 'what was heard is shown');
    is($execution->{response_time_ms}, 300, 'and how long it took');

    my $found = $voice->call('list_validation_results', as => $viewer,
        query => { test_run_id => $run->{id}, awaiting_review => 'true',
                   min_confidence => 0.4, max_confidence => 0.6,
                   sort => 'confidence_score' })->{json};
    is($found->{pagination}{total_items}, 1, 'results are filtered');
    $result = $voice->call('get_validation_result', as => $viewer,
        path => { id => $execution->{validation_result_id} })->{json}{data};
    is($result->{id}, $found->{data}[0]{id}, 'a result is shown');
}


sub recording {
    my %path = (path => { id => $execution->{id}, kind => 'input' });

    my $audio = $voice->call('get_execution_audio', as => $viewer, %path);
    is($audio->{status}, 200, 'a recording is given');
    is($audio->{headers}{'content-type'}, 'audio/wav', 'as WAV');
    is($audio->{content}, WAV, 'as it was stored');
    is($voice->call('get_execution_audio', as => $viewer,
        path => { id => $execution->{id}, kind => 'response' })->{status},
       404, 'one that was not made does not exist');
    is($voice->request('GET', '/objects/' . key())->{status}, 404,
       'objects are not served by their key');
}


sub review {
    my %path = (path => { id => $result->{id} });

    is($voice->call('review_validation_result', as => $operator, %path,
                    body => { decision => 'pass' })->{status}, 403,
       'an operator does not judge');
    is($voice->call('review_validation_result', as => $validator, %path,
                    body => { decision => 'maybe' })->{status}, 422,
       'a verdict is pass or fail');
    is($voice->call('review_validation_result', as => $validator, %path,
                    body => { decision => 'pass', feedback => 'fine' }
                    )->{json}{data}{status}, 'passed',
       'a validator decides');
    is(show()->{passed_tests}, 1, 'the run counts it');
    is(show()->{pending_validation}, 0, 'nothing waits');
}


sub retry {
    my $again = $voice->call('retry_test_run', as => $operator,
                             path => { id => $run->{id} });
    is($again->{status}, 201, 'failures are retried');
    is($again->{json}{data}{total_tests}, 1, 'and nothing else');
    is($voice->call('retry_test_run', as => $operator,
        path => { id => $again->{json}{data}{id} })->{status}, 409,
       'a run under way is not retried');
    $run = $again->{json}{data};
}


sub cancel {
    my %path = (path => { id => $run->{id} });

    is($voice->call('cancel_test_run', as => $operator, %path
        )->{json}{data}{status}, 'cancelled', 'a run is cancelled');
    is($voice->call('cancel_test_run', as => $operator, %path)->{status},
       409, 'once');
    is(show()->{skipped_tests}, 1, 'what had not ended is skipped');
}


sub others {
    my %id = (execution => $execution->{id}, result => $result->{id});

    for my $name (qw(get_test_run cancel_test_run retry_test_run
        list_test_run_executions get_execution get_execution_audio
        get_validation_result review_validation_result))
    {
        my ($kind) = $name =~ /^\w+_(execution|result)\b|_(execution)_audio/
            ? $1 // $2 : ();
        my $reply = $voice->call($name, as => $stranger,
            path => { id => $kind ? $id{$kind} : $run->{id},
                      kind => 'input' },
            $name =~ /^review/ ? (body => { decision => 'fail' }) : ());
        is($reply->{status}, 404, "$name: another tenant's does not exist");
    }

    is($voice->call('create_test_run', as => $stranger,
                    body => { test_case_ids => [$cases[0]] })->{status}, 404,
       "another tenant's case cannot be run");
    is($voice->call('list_test_runs', as => $stranger
        )->{json}{pagination}{total_items}, 0, 'another tenant lists none');
}


# --- the jobs ---------------------------------------------------------------

sub show {
    return $voice->call('get_test_run', as => $viewer,
                        path => { id => $run->{id} })->{json}{data};
}


sub key {
    return 'ab/' . 'ab' x 32 . '.wav';
}


sub answer {
    my ($job, $token) = claim('test_execution');
    my $file = "$voice->{stack}{objects}/" . key();

    mkdir "$voice->{stack}{objects}/ab";
    Voice::spew($file, WAV);
    chmod 0755, "$voice->{stack}{objects}/ab";

    $voice->sql("select work.start_test_execution('$job', $token)");
    is($voice->sql("select accepted from work.finish_test_execution(
           '$job', $token, :'result')", result => encode_json({
        skipped => undef, response_text => 'going home',
        transcript => 'take me home', intent => 'navigate',
        entities => { destination => 'home' }, asr_confidence => 0.9,
        input_audio => { object => key(), bytes => 44, duration_ms => 0 },
        response_audio => undef, rtf => 0.2,
        timings => { first_byte_ms => 20, final_result_ms => 300,
                     network_ms => 1 },
        agent => { provider => 'houndify', profile => 'builtin' } })), 't',
       'an answer is accepted');
}


sub judge {
    my ($decision, $confidence) = @_;

    my ($job, $token) = claim('validation');

    $voice->sql("select work.start_validation('$job', $token)");
    is($voice->sql("select accepted from work.finish_validation('$job',
           $token, :'result')", result => encode_json({
        decision => $decision, confidence_score => $confidence,
        heard_text => 'going home', wer_score => 0.5, wer_raw => 1.5,
        alignment => { substitutions => 1 }, gates => [],
        response_patterns => { passed => JSON::PP::true, errors => [] } })),
       't', "$decision is accepted");
}


sub claim {
    my ($queue) = @_;

    return split /\|/, $voice->sql(
        "select job_id, token from work.claim('test', '$queue', 1)");
}
