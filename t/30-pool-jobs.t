#!/usr/bin/perl

# How a child takes, runs and ends jobs, and what its supervisor does about
# those that it holds.  All by the kind probe.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Kill;
use Voice::Probes;

my %settings = ('queue probe' => 1, beat_ms => 200, grace_seconds => 1,
                log_level => 'debug');
my $voice = Voice->start(workers => 1, settings => \%settings);
my $json = JSON::PP->new;
my $tenant = $voice->tenant('acme')->{tenant_id};

ok(probes_on($voice, $tenant, %settings), 'one child serves the queue');

batch();
results_in_redis();
prefetch();
behind_a_long_job();
behind_a_crash();
postgres_lost();
soft_limit();
hard_limit();
cancelled();
cancelled_by_force();
progress();
long_job();
beats_unanswered();
supervisor_paused();
jobs_of_a_child();
heavy_cpu();
heavy_memory();
scaled();
stopped();
ok(!logged(qr/redis is down/), 'Redis was there, and nobody thought otherwise');

$voice->finish;


sub batch {
    my @jobs = add(50);
    wake();
    ok(done(@jobs), 'many jobs are run');
    is(of('sum(attempt)', @jobs), 50, 'once each');
    cmp_ok(of('count(distinct claimed_at)', @jobs), '<', 25,
           'they were taken together');
    cmp_ok(of('count(distinct ended_at)', @jobs), '<', 25, 'and ended so');
    is(of("count(*) filter (where result ->> 'echo' = args ->> 'echo')",
          @jobs), 50, 'each with its own result');

    my %job = map { $_ => 1 } @jobs;
    my @lines = grep { $job{$_->{job_id} // ''} } attempts();
    is(@lines, 50, 'the log has a line of each');
    is(scalar(grep {
        !($_->{kind} eq 'probe' && $_->{tenant_id} eq $tenant
          && $_->{attempt} == 1 && $_->{token} == 1
          && $_->{outcome} eq 'done' && $_->{wait_ms} >= 0
          && $_->{run_ms} >= 0 && defined $_->{trace_id} && $_->{worker})
    } @lines), 0, 'with all that it should tell');
}


sub results_in_redis {
    my ($kept) = add(1, args => '{"echo": "a \"word\" and \\\\"}');
    wake();
    done($kept);
    my $text = $voice->wait_for(sub {
        $voice->redis('GET', "voice:result:$kept") }, 10);
    is($json->decode($text)->{echo}, 'a "word" and \\',
       'a result stands in Redis');
    my $ttl = $voice->redis('TTL', "voice:result:$kept");
    my $seconds = kind('result_seconds');
    ok($ttl > 0 && $ttl <= $seconds, 'for as long as its kind says');

    kind('result_seconds', 0);
    my ($none) = add(1);
    wake();
    done($none);
    my ($after) = add(1);
    wake();
    done($after);
    is($voice->redis('GET', "voice:result:$none"), undef,
       'of a kind without results none does');
    kind('result_seconds', $seconds);
}


sub prefetch {
    kind('prefetch', 1);
    my @jobs = add(10);
    wake();
    done(@jobs);
    is(of('count(distinct claimed_at)', @jobs), 10,
       'no more are taken at once than the kind says');
    kind('prefetch', 100);
}


sub behind_a_long_job {
    my ($long, @others) = long_and_others(5000);

    ok($voice->wait_for(sub {
        of("count(*) filter (where state = 'queued' and attempt = 0)",
           @others) == 3 }, 5), 'what waits behind a long job is given back');
    is(of('max(state)', $long), 'running',
       'while that one goes on');
    ok(done($long, @others), 'all are done in the end');
    is(of('sum(attempt) || \' \' || sum(lost)', $long, @others), '4 0',
       'and the giving back counts for nothing');
}


sub behind_a_crash {
    my ($long, @others) = long_and_others(10000);

    shorten($long);
    kill 'KILL', probes();
    ok(done($long, @others), 'jobs of a child that died run again');
    is(of('sum(lost)', $long), 1, 'the one that ran is counted as lost');
    is(of('sum(attempt - lost)', $long), 1, 'which is no attempt');
    is(of('sum(attempt) || \' \' || sum(lost)', @others), '3 0',
       'the others are innocent');
}


# Held jobs go on without it; their ends are told when it is back.
sub postgres_lost {
    my @jobs = add(40, args => '{"work_ms": 50, "echo": "x"}');
    wake();
    ok($voice->wait_for(sub {
        of("count(*) filter (where state = 'done')", @jobs) > 3 }, 30),
       'some jobs of a batch have ended');

    ok(kill_service($voice, 'postgres'), 'PostgreSQL dies and comes back');
    ok(done(@jobs), 'and all of them end');
    is(of('sum(attempt - lost)', @jobs), 40, 'by one attempt each');
}


sub soft_limit {
    kind('soft_seconds', 1);
    kind('max_attempts', 1);
    my ($job) = add(1, args => '{"work_ms": 9000}');
    wake();
    ok(dead($job), 'a job ends at its soft limit by itself');
    like(of('max(error)', $job), qr/longer than it may/, 'and says why');
    kind('soft_seconds', 30);
}


# A process that is stopped cannot end by itself.
sub hard_limit {
    my $hard = kind('hard_seconds');

    kind('soft_seconds', 4);
    kind('hard_seconds', 5);
    my $job = running('{"work_ms": 9000}');
    kill 'STOP', probes();
    ok(dead($job), 'a job that passes its hard limit is killed');
    like(of('max(error)', $job), qr/passed its hard limit/, 'and says why');
    kind('hard_seconds', $hard);
    kind('soft_seconds', 30);
    kind('max_attempts', 3);
    ok($voice->wait_for(sub { probes() == 1 }, 30), 'its child is replaced');
}


sub cancelled {
    my $job = running('{"work_ms": 10000}');
    my ($child) = probes();

    $voice->sql("update core.job set state = 'cancelled', ended_at = now(),"
                . " lease_until = null where id = '$job'");
    ok($voice->wait_for(sub {
        grep { $_->{job_id} eq $job && $_->{outcome} eq 'cancelled'
               && $_->{run_ms} < 9000 } attempts() }, 30),
       'a running job that is cancelled ends by itself');
    is((probes())[0], $child, 'its child lives');
}


# As above.
sub cancelled_by_force {
    my $job = running('{"work_ms": 10000}');
    my ($child) = probes();

    kill 'STOP', $child;

    $voice->sql("update core.job set state = 'cancelled', lease_until = null,"
                . " ended_at = now() - interval '11 s' where id = '$job'");
    ok($voice->wait_for(sub { logged(qr/\($child\) is killed: job $job/) },
                        30), 'one that does not is killed');
    ok($voice->wait_for(sub { probes() == 1 }, 30), 'its child is replaced');
    is(of('max(state)', $job), 'cancelled', 'it is not run again');
}


sub progress {
    my $job = running('{"work_ms": 6000}');
    my $seen = $voice->wait_for(sub {
        my $row = of("max(progress::text || ' ' || progress_text)", $job);
        return $row =~ /^(0\.\d+) working$/ && $1;
    }, 10);
    cmp_ok($seen // 0, '>', 0, 'a running job tells of its progress');
    ok(done($job), 'and ends');
    is(of('max(progress)', $job), 1, 'with all of it done');
}


sub long_job {
    my $job = running('{"work_ms": 5000}');

    $voice->sql("update core.job set lease_until = now() + interval '3 s'"
                . " where id = '$job'");
    ok($voice->wait_for(sub {
        of("max(case when lease_until > now() + interval '20 s'"
           . ' then 1 else 0 end)', $job) == 1 }, 8),
       'beats extend the lease of what runs');
    ok(done($job), 'it ends');
    is(of('max(attempt) || \' \' || max(lost)', $job), '1 0',
       'and was delivered once');
}


# The supervisor's own connection hangs; PostgreSQL goes on for the others.
sub beats_unanswered {
    reconfigure(lease_ms => 1500);
    my $job = running('{"work_ms": 10000}');
    my ($child) = probes();
    shorten($job);

    my $backend = $voice->wait_for(sub {
        $voice->sql("select pid from pg_stat_activity where query like"
                    . " '%work.heartbeat%' and pid <> pg_backend_pid()") },
        20);
    kill 'STOP', $backend;
    ok($voice->wait_for(sub {
        logged(qr/\($child\) is killed: no beat was answered/) }, 30),
       'without an answer to its beats a pool kills what it runs');
    kill 'CONT', $backend;
    ok(done($job), 'which runs again');
    is(of('max(attempt - lost)', $job), 1, 'without an attempt more');
}


sub supervisor_paused {
    my $job = running('{"work_ms": 10000}');
    my ($child) = probes();
    my $pid = $voice->pid('workers');

    shorten($job);
    kill 'STOP', $pid;
    my $until = time + 3;
    $voice->wait_for(sub { time >= $until }, 10);
    kill 'CONT', $pid;
    ok($voice->wait_for(sub {
        logged(qr/\($child\) is killed: no beat was answered/) }, 30),
       'a supervisor that was paused kills what ran meanwhile');
    ok(done($job), 'it runs again');
}


sub jobs_of_a_child {
    reconfigure(lease_ms => 28000, child_jobs => 10);
    my @jobs = add(35);
    wake();
    ok(done(@jobs), 'jobs are run by one child after another');

    my (%job, %ran);
    $job{$_} = 1 for @jobs;
    $voice->wait_for(sub {
        %ran = ();
        $ran{$_->{pid}}++ for grep { $job{$_->{job_id}} } attempts();
        return keys %ran >= 4;
    }, 20);
    is_deeply([sort { $a <=> $b } values %ran], [5, 10, 10, 10],
              'each runs as many as it may');
}


# Keeps a processor busy.
sub burner {
    my $pid = fork // die "fork: $!";
    return $pid if $pid;

    my $end = time + 120;
    1 while time < $end;
    kill 'KILL', $$;
}


sub heavy_cpu {
    my @burners = map { burner() } 0 .. `nproc` / 16;

    reconfigure(child_jobs => 1000, guard_cpu => 1);
    kind('heavy', 'true');
    my $job = deferred(qr/the machine is busy: CPU/);
    ok($job, 'a heavy job waits while the processors are busy');
    is(of('max(attempt - deferred)', $job), 0, 'which is no attempt');

    kind('defer_seconds', 0);
    my ($late) = add(1);
    wake();
    ok(done($late), 'one that may not wait longer is run');
    kind('defer_seconds', 120);

    kind('heavy', 'false');
    my ($light) = add(1);
    wake();
    ok(done($light), 'other kinds do not wait');
    $voice->sql("update core.job set run_at = now() where id = '$job'");
    ok(done($job), 'it is run as soon as nothing keeps it');
    kind('heavy', 'true');

    kill 'KILL', @burners;
    waitpid $_, 0 for @burners;
}


sub heavy_memory {
    reconfigure(guard_cpu => 0, guard_memory_mb => 1);
    my $job = deferred(qr/the machine is busy: memory/);
    ok($job, 'a heavy job waits while the pool has much memory');
    reconfigure('queue probe' => '1..3', guard_memory_mb => 0);
    $voice->sql("update core.job set run_at = now() where id = '$job'");
    ok(done($job), 'and runs when there is room');
    kind('heavy', 'false');
}


sub scaled {
    scale(0, 1);
    ok($voice->wait_for(sub { probes() == 1 }, 30),
       'a queue has its least number of children');

    scale(9, 10);
    ok($voice->wait_for(sub { probes() == 3 }, 30),
       'children are added as the load asks for, up to the maximum');

    kind('prefetch', 1);
    my @jobs = add(3, args => '{"work_ms": 4000}');
    wake() for 1 .. 3;
    ok($voice->wait_for(sub {
        of("count(*) filter (where state = 'running')", @jobs) == 3 }, 20),
       'each of them works');
    scale(0, 1);
    ok($voice->wait_for(sub { probes() == 1 }, 30), 'and leave again');
    ok(done(@jobs), 'after their jobs');
    is(of('sum(attempt) || \' \' || sum(lost)', @jobs), '3 0',
       'which were not interrupted');
    kind('prefetch', 100);
}


# What the schedule that decides may choose from, and has chosen.
sub scale {
    my ($least, $most) = @_;

    $voice->sql("insert into core.queue_scale (queue, min, max, target)"
                . " values ('probe', $least, $most, $most)"
                . ' on conflict (queue) do update set min = excluded.min,'
                . ' max = excluded.max, target = excluded.target');
}


sub stopped {
    my ($long, @others) = long_and_others(10000);

    shorten($long);
    kill 'TERM', $voice->pid('workers');
    ok($voice->wait_for(sub { logged(qr/the pool has stopped/) }, 30),
       'a pool with jobs stops');
    is(of("count(*) filter (where state = 'queued' and attempt = 0)",
          @others), 3, 'what was not begun is queued as before');
    is(of('max(state || lost)', $long), 'queued1',
       'what was cut short is counted as lost');
    is($voice->sql('select sum(c.n) from core.worker w,'
                   . ' unnest(w.children) c (n)'), 0,
       'other pools need not leave its children their share');

    my $output = $voice->stack('start', 'workers');
    is($?, 0, 'the pool starts again') or diag($output);
    ok(done($long, @others), 'and runs all of them');
}


# --- jobs -----------------------------------------------------------------

# A child that holds four jobs and runs the first, a long one.
sub long_and_others {
    my ($work_ms) = @_;

    my ($long, @others);

    $voice->sql("update core.queue set paused_at = now()"
                . " where name = 'probe'");
    ($long) = add(1, args => qq({"work_ms": $work_ms}), priority => 10);
    @others = add(3);
    $voice->sql("update core.queue set paused_at = null"
                . " where name = 'probe'");
    wake();
    ok($voice->wait_for(sub { of('max(state)', $long) eq 'running' }, 30),
       'a child holds a long job and some others');

    return ($long, @others);
}


# One that was put off for that reason.
sub deferred {
    my ($reason) = @_;

    # the figures of the machine are those of the last second
    return $voice->wait_for(sub {
        my ($job) = add(1);
        wake();
        $voice->wait_for(sub {
            of('max(state) || max(deferred)', $job) =~ /^done|1$/ }, 20);
        return of('max(error)', $job) =~ $reason && $job;
    }, 30);
}
