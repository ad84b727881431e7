-- Test runs: planning, counters, the end, cancel, retry, isolation.

begin;
\ir setup/tenants.sql
select no_plan();

select pg_temp.suite(3);

-- creation

select is((pg_temp.run('run')).status, 201, 'a run of a suite is made');
select is((select n.reply ->> 'total_tests' from note n
            where n.name = 'run'), '3', 'with an execution for each case');
select is((select n.reply ->> 'status' from note n where n.name = 'run'),
    'pending', 'it is pending');
select is((select n.reply ->> 'in_progress' from note n
            where n.name = 'run'), '3', 'all are in progress');
select is((pg_temp.run('other')).wake,
    array['test_execution', 'test_execution', 'test_execution'],
    'the queue is woken once for each job');
select is((select count(*)::int from core.job j
            where j.subject_id = pg_temp.id('run')
              and j.kind = 'test_execution' and j.state = 'queued'), 3,
    'each execution has a job');
select is(pg_temp.events('run', 'test_run.created'), 1::bigint,
    'its creation is an event');
select is((api.stream_test_run(pg_temp.a(), pg_temp.by_id('run'))
    ).data ->> 'channel', 'test_run.' || pg_temp.id('run'),
    'its channel is given');

select throws_ok(format('select api.create_test_run(pg_temp.a(), %s)',
        r.args), r.code, null, r.name)
  from (values
    ($$ '{}' $$, 'V1422', 'a run of nothing is refused'),
    ($$ jsonb_build_object('suite_id', pg_temp.id('suite'),
            'test_case_ids', jsonb_build_array(pg_temp.id('case1'))) $$,
     'V1422', 'a run of a suite and of cases is refused'),
    ($$ '{"suite_id": "00000000-0000-7000-8000-0000000000ff"}' $$,
     'V1404', 'a run of an unknown suite is refused'),
    ($$ '{"test_case_ids": ["00000000-0000-7000-8000-0000000000ff"]}' $$,
     'V1404', 'a run of an unknown case is refused'),
    ($$ jsonb_build_object('suite_id', pg_temp.id('suite'),
            'languages', '["!"]'::jsonb) $$,
     'V1422', 'a malformed language is refused'),
    ($$ jsonb_build_object('suite_id', pg_temp.id('suite'),
            'trigger_type', 'odd') $$,
     '23514', 'an unknown trigger is refused')) r (args, code, name);
select lives_ok($$ select pg_temp.note('empty', api.create_test_suite(
    pg_temp.a(), '{"name": "Empty"}')) $$, 'a suite without cases is made');
select throws_ok($$ select api.create_test_run(pg_temp.a(),
    jsonb_build_object('suite_id', pg_temp.id('empty'))) $$, 'V1422',
    'VALIDATION_ERROR', 'a run of it is refused');

-- languages

create function pg_temp.planned(p_args jsonb) returns text
language plpgsql volatile
as $$
declare
    r  api.reply := api.create_test_run(pg_temp.a(), p_args);
begin
    return (select string_agg(concat_ws(' ', e ->> 'language_code',
                                        e ->> 'status'), ', ')
              from json_array_elements((api.list_test_run_executions(
                       pg_temp.a(), jsonb_build_object('id',
                           r.data ->> 'id'))).data) e);
end
$$;

select lives_ok($$ select pg_temp.note('poly', api.create_test_case(
    pg_temp.a(), jsonb_build_object('name', 'Poly',
        'suite_id', pg_temp.id('empty'), 'languages',
        '[{"language_code": "en-US", "input_text": "a"},
          {"language_code": "de", "input_text": "b"}]'::jsonb))) $$,
    'a case has two languages');

create function pg_temp.plan(p_config text, p_languages text) returns text
language plpgsql volatile
as $$
begin
    perform api.update_test_suite(pg_temp.a(), pg_temp.by_id('empty',
        jsonb_build_object('language_config', p_config::jsonb)));
    return pg_temp.planned(jsonb_build_object(
        'suite_id', pg_temp.id('empty'), 'languages', p_languages::jsonb));
end
$$;

select is(pg_temp.plan(p.config, p.languages), p.planned,
          p.config || ' with ' || p.languages)
  from (values
    ('{"mode": "primary"}', '[]', 'en-US pending'),
    ('{"mode": "all"}', '[]', 'en-US pending, de pending'),
    ('{"mode": "specific", "languages": ["de", "fr"]}', '[]',
     'de pending, fr skipped'),
    ('{"fallback_behavior": "skip"}', '["DE", "en-gb"]',
     'de pending, en-GB skipped'),
    ('{"fallback_behavior": "smart"}', '["en-GB", "fr"]',
     'en-US pending, fr skipped'),
    ('{"fallback_behavior": "smart"}', '["en-GB", "en-US"]',
     'en-US pending'),
    ('{"fallback_behavior": "fail"}', '["de", "fr"]',
     'de pending, fr failed')) p (config, languages, planned);
select is(pg_temp.planned(jsonb_build_object('test_case_ids',
        jsonb_build_array(pg_temp.id('poly'), pg_temp.id('case1'),
                          pg_temp.id('poly')))),
    'de pending, fr failed, en-US pending',
    'a case named twice runs once, each as its own suite says');
select lives_ok($$ select pg_temp.note('mute', api.create_test_case(
    pg_temp.a(), '{"name": "Mute"}')) $$, 'a case has no language');
select is(pg_temp.planned(jsonb_build_object('test_case_ids',
        jsonb_build_array(pg_temp.id('mute')))),
    'und skipped', 'its execution is skipped');
select is((select r.status from core.test_run r
             join core.voice_test_execution e on e.test_run_id = r.id
            where e.test_case_id = pg_temp.id('mute')), 'completed',
    'a run with nothing to speak ends at once');
select is((select e.reason from core.voice_test_execution e
            where e.test_case_id = pg_temp.id('mute')),
    'The case has no language.', 'the reason is given');

update core.job set state = 'cancelled', ended_at = now()
 where state = 'queued' and subject_id not in (pg_temp.id('run'),
                                               pg_temp.id('other'));
update core.job set run_at = now() + interval '1 hour'
 where subject_id = pg_temp.id('other');

-- counters and the end

select is(pg_temp.speak() ->> 'wake', '["validation"]',
    'a spoken execution wakes its validation');
select is(pg_temp.shows('run', 'status'), 'running', 'the run is running');
select is(pg_temp.events('run', 'test_run.started'), 1::bigint,
    'its start is an event');
select is(pg_temp.judge('auto_pass', 0.9) ->> 'accepted', 'true',
    'a validation is finished');
select is(pg_temp.shows('run', 'passed_tests'), '1', 'auto_pass passes');
select is(pg_temp.shows('run', 'progress_percentage'), '33.3',
    'progress is a third');
select is(pg_temp.speak() ->> 'accepted', 'true', 'the second one speaks');
select is(pg_temp.judge('manual_review', 0.5) ->> 'accepted', 'true',
    'it is left to a human');
select is(pg_temp.shows('run', 'pending_validation'), '1', 'it is counted');
select is(pg_temp.shows('run', 'in_progress'), '1', 'and not in progress');
select is(pg_temp.speak('{"skipped": "no recogniser for en-US"}')
          ->> 'wake', '[]', 'a skipped one wakes nothing');
select is(pg_temp.shows('run', 'skipped_tests'), '1', 'it is counted');
select is(pg_temp.shows('run', 'status'), 'completed',
    'the run ends without waiting for the human');
select is(pg_temp.shows('run', 'progress_percentage'), '100.0',
    'progress is complete');
select is(pg_temp.events('run', 'test_run.completed'), 1::bigint,
    'its end is one event');
select is(pg_temp.events('run', 'test_execution.completed'), 3::bigint,
    'so is each execution''s');
select is(pg_temp.events('run', 'test_run.started'), 1::bigint,
    'it started once');
select is((select sum((r.data ->> m)::int)::int
             from (select (api.get_test_run(pg_temp.a(),
                               pg_temp.by_id('run'))).data) r,
                  unnest(array['passed_tests', 'failed_tests',
                      'skipped_tests', 'pending_validation',
                      'in_progress']) m), 3, 'the counters sum to the total');
select throws_ok($$ select api.retry_test_run(pg_temp.a(),
    pg_temp.by_id('run')) $$, 'V1409', 'INVALID_STATE',
    'a run without failures cannot be retried');
select throws_ok($$ select api.cancel_test_run(pg_temp.a(),
    pg_temp.by_id('run')) $$, 'V1409', 'INVALID_STATE',
    'a run that ended cannot be cancelled');

-- a human's verdict

select is((api.review_validation_result(pg_temp.a(), jsonb_build_object(
        'id', (select v.id from core.validation_result v
                where v.test_run_id = pg_temp.id('run')
                  and v.review_status = 'manual_review'),
        'decision', 'fail'))).data ->> 'status', 'failed',
    'a human fails what was left to him');
select is(pg_temp.shows('run', 'pending_validation'), '0',
    'nothing is pending then');
select is(pg_temp.shows('run', 'status'), 'failed',
    'the run has failed by it');
select is(pg_temp.events('run', 'test_run.completed')
          + pg_temp.events('run', 'test_run.failed'), 1::bigint,
    'its end stays one event');
select is((api.review_validation_result(pg_temp.a(), jsonb_build_object(
        'id', (select v.id from core.validation_result v
                where v.test_run_id = pg_temp.id('run')
                  and v.review_status = 'manual_review'),
        'decision', 'pass'))).data ->> 'status', 'passed',
    'a human may change his mind');
select is(pg_temp.shows('run', 'status'), 'completed',
    'the run''s state follows');

-- cancel

create function pg_temp.skips() returns numeric
language sql stable as $$
    select coalesce(sum(c.value), 0) from core.counter c
     where c.name = 'test_executions' and c.label = 'skipped'
$$;
insert into note (name, reply) values
    ('skips', to_json(pg_temp.skips()));
update core.job set run_at = now() where subject_id = pg_temp.id('other');
select is(pg_temp.speak() ->> 'accepted', 'true', 'another run starts');
select lives_ok($$ insert into note (name, reply) values
    ('claimed', pg_temp.claim('test_execution')::json) $$,
    'a job of it is claimed');
select is((api.cancel_test_run(pg_temp.a(), pg_temp.by_id('other'))
    ).data ->> 'status', 'cancelled', 'a running run is cancelled');
select is(pg_temp.shows('other', 'skipped_tests'), '3',
    'what had not ended is skipped');
select is(pg_temp.skips() - (select (n.reply #>> '{}')::numeric from note n
                              where n.name = 'skips'), 3::numeric,
    'and counted for the metrics');
select is((select count(*)::int from core.job j
            where j.subject_id = pg_temp.id('other')
              and j.state in ('queued', 'running')), 0,
    'no job of it is left');
select is((select f.accepted from note n,
                  work.finish_test_execution(
                      (n.reply ->> 'job_id')::uuid,
                      (n.reply ->> 'token')::bigint, '{}') f
            where n.name = 'claimed'), false,
    'a job that was in flight is not accepted');
select is(pg_temp.shows('other', 'status'), 'cancelled',
    'the run stays cancelled');
select is(pg_temp.events('other', 'test_run.cancelled'), 1::bigint,
    'the cancel is an event');
select is(pg_temp.events('other', 'test_run.completed')
          + pg_temp.events('other', 'test_run.failed'), 0::bigint,
    'the run did not end otherwise');
select throws_ok($$ select api.cancel_test_run(pg_temp.a(),
    pg_temp.by_id('other')) $$, 'V1409', 'INVALID_STATE',
    'it cannot be cancelled twice');

-- retry

select is((pg_temp.run('bad')).status, 201, 'a third run is made');
select throws_ok($$ select api.retry_test_run(pg_temp.a(),
    pg_temp.by_id('bad')) $$, 'V1409', 'INVALID_STATE',
    'a run that has not ended cannot be retried');
select is(pg_temp.speak() ->> 'accepted', 'true', 'its first one speaks');
select is(pg_temp.judge('auto_fail', 0.1) ->> 'accepted', 'true',
    'and fails');
select is(pg_temp.kill('test_execution'), 'dead', 'the second one dies');
select is(pg_temp.speak() ->> 'accepted', 'true', 'its third one speaks');
select is(pg_temp.kill('validation'), 'dead', 'and dies in validation');
select is(pg_temp.shows('bad', 'status'), 'failed', 'the run has failed');
select is(pg_temp.shows('bad', 'failed_tests'), '3',
    'errors count as failures');
select is(pg_temp.shows('bad', 'error_tests'), '2', 'and apart');
select is((select count(*)::int from core.voice_test_execution e
            where e.test_run_id = pg_temp.id('bad')
              and e.error_message = 'the agent is gone'), 2,
    'an error says why');
select is(pg_temp.events('bad', 'test_run.failed'), 1::bigint,
    'its end is one event');
select lives_ok($$ select api.delete_test_case(pg_temp.a(),
    pg_temp.by_id('case3')) $$, 'a case is deleted meanwhile');
select is((pg_temp.note('again', api.retry_test_run(pg_temp.a(),
    pg_temp.by_id('bad')))).data ->> 'total_tests', '3',
    'what failed is retried');
select is((select n.reply ->> 'trigger_type' from note n
            where n.name = 'again'), 'retry', 'as a retry');
select is((select n.reply ->> 'retry_of' from note n
            where n.name = 'again'), pg_temp.id('bad')::text,
    'of that run');
select is((select n.reply ->> 'skipped_tests' from note n
            where n.name = 'again'), '1', 'a deleted case is skipped');

-- lists

select is((api.list_test_runs(pg_temp.a(), f.filter)
    ).pagination ->> 'total_items', f.found, 'filter ' || f.filter::text)
  from (values ('{"status": "cancelled"}'::jsonb, '1'),
               ('{"trigger_type": "retry"}', '1'),
               ('{"end_date": "2000-01-01T00:00:00Z"}', '0'),
               ('{"language_code": "DE", "status": "pending"}', '5'),
               ('{"created_by": "00000000-0000-7000-8000-0000000000bb"}',
                '0')) f (filter, found);
select is((api.list_test_runs(pg_temp.a(), jsonb_build_object('suite_id',
        pg_temp.id('suite')))).pagination ->> 'total_items', '4',
    'the runs of a suite are listed');

-- isolation

select throws_ok(format('select api.%I(pg_temp.b(), pg_temp.by_id(%L))',
        f.name, 'run'), 'V1404', 'RESOURCE_NOT_FOUND',
    f.name || ' does not know another tenant''s run')
  from (values ('get_test_run'), ('cancel_test_run'), ('retry_test_run'),
               ('list_test_run_executions'), ('stream_test_run'))
       f (name);
select throws_ok($$ select api.create_test_run(pg_temp.b(),
    jsonb_build_object('suite_id', pg_temp.id('suite'))) $$, 'V1404',
    'RESOURCE_NOT_FOUND', 'another tenant cannot run our suite');
select throws_ok($$ select api.create_test_run(pg_temp.b(),
    jsonb_build_object('test_case_ids',
        jsonb_build_array(pg_temp.id('case1')))) $$, 'V1404',
    'RESOURCE_NOT_FOUND', 'nor our case');

select core.use_tenant('00000000-0000-7000-8000-00000000000b');
set local role voice_owner;
select is((select count(*)::int from core.test_run)
          + (select count(*)::int from core.voice_test_execution), 0,
    'RLS hides another tenant''s runs and executions');
reset role;

select * from finish();
rollback;
