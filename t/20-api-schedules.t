#!/usr/bin/perl

# Schedules and regression runs over HTTP: what is refused, versions, times to
# come; the keeper makes the run of a schedule that is due, and the pool makes
# those that are asked for.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;

my $voice = Voice->start;
my $stranger = $voice->tenant('other');
my $owner = $voice->tenant('acme');
my $viewer = $voice->person('acme', 'viewer');
my $lead = $voice->person('acme', 'qa_lead');
my $operator = $voice->person('acme', 'operator');
my $null = '00000000-0000-7000-8000-000000000000';
my ($suite, $schedule);

suite();
made();
refused();
previewed();
listed();
changed();
by_hand();
by_the_clock();
regressions();
reported();
deleted();

$voice->finish;


# A suite that is run without a call: its case has no input in German.
sub suite {
    $suite = $voice->call('create_test_suite', as => $lead,
                          body => { name => 'Night' })->{json}{data}{id};
    $voice->call('create_test_case', as => $lead, body => {
        name => 'Home', suite_id => $suite, languages => [
            { language_code => 'en-US', input_text => 'take me home' }] });
}


sub made {
    my $made = $voice->call('create_schedule', as => $lead, body => {
        name => 'Nightly', expression => '0 2 * * MON-FRI',
        timezone => 'Europe/Berlin', action => action() });
    is($made->{status}, 201, 'a lead makes a schedule');
    $schedule = $made->{json}{data};
    is($made->{headers}{location}, "/api/v1/schedules/$schedule->{id}",
       'its place is told');
    is($made->{headers}{etag}, '"1"', 'so is its version');
    is_deeply($schedule->{action}{languages}, ['de-DE'],
              'a language is canonical');
    like($schedule->{next_at}, qr/T0[01]:00:00\.000Z$/,
         'it is due at two in Berlin');
    is($voice->call('create_schedule', as => $viewer, body => {
        name => 'x', expression => '@daily', action => action() })->{status},
       403, 'a viewer makes none');
}


sub action {
    return { type => 'run_suite', suite_id => $suite,
             languages => ['de_de'] };
}


sub refused {
    my %wrong = (
        '/body/expression'      => { expression => '0 25 * * *' },
        '/body/timezone'        => { timezone => 'Berlin' },
        '/body/action/type'     => { action => { type => 'odd' } },
        '/body/action/suite_id' => { action => { type => 'run_suite',
                                                 suite_id => $null } },
        '/body/missed_runs'     => { missed_runs => 'never' },
        '/body/starts_at'       => { starts_at => 'soon' },
        '/body/name'            => { name => '' },
        '/body/odd'             => { odd => 1 },
    );

    for my $path (sort keys %wrong) {
        my $reply = $voice->call('create_schedule', as => $lead, body => {
            name => 'x', expression => '@daily', action => action(),
            %{ $wrong{$path} } });
        is($reply->{status}, 422, "$path is refused");
        is($reply->{json}{error}{details}{errors}[0]{path}, $path,
           'and named');
    }

    is($voice->call('create_schedule', as => $stranger, body => {
        name => 'x', expression => '@daily', action => action() })->{status},
       422, 'another tenant\'s suite does not exist');

    my $said = $voice->call('create_schedule', as => $lead, body => {
        name => 'x', expression => '0 25 * * *', action => action() });
    is($said->{json}{error}{details}{errors}[0]{reason},
       'hour: "25" is not within 0..23', 'the reason names the field');
}


sub previewed {
    my $next = $voice->call('preview_schedule', as => $viewer, body => {
        expression => '30 2 * * *', timezone => 'Europe/Berlin', count => 3,
        after => '2026-10-24T00:00:00Z' });
    is_deeply([map { $_->{local} } @{ $next->{json}{data}{times} }],
              ['2026-10-24T02:30:00+02:00', '2026-10-25T02:30:00+02:00',
               '2026-10-26T02:30:00+01:00'], 'a viewer sees times to come');
    is(scalar @{ $voice->call('preview_schedule', as => $viewer, body => {
           expression => '@hourly' })->{json}{data}{times} }, 10,
       'ten of them');
    is($voice->call('preview_schedule', as => $viewer, body => {
           expression => '@hourly', count => 101 })->{status}, 422,
       'a hundred at most');
    is($voice->call('preview_schedule', as => $viewer, body => {
           expression => '* * * *' })->{status}, 422,
       'an expression must be one');
}


sub listed {
    my $list = $voice->call('list_schedules', as => $viewer,
        query => { search => 'night', sort => 'next_at', enabled => 'true' });
    is($list->{json}{pagination}{total_items}, 1, 'a viewer finds it');
    is($voice->call('list_schedules', as => $stranger)
           ->{json}{pagination}{total_items}, 0, 'a stranger does not');
    is($voice->call('get_schedule', as => $viewer,
                    path => { id => $schedule->{id} })->{json}{data}{name},
       'Nightly', 'a viewer reads it');
    is($voice->call('get_schedule', as => $stranger,
                    path => { id => $schedule->{id} })->{status}, 404,
       'a stranger does not');
}


sub changed {
    my $changed = $voice->call('update_schedule', as => $lead,
        path => { id => $schedule->{id} }, headers => { 'If-Match' => '"1"' },
        body => { enabled => JSON::PP::false });
    is($changed->{status}, 200, 'a lead turns it off');
    is($changed->{json}{data}{next_at}, undef, 'it is due never');
    is($voice->call('update_schedule', as => $lead,
        path => { id => $schedule->{id} }, headers => { 'If-Match' => '"1"' },
        body => { enabled => JSON::PP::true })->{status}, 412,
       'a change of an earlier version is refused');
}


sub by_hand {
    is($voice->call('run_schedule', as => $viewer,
                    path => { id => $schedule->{id} })->{status}, 403,
       'a viewer does not run it');
    my $ran = $voice->call('run_schedule', as => $operator,
                           path => { id => $schedule->{id} });
    is($ran->{status}, 202, 'an operator runs it now');

    my $last = last_done($schedule->{id});
    is($last->{job_id}, $ran->{json}{data}{job_id}, 'its job did it');
    ok($last->{by_hand}, 'by hand');
    my $run = $voice->call('get_test_run', as => $viewer,
                           path => { id => $last->{run_ids}[0] })
                    ->{json}{data};
    is($run->{trigger_type}, 'scheduled', 'a run was made');
    is($run->{trigger_metadata}{schedule_id}, $schedule->{id},
       'it tells by what');
}


# The last occurrence of a schedule when it is over.
sub last_done {
    my ($id) = @_;

    return $voice->wait_for(sub {
        my $last = $voice->call('get_schedule', as => $viewer,
            path => { id => $id })->{json}{data}{last_occurrence};
        return $last && $last->{state} ne 'queued' ? $last : 0;
    }, 60);
}


sub by_the_clock {
    my $made = $voice->call('create_schedule', as => $lead, body => {
        name => 'Often', expression => '* * * * * *', action => action() });
    my $id = $made->{json}{data}{id};

    is(last_done($id)->{state}, 'done', 'what is due runs by itself');
    is($voice->call('delete_schedule', as => $lead,
                    path => { id => $id })->{status}, 204,
       'until it is deleted');
    is($voice->sql("select count(*) from core.test_run where trigger_metadata"
                   . " ->> 'schedule_id' = '$id' group by trigger_metadata"
                   . " ->> 'occurrence' having count(*) > 1"), '',
       'no occurrence ran twice');
}


sub regressions {
    is($voice->call('run_regressions', as => $viewer,
                    body => {})->{status}, 403, 'a viewer runs none');

    my $asked = $voice->call('run_regressions', as => $operator, body => {
        trigger => 'ci', languages => ['de-DE'],
        metadata => { suite_id => $suite, commit_sha => 'abc' } });
    is($asked->{status}, 202, 'an operator runs regression suites');
    is_deeply($asked->{json}{data}{suite_ids}, [$suite],
              'it is told which they are');

    my $list = $voice->wait_for(sub {
        my $runs = $voice->call('list_test_runs', as => $viewer,
            query => { trigger_type => 'auto:ci' })->{json}{data};
        return @$runs ? $runs : 0;
    }, 60);
    is($list->[0]{trigger_metadata}{commit_sha}, 'abc',
       'the run tells what it is of');
    is($voice->call('run_regressions', as => $operator, body => {
           metadata => { suite_id => 'odd' } })->{status}, 422,
       'a suite that is no id is refused');

    my ($tenant) = $voice->sql("select id from core.tenant"
                               . " where business_name = 'acme'");
    is($voice->call('update_tenant', as => $owner, path => { id => $tenant },
        body => { settings => { regression => {
            enabled => JSON::PP::false } } })->{status}, 200,
       'a tenant turns them off');
    ok(!$voice->call('run_regressions', as => $operator,
                     body => {})->{json}{data}{enabled}, 'that is told');
}


# As if last week's Monday had not been looked at yet.
sub reported {
    my $monday = "date_trunc('week', now() at time zone 'UTC')"
               . " at time zone 'UTC' - interval '7 days'";

    $voice->sql("update core.test_run
                    set created_at = $monday - interval '1 day'");
    $voice->sql("update core.system_schedule
                    set next_at = $monday + interval '7 hours'
                  where name = 'send-scheduled-reports'");

    my $told = $voice->wait_for(sub {
        my ($event) = grep { $_->{payload}{period} eq 'week' }
            @{ $voice->call('list_events', as => $viewer,
                query => { types => 'report.ready' })->{json}{data} };
        return $event;
    }, 60);
    ok($told, 'a Monday brings a report');
    cmp_ok($told->{payload}{runs}{total}, '>', 0, 'with the runs of a week');
}


sub deleted {
    is($voice->call('delete_schedule', as => $viewer,
                    path => { id => $schedule->{id} })->{status}, 403,
       'a viewer deletes none');
    is($voice->call('delete_schedule', as => $lead,
                    path => { id => $schedule->{id} })->{status}, 204,
       'a lead deletes one');
    is($voice->call('get_schedule', as => $lead,
                    path => { id => $schedule->{id} })->{status}, 404,
       'it is gone');
}
