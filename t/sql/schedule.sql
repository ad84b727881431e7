-- Schedules: what is accepted, when they are due, that each occurrence has
-- one job, and what became of it.

begin;
select no_plan();

\ir setup/tenants.sql

select pg_temp.suite(2);

-- A schedule of tenant a, noted under its name: the suite, every hour.
create function pg_temp.plan(p_name text, p_more jsonb default '{}')
returns api.reply language sql volatile
as $$
    select pg_temp.note(p_name, api.create_schedule(pg_temp.a(),
        jsonb_build_object('name', p_name, 'expression', '0 * * * *',
            'action', jsonb_build_object('type', 'run_suite',
                'suite_id', pg_temp.id('suite'))) || p_more))
$$;

-- Why a body is refused: path and reason.
create function pg_temp.refused(p_body jsonb) returns text
language plpgsql volatile
as $$
declare
    v_problem  jsonb;
begin
    perform pg_temp.plan('x', p_body);
    return 'accepted';
exception when others then
    get stacked diagnostics v_problem = pg_exception_hint;
    return (v_problem #>> '{0,path}') || ': ' || (v_problem #>> '{0,reason}');
end $$;

create function pg_temp.row(p_name text) returns core.schedule
language sql stable
as $$ select s from core.schedule s where s.id = pg_temp.id(p_name) $$;

-- Puts the time at which it is due next.
create function pg_temp.due(p_name text, p_at timestamptz) returns void
language sql volatile
as $$
    update core.schedule s set next_at = p_at where s.id = pg_temp.id(p_name)
$$;

-- What happened to it: occurrence and state of each.
create function pg_temp.past(p_name text) returns text language sql stable
as $$
    select string_agg(to_char(o.occurrence at time zone 'UTC', 'HH24:MI')
                      || ' ' || o.state, ', ' order by o.occurrence)
      from core.schedule_occurrence o
     where o.schedule_id = pg_temp.id(p_name)
$$;

create function pg_temp.jobs(p_name text) returns bigint language sql stable
as $$
    select count(*) from core.job j where j.subject_id = pg_temp.id(p_name)
$$;

-- Lets the keeper look at a time of a day far from today, at which no
-- system's own schedule is due.
create function pg_temp.at(p_time text) returns timestamptz language sql
as $$ select ('2031-03-05 ' || p_time || 'Z')::timestamptz $$;

create function pg_temp.fire(p_time text, p_more interval default '0')
returns int language sql volatile
as $$
    select f.fired from work.schedule_fire(100, pg_temp.at(p_time) + p_more) f
$$;

update core.system_schedule set enabled = false;


-- Making one.

select is((pg_temp.plan('plain')).status, 201, 'a schedule is made');
select is((pg_temp.row('plain')).next_at,
          date_trunc('hour', now()) + interval '1 hour',
          'it is due next at the next hour');
select is((select reply ->> 'missed_runs' from note where name = 'plain'),
          'once', 'what is missed runs once, unless something else is said');

select is(pg_temp.refused(b), w, w)
  from (values
    ('{"expression": "61 * * * *"}'::jsonb,
     '/body/expression: minute: "61" is not within 0..59'),
    ('{"expression": "* * *"}', '/body/expression: '
     || (core.cron_parse('')).problem),
    ('{"expression": "0 0 30 2 *"}',
     '/body/expression: it would never be due'),
    ('{"timezone": "CEST"}', '/body/timezone: is no time zone of IANA, such'
     || ' as Europe/Berlin or UTC'),
    ('{"starts_at": "2030-01-02T00:00:00Z",
       "ends_at": "2030-01-01T00:00:00Z"}',
     '/body/ends_at: must be later than starts_at'),
    ('{"ends_at": "2020-01-01T00:00:00Z"}',
     '/body/ends_at: it would never be due'),
    ('{"action": {"type": "run_suite"}}',
     '/body/action/suite_id: is required'),
    ('{"action": {"type": "run_suite",
       "suite_id": "00000000-0000-7000-8000-000000000000"}}',
     '/body/action/suite_id: there is no such active suite'),
    ('{"action": {"type": "run_regression_suite",
       "suite_id": "00000000-0000-7000-8000-000000000000"}}',
     '/body/action/suite_id: run_regression_suite takes it as'
     || ' metadata.suite_id')) v (b, w);
select is(pg_temp.refused(jsonb_build_object('action', jsonb_build_object(
    'type', 'run_suite', 'suite_id', pg_temp.id('suite'),
    'metadata', '{}'::jsonb))),
    '/body/action/metadata: is for run_regression_suite only',
    'a run of a suite has no metadata');
select is((pg_temp.plan('off', '{"enabled": false,
                                 "expression": "0 0 30 2 *"}')).status, 201,
          'one that is off may be due never');
select is((pg_temp.row('off')).next_at, null, 'and is not due');

select pg_temp.plan('bounded', '{"starts_at": "2030-01-01T12:00:00Z",
    "ends_at": "2030-01-01T13:00:00Z"}');
select is((pg_temp.row('bounded')).next_at, '2030-01-01T12:00:00Z',
          'a schedule that starts with a due time has it');
select is(core.schedule_next(pg_temp.row('bounded'),
              core.cron_parse('0 * * * *'), '2030-01-01T12:00Z'),
          '2030-01-01T13:00:00Z', 'so has one that ends with one');
select is(core.schedule_next(pg_temp.row('bounded'),
              core.cron_parse('0 * * * *'), '2030-01-01T13:00Z'),
          null, 'and none after that');
delete from core.schedule s where s.id = pg_temp.id('bounded');


-- Times to come.

select is((api.preview_schedule(pg_temp.a(), '{"expression": "30 2 * * *",
    "timezone": "Europe/Berlin", "count": 2,
    "after": "2026-03-28T12:00:00Z"}')).data::jsonb -> 'times',
    '[{"at": "2026-03-29T01:00:00.000Z",
       "local": "2026-03-29T03:00:00+02:00"},
      {"at": "2026-03-30T00:30:00.000Z",
       "local": "2026-03-30T02:30:00+02:00"}]'::jsonb,
    'a preview has both times');
select is(json_array_length((api.preview_schedule(pg_temp.a(),
    '{"expression": "* * * * *"}')).data -> 'times'), 10,
    'ten of them, unless another number is asked for');
select is((api.preview_schedule(pg_temp.a(), '{"expression": "0 0 31 2 *"}')
    ).data ->> 'times', '[]', 'none where nothing comes');


-- Occurrences.

select pg_temp.due('plain', pg_temp.at('10:00'));
select is(pg_temp.fire('09:59:59'), 0, 'before its time nothing happens');
select is((select next_ms from work.schedule_fire(100,
               pg_temp.at('09:59:59.5'))), 500,
          'the keeper hears when to look again');
select is(pg_temp.fire('10:00'), 1, 'at its time it is due');
select is(pg_temp.jobs('plain'), 1::bigint, 'it has a job');
select is((pg_temp.row('plain')).next_at, pg_temp.at('11:00'),
          'and is due next an hour later');
select is(pg_temp.fire('10:00'), 0, 'a second look finds nothing');
select pg_temp.due('plain', pg_temp.at('10:00'));
select is(pg_temp.fire('10:00'), 1, 'a clock that was set back is due again');
select is(pg_temp.jobs('plain'), 1::bigint, 'but no second job is made');
select is((select (j.args ->> 'suite_id')::uuid = pg_temp.id('suite')
              and j.kind = 'scheduled_run' and j.priority = 5
             from core.job j where j.subject_id = pg_temp.id('plain')), true,
          'the job is a run of the suite');

-- what nobody looked at for two hours and a half
select pg_temp.plan(m, jsonb_build_object('missed_runs', m)),
       pg_temp.due(m, pg_temp.at('12:00'))
  from unnest(array['skip', 'once', 'all']) m;
select is(pg_temp.fire('14:30'), 4, 'all that were missed are looked at');
select is(pg_temp.past('skip'), '12:00 missed', 'skip: nothing runs');
select is(pg_temp.past('once'), '12:00 queued', 'once: one runs');
select is(pg_temp.past('all'), '12:00 queued, 13:00 queued, 14:00 queued',
          'all: each runs');
select is((pg_temp.row(m)).next_at, pg_temp.at('15:00'),
          m || ': it goes on at the next hour')
  from unnest(array['skip', 'once', 'all']) m;
select pg_temp.due('skip', pg_temp.at('14:00'));
select is(pg_temp.fire('15:00:40'), 4, 'some are late, but not much');
select is(pg_temp.past('skip'), '12:00 missed, 14:00 missed, 15:00 queued',
          'skip: what is late by seconds runs');
select pg_temp.plan('often', '{"missed_runs": "all",
                               "expression": "* * * * * *"}'),
       pg_temp.due('often', pg_temp.at('12:00'));
select pg_temp.fire('20:00');
select is(pg_temp.jobs('often'), 100::bigint, 'all are a hundred at most');
select is((pg_temp.row('often')).next_at, pg_temp.at('20:00:01'),
          'the rest is left out');
delete from core.schedule s where s.id <> pg_temp.id('plain');

-- a tenant that may not work
update core.tenant set status = 'suspended'
 where id = '00000000-0000-7000-8000-00000000000a';
select is(pg_temp.fire('23:00'), 0, 'a suspended tenant has nothing due');
select is((select next_ms from work.schedule_fire(1, pg_temp.at('23:00'))),
          null, 'nor does the keeper look for it');
update core.tenant set status = 'active'
 where id = '00000000-0000-7000-8000-00000000000a';


-- Changing one.

select is((api.update_schedule(pg_temp.a(), pg_temp.by_id('plain',
    '{"if_match": "\"1\"", "expression": "30 * * * *"}'))).headers ->> 'ETag',
    '"2"', 'a change makes a version');
select throws_ok($$ select api.update_schedule(pg_temp.a(), pg_temp.by_id(
    'plain', '{"if_match": "\"1\"", "enabled": false}')) $$, 'V1412',
    'VERSION_MISMATCH', 'a change of an earlier version is refused');
select is((pg_temp.row('plain')).next_at, pg_temp.at('16:30'),
    'what was due once is not due again');
select pg_temp.due('plain', now() - interval '1 second');
select is((api.update_schedule(pg_temp.a(), pg_temp.by_id('plain',
    '{"name": "plain", "expression": "30 * * * *"}'))).data ->> 'next_at',
    core.iso(now() - interval '1 second'),
    'what is due and has not run yet is not lost by a change of something'
    || ' else');
select is((api.update_schedule(pg_temp.a(), pg_temp.by_id('plain',
    '{"enabled": false}'))).data ->> 'next_at', null,
    'one that is off is due never');
select throws_ok($$ select api.get_schedule(pg_temp.b(),
    pg_temp.by_id('plain')) $$, 'V1404', 'RESOURCE_NOT_FOUND',
    'another tenant has no such schedule');


-- What a job makes of it.

delete from core.job;
select pg_temp.note('hand', api.run_schedule(pg_temp.a(),
                                             pg_temp.by_id('plain')));
select is((select reply ->> 'schedule_id' from note where name = 'hand')::uuid,
          pg_temp.id('plain'), 'a schedule that is off runs by hand');

-- Claims the queue's next job and finishes it as its child does; its result.
create function pg_temp.work() returns jsonb language plpgsql volatile
as $$
declare
    j  jsonb := pg_temp.claim('schedule');
    f  record;
begin
    case (select k.kind from core.job k where k.id = (j ->> 'job_id')::uuid)
    when 'scheduled_run' then
        f := work.finish_scheduled_run((j ->> 'job_id')::uuid,
                 (j ->> 'token')::bigint, '{}');
    when 'run_regression_suite' then
        f := work.finish_run_regression_suite((j ->> 'job_id')::uuid,
                 (j ->> 'token')::bigint, '{}');
    when 'scheduled_report' then
        f := work.finish_scheduled_report((j ->> 'job_id')::uuid,
                 (j ->> 'token')::bigint, '{}');
    end case;

    return (select k.result || jsonb_build_object('job_state', k.state,
                       'accepted', f.accepted, 'woken', f.wake)
              from core.job k where k.id = (j ->> 'job_id')::uuid);
end $$;

create temp table made (name text, r jsonb);
insert into made select 'hand', pg_temp.work();
select is(r ->> 'result', 'scheduled', 'a job makes a run') from made;
select is(r -> 'woken', '["test_execution", "test_execution"]',
          'its executions are waited for') from made;
select is(t.trigger_type || ' ' || (t.trigger_metadata ->> 'schedule_name'),
          'scheduled plain', 'the run tells what made it')
  from core.test_run t, made
 where t.id = (made.r ->> 'test_run_id')::uuid;
select is((api.get_schedule(pg_temp.a(), pg_temp.by_id('plain')))
              .data #>> '{last_occurrence,state}', 'done',
          'the schedule shows how it went');
select is((api.get_schedule(pg_temp.a(), pg_temp.by_id('plain')))
              .data #>> '{last_occurrence,run_ids,0}',
          (select r ->> 'test_run_id' from made), 'and which run it was');

update core.test_suite set is_active = false
 where id = pg_temp.id('suite');
select api.run_schedule(pg_temp.a(), pg_temp.by_id('plain'));
select is(pg_temp.work() - 'woken', '{"result": "refused",
    "reason": "is not active", "job_state": "done", "accepted": true}'::jsonb,
    'a suite that is not active is refused, once');
select is((api.get_schedule(pg_temp.a(), pg_temp.by_id('plain')))
              .data #>> '{last_occurrence,error}', 'is not active',
          'the schedule shows why');
select is((select count(*) from core.event where type = 'schedule.failed'
              and subject_id = pg_temp.id('plain')), 1::bigint,
          'and an event tells it');
update core.test_suite set is_active = true where id = pg_temp.id('suite');

select is(f.accepted, false, 'a stale token is not accepted')
  from work.finish_scheduled_run(core.uuid_v7(), 1, '{}') f;

select api.run_schedule(pg_temp.a(), pg_temp.by_id('plain'));
select pg_temp.kill('schedule');
select is((api.get_schedule(pg_temp.a(), pg_temp.by_id('plain')))
              .data #>> '{last_occurrence,state}', 'failed',
          'a job that died is an occurrence that failed');

select api.run_schedule(pg_temp.a(), pg_temp.by_id('plain'));
select is((api.delete_schedule(pg_temp.a(), pg_temp.by_id('plain'))).status,
          204, 'a schedule is deleted');
select is((select count(*) from core.job where state = 'queued'
              and queue = 'schedule'), 0::bigint,
          'its jobs are cancelled');
select is((select count(*) from core.event where type = 'schedule.failed'
              and subject_id = pg_temp.id('plain')), 2::bigint,
          'which is no failure');
select is((select count(*) from core.test_run), 1::bigint,
          'its runs stay');
select throws_ok($$ select api.delete_schedule(pg_temp.a(),
    pg_temp.by_id('plain')) $$, 'V1404', 'RESOURCE_NOT_FOUND',
    'it cannot be deleted twice');


-- Regression suites.

create function pg_temp.more(p_name text, p_more jsonb) returns uuid
language sql volatile
as $$
    select (pg_temp.note(p_name, api.create_test_suite(pg_temp.a(),
        jsonb_build_object('name', p_name) || p_more))).data ->> 'id';
    select pg_temp.id(p_name)
$$;

create function pg_temp.chosen(p_metadata jsonb) returns text
language sql volatile
as $$
    select string_agg(n.name, ' ' order by w.place)
      from pg_temp.a() a, unnest(core.regression_suites(p_metadata))
                          with ordinality w (id, place)
      join note n on n.id = w.id
$$;

create function pg_temp.settings(p_regression jsonb) returns void
language sql volatile
as $$
    update core.tenant t
       set settings = jsonb_build_object('regression', p_regression)
     where t.id = '00000000-0000-7000-8000-00000000000a'
$$;

select is(pg_temp.chosen('{}'), null, 'no suite is a regression suite');
select api.run_regressions(pg_temp.a(), '{}');
select is(pg_temp.work() - 'woken', '{"result": "skipped",
    "reason": "no_regression_suites", "job_state": "done",
    "accepted": true}'::jsonb, 'that is told');

select pg_temp.more('one', '{"category": "Regression"}'),
       pg_temp.more('My_Regression_2', '{}'),
       pg_temp.more('old', '{"category": "regression", "is_active": false}'),
       pg_temp.more('three', '{}');
select is(pg_temp.chosen(null), 'My_Regression_2 one',
          'active suites of the category or of that name');
select is(pg_temp.chosen(jsonb_build_object('suite_id',
              pg_temp.id('three'))), 'three', 'or one that is named');
select is(pg_temp.chosen(jsonb_build_object(
    'suite_id', pg_temp.id('three'),
    'regression_suite_id', pg_temp.id('suite'),
    'regression_suite_ids', jsonb_build_array(pg_temp.id('one'),
        pg_temp.id('three')))), 'suite three one',
    'several, in this order, each once');
select pg_temp.settings(jsonb_build_object('suite_ids', jsonb_build_array(
    pg_temp.id('three'), pg_temp.id('one'))));
select is(pg_temp.chosen('{}'), 'three one', 'or those of the settings');
select is(pg_temp.chosen(jsonb_build_object('suite_id',
    pg_temp.id('one'))), 'one three', 'which come after those named');

select pg_temp.note('asked', api.run_regressions(pg_temp.a(),
    jsonb_build_object('trigger', 'deployment', 'languages', '["en_us"]'
        ::jsonb, 'metadata', jsonb_build_object('commit_sha', 'abc',
            'suite_id', pg_temp.id('suite')))));
delete from made;
insert into made select 'run', pg_temp.work();
select is(r ->> 'result', 'scheduled', 'runs are made') from made;
select is(r #>> '{runs,0,suite_id}', pg_temp.id('suite')::text,
          'of the suite that has cases') from made;
select is(r #>> '{refused,0,reason}', 'the suite has no active case',
          'what cannot run is told') from made;
select is((select t.trigger_type || ' ' || (t.trigger_metadata
               ->> 'commit_sha') || ' ' || t.languages[1]
             from core.test_run t, made
            where t.id = (made.r #>> '{runs,0,test_run_id}')::uuid),
          'auto:deployment abc en-US', 'a run tells what asked for it');

select pg_temp.settings('{"enabled": false}');
select is((api.run_regressions(pg_temp.a(), '{}')).data ->> 'enabled',
          'false', 'a tenant may have none');
select is(pg_temp.work() ->> 'result', 'disabled', 'whoever asks');
select pg_temp.settings('{}');

select pg_temp.plan('guard', '{"action": {"type": "run_regression_suite"}}');
select pg_temp.due('guard', pg_temp.at('10:00'));
select pg_temp.fire('10:00');
select is(pg_temp.work() ->> 'trigger', 'auto:schedule',
          'a schedule runs them');
select is((api.get_schedule(pg_temp.a(), pg_temp.by_id('guard')))
    .data #>> '{last_occurrence,error}', 'the suite has no active case',
    'and shows when none could run');
select api.delete_schedule(pg_temp.a(), pg_temp.by_id('guard'));


-- The system's own.

update core.system_schedule set enabled = true, next_at = null;
select is((select count(*) from core.system_schedule
            where (core.cron_parse(expression)).problem is not null
               or not core.timezone_known(timezone)), 0::bigint,
          'each can be read');
select pg_temp.fire('06:00');
select results_eq(
    $$ select name, next_at, last_at from core.system_schedule
        order by name $$,
    $$ values ('auto-scale-workers', pg_temp.at('06:00:30'),
               null::timestamptz),
              ('cleanup-old-results', pg_temp.at('24:00'), null),
              ('send-scheduled-reports', pg_temp.at('07:00'), null) $$,
    'each is due at its next time');
select is((select next_ms from work.schedule_fire(1, pg_temp.at('06:00:20'))),
          10000, 'the keeper looks for them, too');
select pg_temp.fire('06:30');
select is((select last_at from core.system_schedule
            where name = 'auto-scale-workers'), pg_temp.at('06:00:30'),
          'however late, one is done once');
select is((select count(*) from core.queue_scale where decision is not null),
          (select count(*) from core.queue), 'every queue was decided on');

select pg_temp.fire('07:00');
select is((select result from core.system_schedule
            where name = 'send-scheduled-reports'), '{"reports": 0}',
          'a Wednesday that is no first has no reports');
select results_eq(
    $$ select d, core.send_reports(d::timestamptz) -> 'reports'
         from unnest(array['2031-03-03T07:00Z', '2031-03-04T07:00Z',
                           '2031-04-01T07:00Z', '2031-09-01T07:00Z']) d $$,
    $$ values ('2031-03-03T07:00Z', '0'::jsonb), ('2031-03-04T07:00Z', '0'),
              ('2031-04-01T07:00Z', '0'), ('2031-09-01T07:00Z', '0') $$,
    'nobody ran anything then');
update core.test_run set created_at = '2031-08-28T12:00Z';
select is(core.send_reports('2031-09-01T07:00Z'), '{"reports": 2,
    "wake": ["schedule", "schedule"]}'::jsonb,
    'a first that is a Monday has both, of the tenant that ran something');
delete from made;
insert into made select 'r', pg_temp.work() from generate_series(1, 2);
select results_eq(
    $$ select r ->> 'period', r ->> 'from', r ->> 'to', r #>> '{runs,total}'
         from made order by 1 $$,
    $$ values ('month', '2031-08-02T00:00:00.000Z',
               '2031-09-01T00:00:00.000Z', '2'),
              ('week', '2031-08-25T00:00:00.000Z',
               '2031-09-01T00:00:00.000Z', '2') $$,
    'of the seven and of the thirty days before');
select is((select count(*) from core.event where type = 'report.ready'),
          2::bigint, 'an event has each');
select is((select r -> 'executions' -> 'total' from made limit 1), '4',
          'executions are counted');

update core.job set ended_at = now() - interval '91 days'
 where state = 'done';
insert into core.schedule (tenant_id, id, name, expression, action)
values ('00000000-0000-7000-8000-00000000000a',
        '00000000-0000-7000-8000-0000000000cc', 'x', '@daily', '{}');
insert into core.schedule_occurrence (tenant_id, schedule_id, occurrence,
                                      state, fired_at)
select '00000000-0000-7000-8000-00000000000a',
       '00000000-0000-7000-8000-0000000000cc', now() - d * interval '1 day',
       'done', now() - d * interval '1 day'
  from unnest(array[1, 89, 91]) d;
select pg_temp.fire('24:00');
select is((select result ->> 'occurrences' from core.system_schedule
            where name = 'cleanup-old-results'), '1',
          'what is older than 90 days goes at midnight');
select is((select count(*) from core.job where state = 'done'), 0::bigint,
          'so do results of jobs');

update core.system_schedule set enabled = name = 'auto-scale-workers';
alter table core.queue_scale add check (false) not valid;
set client_min_messages = error;              -- the keeper's log has it, too
select pg_temp.fire('24:00', '30 seconds');
select is((select error like '%violates check%' from core.system_schedule
            where name = 'auto-scale-workers'), true,
          'one that fails says why');
select is((select next_at from core.system_schedule
            where name = 'auto-scale-workers'),
          pg_temp.at('24:00') + interval '1 minute', 'and is due again at its next time');


-- What cannot be read any more, as a zone that has left the server's tables.

select pg_temp.plan('lost'), pg_temp.plan('other');
update core.schedule set timezone = 'Gone/Nowhere'
 where id = pg_temp.id('lost');
select pg_temp.due('lost', pg_temp.at('15:00')),
       pg_temp.due('other', pg_temp.at('15:00'));
update core.system_schedule set timezone = 'Gone/Nowhere', next_at = null
 where name = 'auto-scale-workers';
select is(pg_temp.fire('15:00'), 2, 'both are looked at');
select is(pg_temp.jobs('other'), 1::bigint,
          'a schedule that cannot be read holds up no other');
select is((pg_temp.row('lost')).next_at, null, 'it is not due again');
select isnt((pg_temp.row('lost')).error, null, 'and says why');
select isnt((select error from core.system_schedule
              where name = 'auto-scale-workers'), null,
            'nor does one of the system''s own, which says so, too');
select api.update_schedule(pg_temp.a(), pg_temp.by_id('lost',
    '{"timezone": "Europe/Berlin"}'));
select isnt((pg_temp.row('lost')).next_at, null,
            'with a zone that is known it is due again');

select * from finish();
rollback;
