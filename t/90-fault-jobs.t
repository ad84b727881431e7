#!/usr/bin/perl

# kill -9 of everything while jobs of all sorts run in three pools: each has
# its effect once or ends as it must, none is lost, none is stuck, a death of
# a worker burns no attempt, and poison takes no pool down.
#
# VOICE_TEST_LONG=1: 24,000 jobs and 110 kills; VOICE_TEST_KILLS says how
# many, VOICE_TEST_SEED repeats their order.

use strict;
use warnings;

use List::Util qw(shuffle sum0);
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Voice;
use Voice::Kill qw(kill_service);
use Voice::Pool;

my $long = $ENV{VOICE_TEST_LONG};
my $kills = $ENV{VOICE_TEST_KILLS} // ($long ? 110 : 12);
my $seed = $ENV{VOICE_TEST_SEED} // time * 1000 % 1_000_000;
my $wave_jobs = int(($long ? 24_000 : 2_000) / ($long ? 110 : 12));

note("seed $seed");
srand $seed;

my $voice = Voice->start(workers => 0, durable => 1);
my %victims = (
    child      => \&kill_any_child,
    keeper     => sub { kill_leader('keeper') },
    relay      => sub { kill_leader('relay') },
    supervisor => sub { some_pool()->kill('KILL') },
    backend    => \&kill_backend,
    postgres   => sub { kill_service($voice, 'postgres') },
    redis      => sub { kill_service($voice, 'redis') },
    empty      => sub { kill_service($voice, 'redis', 1) },
    frozen     => \&freeze,
);
# how many of twelve, or thirteen
my %share = (child => 4, keeper => 1, relay => 1, supervisor => 2,
             backend => 1, postgres => 1, redis => 1, empty => 1,
             frozen => $long ? 1 : 0);

$voice->tenant($_) for qw(one two three four);
for my $file (qw(fair chaos)) {
    $voice->sql(Voice::slurp("t/sql/setup/$file.sql"));
}
my @pools = map { pool($_) } qw(east west north);

my (%killed, @recovery, %frozen);
my $began = time;
kill_often();
is(sum0(values %killed), $kills, "$kills processes were killed");
my $under = time - $began;
pass_time() if !$long;

ok($voice->wait_for(sub { revive(); query(<<'SQL') eq '0' }, 300),
select count(*) from core.job where state in ('queued', 'running')
SQL
   'every job ends') or diag(unended());
my $settled = time - $began - $under;

all_is_well();
poison();
tell_counts();

# entries of children that were killed stay for a minute
$voice->wait_for(sub { revive(); !left_over() }, 90) if $long;
kill 'CONT', keys %frozen;
$_->stop for @pools;
$voice->redis('DEL', map { "voice:queue:$_" } qw(probe schedule)) if !$long;
$voice->finish(alerts => qr/exited on signal 9/);


# Entries of streams that nobody has acknowledged.
sub left_over {
    return sum0(map { (eval { $voice->redis('XPENDING', "voice:queue:$_",
        'workers') } // [1])->[0] } qw(probe schedule));
}


# --- pools and jobs -------------------------------------------------------

sub pool {
    my ($name) = @_;

    return Voice::Pool->start($voice, $name, set => {
        (map { ("queue $_" => undef) } qw(test_execution validation
                                          call_processing)),
        'queue probe' => 2, 'queue schedule' => 2, agent_listen => '0',
        keeper_ms => 500 });
}


sub some_pool {
    my @living = grep { !$_->gone } @pools;

    return $living[rand @living];
}


# What a service manager does.
sub revive {
    $_->start for grep { $_->gone } @pools;
    for my $pid (grep { $frozen{$_} < time } keys %frozen) {
        delete $frozen{$pid};
        kill 'CONT', $pid;
    }

    return;
}


# SQL of a database that may be down just now; '' then.
sub query {
    my ($text) = @_;

    open my $kept, '>&', \*STDERR or die "stderr: $!";
    open STDERR, '>>', "$voice->{dir}/query.log" or die "query.log: $!";
    my $rows = eval { $voice->sql($text) } // '';
    open STDERR, '>&', $kept or die "stderr: $!";

    return $rows;
}


# Adds a wave, be it by several tries, and wakes who is to do it.
sub add {
    my ($wave) = @_;

    $voice->wait_for(sub {
        query("select chaos.add($wave, $wave_jobs)");
        return query("select n from chaos.wave where n = $wave") eq $wave;
    }, 60) or BAIL_OUT("wave $wave cannot be added");

    wake(4);
}


# As the edge does after a commit.
sub wake {
    my ($times) = @_;

    for my $queue ((qw(probe schedule)) x $times) {
        eval { $voice->redis('XADD', "voice:queue:$queue", '*', 'wake', 1) };
    }
}


sub effects { return query('select count(*) from chaos.effect') || 0 }


# --- the kills ------------------------------------------------------------

sub kill_often {
    my @order;
    push @order, shuffle map { ($_) x $share{$_} } sort keys %share
        while @order < $kills;

    for my $wave (0 .. $kills - 1) {
        add($wave);
        my $what = $order[$wave];
        my $until = effects() + rand $wave_jobs / 2;
        $voice->wait_for(sub { effects() > $until }, 10);

        my $dead = time;
        $voice->wait_for(sub { revive(); $victims{$what}->() }, 60)
            or next;
        $killed{$what}++;
        revive();
        push @recovery, [time - $dead, $what] if works("after $wave: $what");
    }
}


# A job that is added now is done.
sub works {
    my ($name) = @_;

    $voice->wait_for(sub {
        query("select chaos.beacon('$name')");
        return query("select count(*) from chaos.planned where what ="
                     . " '$name'") eq '1';
    }, 60) or BAIL_OUT("$name: no job can be added");
    wake(1);

    return 1 if $voice->wait_for(sub { revive(); query(<<"SQL") eq '1' }, 90);
select count(*) from chaos.planned p join chaos.effect e using (job_id)
 where p.what = '$name'
SQL
    fail("a job is done $name");
    diag(unended());

    return 0;
}


sub kill_any_child { return some_pool()->kill_child('KILL') }


# A supervisor stands still until its leases have run out.
sub freeze {
    my $pool = some_pool();

    return 0 if %frozen;
    $frozen{$pool->{pid}} = time + 35;

    return $pool->kill('STOP');
}


# By what they say in the log; the last one that said so leads, if it lives.
sub kill_leader {
    my ($what) = @_;

    my @said = grep { /"this $what leads"/ }
        split /\n/, Voice::slurp("$voice->{stack}{log}/workers.log");
    my ($pid) = ($said[-1] // '') =~ /"pid":(\d+)/ or return 0;
    my %mine = map { $_ => 1 } map { $_->children } @pools;

    return $mine{$pid} ? kill('KILL', $pid) : 0;
}


# One session of PostgreSQL; all others are ended by that.
sub kill_backend {
    my @pids = split /\n/, query('select pid from pg_stat_activity where'
        . " usename = 'voice_worker'");

    return @pids ? kill('KILL', $pids[rand @pids]) : 0;
}


# The leases of those who were killed would last half a minute: while all
# pools are down there are no others.
sub pass_time {
    $_->stop for @pools;
    $voice->sql('update core.job set lease_until = now()'
                . " where state = 'running'");
    $_->start for @pools;
}


# --- afterwards -----------------------------------------------------------

sub all_is_well {
    is(query('select count(*) from chaos.wave'), $kills,
       'every wave was added');
    is(query('select * from chaos.astray'), '',
       'every job ended as it should');
    is(query('select * from chaos.effects limit 5'), '',
       'what is done had its effect once, what is not had none');
    is(query('select * from fair.miscounted limit 5'), '',
       'each job was claimed by one at a time and ended once');
    is(query('select what, min(detail), count(*) from fair.fault'
             . ' group by what'), '', 'and made no move that none should');
    is(query('select * from chaos.burnt limit 5'), '',
       'no death burnt an attempt, and each attempt that failed counts');
    is(query('select * from chaos.unfinished limit 5'), '',
       'each group had its finalizer once, after its last member');
    is(query('select count(*) from chaos.bunch b where chain_id is not null'
             . " and not exists (select from core.job j where j.id ="
             . " b.chain_id and j.state = 'done')"), 0,
       'each chain began');
    is(query('select * from chaos.doubles limit 5'), '',
       'no two jobs of a unique key lived at once');
    ok($voice->wait_for(sub { query('select count(*) from core.event where'
       . ' published_at is null') eq '0' }, 60), 'every event was published');
}


sub unended {
    return query("select kind, state, worker, attempt, lost, run_at - now(),"
        . " lease_until - now(), sent_at - now(), error from core.job where"
        . " state in ('queued', 'running') order by run_at limit 20")
        . "\n" . query("select name, queues, children, now() - beat_at from"
                       . ' core.worker');
}


# Jobs that kill each child that they get, beside some that do not.
sub poison {
    my ($pool, $pid) = ($pools[0], $pools[0]{pid});

    $voice->sql('update core.job_kind set max_lost = 3'
                . " where kind = 'run_regression_suite'");
    $voice->sql("select chaos.suites(2, '{\"poison\": true}')");
    wake(1);
    my $deaths = 0;
    ok($voice->wait_for(sub { $deaths += kill_poisoned();
        query(<<'SQL') eq '2' }, 120),
select count(*) from core.job
 where args ? 'poison' and state = 'dead' and lost = 3
SQL
       'poison is dead when it took its workers down as often as it may')
        or diag(unended());
    note("poison took $deaths workers down");

    $voice->sql("select chaos.suites(4, '{\"name\": \"sound\"}')");
    wake(1);
    ok($voice->wait_for(sub { query("select count(*) from chaos.effect"
        . " where name = 'sound'") eq '4' }, 60),
       'what is no poison is done afterwards') or diag(unended());
    is($pool->gone ? 0 : $pool->{pid}, $pid, 'by a pool that lives on');
}


# All children of pools that are at it.
sub kill_poisoned {
    return 0 if !query("select count(*) from pg_stat_activity where"
                       . " wait_event = 'PgSleep'");

    my %at = map { $_ => 1 } split /\n/, query("select distinct worker from"
        . " core.job where args ? 'poison' and state = 'running'");

    return sum0(map { kill 'KILL', $_->children }
                grep { $at{$_->{name}} } @pools);
}


sub tell_counts {
    my %ops = map { split /\|/ } split /\n/,
        query('select op, count(*) from fair.log group by op');
    my $jobs = query('select count(*) from core.job');
    my $effects = effects();
    my ($worst) = sort { $b->[0] <=> $a->[0] } @recovery;

    note("$jobs jobs, $kills kills: " . join ', ',
         map { "$killed{$_} $_" } sort keys %killed);
    note(join ', ', map { "$ops{$_} $_" } sort keys %ops);
    note(sprintf 'work done in vain or twice, with one effect or none: %d',
         $ops{claim} - ($ops{back} // 0) - ($ops{deferred} // 0)
         - ($ops{retried} // 0) - ($ops{done} // 0) - ($ops{dead} // 0));
    note(sprintf 'kills within %.0f s, the rest ended %.0f s later; longest'
         . ' until work went on: %.1f s (%s)', $under, $settled, @$worst);
    cmp_ok($jobs, '>', $kills * $wave_jobs * 0.8, 'there was enough to do');
}
