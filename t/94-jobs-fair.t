#!/usr/bin/perl

# Who gets how much when many sessions claim at once: a flood delays nobody by
# more than a turn, weights are kept, and whatever random sessions do, caps,
# rates and pauses hold, nothing is claimed twice and everything ends.
#
# VOICE_TEST_SEED repeats a run; VOICE_TEST_LONG=1 runs forty seeds.

use strict;
use warnings;

use File::Temp qw(tempfile);
use FindBin;
use Test::More;
use Time::HiRes qw(time);

use lib "$FindBin::Bin/lib";

use Voice::Sql;

use constant { SESSIONS => 6, FLOOD => 100_000 };

my (undef, $script) = tempfile('voice-fair-XXXXXXXX', TMPDIR => 1,
                             UNLINK => 1);
my $long = $ENV{VOICE_TEST_LONG};
my $first = $ENV{VOICE_TEST_SEED} // time * 1000 % 1_000_000;
my @seeds = map { $first + $_ } 0 .. ($ENV{VOICE_TEST_SEED} ? 0
                                      : $long ? 39 : 1);

Voice::Sql::start() or exit 0;
sql('\\i ' . "$FindBin::Bin/sql/setup/fair.sql");
sql(<<'END_SQL');
insert into core.tenant (id, business_name)
select fair.tenant(n), 'T' || n from generate_series(1, 40) n;
insert into core.queue values ('fair1'), ('fair2');
insert into core.job_kind (kind, queue, max_attempts, backoff_seconds,
                           backoff_max, jitter, defer_seconds, max_lost,
                           prefetch)
select 'fair' || n, 'fair' || (n + 2) / 3, 3, 1, 1, false, 2, 3, 100
  from generate_series(1, 5) n;
insert into fair.phase values ('flood');
END_SQL

flood();
for my $seed (@seeds) {
    srand $seed;
    note("seed $seed");
    subtest "seed $seed" => sub { turns(); walk() };
}

done_testing();


# --- a flood and a newcomer -----------------------------------------------

# Sessions serve a tenant with a hundred thousand jobs, then one of twenty;
# others come with one job each.
sub flood {
    my $began = time;
    sql("select fair.add('fair1', fair.tenant(1), " . FLOOD . ')');
    note(sprintf '%d jobs were added within %.1f s', FLOOD, time - $began);

    for my $case ([1, 1], [1, 20], [20, 1], [20, 20]) {
        my ($active, $batch) = @$case;
        my $most = newcomers($active, $batch);

        # what sessions had begun to claim when the newcomer came
        my $allowed = $active + SESSIONS * $batch;
        cmp_ok($most, '<=', $allowed, 'beside ' . ($active > 1
               ? "$active tenants with long queues" : 'a flood')
               . " a newcomer waits for one turn of each, $batch a claim");
    }

    is(sql('select count(*) from core.job where state = \'queued\''
           . ' and tenant_id = fair.tenant(1)') > FLOOD / 2 ? 'long' : 'short',
       'long', 'while the queue of the flood is as long as ever');
    is(sql('select count(*) from (select job_id from fair.log where op ='
           . ' \'claim\' group by job_id having count(*) > 1) t'), 0,
       'nothing was claimed twice');
    clear();
}


# The most claims that a newcomer's job had to wait for.
sub newcomers {
    my ($active, $batch) = @_;

    if ($active > 1) {
        sql("select fair.add('fair1', fair.tenant(n), 2000)"
            . " from generate_series(2, $active) n");
    }
    sql('truncate fair.ended, fair.log restart identity');

    my @serving = map { session("call fair.serve($_, 'fair1', $batch)") }
        1 .. SESSIONS;
    wait_for(sub { sql('select fair.mark()') > 50 }) or die 'nobody serves';

    my $most = 0;
    for my $n (1 .. 8) {
        my $tenant = $active + $n;
        my ($mark) = sql(<<"END_SQL") =~ /(\d+)\z/;
select fair.add('fair1', fair.tenant($tenant), 1);
select fair.mark();
END_SQL
        wait_for(sub { sql(<<"END_SQL") }) or die 'a newcomer starves';
select count(*) from core.job
 where tenant_id = fair.tenant($tenant) and state = 'done'
having count(*) > 0
END_SQL
        my $waited = sql(<<"END_SQL");
select count(*) from fair.log l, fair.log m
 where m.tenant_id = fair.tenant($tenant) and m.op = 'claim'
   and l.op = 'claim' and l.seq > $mark
   and l.seq < m.seq and l.xid <> m.xid
END_SQL
        $most = $waited if $waited > $most;
    }
    sql('insert into fair.ended default values');
    ended(@serving);
    note("$active tenants, $batch a claim: at most $most claims before the"
         . ' newcomer');

    return $most;
}


# --- weights --------------------------------------------------------------

# Tenants of random weights that all have enough to do.
sub turns {
    my $tenants = 2 + int rand 5;
    my @weights = map { 1 + int rand 5 } 1 .. $tenants;
    my $round = 0;
    $round += $_ for @weights;
    # claims of twenty at most, so at least ten of them
    my $rounds = 15 + int 200 / $round;

    sql('update fair.phase set name = \'turns\'');
    sql(join '', map { "insert into core.job_share values (fair.tenant($_),"
        . " 'fair1', $weights[$_ - 1]);"
        . "select fair.add('fair1', fair.tenant($_),"
        . ($rounds + 100) * $weights[$_ - 1] . ');'
    } 1 .. $tenants);

    my $goal = $rounds * $round;
    ended(map { session("call fair.turn($_, " . rand . ", $goal)") }
          1 .. SESSIONS);

    my ($steps, $apart) = split /\|/,
        sql('select count(*), round(max(turns), 2) from fair.apart');
    cmp_ok($steps, '>=', 10, 'sessions take turns');
    cmp_ok($apart, '<=', 1, 'and tenants of the weights '
           . join(', ', @weights) . ' are never more than a turn apart');
    clear();
}


# --- anything -------------------------------------------------------------

sub walk {
    sql('update fair.phase set name = \'walk\'');
    sql(join '', settings());

    my @sessions = map { session("call fair.walk($_, " . rand
                                 . ', ' . ($long ? 300 : 120) . ')') }
        1 .. SESSIONS;
    my $observer = session('call fair.observe()');
    ended(@sessions);
    sql('insert into fair.ended default values');
    ended($observer);
    is(sql('select kind, max(starts), min(within) from fair.too_fast'
           . ' group by kind'), '', 'no window has more starts than its rate');

    sql(<<'END_SQL');
update fair.phase set name = 'drain';
update core.job_kind set rate = null where queue like 'fair_';
END_SQL
    ended(map { session("call fair.drain($_)") } 1 .. SESSIONS);

    note(sql('select string_agg(format(\'%s %s\', op, n), \', \' order by op)'
             . ' from (select op, count(*) as n from fair.log group by op)'
             . ' t'));
    is(sql('select what, min(detail), count(*) from fair.fault group by what'),
       '', 'what must hold holds whenever somebody looks');
    is(sql('select * from fair.not_paused limit 3'), '',
       'nothing that is paused is claimed');
    is(sql('select * from fair.miscounted limit 3'), '',
       'each job was claimed once at a time, ends once and is counted right');
    is(sql('select count(*) from core.job where state not in (\'done\','
           . ' \'dead\')'), 0, 'and nothing is left');
    clear();
}


# SQL that makes random kinds and shares.
sub settings {
    my @sql;

    for my $n (1 .. 5) {
        my %set = (running_max => one_of('null', 1 + int rand 6),
                   tenant_running_max => one_of('null', 1 + int rand 4),
                   rate => one_of('null', 'null', one_of(1, 3, 10)),
                   rate_burst => 1 + int rand 3,
                   prefetch => 1 + int rand 6);
        # of a rate and of a prefetch alone, whatever the others have
        %set = (rate => one_of(1, 3), rate_burst => 1 + int rand 3,
                prefetch => 10) if $n == 1;
        %set = (prefetch => 1 + int rand 3) if $n == 2;
        push @sql, 'update core.job_kind set '
            . join(', ', map { "$_ = $set{$_}" } sort keys %set)
            . " where kind = 'fair$n';\n";
        for my $tenant (1 .. 5) {
            push @sql, "insert into core.job_share values (fair.tenant("
                . "$tenant), 'fair$n', " . (1 + int rand 5) . ', '
                . one_of('null', 1 + int rand 4) . ");\n" if rand() < 0.4;
        }
    }

    return @sql;
}


sub one_of {
    return $_[rand @_];
}


# --- sessions -------------------------------------------------------------

sub sql {
    my ($query) = @_;

    # a file: each statement is a transaction of its own
    open my $in, '>', $script or die "$script: $!";
    print $in "$query\n";
    close $in;
    open my $out, '-|', 'psql', '-qXAt', '-v', 'ON_ERROR_STOP=1', '-f',
        $script or die "psql: $!";
    my $rows = join '', <$out>;
    close $out or die "psql: $query";
    chomp $rows;

    return $rows;
}


# A psql of its own that runs a statement.
sub session {
    my ($statement) = @_;

    my $pid = open(my $out, '-|') // die "fork: $!";
    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        exec 'psql', '-qXAt', '-v', 'ON_ERROR_STOP=1', '-c', $statement
            or die "psql: $!";
    }

    return $out;
}


sub ended {
    my @said = map { my $out = $_; join '', <$out> } @_;

    is(join('', @said), '', 'the sessions end well');
}


sub wait_for {
    my ($condition) = @_;

    my $until = time + 60;
    while (time < $until) {
        my $value = $condition->();
        return $value if $value;
        select undef, undef, undef, 0.01;
    }

    return 0;
}


sub clear {
    sql(<<'END_SQL');
truncate core.job, core.job_attempt, core.job_turn, core.job_rate,
         core.job_share, fair.log, fair.fault, fair.ended, fair.pause;
update core.job_kind set running_max = null, tenant_running_max = null,
       rate = null, prefetch = 100 where queue like 'fair_'
END_SQL
}
