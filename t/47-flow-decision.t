#!/usr/bin/perl

# What the machine decides, what it leaves to a human, and how a run's
# counters and state follow both.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Voice;
use Voice::Agent::Http;
use Voice::Cases;

use constant AIRPORT => 'Navigating to the airport.';

my $agent = Voice::Agent::Http->start(answer => sub {
    return { spoken => AIRPORT, intent => 'play_songs',
             command_kind => 'NavigationCommand',
             entities => { destination => 'the airport' } };
});

my $voice = Voice->start(workers => 2, profiles => { 'agent fake' => {
    provider => 'http', mode => 'text', base_url => $agent->url,
    path => '/chat', allow_private => 'yes' } });
my $owner = $voice->tenant('acme');
my $validator = $voice->person('acme', 'validator');
my $cases = Voice::Cases->new($voice, $owner, 'fake');
my @total = qw(passed_tests failed_tests skipped_tests pending_validation
               in_progress);
my ($run, %got);

doubtful();
reviewed();
failing();
thresholds();

$voice->finish;


# Name, what the case expects, the verdict.
sub decided {
    my @case = @_;

    $cases->add(name => $_->[0], %{$_->[1]}) for @case;
    ($run, %got) = $cases->run;

    for my $case (@case) {
        my ($name, undef, $verdict) = @$case;
        my $result = $cases->result($got{$name});
        my %status = (auto_pass => 'passed', auto_fail => 'failed',
                      manual_review => 'pending');

        is($result->{review_status}, $verdict, "$name: $verdict");
        is($got{$name}{status}, $status{$verdict}, "so it is $status{$verdict}");
    }
}


sub doubtful {
    my %same = (expected_response => AIRPORT);

    decided(
        ['a case without an outcome', { outcome => 0 }, 'manual_review'],
        ['the very words, and nothing else expected', { %same },
         'manual_review'],
        ['the very words in time', { %same, max_response_time_ms => 20_000 },
         'manual_review'],
        ['patterns alone', { expected_response_content => {
            contains => ['airport'] } }, 'manual_review'],
        ['an intent of another name', { expected_intent => 'play_music' },
         'manual_review'],
        ['the words and the intent', { %same,
            expected_intent => 'play_songs' }, 'auto_pass'],
        ['the words and the entities', { %same,
            entities => { destination => 'The Airport' } }, 'auto_pass'],
    );

    is($got{'a case without an outcome'}{confidence_score}, undef,
       'without expectations there is no confidence');
    is($cases->result($got{'the very words, and nothing else expected'}
        )->{semantic_similarity_score}, 1, 'the same words score 1');
    is($cases->result($got{'the very words in time'})->{semantic_method},
       'lexical-v1', 'by words alone');
    is($got{'an intent of another name'}{confidence_score}, 0.6,
       'a similar intent has its ratio');

    is($run->{status}, 'completed', 'doubts do not hold a run open');
    is($run->{progress_percentage}, 100, 'it is over');
    counted(2, 0, 0, 5, 0);
    is(told('test_run.completed'), 1, 'its end is told once');
    measured(manual_review => 5, passed => 2);
}


# The run has these counts, in the order of @total.
sub counted {
    my @count = @_;

    $run = $voice->call('get_test_run', as => $owner,
                        path => { id => $run->{id} })->{json}{data};
    my $sum = 0;
    $sum += $run->{$_} for @total;

    is_deeply([map { $run->{$_} } @total], \@count,
              'passed, failed, skipped, doubtful, running: ' . "@count");
    is($sum, $run->{total_tests}, 'which are all of them');
}


# How many events of a type the run has.
sub told {
    my ($type) = @_;

    my $list;
    $voice->wait_for(sub {
        $list = $voice->call('list_events', as => $owner, query => {
            types => $type, limit => 500 })->{json}{data};
        return grep { $_->{payload}{test_run_id} eq $run->{id} } @$list;
    }, 20);

    return scalar grep { $_->{payload}{test_run_id} eq $run->{id} } @$list;
}


# The totals that all runs together have left.
sub measured {
    my (%expected) = @_;

    my $text = $voice->request('GET', '/metrics')->{content};

    for my $result (sort keys %expected) {
        my ($value) = $text
            =~ /^\w*test_executions_total\{result="$result"\} (\d+)/m;
        is($value, $expected{$result}, "\"$result\" is measured");
    }
}


sub review {
    my ($name, $decision, $status) = @_;

    my $reply = $voice->call('review_validation_result', as => $validator,
        path => { id => $got{$name}{validation_result_id} },
        body => { decision => $decision, feedback => 'listened to it' });

    is($reply->{status}, 200, "a human decides \"$decision\"");
    is($reply->{json}{data}{status}, $status, "the execution is $status");
    is($reply->{json}{data}{reviewed_by}, $validator->{user_id},
       'it is known who it was');

    return $reply->{json}{data};
}


sub reviewed {
    my $before = told('test_run.progress');

    my $result = review('a case without an outcome', 'pass', 'passed');
    is($result->{review_status}, 'manual_review',
       "the machine's verdict stays as it was");
    counted(3, 0, 0, 4, 0);
    is($run->{status}, 'completed', 'the run is as it was');

    review('patterns alone', 'fail', 'failed');
    counted(3, 1, 0, 3, 0);
    is($run->{status}, 'failed', 'one failure makes the run a failed one');

    review('patterns alone', 'pass', 'passed');
    counted(4, 0, 0, 3, 0);
    is($run->{status}, 'completed', 'and its correction a good one again');

    is($voice->wait_for(sub {
           told('test_run.progress') == $before + 3 }, 20), 1,
       'each verdict is told');
    is(told('test_run.completed'), 1, 'the end is not told again');
    measured(manual_review => 5, passed => 2);

    my $list = $voice->call('list_validation_results', as => $validator,
        query => { test_run_id => $run->{id}, awaiting_review => 'true' });
    is($list->{json}{pagination}{total_items}, 3,
       'the others still wait for one');
}


sub failing {
    decided(
        ['other words', { expected_response => 'Pizza is on the menu.' },
         'auto_fail'],
        ['another intent', { expected_intent => 'cancel',
            expected_response => AIRPORT }, 'auto_fail'],
        ['another command', { expected_intent => 'play_songs',
            expected_command_kind => 'MusicCommand' }, 'auto_fail'],
        ['another place', { expected_intent => 'play_songs',
            entities => { destination => 'home' } }, 'auto_fail'],
        ['a forbidden phrase', { expected_intent => 'play_songs',
            forbidden_phrases => ['airport'] }, 'auto_fail'],
        ['all as expected', { expected_intent => 'play_songs' },
         'auto_pass'],
    );

    is($run->{status}, 'failed', 'a run with failures has failed');
    counted(1, 5, 0, 0, 0);
    is(told('test_run.failed'), 1, 'its end is told once');

    review('another place', 'pass', 'passed');
    counted(2, 4, 0, 0, 0);
    is($run->{status}, 'failed', 'the others have still failed');
    measured(manual_review => 5, passed => 3, failed => 5);
}


# A tenant's own thresholds.
sub thresholds {
    my $set = $voice->call('update_tenant', as => $owner,
        path => { id => $owner->{tenant_id} }, body => { settings => {
            validation => { auto_pass => 0.6, manual_review => 0.5 } } });
    is($set->{status}, 200, 'a tenant sets its thresholds');

    decided(['a ratio of 0.6', { expected_intent => 'play_music' },
             'auto_pass']);

    $voice->call('update_tenant', as => $owner,
        path => { id => $owner->{tenant_id} }, body => { settings => {
            validation => { auto_pass => 0.9, manual_review => 0.7 } } });

    decided(['the same ratio', { expected_intent => 'play_music' },
             'auto_fail']);
}
