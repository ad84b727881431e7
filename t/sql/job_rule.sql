-- What follows from jobs: attempts, chains, groups, unique ones; how they end.

begin;
select no_plan();
\ir setup/tenants.sql

insert into core.queue (name) values ('rule'), ('last');
insert into core.job_kind (kind, queue, soft_seconds, hard_seconds,
                           max_attempts, backoff_seconds, backoff_max)
values ('rule', 'rule', 60, 90, 3, 2, 60),
       ('last', 'last', 60, 90, 3, 2, 60);

select core.use_tenant('00000000-0000-7000-8000-00000000000a', null,
                       'system', null, 'trace-rule');

-- Adds a job, due after those that there are, and notes it by its name.
create function pg_temp.add(p_name text, p_group uuid default null)
returns uuid language sql volatile
as $$
    insert into note (name, id)
    select p_name, (core.add_jobs('rule',
               array[jsonb_build_object('name', p_name)],
               p_run_at => now() - interval '1 hour' + interval '1 second'
                           * (select count(*) from core.job),
               p_group => p_group))[1]
    on conflict (name) do update set id = excluded.id
    returning id
$$;

create function pg_temp.job(p_name text) returns core.job
language sql stable
as $$ select j from core.job j where j.id = pg_temp.id(p_name) $$;

create function pg_temp.held(p_queue text default 'rule') returns core.job
language plpgsql volatile
as $$
declare
    v_id  uuid := (select t.job_id from work.take('w', p_queue, 1) t);
    j     core.job;
begin
    select * into j from core.job h where h.id = v_id;
    return j;
end $$;

create function pg_temp.finish(j core.job, p_result jsonb default null)
returns boolean language sql volatile
as $$
    select f.accepted from work.finish(array[j.id], array[j.token],
                                       array[p_result]) f
$$;

-- Claims and ends the next one; its name.
create function pg_temp.work(p_queue text default 'rule',
    p_result jsonb default null)
returns text language plpgsql volatile
as $$
declare
    j  core.job := pg_temp.held(p_queue);
begin
    perform pg_temp.finish(j, p_result);
    return j.args ->> 'name';
end $$;

create function pg_temp.clear() returns void language sql volatile
as $$
    delete from core.job;
    delete from core.job_unique;
    delete from core.job_group;
    select core.woken();
    select core.use_tenant('00000000-0000-7000-8000-00000000000a', null,
                           'system', null, 'trace-rule')
$$;

-- The outcomes of its attempts, in order.
create function pg_temp.attempts(p_name text) returns text
language sql stable
as $$
    select string_agg(a.outcome || ':' || a.attempt, ' ' order by a.token)
      from core.job_attempt a where a.job_id = pg_temp.id(p_name)
$$;

-- attempts
select pg_temp.add('a');
update core.job set run_at = now();
select work.fail((h).id, (h).token, 'no luck', true, 0)
  from (select pg_temp.held() as h) t;
update core.job set run_at = now();
select work.defer((h).id, (h).token, 'busy', 5)
  from (select pg_temp.held() as h) t;
update core.job set run_at = now();
select work.release((h).id, (h).token, 'killed')
  from (select pg_temp.held() as h) t;
update core.job set run_at = now();
select pg_temp.held();
update core.job set lease_until = now() - interval '1 microsecond';
select work.rescue();
select work.give_back(array[(h).id], array[(h).token])
  from (select pg_temp.held() as h) t;
select work.fail((h).id, (h).token, 'for good', false, 0)
  from (select pg_temp.held() as h) t;
select is(pg_temp.attempts('a'),
          'retried:1 deferred:2 lost:2 lost:2 dead:2',
          'each attempt that did not end well leaves a row, but none what was '
          || 'given back');
select results_eq(
    $$ select a.worker, a.error, a.started_at is not null
         from core.job_attempt a where a.outcome = 'dead' $$,
    $$ values ('w', 'for good', true) $$,
    'which tells who tried, and what was wrong');

select pg_temp.clear();
select pg_temp.add('done');
select pg_temp.work();
select is(pg_temp.attempts('done'), null, 'what is done leaves none');

select pg_temp.add('often');
update core.job_kind set defer_seconds = 100000 where kind = 'rule';
do $$
declare
    j  core.job;
begin
    for i in 1 .. 60 loop
        update core.job set run_at = now() where state = 'queued';
        j := pg_temp.held();
        perform work.defer(j.id, j.token, 'busy', 1);
    end loop;
end $$;
select is((select count(*) from core.job_attempt), 50::bigint,
          'fifty rows are kept of a job');
select is((select max(token) from core.job_attempt), 60::bigint,
          'the last ones');
update core.job_kind set defer_seconds = 120 where kind = 'rule';

-- chains
select pg_temp.clear();
select core.add_chain('[{"kind": "rule", "args": {"name": "one"}},
    {"kind": "rule", "args": {"name": "two"}, "take": "before"},
    {"kind": "last", "args": {"name": "three"}, "priority": 9}]'::jsonb,
    p_priority => 7);
select is(core.woken(), '{rule}', 'the first step''s queue is woken');
select is((select count(*) from core.job), 1::bigint,
          'only the first step of a chain is there');
select is(pg_temp.work(p_result => '{"x": 1}'), 'one', 'it runs first');
select results_eq(
    $$ select args, priority, trace_id, sent_at from core.job
        where state = 'queued' $$,
    $$ values ('{"name": "two", "before": {"x": 1}}'::jsonb, 7,
               'trace-rule', null::timestamptz) $$,
    'then the next one is there, with its result and trace');
select work.fail((h).id, (h).token, 'x', false, 0)
  from (select pg_temp.held() as h) t;
select is((select count(*) from core.job where state = 'queued'), 0::bigint,
          'nothing follows a step that died');
select is((api.retry_job(pg_temp.a(), jsonb_build_object('id', j.id))).data
          ->> 'state', 'queued', 'but it is queued again')
  from core.job j where j.state = 'dead';
select core.use_tenant('00000000-0000-7000-8000-00000000000a');
select is(pg_temp.work(), 'two', 'and when it is done');
select is(pg_temp.work('last'), 'three', 'the chain goes on');
select is((select count(*) from core.job where state = 'done'), 3::bigint,
          'to its end');
select throws_like(
    $$ select core.add_chain('[{"kind": "rule"}, {"kind": "no"}]') $$,
    '%unknown kind: "no"', 'a chain with a step of no kind is refused');
select throws_like($$ select core.add_chain('[]') $$, 'a chain is a list%',
                   'so is one without steps');

select throws_like(
    $$ select core.add_chain('[{"kind": "rule", "priority": 11}]') $$,
    '%priority is not within%', 'and one whose priority is none');

-- what a kind of its own rules ends with is there for the next step, too
select pg_temp.clear();
select core.add_chain('[{"kind": "rule"}, {"kind": "last", "take": "x"}]');
select core.woken();
select is((select core.end_job(h.id, '{"n": 1}') from pg_temp.held() h),
          '{last}', 'who ends a job is told whom to wake');
select is((select args from core.job where kind = 'last'),
          '{"x": {"n": 1}}', 'and the next step has its result');

-- a step's wake-up comes with the end of the one before
select pg_temp.clear();
select core.add_chain('[{"kind": "rule"}, {"kind": "last"}]');
select core.woken();
create temp table one as select h.* from pg_temp.held() h;
select is((select f.wake from one j, work.finish(array[j.id],
               array[j.token], array[null::jsonb]) f), '{last}',
          'who ends a step is told whom to wake for the next one');
drop table one;

-- groups
select pg_temp.clear();
insert into note (name, id)
values ('group', core.open_group('last', '{"name": "final"}'))
on conflict (name) do update set id = excluded.id;
select pg_temp.add(n, pg_temp.id('group'))
  from unnest(array['a', 'b', 'c', 'd']) n;
select pg_temp.work();
select is((select count(*) from core.job where kind = 'last'), 0::bigint,
          'an open group does not end');
select core.close_group(pg_temp.id('group'));
select pg_temp.work();
select work.fail((h).id, (h).token, 'x', false, 0)
  from (select pg_temp.held() as h) t;
select is((select count(*) from core.job where kind = 'last'), 0::bigint,
          'nor one of which a member is left');
select is((api.cancel_job(pg_temp.a(), pg_temp.by_id('d'))).data
          ->> 'state', 'cancelled', 'the last member is cancelled');
select results_eq(
    $$ select args from core.job where kind = 'last' $$,
    $$ select jsonb_build_object('name', 'final', 'group',
           jsonb_build_object('id', pg_temp.id('group'), 'done', 2,
                              'dead', 1, 'cancelled', 1)) $$,
    'the finalizer is told how the members ended');
select core.use_tenant('00000000-0000-7000-8000-00000000000a');
select is((select jsonb_agg(r -> 'state' order by r #> '{args,name}')
             from jsonb_array_elements(
               core.group_results(pg_temp.id('group'))) r),
          '["done", "done", "dead", "cancelled"]',
          'and may ask for what came of them');
select api.retry_job(pg_temp.a(), pg_temp.by_id('c'));
select core.use_tenant('00000000-0000-7000-8000-00000000000a');
select is(pg_temp.work(), 'c', 'a member that died is run again');
select is((select count(*) from core.job where kind = 'last'), 1::bigint,
          'that makes no second finalizer');
select throws_like(format('select core.join_group(%L)', pg_temp.id('group')),
                   'group % has ended', 'and the group takes no member');

select pg_temp.clear();
select core.close_group(core.open_group('last', '{"name": "empty"}'));
select is(core.woken(), '{last}', 'whoever closes a group may have to wake');
select is(pg_temp.work('last'), 'empty', 'a group without members ends');
select core.close_group(core.open_group());
select is((select count(*) from core.job_group where ended_at is null),
          0::bigint, 'so does one without a finalizer');

-- a dead member is not purged before its group has counted it
select pg_temp.clear();
insert into note (name, id) values ('waits', core.open_group('last'))
on conflict (name) do update set id = excluded.id;
select pg_temp.add('a', pg_temp.id('waits')),
       pg_temp.add('b', pg_temp.id('waits'));
select core.close_group(pg_temp.id('waits'));
select work.fail((h).id, (h).token, 'x', false, 0)
  from (select pg_temp.held() as h) t;
select is(core.dead_purge(null, '{}'), 0::bigint,
          'a dead job of a group that waits is not purged');
select pg_temp.work();
select is((select args #> '{group,dead}' from core.job
            where kind = 'last'), '1', 'since the group counts it');
select is(core.dead_purge(null, '{}'), 1::bigint, 'then it is');

-- whoever ends the last member is told whom to wake; the finalizer belongs to
-- the trace of who opened the group
select pg_temp.clear();
select set_config('voice.trace',
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', true);
insert into note (name, id) values ('traced', core.open_group('last'))
on conflict (name) do update set id = excluded.id;
select set_config('voice.trace', '', true);
select pg_temp.add('only', pg_temp.id('traced'));
select core.close_group(pg_temp.id('traced'));
create temp table last as select h.* from pg_temp.held() h;
select is((select f.wake from last j,
                  work.fail(j.id, j.token, 'x', false, 0) f), '{last}',
          'a failure that ends a group tells whom to wake');
select results_eq(
    $$ select j.trace_id, j.traceparent from core.job j
        where j.kind = 'last' $$,
    $$ values ('0af7651916cd43dd8448eb211c80319c',
               '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01') $$,
    'the finalizer goes on with the group''s trace');
select core.use_tenant('00000000-0000-7000-8000-00000000000a');
select core.add_chain('[{"kind": "rule"}, {"kind": "rule"}]');
update core.job set traceparent = 'of the chain' where chain is not null;
select pg_temp.work();
select is((select j.traceparent from core.job j where j.state = 'queued'
             and j.kind = 'rule'), 'of the chain',
          'a step goes on with the trace of the one before');

-- a member that is a chain, and one that is a group
select pg_temp.clear();
insert into note (name, id)
values ('outer', core.open_group('last', '{"name": "outer"}'))
on conflict (name) do update set id = excluded.id;
insert into note (name, id)
values ('inner', core.open_group('last', '{"name": "inner"}',
                                 p_parent => pg_temp.id('outer')))
on conflict (name) do update set id = excluded.id;
select pg_temp.add('in', pg_temp.id('inner'));
select core.add_chain('[{"kind": "rule", "args": {"name": "first"}},
                        {"kind": "rule", "args": {"name": "second"}}]',
                      p_group => pg_temp.id('outer'));
select core.close_group(pg_temp.id('outer'));
select core.close_group(pg_temp.id('inner'));
select is(pg_temp.work() || ' ' || pg_temp.work(), 'in first',
          'a group has a group and a chain');
select is(pg_temp.work('last'), 'inner', 'the inner one ends');
select is((select count(*) from core.job where kind = 'last'
             and state = 'queued'), 0::bigint,
          'the outer one waits for the chain''s last step');
select is(pg_temp.work(), 'second', 'which runs');
select is(pg_temp.work('last'), 'outer', 'and ends the outer one');
select is((select g.depth from core.job_group g
            where g.id = pg_temp.id('inner')), 1,
          'groups know how deep they are');

-- members that end in one statement
select pg_temp.clear();
insert into note (name, id)
values ('batch', core.open_group('last', '{"name": "last"}'))
on conflict (name) do update set id = excluded.id;
select pg_temp.add('a', pg_temp.id('batch'));
select core.add_chain('[{"kind": "rule", "args": {"name": "b"}},
                        {"kind": "rule", "args": {"name": "c"}}]',
                      p_group => pg_temp.id('batch'));
select core.close_group(pg_temp.id('batch'));
select work.finish(array_agg(t.job_id), array_agg(t.token),
                   array_fill(null::jsonb, array[2]))
  from work.take('w', 'rule', 2) t;
select is((select count(*) from core.job where state = 'done'), 2::bigint,
          'a member and a step that end together');
select is((select count(*) from core.job where kind = 'last'), 0::bigint,
          'leave the next step in the group');
select is(pg_temp.work(), 'c', 'which is to come');
select is(pg_temp.work('last'), 'last', 'before the group ends');

-- unique jobs
select pg_temp.clear();
create temp table made (n int generated always as identity, job_id uuid,
                        is_new boolean);
insert into made (job_id, is_new)
select u.job_id, u.is_new
  from generate_series(1, 2) i,
       lateral core.add_unique_job('rule', 'k' || i * 0) u;
select results_eq($$ select is_new, count(*) over (partition by job_id)
                       from made order by n $$,
                  $$ values (true, 2::bigint), (false, 2) $$,
                  'the second job of a key is the first one');
select is((select count(*) from core.job), 1::bigint, 'there is one');
select is((select unique_key from core.job), 'k0', 'it shows its key');
select pg_temp.held();
select is((core.add_unique_job('rule', 'k0')).is_new, false,
          'also while it runs');
select ok((core.add_unique_job('last', 'k0')).is_new,
          'another kind has keys of its own');
select core.use_tenant('00000000-0000-7000-8000-00000000000b');
select ok((core.add_unique_job('rule', 'k0')).is_new,
          'and so has another tenant');
select core.use_tenant('00000000-0000-7000-8000-00000000000a');
update core.job set state = 'dead', ended_at = now(), lease_until = null
 where state = 'running';
select ok((core.add_unique_job('rule', 'k0')).is_new,
          'once it has ended there may be another');
select throws_ok(format('select api.retry_job(pg_temp.a(), %L)',
                        jsonb_build_object('id', j.id)),
                 'V1409', 'CONFLICT',
                 'then the first one is not queued again')
  from core.job j where j.state = 'dead';

select pg_temp.clear();
select ok((core.add_unique_job('rule', 'w', interval '1 hour')).is_new,
          'a key with a window');
select pg_temp.work();
select is((core.add_unique_job('rule', 'w', interval '1 hour')).is_new,
          false, 'is taken after its job is done');
select is((core.add_unique_job('rule', 'w')).is_new, false,
          'also for who asks without a window');
update core.job_unique set until = now();
select ok((core.add_unique_job('rule', 'w', interval '1 hour')).is_new,
          'until the window is over');
update core.job_unique set until = now() - interval '1 day';
select work.purge();
select is((select count(*) from core.job_unique), 1::bigint,
          'the key of a job that waits is kept');
select pg_temp.work();
select work.purge();
select is((select count(*) from core.job_unique), 0::bigint,
          'one that nobody needs is removed');

-- a process of a pool that is gone
select pg_temp.clear();
select pg_temp.add(n) from unnest(array['a', 'b', 'c', 'd']) n;
create temp table child as
select t.job_id, t.token, c
  from unnest(array[1, 1, 2]) with ordinality u (c, n),
       lateral work.take('w', 'rule', 1, 1, c) t;
insert into child
select t.job_id, t.token, 1 from work.take('v', 'rule', 1, 1, 1) t;
select is((select pg_temp.finish(j) from core.job j
            where j.id = (select job_id from child where c = 1 limit 1)),
          true, 'one of its jobs had ended');
select is((select count(*) from child h
            where work.ended(h.job_id, h.token)), 1::bigint,
          'which its token tells');
select is(work.release_child('w', 1, 'gone'), 1::bigint,
          'the other one is released');
select results_eq(
    $$ select state, count(*) from core.job group by 1 order by 1 $$,
    $$ values ('done', 1::bigint), ('queued', 1), ('running', 2) $$,
    'and none of other processes and pools');
select results_eq(
    $$ select lost, error from core.job where state = 'queued' $$,
    $$ values (1, 'gone') $$, 'it counts as lost');

-- cancel
select pg_temp.clear();
select pg_temp.add('q');
select is((api.cancel_job(pg_temp.a(), pg_temp.by_id('q'))).data
          ->> 'state', 'cancelled', 'a job that waits is cancelled at once');
select is((select count(*) from work.take('w', 'rule', 1)), 0::bigint,
          'and never runs');
select pg_temp.add('r');
create temp table run as select h.* from pg_temp.held() h;
select is((api.cancel_job(pg_temp.a(), pg_temp.by_id('r'))).data
          ->> 'state', 'cancelled', 'so is one that runs');
select is((select pg_temp.finish(row(r.*)::core.job) from run r), false,
          'whose end does not count any more');
select is((select work.ended(r.id, r.token) from run r), false,
          'nor was it the end of who held it');
select results_eq(
    $$ select h.action, h.job_id
         from run r, work.heartbeat('w', '{rule}', '{1}', array[r.id],
                                    array[r.token]) h
        where h.action = 'cancel' $$,
    $$ select 'cancel', r.id from run r $$,
    'its supervisor hears of it');
select is(pg_temp.attempts('r'), 'cancelled:1', 'it leaves an attempt');
select throws_ok($$ select api.cancel_job(pg_temp.a(),
                                          pg_temp.by_id('r')) $$,
                 'V1409', 'INVALID_STATE', 'it is not cancelled twice');
select is((api.retry_job(pg_temp.a(), pg_temp.by_id('r'))).wake, '{rule}',
          'one that was cancelled can be queued again');
select is((select attempt || ' ' || lost || ' ' || coalesce(worker, '-')
             from core.job where id = pg_temp.id('r')), '0 0 -',
          'with fresh counts');
select is((select count(*) from core.audit_log
            where action in ('job.cancelled', 'job.retried')
              and resource_id = pg_temp.id('r')::text), 2::bigint,
          'and the audit log knows');
update core.job_kind
   set retry_instead = 'Ask {subject}.', cancel_instead = 'Tell {subject}.'
 where kind = 'rule';
update core.job set subject_id = id where id = pg_temp.id('r');
create function pg_temp.detail(p_sql text) returns text
language plpgsql volatile as $$
declare
    v_detail  text;
begin
    execute p_sql;
    return 'none';
exception when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return v_detail;
end $$;
select is(pg_temp.detail(
    'select api.cancel_job(pg_temp.a(), pg_temp.by_id(''r''))'),
    'Tell ' || pg_temp.id('r') || '.',
    'what has effects of its own is cancelled otherwise');
update core.job set state = 'dead', ended_at = now()
 where id = pg_temp.id('r');
select is(pg_temp.detail(
    'select api.retry_job(pg_temp.a(), pg_temp.by_id(''r''))'),
    'Ask ' || pg_temp.id('r') || '.', 'or queued again otherwise');

select * from finish();
rollback;
