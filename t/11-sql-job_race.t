#!/usr/bin/perl

# Sessions that meet at the same group, the same key: one finalizer, one job,
# and nobody deadlocks.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Voice::Sessions;
use Voice::Sql;

use constant SESSIONS => 8;
use constant MEMBERS  => 200;

my $tenant = '00000000-0000-7000-8000-00000000000a';
my $under = "core.use_tenant('$tenant', null, 'system', null, 'race')";

Voice::Sql::start() or exit 0;

query("\\i $Voice::Sql::ROOT/t/sql/setup/tenants.sql
    insert into core.queue (name) values ('race'), ('last');
    insert into core.job_kind (kind, queue, max_attempts, backoff_seconds,
                               backoff_max, prefetch)
    values ('race', 'race', 3, 1, 1, 100), ('last', 'last', 3, 1, 1, 100);");

last_two_members();
many_members();
one_key();
window_of_a_key();
cancelled_chain();
busy_lane();
paused_meanwhile();

done_testing();


# Two sessions end the last two members; the second one has to wait for the
# first one's commit, and then adds the finalizer.
sub last_two_members {
    my $group = group(2);
    my @jobs = taken(2);
    my ($first, $second) = (session(), session());

    say_to($first, 'begin;', finish($jobs[0]), '\echo done');
    like(hear($first), qr/done/, 'a session ends a member');

    say_to($second, finish($jobs[1]), '\echo done');
    ok(wait_for("select 1 from pg_stat_activity
                  where wait_event_type = 'Lock'"),
       'another, which ends the last one, waits for it');
    is(finalizers(), 0, 'the group has not ended');

    say_to($first, 'commit;');
    hear_end($first);
    like(hear($second), qr/last/, 'then it goes on, and has a queue to wake');
    hear_end($second);

    is(finalizers(), 1, 'the group has its finalizer');
}


# Groups within a group, ended in batches by many sessions, some dead, some
# cancelled by a ninth.  The outer one waits for the finalizers of the inner
# ones.
sub many_members {
    query("delete from core.job");
    my $outer = group(0);
    my @groups = ($outer, map { group(0, $outer) } 1 .. 2);
    my $members = MEMBERS;
    query("select count(core.add_jobs('race', array['{}'::jsonb],
               ('00000000-0000-7000-8000-00000000000' || i % 2)::uuid, 5,
               now() - i * interval '1 ms',
               ('{$groups[0],$groups[1],$groups[2]}'::uuid[])[1 + i % 3]))
             from generate_series(1, $members * 3) i, $under;
           select core.close_group(g)
             from unnest('{$groups[0],$groups[1],$groups[2]}'::uuid[]) g,
                  $under");

    my @workers = map { session() } 1 .. SESSIONS;
    my $cancel = session();
    say_to($_, worker_loop(), '\echo done') for @workers;
    my $half = "'00000000-0000-7000-8000-000000000001'";
    ok(wait_for("select 1 from core.job where state = 'done'
                    and subject_id = $half"), 'members have ended');
    say_to($cancel, "select core.cancel_jobs($half) > 0 from $under;",
           '\echo done');

    for my $session (@workers, $cancel) {
        like(hear($session), qr/^done/m, 'a session meets no error');
        hear_end($session);
    }
    query("select count(*) from work.take('race', 'last', 100) t,
               work.finish(array[t.job_id], array[t.token], '{null}')");

    is(finalizers(), 3, 'each group has one finalizer');
    is(query("select count(*) from core.job_group
               where ended_at is null"), 0, 'no group is left');
    is(query("select sum((args #>> '{group,done}')::int
                         + (args #>> '{group,dead}')::int
                         + (args #>> '{group,cancelled}')::int)
                from core.job where kind = 'last'"), 3 * MEMBERS + 2,
       'which came after the last of all members');
}


sub one_key {
    query("delete from core.job");
    my @sessions = map { session() } 1 .. SESSIONS;

    # all begin when the lock is let go
    my $gate = session();
    say_to($gate, 'select pg_advisory_lock(1);', '\echo done');
    hear($gate);
    say_to($_, 'select pg_advisory_lock_shared(1);',
           "select 'new ' || u.is_new from $under,
                lateral core.add_unique_job('race', 'key') u;", '\echo done')
        for @sessions;
    ok(wait_for("select 1 from pg_stat_activity where wait_event = 'advisory'
                 having count(*) = " . SESSIONS), 'sessions stand at a gate');
    say_to($gate, 'select pg_advisory_unlock(1);');
    hear_end($gate);

    my $new = 0;
    for my $session (@sessions) {
        my $said = hear($session);
        $new++ if $said =~ /^new true/m;
        $said =~ /^new (?:true|false)/m or fail("a session said $said");
        hear_end($session);
    }

    is($new, 1, 'one of them adds the job of the key');
    is(query('select count(*) from core.job'), 1, 'there is one');
}


# Who takes over a key whose job has ended is alone, too.
sub window_of_a_key {
    query("update core.job set state = 'done', ended_at = now()");
    my ($first, $second) = (session(), session());
    my $add = "select 'new ' || u.is_new from $under,
        lateral core.add_unique_job('race', 'key', interval '1 hour') u;";

    say_to($first, 'begin;', $add, '\echo done');
    like(hear($first), qr/^new true/m, 'a session takes an old key over');
    say_to($second, $add, '\echo done');
    ok(wait_for("select 1 from pg_stat_activity
                  where wait_event_type = 'Lock'"), 'another waits for it');
    say_to($first, 'rollback;');
    hear_end($first);
    like(hear($second), qr/^new true/m, 'and has it, should that fail');
    hear_end($second);
}


# Who cancels all of a subject waits for a step that ends just now, and has
# the next one, too.
sub cancelled_chain {
    query('delete from core.job');
    my $subject = '00000000-0000-7000-8000-000000000005';
    query("select core.add_chain('[{\"kind\": \"race\"}, {\"kind\": \"last\"}]',
               p_subject => '$subject') from $under");
    my ($job) = taken(1);
    my ($step, $cancel) = (session(), session());

    say_to($step, 'begin;', finish($job), '\echo done');
    hear($step);
    say_to($cancel, "select 'cancelled ' || core.cancel_jobs('$subject')
                       from $under;", '\echo done');
    ok(wait_for("select 1 from pg_stat_activity
                  where wait_event_type = 'Lock'"),
       'who cancels waits for a step that ends');
    say_to($step, 'commit;');
    hear_end($step);
    like(hear($cancel), qr/^cancelled 1$/m, 'and cancels what follows it');
    hear_end($cancel);
    is(query("select count(*) from core.job where state = 'queued'"), 0,
       'nothing of the subject is left');
}


# An error of the moment is no reason to leave an occurrence out.
sub busy_lane {
    query("delete from core.job;
        update core.system_schedule set enabled = false;
        insert into core.job_turn (kind, tenant_id)
        values ('run_regression_suite', '$tenant');
        insert into core.schedule (tenant_id, name, expression, action,
                                   next_at)
        values ('$tenant', 'S', '\@yearly',
                '{\"type\": \"run_regression_suite\"}', now())");
    my $fire = "select 'fired ' || fired from work.schedule_fire(9);";
    my ($holder, $keeper) = (session(), session());

    say_to($holder, 'begin;', 'select from core.job_turn for update;',
           '\echo done');
    hear($holder);
    say_to($keeper, "set lock_timeout = '10ms';", 'do $$ begin',
           'perform work.schedule_fire(9);',
           'exception when lock_not_available then null;', 'end $$;',
           'reset lock_timeout;', '\echo done');
    hear($keeper);
    hear_end($holder);
    is(query('select count(*) from core.schedule where next_at <= now()'), 1,
       'a schedule whose keeper does not get what it needs is still due');
    say_to($keeper, $fire, '\echo done');
    like(hear($keeper), qr/^fired 1$/m, 'and fires with the next look');
    hear_end($keeper);
    is(query("select count(*) from core.job j
                join core.schedule_occurrence o on o.job_id = j.id"), 1,
       'so its occurrence has a job');
}


# When an operator hears that a queue is paused, nothing of it starts.
sub paused_meanwhile {
    query("delete from core.job;
           select core.add_job('race', '{}') from $under");
    my ($take, $pause) = (session(), session());

    say_to($take, 'begin;', "select count(*) from work.take('w', 'race', 1);",
           '\echo done');
    like(hear($take), qr/^1$/m, 'a job is being claimed');
    say_to($pause, "select core.pause_queue('{\"name\": \"race\"}', true)
                      from $under;", '\echo done');
    ok(wait_for("select 1 from pg_stat_activity
                  where wait_event_type = 'Lock'"),
       'who pauses the queue waits for that');
    say_to($take, 'commit;');
    hear_end($take);
    hear($pause);
    hear_end($pause);
    is(query("select paused_at is not null from core.queue
               where name = 'race'"), 't', 'then it is paused');
}


# --- small things ---------------------------------------------------------

# A group with so many members; closed, if it has any.
sub group {
    my ($members, $parent) = @_;

    $parent = $parent ? "'$parent'" : 'null';
    my $group = query("select core.open_group('last', p_parent => $parent)
                         from $under");
    query("select core.add_jobs('race', array_fill('{}'::jsonb,
               array[$members]), p_group => '$group') from $under;
           select core.close_group('$group') from $under") if $members;

    return $group;
}


sub taken {
    my ($max) = @_;

    my @jobs = map { [split /\|/] } split /\n/, query(
        "select job_id, token from work.take('race', 'race', $max)");
    is(scalar @jobs, $max, 'members are claimed');

    return @jobs;
}


sub finish {
    my ($job) = @_;

    return "select accepted, wake from work.finish(array['$job->[0]'::uuid],
        array[$job->[1]]::bigint[], array[null::jsonb]);";
}


sub finalizers {
    return query("select count(*) from core.job where kind = 'last'");
}


# Ends what there is in batches, one in eight by its death.
sub worker_loop {
    return <<'SQL';
do $$
declare
    v_ids     uuid[];
    v_tokens  bigint[];
begin
    loop
        select array_agg(t.job_id), array_agg(t.token) into v_ids, v_tokens
          from work.take('race', 'race', 10) t;
        commit;
        exit when v_ids is null
              and not exists (select from core.job where state = 'queued'
                                 and kind = 'race');
        continue when v_ids is null;
        perform work.fail(v_ids[1], v_tokens[1], 'bad luck', false, 0)
          where random() < 0.125;
        commit;
        perform work.finish(v_ids, v_tokens,
                            array_fill(null::jsonb,
                                       array[cardinality(v_ids)]));
        commit;
    end loop;
end
$$;
SQL
}
