#!/usr/bin/perl

# What gets lost between a pool and its servers, and what becomes of the jobs:
# answers, refused statements, claims that nobody read, wake-ups.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Voice;
use Voice::Pool;
use Voice::Probes;
use Voice::Sessions ();

my %settings = ('queue probe' => 1, beat_ms => 10000, log_level => 'debug',
                postgres_statement_ms => 60000);
my $voice = Voice->start(workers => 1, settings => \%settings);
my $tenant = $voice->tenant('acme')->{tenant_id};

ok(probes_on($voice, $tenant, %settings), 'one child serves the queue');

cancelled_at_once();
unanswered();
release_refused();
claim_unread();
claim_awaited();
wake_refused();
connection_ended();
namesakes();

$voice->finish;


# Beats are ten seconds apart, and one has just been.
sub cancelled_at_once {
    my $beat = beat();
    $voice->wait_for(sub { beat() gt $beat }, 30);

    my $job = running('{"work_ms": 10000}');
    $beat = beat();
    $voice->sql("update core.job set state = 'cancelled', ended_at = now(),"
                . " lease_until = null where id = '$job'");
    ok($voice->wait_for(sub { beat() gt $beat }, 8),
       'a supervisor asks at once what has been cancelled');
    ok($voice->wait_for(sub { outcome($job) }, 30), 'its job ends');
    is(outcome($job), 'cancelled', 'as one that was cancelled');
}


# The ends of jobs wait, after their commit, for a standby that never comes.
sub unanswered {
    $voice->sql(<<'END');
create function public.wait() returns trigger language plpgsql as $$
begin
    perform set_config('synchronous_commit', 'on', true);
    return new;
end $$;
create trigger wait before update on core.job for each row
    when (new.state in ('done', 'dead')) execute function public.wait();
END
    standby('nobody', 'local');

    my $done = unanswered_end('{"echo": "yes"}', 'finish');
    ok(told($done, qr/^job\.finished: done, taken$/),
       'a job whose end had no answer is known to have ended');
    ok($voice->wait_for(sub { $voice->redis('GET', "voice:result:$done") },
                        20), 'its result stands in Redis');
    is(of("max(attempt || state)", $done), '1done', 'it was run once');

    my $dead = unanswered_end('{"fail": "dead"}', 'fail');
    ok(told($dead, qr/^job\.finished: dead, taken: /),
       'so is one that failed');
    is(of("max(attempt || state)", $dead), '1dead', 'and is dead');

    standby('', 'on');
    $voice->sql('set client_min_messages = warning;'
                . ' drop function public.wait() cascade');
}


sub unanswered_end {
    my ($args, $function) = @_;

    my ($job) = add(1, args => $args);
    wake();
    my $backend = $voice->wait_for(sub {
        (backends("query like '%work.$function(%'"
                  . " and wait_event = 'SyncRep'"))[0] }, 30);
    ok($backend, "work.$function waits after its commit");
    $voice->sql("select pg_terminate_backend($backend)");

    return $job;
}


sub standby {
    my ($names, $commit) = @_;

    $voice->sql("alter system set synchronous_standby_names = '$names'");
    $voice->sql("alter system set synchronous_commit = '$commit'");
    $voice->sql('select pg_reload_conf()');
    $voice->wait_for(sub {
        $voice->sql('show synchronous_standby_names') eq $names
            && $voice->sql('show synchronous_commit') eq $commit }, 20);
}


# A moment in which PostgreSQL does not take the end of a child's job.
sub release_refused {
    my $job = running('{"work_ms": 10000}');

    $voice->sql(<<'END');
create function public.refuse() returns trigger language plpgsql as $$
begin
    raise exception 'not now' using errcode = '40001';
end $$;
create trigger refuse before update on core.job for each row
    when (new.lost > old.lost) execute function public.refuse();
END
    kill 'KILL', probes();
    ok($voice->wait_for(sub { logged(qr/heartbeat: .*SQLSTATE 40001/) }, 30),
       'a child dies whose job cannot be released just now');
    $voice->sql('set client_min_messages = warning;'
                . ' drop function public.refuse() cascade');
    shorten($job);
    ok(done($job), 'it is released later');
    is(lost($job), 'the process of the job died', 'not by its lease');
}


# It is stopped while its claim waits, and killed when that has committed.
sub claim_unread {
    my $child = claiming();
    my @jobs = add(3);

    kill 'STOP', $child;
    unlock();
    ok($voice->wait_for(sub {
        of("count(*) filter (where state = 'running')", @jobs) == 3 }, 30),
       'a child has jobs that it knows nothing of');
    kill 'KILL', $child;
    ok(done(@jobs), 'when it has died they are run by another');
    is(lost($_), 'the process of the job died', 'not by their leases')
        for @jobs;
}


# It is killed while its claim waits.
sub claim_awaited {
    my $child = claiming();
    my ($waits) = backends("query like '%work.take%' and wait_event_type"
                           . " = 'Lock'");

    kill 'KILL', $child;
    ok($voice->wait_for(sub { !backends("pid = $waits") }, 20),
       'PostgreSQL sees that a child has died that waits');
    my @jobs = add(3);
    unlock();
    ok(done(@jobs), 'jobs are run by another');
    is(of('max(token)', @jobs), 1, 'and were claimed by none before');
}


sub wake_refused {
    $voice->redis('CONFIG', 'SET', 'maxmemory', '1');
    my ($job) = add(2);
    ok($voice->wait_for(sub {
        $voice->sql("update core.job set sent_at = null where id = '$job'");
        logged(qr/redis \S+ refuses what it is sent: OOM/) }, 60),
       'the log tells that Redis takes no wake-ups');
    $voice->redis('CONFIG', 'SET', 'maxmemory', '0');
    wake();
    ok(done($job), 'jobs are run all the same');
}


# The log of a pool may be its standard error.
sub connection_ended {
    my $pool = Voice::Pool->start($voice, 'loud', set => {
        %settings, log_file => undef });
    my $heard = "$voice->{dir}/loud.out";

    my $backend = $voice->wait_for(sub {
        (backends("(query like '%listen voice_cancel%' or query like"
                  . " '%work.heartbeat%') and state = 'idle' and backend_start >"
                  . " (select started_at from core.worker where name = 'loud')"
                  . " - interval '1 s'"))[0] }, 30);
    $voice->sql("select pg_terminate_backend($backend)");
    ok($voice->wait_for(sub {
        Voice::slurp($heard) =~ /heartbeat: postgres is back/ }, 30),
       'a heartbeat that loses its connection at rest finds another');
    is($pool->stop, 0, 'the pool ends in good order');
    is(scalar(grep { !/^\{.*\}$/ } split /\n/, Voice::slurp($heard)), 0,
       'its log has no line that is no JSON');
}


# Two pools that were started alike, by settings that say the same name.
sub namesakes {
    $voice->stack('stop', 'workers');
    kind('prefetch', 1);
    $voice->configure_workers({ %settings, worker_name => 'twin' });
    $voice->start_services('workers');
    my $pool = Voice::Pool->start($voice, 'twin', set => { %settings });
    ok($voice->wait_for(sub { probes() == 1 && serves($pool) }, 60),
       'two pools have one name');

    my @jobs = add(2, args => '{"work_ms": 10000}');
    wake() for @jobs;
    ok($voice->wait_for(sub {
        of("count(*) filter (where state = 'running')", @jobs) == 2 }, 60),
       'each has a job');
    kill 'KILL', probes();
    ok(done(@jobs), 'a child of one of them dies');
    is(of('sum(lost)', @jobs), 1, 'the job of the other one goes on');
    $pool->stop;
}


# Has its child for the queue begun?
sub serves {
    my ($pool) = @_;

    my %child = map { $_ => 1 } $pool->children;

    return grep { $_->{child} =~ /^probe\./ && $child{$_->{pid}} }
        logged(qr/^child started$/);
}


# --- small things ---------------------------------------------------------

sub beat { return $voice->sql('select max(beat_at) from core.worker') }


# What the log has of the attempts at a job.
sub outcome {
    my ($job) = @_;

    return join ' ', map { $_->{outcome} }
        grep { $_->{job_id} eq $job } attempts();
}


sub told {
    my ($job, $pattern) = @_;

    $voice->wait_for(sub { outcome($job) }, 30);
    my ($line) = grep { $_->{job_id} eq $job } attempts();

    return $line->{message} =~ $pattern || diag($line->{message}) && 0;
}


# Why an attempt was lost.
sub lost {
    my ($job) = @_;

    return $voice->sql("select string_agg(error, ', ') from core.job_attempt"
                       . " where job_id = '$job' and outcome = 'lost'");
}


sub backends {
    my ($where) = @_;

    return split /\n/, $voice->sql('select pid from pg_stat_activity'
        . " where pid <> pg_backend_pid() and $where");
}


my $lock;


# A child whose claim waits for the others of its queue.
sub claiming {
    local @ENV{qw(PGHOST PGUSER PGDATABASE PGPASSWORD)} = (
        $voice->{stack}{sockets}, 'postgres', $voice->{stack}{database},
        Voice::slurp("$voice->{stack}{secrets}/postgres"));

    $voice->wait_for(sub { probes() == 1 }, 30);
    $lock = Voice::Sessions::session();
    Voice::Sessions::say_to($lock,
        "select pg_advisory_lock(1987013986, hashtext('probe'));",
        '\echo done');
    Voice::Sessions::hear($lock);
    wake();
    ok($voice->wait_for(sub { backends("query like '%work.take%'"
                                       . " and wait_event_type = 'Lock'") },
                        30), 'a claim waits');

    return (probes())[0];
}


sub unlock { Voice::Sessions::hear_end($lock) }
