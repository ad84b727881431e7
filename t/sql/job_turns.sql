-- Whose turn it is: turns, weights, caps, rates, pause, prefetch.

begin;
select no_plan();

insert into core.tenant (id, business_name)
select ('00000000-0000-7000-8000-0000000000' || lpad(n::text, 2, '0'))::uuid,
       'T' || n
  from generate_series(1, 20) n;

insert into core.queue values ('trial');
insert into core.job_kind (kind, queue, max_attempts, backoff_seconds,
                           backoff_max, prefetch)
values ('trial', 'trial', 3, 2, 60, 100);

create function pg_temp.tenant(p_n int) returns uuid
language sql as $$
    select ('00000000-0000-7000-8000-0000000000'
            || lpad(p_n::text, 2, '0'))::uuid
$$;
-- n jobs named a1, a2, ... of tenant 1, b1 ... of tenant 2
create function pg_temp.add(p_tenant int, p_n int, p_priority int default 5,
    p_at timestamptz default now(), p_kind text default 'trial')
returns void
language plpgsql as $$
begin
    perform core.use_tenant(pg_temp.tenant(p_tenant), null, 'system', null,
                            't');
    perform core.add_jobs(p_kind,
        array(select jsonb_build_object('name',
                         chr(96 + p_tenant) || n)
                from generate_series(1, p_n) n),
        null, p_priority, p_at);
end $$;
create function pg_temp.take(p_max int default 1, p_worker text default 'w')
returns text
language sql as $$
    select string_agg(t.args ->> 'name', ' ')
      from work.take(p_worker, 'trial', p_max) t
$$;
create function pg_temp.end() returns void
language sql as $$
    update core.job set state = 'done', lease_until = null, ended_at = now()
     where state = 'running'
$$;
create function pg_temp.clear() returns void
language sql as $$
    delete from core.job; delete from core.job_turn; delete from core.worker;
    delete from core.job_rate
$$;

-- turns
select pg_temp.add(1, 1000, 5, now() - interval '1 hour');
select is(pg_temp.take(), 'a1', 'alone a tenant is served');
select pg_temp.end();
select is(pg_temp.take(), 'a2', 'in order');
select pg_temp.end();
select pg_temp.add(2, 3, 1);
select is(pg_temp.take(), 'b1',
          'who comes later is next, whatever the backlog and priority');
select is(pg_temp.take(), 'a3', 'then the other one');
select is(pg_temp.take(), 'b2', 'and so on, though nothing has ended');
select is(pg_temp.take(2), 'a4 b3', 'in one take, too');
select is(pg_temp.take(3), 'a5 a6 a7', 'who is left has all turns');
select pg_temp.add(n, 2) from generate_series(2, 20) n;
select is(pg_temp.take(19), 'c1 d1 e1 f1 g1 h1 i1 j1 k1 l1 m1 n1 o1 p1 q1 r1'
          || ' s1 t1 b1', 'twenty tenants have a turn each');
select is(pg_temp.take(), 'a8', 'before anybody''s second');
select is(pg_temp.take(3), 'c2 d2 e2', 'which comes in the same order');

-- priorities are the tenant's own
select pg_temp.clear();
select pg_temp.add(1, 1, p) from generate_series(1, 10) p;
select pg_temp.add(2, 1, 1);
update core.job set args = jsonb_build_object('name', 'p' || priority)
 where tenant_id = pg_temp.tenant(1);
select is(pg_temp.take(4), 'p10 b1 p9 p8',
          'priorities order one''s own jobs, not those of others');
select is(pg_temp.take(9), 'p7 p6 p5 p4 p3 p2 p1', 'ten is the soonest');
select throws_ok($$ select pg_temp.add(1, 1, 11) $$, '23514', null,
                 'eleven is none');

-- weights
select pg_temp.clear();
insert into core.job_share (tenant_id, kind, weight)
values (pg_temp.tenant(1), 'trial', 3);
select pg_temp.add(1, 20), pg_temp.add(2, 20);
select is(pg_temp.take(8), 'a1 a2 a3 b1 a4 a5 a6 b2',
          'a turn is as long as the tenant''s weight');
select pg_temp.end();
select is(pg_temp.take(), 'a7', 'also where it is taken');
select is(pg_temp.take(), 'a8', 'one by');
select is(pg_temp.take(), 'a9', 'one');
select is(pg_temp.take(), 'b3', 'by one');
delete from core.job_share;

-- a weight that is lowered within a turn
select pg_temp.clear();
insert into core.job_share (tenant_id, kind, weight)
values (pg_temp.tenant(1), 'trial', 5);
select pg_temp.add(1, 6), pg_temp.add(2, 2);
select is(pg_temp.take(3), 'a1 a2 a3', 'within a turn of five');
delete from core.job_share;
select is(pg_temp.take(4), 'a4 b1 a5 b2',
          'a tenant is made like the others, and goes on');

-- what is not due
select pg_temp.clear();
select pg_temp.add(1, 50, 9, now() + interval '1 hour'), pg_temp.add(1, 1);
select is(pg_temp.take(2), 'a1', 'what is not due keeps nobody');
select is(pg_temp.take(), null, 'and is not taken');
update core.tenant set status = 'suspended' where id = pg_temp.tenant(2);
select pg_temp.add(2, 1), pg_temp.add(3, 1);
select is(pg_temp.take(5), 'c1', 'nothing of a suspended tenant');
select core.sweep_lanes('trial');
select is((select idle from core.job_turn
            where tenant_id = pg_temp.tenant(2)), true,
          'whose lane claims need not look at');
update core.tenant set status = 'active' where id = pg_temp.tenant(2);
select core.sweep_lanes('trial');
select is(pg_temp.take(5), 'b1', 'until it may work again');

-- caps
select pg_temp.clear();
update core.job_kind set running_max = 5, tenant_running_max = 3
 where kind = 'trial';
select pg_temp.add(1, 10), pg_temp.add(2, 10);
select is(pg_temp.take(100), 'a1 b1 a2 b2 a3', 'the kind''s cap is kept');
select is(pg_temp.take(100), null, 'as long as they run');
update core.job set state = 'done', lease_until = null, ended_at = now()
 where state = 'running' and tenant_id = pg_temp.tenant(2);
select is(pg_temp.take(100), 'b3 b4',
          'the tenant''s cap, too: the first one has its three');
insert into core.job_share (tenant_id, kind, running_max)
values (pg_temp.tenant(2), 'trial', 1);
select pg_temp.end();
select is(pg_temp.take(100), 'a4 b5 a5 a6', 'a tenant may have its own');
delete from core.job_share;
update core.job_kind set running_max = null, tenant_running_max = null
 where kind = 'trial';

-- caps that are lowered
select pg_temp.clear();
select pg_temp.add(1, 9);
select is(pg_temp.take(5), 'a1 a2 a3 a4 a5', 'five of a tenant run');
update core.job_kind set tenant_running_max = 2 where kind = 'trial';
select pg_temp.add(2, 2);
select is(pg_temp.take(5), 'b1 b2',
          'a cap below what runs holds up its tenant alone');
update core.job_kind set running_max = 3 where kind = 'trial';
select is(pg_temp.take(5), null, 'or all, where it is the kind''s');
update core.job_kind set running_max = null, tenant_running_max = null
 where kind = 'trial';
select is(pg_temp.take(5), 'a6 a7 a8 a9', 'until it is raised');

-- rates
select pg_temp.clear();
update core.job_kind set rate = 0.01, rate_burst = 2 where kind = 'trial';
select pg_temp.add(1, 5), pg_temp.add(2, 5);
select is(pg_temp.take(100), 'a1 b1 a2 b2', 'a burst for each tenant');
select is(pg_temp.take(100), null, 'then nothing');
update core.job set provider = 'other'
 where args ->> 'name' in ('a4', 'a5') and tenant_id = pg_temp.tenant(1);
select is(pg_temp.take(100), 'a4 a5', 'another provider has its own rate');
update core.job_rate set tat = tat - interval '100 seconds';
select is(pg_temp.take(100), 'b3 a3', 'time gives one more');
select ok(bool_and(wake_at between now() + interval '50 seconds'
                               and now() + interval '110 seconds'),
          'it is known when the next may start') from core.job_rate
 where provider = '';
select is((select count(*) from work.due(10) where queue = 'trial'),
          0::bigint, 'nobody is woken before');
update core.job_rate set wake_at = now() - interval '1 second'
 where tenant_id = pg_temp.tenant(2);
select is((select n from work.due(10) where queue = 'trial'), 1::bigint,
          'then one is');
select is((select count(*) from work.due(10) where queue = 'trial'),
          0::bigint, 'once');
select ok((select next_ms from work.due(10) where queue is null)
              between 1 and 110000, 'and the keeper comes in time');
select pg_temp.clear();
update core.job_kind set rate_burst = 1 where kind = 'trial';
select pg_temp.add(1, 3, 5, now() - interval '10 seconds');
update core.job set provider = 'other', run_at = now() - interval '1 second'
 where args ->> 'name' = 'a3';
select is(pg_temp.take(100), 'a1 a3', 'one provider''s job waits');
select is(pg_temp.take(100), null, 'behind that of another');
select is((select idle from core.job_turn), false,
          'its lane is not taken for empty');
update core.job_kind set rate = null, rate_burst = 1 where kind = 'trial';

-- pause
select pg_temp.clear();
select pg_temp.add(1, 2);
update core.queue set paused_at = now() where name = 'trial';
select is(pg_temp.take(), null, 'of a paused queue nothing is taken');
update core.queue set paused_at = null;
update core.job_kind set paused_at = now() where kind = 'trial';
select is(pg_temp.take(), null, 'nor of a paused kind');
insert into core.job_kind (kind, queue, max_attempts, backoff_seconds,
                           backoff_max)
values ('second', 'trial', 3, 2, 60);
select pg_temp.add(1, 1, 5, now(), 'second');
update core.job set args = '{"name": "x"}' where kind = 'second';
select is(pg_temp.take(5), 'x', 'another kind of its queue goes on');
update core.job_kind set paused_at = null;
select is(pg_temp.take(5), 'a1 a2', 'what was paused comes later');

-- prefetch
select pg_temp.clear();
select pg_temp.add(1, 9, 5, now(), 'second');
select is(pg_temp.take(100), 'a1 a2 a3 a4',
          'four at once where a kind does not say');
update core.job_kind set prefetch = 2 where kind = 'second';
select is(pg_temp.take(100), 'a5 a6', 'as many as it says');
select pg_temp.clear();
select work.heartbeat('w', '{trial}', '{3}', '{}', '{}');
select work.heartbeat('v', '{other,trial}', '{9,2}', '{}', '{}');
select pg_temp.add(1, 10);
select is(pg_temp.take(100), 'a1 a2', 'five children share ten jobs');
select is(pg_temp.take(100), 'a3 a4', 'evenly');
update core.worker set beat_at = now() - interval '20 seconds'
 where name = 'v';
select is(pg_temp.take(100), 'a5 a6', 'a pool that is gone has no share');

-- who has how many children
insert into core.queue_scale (queue, target) values ('trial', 7);
select work.heartbeat('v', '{other,trial}', '{9,2}', '{}', '{}');
select is((select target from work.heartbeat('w', '{trial}', '{3}', '{}', '{}')
            where action = 'scale' and queue = 'trial'), 3,
          'two pools share seven children');
select is((select target from work.heartbeat('v', '{trial}', '{3}', '{}', '{}')
            where action = 'scale' and queue = 'trial'), 4,
          'the first has the odd one');
update core.worker set beat_at = now() - interval '20 seconds'
 where name = 'v';
select is((select target from work.heartbeat('w', '{trial}', '{3}', '{}', '{}')
            where action = 'scale' and queue = 'trial'), 7,
          'a pool that is alone has all');
select is((select count(*) from work.heartbeat('w', '{other}', '{3}', '{}',
                                               '{}')
            where action = 'scale'), 0::bigint,
          'of its own queues only');

-- what was not begun
select is((select work.give_back(array_agg(id), array_agg(token))
             from core.job where state = 'running' and tenant_id is not null
              and args ->> 'name' in ('a5', 'a6')), 2,
          'jobs that were not begun go back');
select is((select count(*) from core.job
            where state = 'queued' and attempt = 0 and lost = 0
              and args ->> 'name' in ('a5', 'a6')), 2::bigint,
          'as if never claimed');
select is((select work.give_back(array_agg(id), array_agg(token))
             from core.job where args ->> 'name' in ('a5', 'a6')), 0,
          'once');
select is(pg_temp.take(), 'a5', 'and come first');
select is((select token from core.job where args ->> 'name' = 'a5'),
          2::bigint, 'under a new token');

-- who does many in a moment, and what is behind
create function pg_temp.behind(p_max int, p_least int default 1) returns text
language sql as $$
    select count(*) || ' ' || coalesce(min(t.behind)::text, '?')
      from work.take('w', 'trial', p_max, p_least) t
$$;
select pg_temp.clear();
select work.heartbeat('w', '{trial}', '{5}', '{}', '{}');
select pg_temp.add(1, 10);
select is(pg_temp.behind(100), '2 8', 'who leaves others a share knows it');
select is(pg_temp.behind(100, 6), '6 2', 'who does six in a moment has six');
select is(pg_temp.behind(1, 6), '1 1', 'but no more than he asks for');
select is(pg_temp.behind(100, 6), '1 0', 'or than there are');
select pg_temp.add(1, 50), pg_temp.add(2, 1), pg_temp.add(3, 1);
select is(pg_temp.behind(4, 4), '4 ?', 'a lane may have more than was seen');
select pg_temp.clear();
update core.job_kind set running_max = 2 where kind = 'trial';
select pg_temp.add(1, 3);
select is(pg_temp.behind(100, 6), '2 ?', 'a cap keeps what is behind it');
update core.job_kind set running_max = null where kind = 'trial';

-- sweeps
select pg_temp.clear();
select pg_temp.add(1, 1);
update core.job_turn set idle = true;
update core.queue set sweep_at = now() + interval '1 hour';
select work.sweep();
select is(pg_temp.take(), null, 'a lane that was lost');
update core.queue set sweep_at = now() - interval '1 second';
select work.sweep();
update core.queue set sweep_at = now() + interval '1 hour';
select is(pg_temp.take(), 'a1', 'is found by a sweep when it is time');
update core.queue set sweep_at = now() - interval '1 minute';
select pg_temp.clear();

-- a backlog
select pg_temp.clear();
select pg_temp.add(1, 20000, 5, now() - interval '1 hour');
select pg_temp.add(2, 1);
select is(pg_temp.take(2), 'a1 b1', 'a flood delays others by no turn');

select * from finish();
rollback;
