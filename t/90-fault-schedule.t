#!/usr/bin/perl

# Schedules of every second while keepers lose their sessions, processes of
# the pool are killed and the pool is away: each second has one occurrence,
# one job and one run.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Voice;
use Voice::Kill;

use constant LOCK => 7310592011;         # of the keeper that leads

my $kills = $ENV{VOICE_TEST_LONG} ? 60 : 6;

my $voice = Voice->start;
my $owner = $voice->tenant('acme');
my $suite = $voice->call('create_test_suite', as => $owner,
                         body => { name => 'Night' })->{json}{data}{id};

# a run of it needs no call: its case says nothing in German
$voice->call('create_test_case', as => $owner, body => {
    name => 'Home', suite_id => $suite, languages => [
        { language_code => 'en-US', input_text => 'take me home' }] });

my @schedules = map { $voice->call('create_schedule', as => $owner, body => {
    name => "S$_", expression => '* * * * * *', missed_runs => 'all',
    action => { type => 'run_suite', suite_id => $suite,
                languages => ['de-DE'] } })->{json}{data}{id} } 1 .. 3;

my $done = 0;

for my $round (1 .. $kills) {
    my $before = fired();

    $done++ if $round % 6 == 0 ? kill_service($voice, 'workers')
             : $round % 2      ? kill_leader()
             :                   kill_child($voice, 'workers');

    ok($voice->wait_for(sub { fired() > $before + 3 }, 60),
       "they go on after kill $round");
}

is($done, $kills, "$kills times something was killed");

$voice->call('update_schedule', as => $owner, path => { id => $_ },
             body => { enabled => JSON::PP::false }) for @schedules;
ok($voice->wait_for(sub {
    $voice->sql("select count(*) from core.schedule_occurrence"
                . " where state = 'queued'") eq '0' }, 90), 'all have ended');

is($voice->sql("select count(*) from core.schedule_occurrence"
               . " where state <> 'done' or cardinality(run_ids) <> 1"), 0,
   'each occurrence made one run');
is($voice->sql('select count(*) from (select schedule_id'
               . ' from core.schedule_occurrence group by schedule_id'
               . ' having extract(epoch from max(occurrence)'
               . ' - min(occurrence)) + 1 <> count(*)) gaps'), 0,
   'no second was left out');
is($voice->sql('select count(*) from core.test_run'),
   $voice->sql('select count(*) from core.schedule_occurrence'),
   'there are no other runs');
is($voice->sql("select count(*) from core.job where kind = 'scheduled_run'"),
   $voice->sql('select count(*) from core.schedule_occurrence'),
   'nor other jobs');

# The entries that killed children had read are the keeper's in a minute.
$voice->redis('DEL', 'voice:queue:schedule');
$voice->finish(alerts => qr/exited on signal 9/);


sub fired {
    return $voice->sql('select count(*) from core.schedule_occurrence');
}


# Ends the session that holds the lock.
sub kill_leader {
    my $lock = LOCK;

    return $voice->wait_for(sub {
        $voice->sql("select count(pg_terminate_backend(pid)) from pg_locks
                      where locktype = 'advisory'
                        and (classid::bigint << 32) + objid::bigint = $lock")
            > 0;
    }, 30);
}
