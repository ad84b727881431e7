-- The queue: claim, fencing, fairness, backoff, rescue, due, cancel, purge.

begin;
select no_plan();

insert into core.tenant (id, business_name)
select ('00000000-0000-7000-8000-00000000000' || n)::uuid, 'T' || n
  from generate_series(1, 3) n;

-- a kind of its own: the others have rules that follow a job's end
insert into core.queue values ('trial');
insert into core.job_kind (kind, queue, soft_seconds, hard_seconds,
                           max_attempts, backoff_seconds, backoff_max)
values ('trial', 'trial', 60, 90, 3, 2, 60);

create temp table held (job_id uuid, tenant_id uuid, kind text, attempt int,
    token bigint, soft_seconds int, hard_seconds int, trace_id text,
    args jsonb, traceparent text, n int generated always as identity);
grant all on held to voice_worker;

create function pg_temp.tenant(p_n int) returns uuid
language sql as $$
    select ('00000000-0000-7000-8000-00000000000' || p_n)::uuid
$$;
create function pg_temp.add(p_tenant int, p_name text, p_priority int
    default 5, p_at timestamptz default now())
returns uuid
language plpgsql as $$
begin
    perform core.use_tenant(pg_temp.tenant(p_tenant), null, 'system', null,
                            'trace-' || p_name);
    return core.add_job('trial', jsonb_build_object('name', p_name),
                        pg_temp.tenant(p_tenant), p_priority, p_at);
end $$;
create function pg_temp.claim(p_max int default 1) returns text
language plpgsql as $$
declare
    v_names  text;
begin
    with c as (
        insert into held (job_id, tenant_id, kind, attempt, token,
                          soft_seconds, hard_seconds, trace_id, args,
                          traceparent)
        select * from work.claim('w', 'trial', p_max)
        returning args
    )
    select string_agg(c.args ->> 'name', ' ') into v_names from c;
    return v_names;
end $$;
create function pg_temp.last() returns held
language sql as $$ select * from held order by n desc limit 1 $$;
create function pg_temp.clear() returns void
language sql as $$
    delete from core.job; delete from core.job_turn; delete from held
$$;

select results_eq(
    $$ select kind, queue, soft_seconds, hard_seconds, max_attempts
         from work.kinds() where kind <> 'trial' $$,
    $$ values ('call_processing', 'call_processing', 3600, 3660, 5),
              ('probe', 'probe', 30, 60, 3),
              ('run_regression_suite', 'schedule', 240, 300, 3),
              ('scheduled_report', 'schedule', 60, 90, 2),
              ('scheduled_run', 'schedule', 60, 90, 3),
              ('test_execution', 'test_execution', 120, 150, 3),
              ('validation', 'validation', 60, 90, 3) $$,
    'the kinds are those of the workers');
select is(core.wake('trial', 2), array['trial', 'trial'],
          'wake asks for one entry a job');

-- ids, of which no two are made in the same microsecond
create function pg_temp.made() returns uuid
language plpgsql as $$
declare
    v_now  timestamptz := clock_timestamp();
begin
    while clock_timestamp() = v_now loop
    end loop;
    return core.uuid_v7();
end $$;
create temp table made as
select n, pg_temp.made() as id from generate_series(1, 1000) n;
select is((select count(*)
             from (select m.id < lag(m.id) over (order by m.n) as sooner
                     from made m) o
            where o.sooner), 0::bigint,
          'ids are in the order in which they are made');
select is((select count(*) from made
            where id::text !~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}'
                              '-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'),
          0::bigint, 'they say that they are of version 7');
select ok(('x' || left(replace(core.uuid_v7()::text, '-', ''), 12))
              ::bit(48)::bigint
          between floor(extract(epoch from b.at) * 1000)
              and floor(extract(epoch from clock_timestamp()) * 1000),
          'and have the milliseconds of their time')
  from (select clock_timestamp() as at offset 0) b;

-- claiming
select pg_temp.add(1, 'a');
select is(pg_temp.claim(), 'a', 'a queued job is claimed');
select results_eq(
    $$ select kind, attempt, token, soft_seconds, hard_seconds, trace_id
         from held $$,
    $$ values ('trial', 1, 1::bigint, 60, 90, 'trace-a') $$,
    'with all that a worker must know');
select is(pg_temp.claim(), null, 'it is claimed once');
select is((select lease_until - claimed_at from core.job),
          interval '165 seconds',
          'without a supervisor the lease covers the hard limit');
select work.beat('w', array['trial'], '{}', '{}');
select pg_temp.add(1, 'b');
select is(pg_temp.claim(), 'b', 'another one');
select is((select lease_until - claimed_at from core.job
            where id = (pg_temp.last()).job_id),
          interval '30 seconds', 'under a supervisor the lease is short');
select is((select count(*) from work.claim('w', 'elsewhere', 5)), 0::bigint,
          'a queue that nobody has is empty');

-- order
select pg_temp.clear();
select pg_temp.add(1, 'late', 1), pg_temp.add(1, 'urgent', 9),
       pg_temp.add(1, 'future', 10, now() + interval '1 hour');
select is(pg_temp.claim(3), 'urgent late',
          'priority first, nothing before its time');
select pg_temp.clear();
select pg_temp.add(1, 'a' || n, 5, now() - interval '1 hour')
  from generate_series(1, 6) n;
select pg_temp.add(2, 'b' || n) from generate_series(1, 2) n;
select pg_temp.claim(4);
select results_eq(
    $$ select right(tenant_id::text, 1), count(*) from held
        group by 1 order by 1 $$,
    $$ values ('1', 2::bigint), ('2', 2::bigint) $$,
    'two tenants share, though one came first with more');
select pg_temp.add(3, 'c');
select is(pg_temp.claim(), 'c', 'a third one comes before their next');

-- finishing
select pg_temp.clear();
select pg_temp.add(1, 'a');
select pg_temp.claim();
select is((core.hold_job((pg_temp.last()).job_id, 99)).id, null,
          'a wrong token holds nothing');
select throws_ok($$ select core.start_job((pg_temp.last()).job_id, 99) $$,
                 'V1409', 'INVALID_STATE', 'and starts nothing');
select is((core.start_job((pg_temp.last()).job_id, 1)).args ->> 'name', 'a',
          'the holder gets the job');
select is(core.tenant(), pg_temp.tenant(1), 'and its tenant');
select core.end_job((pg_temp.last()).job_id);
select results_eq($$ select state, lease_until from core.job $$,
                  $$ values ('done', null::timestamptz) $$, 'it ends');
select is((core.hold_job((pg_temp.last()).job_id, 1)).id, null,
          'it ends once');

-- failing
select pg_temp.clear();
select pg_temp.add(1, 'a');
select pg_temp.claim();
select results_eq(
    $$ select accepted, state, wake
         from work.fail((pg_temp.last()).job_id, 7, 'x', true, 0) $$,
    $$ values (false, null::text, '{}'::text[]) $$,
    'a stale failure is refused');
select results_eq(
    $$ select accepted, state
         from work.fail((pg_temp.last()).job_id, 1, 'no answer', true, 0) $$,
    $$ values (true, 'queued') $$, 'a failure queues it again');
select ok(run_at between now() + interval '1.5 seconds'
                     and now() + interval '2.5 seconds',
          'after 2 seconds, give or take a quarter') from core.job;
select is(error, 'no answer', 'the reason is kept') from core.job;
select is(pg_temp.claim(), null, 'not before its time');
update core.job set run_at = now();
select is(pg_temp.claim(), 'a', 'then again');
select is((pg_temp.last()).attempt, 2, 'as the second attempt');
select is((pg_temp.last()).token, 2::bigint, 'under a new token');
select work.fail((pg_temp.last()).job_id, 2, 'x', true, 17);
select is(run_at, now() + interval '17 seconds',
          'a wait that was asked for is kept') from core.job;
update core.job set run_at = now();
select pg_temp.claim();
select is((select state from work.fail((pg_temp.last()).job_id, 3, 'x', true,
                                       0)), 'dead',
          'the third failure is the last');
select pg_temp.clear();
select pg_temp.add(1, 'a');
select pg_temp.claim();
select is((select state from work.fail((pg_temp.last()).job_id, 1, 'x',
                                       false, 0)), 'dead',
          'what cannot work is dead at once');
select ok(bool_and(extract(epoch from core.backoff(k, n)) between
              0.75 * least(60, 2 * 2 ^ (n - 1))
              and 1.25 * least(60, 2 * 2 ^ (n - 1))),
          'backoff doubles up to the cap, with jitter')
  from core.job_kind k, generate_series(1, 40) n
 where k.kind = 'trial';

-- the window: attempts of a job whose every attempt fails
create function pg_temp.attempts(p_max int, p_window int, p_after int
    default 0, p_cap int default 60)
returns text
language plpgsql as $$
declare
    v_waits  text[] := '{}';
    v_held   held;
begin
    perform pg_temp.clear();
    update core.job_kind k
       set max_attempts = p_max, window_seconds = p_window, jitter = false,
           backoff_seconds = 1, backoff_max = p_cap
     where k.kind = 'trial';
    perform pg_temp.add(1, 'a');

    loop
        perform pg_temp.claim();
        v_held := pg_temp.last();
        exit when (select state from work.fail(v_held.job_id, v_held.token,
                                               'x', true, p_after)) = 'dead';
        v_waits := v_waits || (select extract(epoch from run_at - now())::int
                                 from core.job)::text;
        update core.job set run_at = now();
    end loop;

    return v_held.attempt || ':' || array_to_string(v_waits, ',');
end $$;
select is(pg_temp.attempts(5, 60), '5:1,2,4,8',
          'five attempts, after 1, 2, 4 and 8 seconds');
select is(pg_temp.attempts(10, 3), '2:1',
          'a window of 3 s ends after 2 attempts');
select is(pg_temp.attempts(10, 4), '3:1,2', 'one of 4 s after 3');
select is(pg_temp.attempts(10, 60), '6:1,2,4,8,16', 'one of 60 s after 6');
select is(pg_temp.attempts(10, null, 0, 4), '10:1,2,4,4,4,4,4,4,4',
          'without a window the attempts count alone');
select is(pg_temp.attempts(5, 60, 7), '5:7,7,7,8',
          'a longer wait that was asked for takes the place of the backoff');
select is(pg_temp.attempts(5, 60, 29), '3:29,29',
          'and counts in the window');
select is(pg_temp.attempts(5, 60, 3600), '1:',
          'one that is longer than the window ends the job');
select is(run_at, now() + interval '1 hour',
          'when it may be tried again is kept') from core.job;

update core.job_kind set backoff = 'linear' where kind = 'trial';
select is(pg_temp.attempts(5, null), '5:1,2,3,4',
          'five attempts of a linear kind, as a notification has them');
select is(pg_temp.attempts(6, null, 0, 3), '6:1,2,3,3,3',
          'its waits have a longest, too');
update core.job_kind set backoff = 'fixed' where kind = 'trial';
select is(pg_temp.attempts(4, null), '4:1,1,1',
          'those of a fixed one are all the same');
select results_eq(
    $$ select backoff, max_attempts, backoff_seconds, jitter
         from core.job_kind where kind = 'scheduled_report' $$,
    $$ values ('fixed', 2, 60, false) $$, 'as a report has them, twice');
select results_eq(
    $$ select backoff, max_attempts, jitter
         from core.job_kind where kind = 'test_execution' $$,
    $$ values ('exponential', 3, true) $$, 'an execution has three');
update core.job_kind set backoff = 'exponential' where kind = 'trial';

-- deferring
select is(pg_temp.attempts(5, 60), '5:1,2,4,8', 'before it is put off');
select pg_temp.clear();
update core.job_kind set defer_seconds = 100 where kind = 'trial';
select pg_temp.add(1, 'a');
select pg_temp.claim();
select results_eq(
    $$ select accepted, state
         from work.defer((pg_temp.last()).job_id, 7, 'open', 60) $$,
    $$ values (false, null::text) $$, 'a stale one is refused');
select results_eq(
    $$ select accepted, state
         from work.defer((pg_temp.last()).job_id, 1, 'open', 60) $$,
    $$ values (true, 'queued') $$, 'a job is put off');
select results_eq(
    $$ select run_at - now(), deferred, waited, error from core.job $$,
    $$ values (interval '1 minute', 1, interval '0', 'open') $$,
    'for as long as was asked, outside of the window');
update core.job set run_at = now();
select pg_temp.claim();
select work.fail((pg_temp.last()).job_id, 2, 'x', true, 0);
select is(run_at, now() + interval '1 second',
          'its first failure is still the first one') from core.job;
update core.job set run_at = now();
select pg_temp.claim();
select is((select state from work.defer((pg_temp.last()).job_id, 3, 'open',
                                        41)), 'queued',
          'past what its kind allows');
select results_eq(
    $$ select run_at - now(), deferred, waited from core.job $$,
    $$ values (interval '41 seconds', 1, interval '42 seconds') $$,
    'it has failed, and that counts');
update core.job_kind
   set max_attempts = 3, window_seconds = null, jitter = true,
       backoff_seconds = 2
 where kind = 'trial';

-- beat and rescue
select pg_temp.clear();
select pg_temp.add(1, 'a'), pg_temp.add(1, 'b');
select pg_temp.claim(2);
update core.job set lease_until = now() + interval '1 second';
select is((select array_agg(b) from work.beat('w', '{trial}',
              array(select job_id from held order by n),
              array[1, 5]::bigint[]) b),
          (select array_agg(job_id) from held where n = (pg_temp.last()).n),
          'a beat tells what is not held');
select is((select count(*) from core.job
            where lease_until = now() + interval '30 seconds'), 1::bigint,
          'and prolongs what is');
update core.job set claimed_at = now() - interval '160 seconds',
                    lease_until = now() + interval '1 second';
select work.beat('w', '{trial}', array(select job_id from held),
                 array[1, 1]::bigint[]);
select is((select max(lease_until) from core.job),
          now() + interval '5 seconds',
          'never past the hard limit and its grace');
select is(work.rescue(), '{}', 'a lease that runs is left alone');
update core.job set lease_until = now() - interval '1 microsecond';
select is(work.rescue(), '{trial,trial}',
          'leases that ran out are taken back');
select results_eq(
    $$ select distinct state, lost, run_at <= now() from core.job $$,
    $$ values ('queued', 1, true) $$, 'the jobs wait again');
select is((core.hold_job((pg_temp.last()).job_id, 1)).id, null,
          'their old holders are fenced off');
select pg_temp.claim(2);
select is((select state from work.fail((pg_temp.last()).job_id, 2, 'x', true,
                                       0)), 'queued',
          'a lost pool is not an attempt');
delete from core.counter where name = 'jobs_dead';
update core.job set lost = 9, state = 'running',
                    lease_until = now() - interval '1 microsecond';
select is(work.rescue(), '{}', 'what is lost ten times');
select is((select array_agg(distinct state) from core.job), array['dead'],
          'is dead');
select is((select sum(value) from core.counter
            where name = 'jobs_dead' and label = 'trial'),
          (select count(*)::numeric from core.job), 'and counted as such');
update core.job_kind set max_lost = 2 where kind = 'trial';
update core.job set state = 'running', ended_at = null, lost = 0,
                    lease_until = now() - interval '1 microsecond';
select is(work.rescue(), '{trial,trial}', 'of a kind that allows one loss');
update core.job set state = 'running', lost = 1,
                    lease_until = now() - interval '1 microsecond';
select is(work.rescue(), '{}', 'two are enough');
update core.job_kind set max_lost = 10 where kind = 'trial';
update core.job set state = 'running', ended_at = null, lost = 0,
       lease_until = pg_postmaster_start_time() - interval '1 second';
select is(work.rescue(),
          case when now() < pg_postmaster_start_time()
                            + interval '30 seconds'
               then '{}' else '{trial,trial}' end::text[],
          'leases that ran out while the server was down have a grace');

-- due
select pg_temp.clear();
select pg_temp.add(1, 'a'), pg_temp.add(1, 'b', 5,
                                        now() + interval '1 hour');
select is((select count(*) from work.due(10) where queue is not null),
          0::bigint, 'what has just been sent is not due');
select is((select next_ms from work.due(10) where queue is null), 3600000,
          'the time to the next job is told');
update core.job set sent_at = now() - interval '31 seconds';
select results_eq($$ select queue, n from work.due(10)
                  where queue is not null $$,
                  $$ values ('trial', 1::bigint) $$,
                  'after a while it is sent again');
select is((select count(*) from work.due(10) where queue is not null),
          0::bigint, 'once');
update core.job set run_at = now(), sent_at = null
 where args ->> 'name' = 'b';
select results_eq($$ select queue, n from work.due(10)
                  where queue is not null $$,
                  $$ values ('trial', 1::bigint) $$,
                  'a job whose time has come is sent');
select is((select next_ms from work.due(10) where queue is null), null,
          'no job waits for its time');
select pg_temp.add(1, 'c', 5, now() + interval '1.2345 seconds');
select is((select next_ms from work.due(10) where queue is null), 1235,
          'what waits is told to the millisecond, rounded up');

insert into core.job_kind (kind, queue, max_attempts, backoff_seconds,
                           backoff_max)
values ('stopped', 'trial', 3, 2, 60);
update core.job_kind set paused_at = now() where kind = 'stopped';
select core.add_job('stopped', '{}', null, 5, now() - interval '1 hour')
  from generate_series(1, 9);
update core.job set sent_at = null, run_at = now() where kind = 'trial';
select results_eq($$ select queue, n from work.due(3)
                  where queue is not null $$,
                  $$ values ('trial', 3::bigint) $$,
                  'what is paused hides nothing of its queue');
select is(core.oldest_due('stopped'), 3600.000, 'the first has waited');
update core.tenant set status = 'suspended' where id = pg_temp.tenant(1);
select is(core.oldest_due('stopped'), 0::numeric,
          'that of a suspended tenant waits for nobody here');
update core.tenant set status = 'active' where id = pg_temp.tenant(1);
delete from core.job where kind = 'stopped';

-- cancel
select pg_temp.clear();
select pg_temp.add(1, 'a'), pg_temp.add(1, 'b'), pg_temp.add(2, 'c');
update core.job set priority = 9 where args ->> 'name' = 'a';
select pg_temp.claim();
select core.use_tenant(pg_temp.tenant(1));
select is(core.cancel_jobs(pg_temp.tenant(1)), 2,
          'a subject''s jobs are cancelled, queued and running');
select is((select array_agg(b) from work.beat('w', '{trial}',
              array[(pg_temp.last()).job_id], array[1]::bigint[]) b),
          array[(pg_temp.last()).job_id], 'the beat tells the child''s end');
select is((select accepted from work.fail((pg_temp.last()).job_id, 1, 'x',
                                          true, 0)), false,
          'a cancelled job does not come back');
set local role voice_owner;
select core.use_tenant(pg_temp.tenant(1));
select is(core.cancel_jobs(pg_temp.tenant(2)), 0,
          'another tenant''s jobs are out of reach');
reset role;

-- purge
select pg_temp.clear();
select pg_temp.add(1, 'old'), pg_temp.add(1, 'dead'), pg_temp.add(1, 'new');
update core.job_kind set keep_days = 2 where kind = 'trial';
update core.job set state = 'done', ended_at = now() - interval '49 hours';
update core.job set state = 'dead' where args ->> 'name' = 'dead';
update core.job set ended_at = now() - interval '47 hours'
 where args ->> 'name' = 'new';
select is(work.purge(), 2::bigint,
          'jobs that ended longer ago than their kind is kept are removed');
select is((select string_agg(args ->> 'name', ' ') from core.job), 'new',
          'the others stay');
select is((select keep_days from core.job_kind where kind = 'probe'), 90,
          'ninety days, unless a kind says otherwise');
select pg_temp.clear();
insert into core.job (tenant_id, kind, queue, state, ended_at)
select pg_temp.tenant(1), 'trial', 'trial', 'done', now() - interval '3 days'
  from generate_series(1, 5001);
select is(work.purge(), 5000::bigint, 'five thousand at once at most');
select is(work.purge(), 1::bigint, 'then the rest');

select pg_temp.clear();
select pg_temp.add(n, 'j' || n) from generate_series(1, 3) n;
select pg_temp.claim();
update core.tenant set status = 'deleted' where id <> pg_temp.tenant(3);
select is(work.purge(), 1::bigint, 'what waits of a deleted tenant');
select is((select string_agg(args ->> 'name' || ' ' || state, ', '
                             order by args ->> 'name') from core.job),
          'j1 running, j2 cancelled, j3 queued', 'ends');
update core.tenant set status = 'active';

insert into core.job_group (tenant_id, id, ended_at)
select pg_temp.tenant(n), pg_temp.tenant(n), now() - interval '91 days'
  from generate_series(1, 2) n;
update core.job set group_id = pg_temp.tenant(1)
 where tenant_id = pg_temp.tenant(1);
select is(work.purge(), 1::bigint, 'a group goes');
select is((select array_agg(id) from core.job_group),
          array[pg_temp.tenant(1)], 'after its last job');

insert into core.job_rate (kind, tenant_id, provider, tat)
select 'trial', pg_temp.tenant(1), d::text, now() - d * interval '25 hours'
  from generate_series(0, 2) d;
select is(work.purge(), 2::bigint, 'starts of long ago are forgotten');
delete from core.job_rate;

reset role;
insert into core.app_user (id, home_tenant_id, email, password_hash)
values (pg_temp.tenant(9), pg_temp.tenant(1), 'p@x.example', repeat('h', 60));
insert into core.session (tenant_id, id, user_id, expires_at)
values (pg_temp.tenant(1), pg_temp.tenant(9), pg_temp.tenant(9),
        now() + interval '1 day');
insert into core.refresh_token (tenant_id, hash, session_id, used_at)
select pg_temp.tenant(1), lpad(n::text, 64, '0'), pg_temp.tenant(9),
       case when n < 3 then now() - n * interval '20 days' end
  from generate_series(1, 3) n;
select is(work.purge(), 1::bigint, 'so are refresh tokens used long ago');
select is((select count(*) from core.refresh_token), 2::bigint,
          'one of late, or not used, stays');

-- size: an index walk, not a scan of the queue
select pg_temp.clear();
insert into core.job (tenant_id, kind, queue, sent_at, priority, run_at)
select pg_temp.tenant(1 + n % 3), 'trial', 'trial', now(),
       1 + n % 4, now() - n * interval '1 millisecond'
  from generate_series(1, 100000) n;
analyze core.job;

create function pg_temp.milliseconds(p_sql text) returns numeric
language plpgsql as $$
declare
    v_begin  timestamptz := clock_timestamp();
begin
    execute p_sql;
    return extract(epoch from clock_timestamp() - v_begin) * 1000;
end $$;
select diag('claim of 1 from 100000: ' || round((percentile_cont(0.5)
           within group (order by t))::numeric, 2) || ' ms')
  from (select pg_temp.milliseconds(
            'select * from work.claim(''w'', ''trial'', 1)') as t
          from generate_series(1, 50)) s;
select cmp_ok(percentile_cont(0.5) within group (order by t)::numeric, '<',
              20.0, 'a claim from 100000 queued jobs stays quick')
  from (select pg_temp.milliseconds(
            'select * from work.claim(''w'', ''trial'', 1)') as t
          from generate_series(1, 50)) s;
select is((select count(*) from core.job where state = 'running'
             and priority < 4), 0::bigint,
          'and takes the most urgent ones');
select cmp_ok(pg_temp.milliseconds('select * from work.due(100)'), '<',
              200.0, 'so does the look for due ones');

-- many are not counted by who asks for them
select is(core.tally_kind('trial', 'queued') + core.tally_kind('trial',
              'running'), 100000::bigint, 'they are counted, one by one');
update core.job_tally set counted_at = now(), present_at = now();
select core.tally_present();
select is(core.tally_kind('trial', 'queued') + core.tally_kind('trial',
              'running'), 100000::bigint, 'the keeper finds as many');
update core.job_figure set value = 77777 where state in ('due', 'running');
select results_eq(
    $$ select s, core.tally_kind('trial', s)
         from unnest(array['queued', 'due', 'running']) s $$,
    $$ values ('queued', 77777::bigint), ('due', 77777), ('running', 100) $$,
    'more than ten thousand are as many as it counted');
insert into core.job_done
values ('trial', now() - interval '61 minutes', 70000),
       ('trial', now() - interval '59 minutes', 20000),
       ('trial', now(), 10000);
update core.job j set state = 'done', ended_at = now(), lease_until = null
 where j.id in (select id from core.job limit 10001);
select is(core.tally_kind('trial', 'done'), 30000::bigint,
          'and what was done within an hour as it added up');
update core.job set claimed_at = now(), ended_at = now() - interval '20 seconds'
 where state = 'done';
update core.job_tally set told_at = now() - interval '25 seconds';
select work.tally();
select results_eq($$ select until, value from core.job_done
                      where until < now() order by until $$,
                  $$ values (now() - interval '59 minutes', 20000::bigint),
                            (now() - interval '10 seconds', 10001) $$,
                  'which it does, and forgets what is older');

select * from finish();
rollback;
