-- Executions: the picture they take, their jobs, tokens, recordings.

begin;
\ir setup/tenants.sql
select no_plan();

select pg_temp.suite(1);
select lives_ok($$ select api.update_test_suite(pg_temp.a(),
    pg_temp.by_id('suite', '{"agent": "staging"}')) $$,
    'a suite names its agent');
select lives_ok($$ select api.update_test_case(pg_temp.a(),
    pg_temp.by_id('case1', '{"scenario_definition": {"city": "Rome"}}')) $$,
    'a case has a scenario');
select is((pg_temp.run('run')).status, 201, 'a run is made');

select lives_ok($$ insert into note (name, reply) values
    ('job', pg_temp.claim('test_execution')::json) $$, 'its job is claimed');

create function pg_temp.job() returns uuid language sql stable
as $$ select (n.reply ->> 'job_id')::uuid from note n
       where n.name = 'job' $$;
create function pg_temp.token() returns bigint language sql stable
as $$ select (n.reply ->> 'token')::bigint from note n
       where n.name = 'job' $$;

-- a picture: what changes now is not what this run tests

select lives_ok($$ select api.put_test_case_language(pg_temp.a(),
        pg_temp.by_id('case1',
            '{"code": "en-US", "input_text": "changed"}'));
    select api.update_test_case(pg_temp.a(),
        pg_temp.by_id('case1', '{"scenario_definition": {}}'));
    select api.update_expected_outcome(pg_temp.a(),
        pg_temp.by_id('outcome', '{"expected_intent": "changed"}')) $$,
    'case and outcome change after the run was made');

select throws_ok($$ select work.start_test_execution(pg_temp.job(),
    pg_temp.token() + 1) $$, 'V1409', 'INVALID_STATE',
    'a stale token does not start');
insert into note (name, reply)
select 'input', work.start_test_execution(pg_temp.job(), pg_temp.token());
select is((select n.reply #>> string_to_array(m.name, '.')
             from note n where n.name = 'input'),
          m.value, 'the job is told its ' || m.name)
  from (values ('input_text', 'take me home'), ('agent', 'staging'),
               ('domain', 'navigation'), ('language_code', 'en-US'),
               ('test_case_name', 'Case 1'), ('voice', null),
               ('context.city', 'Rome'))
       m (name, value);
select is(work.start_test_execution(pg_temp.job(), pg_temp.token())
          ->> 'input_text', 'take me home',
    'a second start gives the same');
select is(pg_temp.events('run', 'test_run.started'), 1::bigint,
    'and does not start the run twice');

-- finishing

select is((select f.accepted from work.finish_test_execution(pg_temp.job(),
    pg_temp.token() + 1, '{}') f), false, 'a stale token is not accepted');
select is((select f.accepted from work.finish_validation(pg_temp.job(),
    pg_temp.token(), '{"decision": "auto_pass"}') f), false,
    'nor another kind''s end');
select throws_ok($$ select work.finish_test_execution(pg_temp.job(),
    pg_temp.token(), '{"input_audio": {"object": "../../etc/passwd"}}') $$,
    '23514', null, 'a recording has the key of an object');
select is((select f.accepted from work.finish_test_execution(pg_temp.job(),
        pg_temp.token(), format('{"skipped": null,
            "response_text": "going home",
            "written_response": "Going home.", "transcript": "take me home",
            "intent": "navigate", "command_kind": "NavigationCommand",
            "entities": {"to": "home"}, "asr_confidence": 0.875,
            "input_audio": {"object": "aa/%s.wav", "bytes": 32044,
                "duration_ms": 1000},
            "response_audio": null, "rtf": 0.25,
            "timings": {"first_byte_ms": 12.5, "final_result_ms": 340,
                "network_ms": 3},
            "processing_mode": "audio", "conversation_state": {"turn": 1},
            "agent": {"provider": "houndify", "profile": "staging"}}',
            repeat('a', 64))::json) f), true, 'the answer is stored');
select is((select f.accepted from work.finish_test_execution(pg_temp.job(),
    pg_temp.token(), '{}') f), false, 'finishing twice is impossible');
select is((select count(*)::int from core.job j
            where j.subject_id = pg_temp.id('run')
              and j.kind = 'validation'), 1, 'there is one validation job');

insert into note (name, id, reply)
select 'execution', (l.data -> 0 ->> 'id')::uuid, l.data -> 0
  from api.list_test_run_executions(pg_temp.a(), pg_temp.by_id('run')) l;

select is((select n.reply #>> string_to_array(m.name, '.')
             from note n where n.name = 'execution'), m.value,
          'the execution shows its ' || m.name)
  from (values ('status', 'running'), ('response_text', 'going home'),
               ('transcript', 'take me home'), ('intent', 'navigate'),
               ('response_entities.to', 'home'), ('asr_confidence', '0.875'),
               ('response_time_ms', '340'), ('timings.first_byte_ms', '12.5'),
               ('rtf', '0.25'), ('agent_provider', 'houndify'),
               ('response_audio_url', null), ('completed_at', null))
       m (name, value);
select is((select n.reply ->> 'input_audio_url' from note n
            where n.name = 'execution'),
    '/api/v1/executions/' || pg_temp.id('execution') || '/audio/input',
    'and where its recording is');
select is((api.get_execution_audio(pg_temp.a(), pg_temp.by_id('execution',
        '{"kind": "input"}'))).headers ->> 'X-Accel-Redirect',
    '/objects/aa/' || repeat('a', 64) || '.wav',
    'the edge is sent to the object');
select throws_ok($$ select api.get_execution_audio(pg_temp.a(),
    pg_temp.by_id('execution', '{"kind": "response"}')) $$, 'V1404',
    'RESOURCE_NOT_FOUND', 'a recording that was not made does not exist');

-- validation

update note set reply = pg_temp.claim('validation')::json
 where name = 'job';
update note set reply = work.start_validation(pg_temp.job(),
                                              pg_temp.token())
 where name = 'input';
select is((select n.reply #>> string_to_array(m.name, '.')
             from note n where n.name = 'input'), m.value,
          'the validation is told ' || m.name)
  from (values ('expected.expected_intent', 'navigate'),
               ('expected.expected_response', 'going home'),
               ('expected.entities.to', 'home'),
               ('input_text', 'take me home'),
               ('response_text', 'going home'),
               ('timings.final_result_ms', '340'), ('response_audio', null),
               ('policy', null)) m (name, value);
select throws_ok($$ select work.finish_validation(pg_temp.job(),
    pg_temp.token(), '{"decision": "maybe"}') $$, '23514', null,
    'an unknown decision is refused');
select throws_ok($$ select work.finish_validation(pg_temp.job(),
    pg_temp.token(), '{"decision": "auto_pass",
                       "confidence_score": 90}') $$, '23514', null,
    'a score in percent is refused');
select is((select f.accepted from work.finish_validation(pg_temp.job(),
        pg_temp.token(), '{"decision": "auto_pass", "wer_score": 4,
            "wer_raw": 4, "confidence_score": 0.9,
            "heard_text": "going home", "semantic_method": "lexical",
            "alignment": {"substitutions": 1, "deletions": 0,
                          "insertions": 3, "ops": "SIII"},
            "response_patterns": {"passed": true, "errors": []},
            "gates": [{"name": "answer", "passed": true}]}') f), true,
    'a result is stored');
select is((api.get_execution(pg_temp.a(), pg_temp.by_id('execution'))
    ).data ->> 'status', 'passed', 'auto_pass passes');
select is((api.get_execution(pg_temp.a(), pg_temp.by_id('execution'))
    ).data ->> 'heard_text', 'going home', 'what was heard is shown');

-- isolation

select throws_ok($$ select api.get_execution(pg_temp.b(),
    pg_temp.by_id('execution')) $$, 'V1404', 'RESOURCE_NOT_FOUND',
    'another tenant''s execution does not exist');
select throws_ok($$ select api.get_execution_audio(pg_temp.b(),
    pg_temp.by_id('execution', '{"kind": "input"}')) $$, 'V1404',
    'RESOURCE_NOT_FOUND', 'nor its recordings');

-- who is called where the suite names nobody

select lives_ok($$ select api.update_test_suite(pg_temp.a(),
    pg_temp.by_id('suite', '{"agent": null}')) $$, 'a suite names no agent');
update core.tenant set settings = '{"agent": "staging2"}';
select is((pg_temp.run('tenant')).status, 201, 'a run of it is made');
update core.tenant set settings = '{}';
select is((pg_temp.run('builtin')).status, 201, 'and another one');
select is((api.list_test_run_executions(pg_temp.a(), pg_temp.by_id(r.name))
    ).data #>> '{0,agent}', r.agent, r.agent || ' is called')
  from (values ('tenant', 'staging2'), ('builtin', 'builtin'))
       r (name, agent);
update core.job set run_at = now() + interval '1 hour'
 where state = 'queued';

-- a job that is lost for good makes an error

select is((pg_temp.run('lost')).status, 201, 'another run is made');
create function pg_temp.lose() returns text language plpgsql volatile
as $$
begin
    perform pg_temp.claim('test_execution');
    update core.job set lease_until = now() - interval '1 millisecond'
     where state = 'running';
    perform work.rescue();
    update core.job set run_at = now()
     where state = 'queued' and subject_id = pg_temp.id('lost');
    return (select j.state from core.job j
             where j.subject_id = pg_temp.id('lost'));
end
$$;
select is(pg_temp.lose(), 'queued', 'a lost job is queued again');
update core.job set lost = 9 where subject_id = pg_temp.id('lost');
select is(pg_temp.lose(), 'dead', 'until it was lost too often');
select is(pg_temp.shows('lost', 'status'), 'failed', 'its run has failed');
select is(pg_temp.shows('lost', 'error_tests'), '1', 'by an error');
select is(pg_temp.events('lost', 'test_run.failed'), 1::bigint,
    'its end is one event');

select is((select string_agg(c.label || ' ' || c.n, ', ' order by c.label)
             from (select k.label, sum(k.value) as n from core.counter k
                    where k.name = 'test_executions' group by k.label) c),
    'error 1, passed 1', 'results are counted for the metrics');

select * from finish();
rollback;
