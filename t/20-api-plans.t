#!/usr/bin/perl

# What a run consists of: cases, languages, fallbacks, pictures of what is
# tested, order, and what a retry or a cancellation makes of it.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Voice;
use Voice::Check;
use Voice::Resources;

my $nobody = '00000000-0000-7000-8000-000000000000';
my $voice = Voice->start(workers => 0);
my $owner = $voice->tenant('acme');

retries();
languages();
suite_languages();
fallbacks();
pictures();
choices();
refusals();
cancellation();
lists();
machines();

$voice->finish;


# --- the plan -------------------------------------------------------------

sub languages {
    my $one = kase('One', 'en-US', 'de-DE', 'fr-FR');
    my $two = kase('Two', 'de-DE');

    is(planned({ test_case_ids => [$one, $two] }), 'One:en-US Two:de-DE',
       'a case without a suite is spoken in its primary language');
    is(planned({ test_case_ids => [$two, $one], languages => ['de_de', 'fr-FR',
                                                           'DE-DE'] }),
       'Two:de-DE Two:fr-FR(skipped) One:de-DE One:fr-FR',
       'languages that are asked for count once, in the order of the cases');
    is(planned({ test_case_ids => [$one, $one, $one] }), 'One:en-US',
       'a case that stands twice counts once');

    my $none = kase('None');
    is(planned({ test_case_ids => [$none] }), 'None:und(skipped)',
       'a case without a language is skipped');
}


sub suite_languages {
    my $suite = suite('primary');
    kase_of($suite, 'A', 'en', 'de');
    kase_of($suite, 'B', 'de');
    my $off = kase_of($suite, 'C', 'en');
    $voice->call('delete_test_case', as => $owner, path => { id => $off });

    is(planned({ suite_id => $suite }), 'A:en B:de',
       'a suite speaks primary languages, of active cases');
    config($suite, mode => 'all');
    is(planned({ suite_id => $suite }), 'A:en A:de B:de', 'or all of them');
    config($suite, mode => 'specific', languages => ['de']);
    is(planned({ suite_id => $suite }), 'A:de B:de', 'or those it names');
    is(planned({ suite_id => $suite, languages => ['en'] }),
       'A:en B:en(skipped)', 'what a run asks for goes before');
}


sub fallbacks {
    my $suite = suite('fallback');
    kase_of($suite, 'A', 'en-GB', 'en-US');
    my %run = (suite_id => $suite, languages => ['en-AU', 'en', 'de']);

    is(planned({ %run }),
       'A:en-AU(skipped) A:en(skipped) A:de(skipped)',
       'a language that a case lacks is skipped');
    config($suite, fallback_behavior => 'fail');
    is(planned({ %run }), 'A:en-AU(failed) A:en(failed) A:de(failed)',
       'or fails, where the suite says so');
    config($suite, fallback_behavior => 'smart');
    is(planned({ %run }), 'A:en-GB A:de(skipped)',
       'or is spoken as the nearest, once');

    config($suite, fallback_behavior => 'fail');
    my $run = run({ suite_id => $suite, languages => ['de'] });
    is("$run->{status} $run->{failed_tests}", 'failed 1',
       'a run that can only fail has failed at once');
    ok($run->{completed_at}, 'and is over');
}


# What an execution tests is fixed when its run is made.
sub pictures {
    my $id = kase('Picture', 'en-US');
    my $outcome = $voice->call('create_expected_outcome', as => $owner,
        body => { outcome_code => 'picture', name => 'x', domain => 'before',
                  expected_response => 'before' })->{json}{data}{id};
    $voice->call('link_test_case_outcome', as => $owner,
        path => { id => $id }, body => { expected_outcome_id => $outcome });

    my $run = run({ test_case_ids => [$id] });
    $voice->call('update_test_case', as => $owner, path => { id => $id },
        body => { name => 'After', languages => [
            { language_code => 'en-US', input_text => 'after' }] });
    $voice->call('update_expected_outcome', as => $owner,
        path => { id => $outcome }, body => { domain => 'after' });

    my ($execution) = executions($run->{id});
    is(join(' ', map { $execution->{$_} } qw(test_case_name input_text domain
        test_case_version)), 'Picture hello before 2',
       'later changes do not touch an execution');
    is($execution->{expected_outcome_id}, $outcome,
       'which names the outcome it expects');
}


# The outcome of the nearest language, then of the smallest priority.
sub choices {
    my %outcome = map { $_ => $voice->call('create_expected_outcome',
        as => $owner, body => { outcome_code => "choice-$_", name => $_ })
        ->{json}{data}{id} } qw(any second de exact);
    my $id = kase('Choice', 'en', 'de-DE', 'de-AT', 'de');
    my $link = sub {
        $voice->call('link_test_case_outcome', as => $owner,
            path => { id => $id }, body => { @_ });
    };

    $link->(expected_outcome_id => $outcome{second}, priority => 9);
    $link->(expected_outcome_id => $outcome{any}, priority => 2);
    $link->(expected_outcome_id => $outcome{de}, language_code => 'de',
            priority => 50);
    $link->(expected_outcome_id => $outcome{exact}, language_code => 'de-AT',
            priority => 90);

    my %name = reverse %outcome;
    my $run = run({ test_case_ids => [$id],
                    languages => [qw(en de-DE de-AT de)] });
    is(join(' ', map { "$_->{language_code}:"
                       . $name{$_->{expected_outcome_id}} }
            executions($run->{id})),
       'en:any de-DE:de de-AT:exact de:de',
       'each language gets the outcome that is nearest to it');
}


sub refusals {
    my $id = kase('Refused', 'en');
    my $off = kase('Off', 'en');
    my $empty = suite('empty');
    my $closed = suite('closed');
    kase_of($closed, 'x', 'en');
    $voice->call('delete_test_case', as => $owner, path => { id => $off });
    $voice->call('delete_test_suite', as => $owner,
                 path => { id => $closed });

    my @refused = (
        ['of nothing', {}, '/body'],
        ['of a suite and cases', { suite_id => $empty,
            test_case_ids => [$id] }, '/body'],
        ['of no case', { test_case_ids => [] }, '/body/test_case_ids'],
        ['of a case out of use', { test_case_ids => [$id, $off] },
         '/body/test_case_ids'],
        ['of a suite out of use', { suite_id => $closed },
         '/body/suite_id'],
        ['of an empty suite', { suite_id => $empty }, '/body/suite_id'],
        ['in no language', { test_case_ids => [$id],
            languages => ['en', 'e!'] }, '/body/languages/1'],
        ['of priority 0', { test_case_ids => [$id], priority => 0 },
         '/body/priority'],
        ['of a trigger of ours', { test_case_ids => [$id],
            trigger_type => 'retry' }, '/body/trigger_type'],
        ['of too many cases', { test_case_ids => [($id) x 501] },
         '/body/test_case_ids'],
    );
    my $before = total();

    for my $case (@refused) {
        my ($what, $body, $path) = @$case;
        refused($voice->call('create_test_run', as => $owner,
                             body => $body), $path, "a run $what");
    }
    is(total(), $before, 'and none of them has made a run');
    for my $name (qw(get_test_run cancel_test_run retry_test_run
                     list_test_run_executions))
    {
        is($voice->call($name, as => $owner, path => { id => $nobody })
                 ->{status}, 404, "$name of none is 404");
    }
}


# --- after the plan -------------------------------------------------------

sub cancellation {
    my $run = run({ test_case_ids => [kase('Cancel', 'en', 'de')],
                    languages => ['en', 'de', 'fr'] });
    my %path = (as => $owner, path => { id => $run->{id} });

    is("$run->{status} $run->{in_progress} $run->{skipped_tests}",
       'pending 2 1', 'a run waits with what can be spoken');
    my $over = $voice->call('cancel_test_run', %path)->{json}{data};
    is("$over->{status} $over->{skipped_tests} $over->{in_progress} "
       . $over->{progress_percentage}, 'cancelled 3 0 100',
       'cancelled, all of it is skipped');
    is($over->{started_at}, undef, 'it was never started');
    is($voice->sql("select count(*) from core.job where state in "
        . "('queued', 'running') and subject_id = '$run->{id}'"), 0,
       'no job of it is left');
    my $again = $voice->call('cancel_test_run', %path);
    is("$again->{status} $again->{json}{error}{code}", '409 INVALID_STATE',
       'it cannot be cancelled twice');
    is($voice->call('retry_test_run', %path)->{status}, 409,
       'and has no failure to retry');
}


sub lists {
    my $suite = suite('listed');
    kase_of($suite, 'L', 'en', 'pt-BR');
    my %made = map { $_->[0] => run({ suite_id => $suite, name => $_->[0],
                                      @{$_->[1]} })->{id} }
        (['low', [priority => 1]], ['high', [priority => 10]],
         ['brazil', [languages => ['pt-BR'], trigger_type => 'auto:x']]);
    $voice->call('cancel_test_run', as => $owner,
                 path => { id => $made{low} });
    my %of = (suite_id => $suite);

    lists_by($voice, $owner, 'list_test_runs', 'name',
        [{ %of }, 'brazil high low', 'the newest runs come first'],
        [{ %of, sort => 'priority' }, 'low brazil high',
         'runs sort by priority'],
        [{ %of, status => 'cancelled' }, 'low', 'a status filters runs'],
        [{ %of, language_code => 'PT_br' }, 'brazil', 'and a language'],
        [{ %of, trigger_type => 'auto:x' }, 'brazil', 'and a trigger'],
        [{ %of, search => 'HIG' }, 'high', 'names are searched'],
        [{ %of, created_by => $nobody }, '', 'and a person'],
        [{ %of, start_date => '2999-01-01T00:00:00Z' }, '',
         'none is from the future'],
        [{ %of, end_date => '2999-01-01T00:00:00+14:00', page_size => 1,
           page => 2 }, 'high', 'runs have pages']);
    refuses_queries($voice, $owner, 'list_test_runs', '/query/start_date',
        { start_date => 'yesterday' }, { start_date => '2024-13-01' },
        { start_date => '2024-02-30T00:00:00Z' });
}


# A run of one execution that a human judges, this way and that.
sub retries {
    my $id = Voice::Resources::make($voice, $voice->tenant('retry'),
                                    'retry');
    my $person = $voice->login('owner@retry.example', 'Correct-Horse-9');
    my %path = (as => $person, path => { id => $id->{'test-runs'} });

    my $run = $voice->call('get_test_run', %path)->{json}{data};
    is("$run->{status} $run->{pending_validation}", 'completed 1',
       'a run does not wait for a human');
    is($voice->call('retry_test_run', %path)->{status}, 409,
       'what is in doubt is not retried');

    for my $row (['fail', 'failed', 1, 0], ['pass', 'completed', 0, 1],
                 ['fail', 'failed', 1, 0])
    {
        my ($decision, $status, $failed, $passed) = @$row;
        $voice->call('review_validation_result', as => $person,
            path => { id => $id->{'validation-results'} },
            body => { decision => $decision });
        $run = $voice->call('get_test_run', %path)->{json}{data};
        is(join(' ', map { $run->{$_} } qw(status failed_tests passed_tests
                                           pending_validation)),
           "$status $failed $passed 0",
           "a human says $decision, and the run follows");
    }

    my $again = $voice->call('retry_test_run', %path)->{json}{data};
    is("$again->{retry_of} $again->{trigger_type} $again->{total_tests}",
       "$run->{id} retry 1", 'what failed is retried, as a run of its own');
    is_deeply($again->{trigger_metadata}, {
        original_test_run_id => $run->{id},
        retry_source_execution_ids => [$id->{executions}] },
       'which names what it repeats');
    $voice->call('cancel_test_run', as => $person,
                 path => { id => $again->{id} });

    $voice->call('delete_test_case', as => $person,
                 path => { id => $id->{'test-cases'} });
    my $gone = $voice->call('retry_test_run', %path)->{json}{data};
    is("$gone->{status} $gone->{skipped_tests}", 'completed 1',
       'a case out of use is skipped in a retry');
}


# Keys of machines make runs; what their scope leaves out they do not.
sub machines {
    my $id = kase('Machine', 'en');

    for my $row (['api_client', undef, 201], ['service', undef, 201],
                 ['api_client', ['test-runs:read'], 403],
                 ['api_client', ['test-runs:write'], 201],
                 ['viewer', undef, 403])
    {
        my ($role, $scopes, $status) = @$row;
        my $key = $voice->call('create_api_key', as => $owner, body => {
            name => "k$role" . ($scopes ? $scopes->[0] : ''), role => $role,
            $scopes ? (scopes => $scopes) : () })->{json}{data}{secret};
        my $made = $voice->call('create_test_run',
            as => { api_key => $key }, body => { test_case_ids => [$id] });
        is($made->{status}, $status, "a key of $role with "
           . ($scopes ? $scopes->[0] : 'all scopes') . ": $status");
    }
}


# --- small things ---------------------------------------------------------

# Makes a run and cancels it; its executions in order, as words.
sub planned {
    my ($body) = @_;

    my $run = run($body);
    my @words = map { "$_->{test_case_name}:$_->{language_code}"
        . ($_->{status} eq 'pending' ? '' : "($_->{status})") }
        executions($run->{id});
    $voice->call('cancel_test_run', as => $owner,
                 path => { id => $run->{id} });

    return "@words";
}


sub run {
    my ($body) = @_;

    my $reply = $voice->call('create_test_run', as => $owner,
                             body => $body);

    return $reply->{json}{data} // die $reply->{content};
}


sub executions {
    my ($id) = @_;

    return @{$voice->call('list_test_run_executions', as => $owner,
        path => { id => $id }, query => { page_size => 100 })->{json}{data}};
}


sub total {
    return $voice->call('list_test_runs', as => $owner)
        ->{json}{pagination}{total_items};
}


sub suite {
    my ($name) = @_;

    return $voice->call('create_test_suite', as => $owner,
        body => { name => $name })->{json}{data}{id};
}


sub config {
    my ($suite, %config) = @_;

    $voice->call('update_test_suite', as => $owner, path => { id => $suite },
                 body => { language_config => \%config });
}


sub kase {
    my ($name, @languages) = @_;

    return kase_of(undef, $name, @languages);
}


sub kase_of {
    my ($suite, $name, @languages) = @_;

    return $voice->call('create_test_case', as => $owner, body => {
        name => $name, suite_id => $suite, languages => [map {
            { language_code => $_, input_text => 'hello' } } @languages] })
        ->{json}{data}{id};
}
