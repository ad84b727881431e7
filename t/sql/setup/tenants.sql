-- What the files of voice tests begin with: two tenants, a and b, each with
-- an administrator's key, and short names for what the tests do often.  The
-- API's functions run as their owner, so RLS holds although the tests are a
-- superuser.

insert into core.tenant (id, business_name)
values ('00000000-0000-7000-8000-00000000000a', 'Acme'),
       ('00000000-0000-7000-8000-00000000000b', 'Beta');

insert into core.api_key (tenant_id, id, name, prefix, last_four, hash, role)
values ('00000000-0000-7000-8000-00000000000a',
        '00000000-0000-7000-8000-0000000000aa', 'test', 'vg_test', '0000',
        repeat('a', 64), 'admin'),
       ('00000000-0000-7000-8000-00000000000b',
        '00000000-0000-7000-8000-0000000000bb', 'test', 'vg_test', '0000',
        repeat('b', 64), 'admin');

create temporary table note (name text primary key, id uuid, reply json);

-- The context of tenant a's or b's administrator.
create function pg_temp.a() returns api.ctx language sql volatile
as $$
    select api.enter('00000000-0000-7000-8000-00000000000a',
        '00000000-0000-7000-8000-0000000000aa', 'api_key', 'admin', null,
        'request-a', '192.0.2.1')
$$;

create function pg_temp.b() returns api.ctx language sql volatile
as $$
    select api.enter('00000000-0000-7000-8000-00000000000b',
        '00000000-0000-7000-8000-0000000000bb', 'api_key', 'admin', null,
        'request-b', '192.0.2.2')
$$;

-- Remembers a reply by a name: its data's id, its data.
create function pg_temp.note(p_name text, p_reply api.reply)
returns api.reply language sql volatile
as $$
    insert into note (name, id, reply)
    values (p_name, (p_reply.data ->> 'id')::uuid, p_reply.data)
    on conflict (name) do update set id = excluded.id,
                                     reply = excluded.reply;
    select p_reply;
$$;

create function pg_temp.id(p_name text) returns uuid language sql stable
as $$ select n.id from note n where n.name = p_name $$;

-- Arguments with the id of what was noted.
create function pg_temp.by_id(p_name text, p_more jsonb default '{}')
returns jsonb language sql stable
as $$ select jsonb_build_object('id', pg_temp.id(p_name)) || p_more $$;

-- Claims a queue's next job: {job_id, token, args}.
create function pg_temp.claim(p_queue text) returns jsonb
language sql volatile
as $$
    select jsonb_build_object('job_id', c.job_id, 'token', c.token,
                              'args', c.args)
      from work.claim('test', p_queue, 1) c
$$;

-- Claims, starts and finishes a test_execution job with an answer; what
-- finish said.
create function pg_temp.speak(p_result json default null) returns jsonb
language plpgsql volatile
as $$
declare
    j  jsonb := pg_temp.claim('test_execution');
begin
    perform work.start_test_execution((j ->> 'job_id')::uuid,
                                      (j ->> 'token')::bigint);
    return (select to_jsonb(f) from work.finish_test_execution(
                (j ->> 'job_id')::uuid, (j ->> 'token')::bigint,
                coalesce(p_result, '{"response_text": "going home",
                    "transcript": "take me home", "intent": "navigate",
                    "entities": {"to": "home"}, "asr_confidence": 0.9,
                    "timings": {"first_byte_ms": 20,
                        "final_result_ms": 300.5, "network_ms": 2},
                    "agent": {"provider": "houndify",
                        "profile": "builtin"}}')) f);
end
$$;

-- The same for the validation job with a decision.
create function pg_temp.judge(p_decision text, p_confidence numeric)
returns jsonb
language plpgsql volatile
as $$
declare
    j  jsonb := pg_temp.claim('validation');
begin
    perform work.start_validation((j ->> 'job_id')::uuid,
                                  (j ->> 'token')::bigint);
    return (select to_jsonb(f) from work.finish_validation(
                (j ->> 'job_id')::uuid, (j ->> 'token')::bigint,
                json_build_object('decision', p_decision,
                    'confidence_score', p_confidence,
                    'heard_text', 'going home', 'wer_score', 0.25,
                    'wer_raw', 1.5, 'gates', json_build_array())) f);
end
$$;

-- Fails a queue's next job for good.
create function pg_temp.kill(p_queue text) returns text
language plpgsql volatile
as $$
declare
    j  jsonb := pg_temp.claim(p_queue);
begin
    return (select f.state from work.fail((j ->> 'job_id')::uuid,
                (j ->> 'token')::bigint, 'the agent is gone', false, 0) f);
end
$$;

-- A suite with so many one-language cases, noted as "suite" and "case1" ...
create function pg_temp.suite(p_cases int) returns void
language plpgsql volatile
as $$
begin
    perform pg_temp.note('suite', api.create_test_suite(pg_temp.a(),
        '{"name": "Suite"}'));
    perform pg_temp.note('outcome', api.create_expected_outcome(pg_temp.a(),
        '{"outcome_code": "HOME", "name": "Home",
          "expected_intent": "navigate", "entities": {"to": "home"},
          "expected_response": "going home"}'));

    for i in 1 .. p_cases loop
        perform pg_temp.note('case' || i, api.create_test_case(pg_temp.a(),
            jsonb_build_object('name', 'Case ' || i,
                'suite_id', pg_temp.id('suite'), 'languages',
                '[{"language_code": "en-US",
                   "input_text": "take me home"}]'::jsonb)));
        perform api.link_test_case_outcome(pg_temp.a(),
            pg_temp.by_id('case' || i, jsonb_build_object(
                'expected_outcome_id', pg_temp.id('outcome'))));
    end loop;
end
$$;

-- Starts a run of the suite, noted.
create function pg_temp.run(p_name text) returns api.reply
language sql volatile
as $$
    select pg_temp.note(p_name, api.create_test_run(pg_temp.a(),
        jsonb_build_object('suite_id', pg_temp.id('suite'))))
$$;

-- A member of a run as the API shows it now.
create function pg_temp.shows(p_name text, p_member text) returns text
language sql volatile
as $$
    select (api.get_test_run(pg_temp.a(), pg_temp.by_id(p_name))).data
               ->> p_member
$$;

-- How many events of a type a run has had.
create function pg_temp.events(p_name text, p_type text) returns bigint
language sql stable
as $$
    select count(*) from core.event e
     where e.subject_id = pg_temp.id(p_name) and e.type = p_type
$$;
