#!/usr/bin/perl

# Several keepers at once, whose sessions are killed at random moments and
# whose clocks go back: each occurrence has one job, none is left out.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Voice::Sessions;
use Voice::Sql;

use constant KEEPERS   => 4;
use constant SCHEDULES => 30;
use constant MINUTES   => 20;
use constant KILLS     => $ENV{VOICE_TEST_LONG} ? 200 : 25;

Voice::Sql::start() or exit 0;

# an occurrence takes a while, so that a kill finds half a transaction
query(<<"END");
insert into core.tenant (id, business_name)
values ('00000000-0000-7000-8000-00000000000a', 'Acme');
insert into core.schedule (tenant_id, name, expression, action, missed_runs,
                           next_at)
select '00000000-0000-7000-8000-00000000000a', 'S' || n, '* * * * *',
       '{"type": "run_regression_suite"}', 'all', '2031-03-05 10:01Z'
  from generate_series(1, ${\ SCHEDULES}) n;
update core.system_schedule set enabled = name = 'cleanup-old-results',
       expression = '* * * * *', next_at = '2031-03-05 10:01Z';
create table acted (at timestamptz);
create table clock as select '2031-03-05 10:00Z'::timestamptz as at;
grant all on acted, clock to public;
create function core.slow() returns trigger language plpgsql
as \$\$
begin
    perform pg_sleep(0.002);                        -- sleep is the load
    return null;
end
\$\$;
create trigger slow after insert on core.schedule_occurrence
    for each row execute function core.slow();
create function core.note() returns trigger language plpgsql
as \$\$ begin insert into public.acted values (new.last_at); return null; end \$\$;
create trigger note after update of last_at on core.system_schedule
    for each row execute function core.note();
END

my @keepers = map { keeper() } 1 .. KEEPERS;

# time goes on by a minute for each that is killed
query(<<"END");
do \$\$
declare
    v_killed  int := 0;
    v_some    int;
begin
    while v_killed < ${\ KILLS} loop
        perform pg_sleep(random() * 0.1);           -- sleep is the load
        select count(pg_terminate_backend(k.pid)) into v_some
          from (select pid from pg_stat_activity
                 where usename = 'voice_worker' and state = 'active'
                 order by random() limit 1) k;
        v_killed := v_killed + v_some;
        update clock set at = '2031-03-05 10:00Z'::timestamptz
            + least(v_killed, ${\ MINUTES}) * interval '1 minute';
        commit;
    end loop;
end
\$\$;
END

kill 'TERM', @keepers;
waitpid $_, 0 for @keepers;
wait_for("select 1 where not exists (select from pg_stat_activity
           where usename = 'voice_worker')");

for (1 .. 100) {
    last if query("select fired from work.schedule_fire(100,
                       '2031-03-05 10:${\ MINUTES}Z')") == 0;
}

is(query('select count(*) from core.schedule_occurrence'),
   SCHEDULES * MINUTES, 'every occurrence of every schedule is there');
is(query('select count(distinct (subject_id, args ->> \'occurrence\'))'
         . ' from core.job'), SCHEDULES * MINUTES, 'each has a job');
is(query('select count(*) from core.job'), SCHEDULES * MINUTES,
   'and no second one');
is(query("select count(*) from core.schedule_occurrence o
           where not exists (select from core.job j where j.id = o.job_id)"),
   0, 'no job was lost with a session');
is(query("select count(*) from core.schedule
           where next_at <> '2031-03-05 10:01Z'::timestamptz
                            + interval '${\ MINUTES} minutes'"), 0,
   'all are due next at the same time');
is(query('select count(*) - count(distinct at) from acted'), 0,
   'the system\'s own was done once at a time');

done_testing();


# A keeper whose clock goes back now and then, and one after it when its
# session is killed.
sub keeper {
    my $pid = fork // die "fork: $!";
    return $pid if $pid != 0;

    my $psql;
    local $SIG{TERM} = sub { kill 'TERM', $psql if $psql; exit 0 };
    local $SIG{PIPE} = 'IGNORE';
    open STDERR, '>', '/dev/null' or die $!;
    open STDOUT, '>', '/dev/null' or die $!;

    while (1) {
        $psql = open my $in, '|-', 'psql', '-qXAt', '-U', 'voice_worker'
            or exit 1;
        print $in (<<'END') x 100;
select fired from work.schedule_fire(7,
    (select at - random() * interval '2 minutes' from public.clock));
END
        close $in;
    }
}
