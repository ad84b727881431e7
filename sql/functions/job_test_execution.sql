-- The kind test_execution: speak a case's input to the voice agent.

create or replace function work.start_test_execution(
    p_job uuid, p_token bigint)
returns json
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    j  core.job := core.start_job(p_job, p_token);
    e  core.voice_test_execution
       := core.execution_lock((j.args ->> 'execution_id')::uuid);
begin
    -- a second attempt finds it running
    if e.status <> 'running' and not core.execution_set_state(e, 'running')
    then
        perform core.fail('INVALID_STATE', 'The execution has ended.');
    end if;

    return json_build_object(
        'execution_id', e.id, 'test_run_id', e.test_run_id,
        'tenant_id', e.tenant_id, 'test_case_id', e.test_case_id,
        'test_case_name', e.test_case_name,
        'language_code', e.language_code, 'input_text', e.input_text,
        'voice', e.voice, 'domain', e.domain, 'agent', e.agent,
        'context', (select v.snapshot -> 'scenario_definition'
                      from core.test_case_version v
                     where v.tenant_id = e.tenant_id
                       and v.test_case_id = e.test_case_id
                       and v.version_number = e.test_case_version),
        'settings', (select t.settings from core.tenant t
                      where t.id = e.tenant_id));
end
$$;

-- Stores what the call gave.
create or replace function core.execution_store(p_id uuid, p_result jsonb)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    update core.voice_test_execution e
       set response_text = p_result ->> 'response_text',
           written_response = p_result ->> 'written_response',
           transcript = p_result ->> 'transcript',
           intent = p_result ->> 'intent',
           command_kind = p_result ->> 'command_kind',
           response_entities = coalesce(
               nullif(p_result -> 'entities', 'null'), '{}'),
           asr_confidence = (p_result ->> 'asr_confidence')::numeric,
           input_audio_key = p_result #>> '{input_audio,object}',
           input_audio_bytes = (p_result #>> '{input_audio,bytes}')::bigint,
           input_audio_ms
               = (p_result #>> '{input_audio,duration_ms}')::numeric,
           response_audio_key = p_result #>> '{response_audio,object}',
           response_audio_bytes
               = (p_result #>> '{response_audio,bytes}')::bigint,
           response_audio_ms
               = (p_result #>> '{response_audio,duration_ms}')::numeric,
           first_byte_ms = (p_result #>> '{timings,first_byte_ms}')::numeric,
           final_result_ms
               = (p_result #>> '{timings,final_result_ms}')::numeric,
           network_ms = (p_result #>> '{timings,network_ms}')::numeric,
           rtf = (p_result ->> 'rtf')::numeric,
           processing_mode = p_result ->> 'processing_mode',
           conversation_state
               = nullif(p_result -> 'conversation_state', 'null'),
           agent_provider = p_result #>> '{agent,provider}',
           agent = coalesce(p_result #>> '{agent,profile}', e.agent)
     where e.tenant_id = core.tenant() and e.id = p_id;
end
$$;

create or replace function work.finish_test_execution(
    p_job uuid, p_token bigint, p_result json)
returns table (accepted boolean, wake text[])
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    j         core.job := core.hold_job(p_job, p_token);
    e         core.voice_test_execution;
    v_result  jsonb := p_result::jsonb;
begin
    if j.id is null or j.kind <> 'test_execution' then
        return query select false, null::text[];
        return;
    end if;

    e := core.execution_lock((j.args ->> 'execution_id')::uuid);
    accepted := true;
    wake := core.end_job(j.id);

    if e.status = 'running' then
        perform core.execution_store(e.id, v_result);

        if v_result ->> 'skipped' is not null then
            perform core.execution_set_state(e, 'skipped',
                        p_note => v_result ->> 'skipped');
        else
            perform core.add_job('validation', j.args, j.subject_id,
                                 j.priority);
            wake := wake || core.wake('validation');
        end if;
    end if;

    return next;
end
$$;

create or replace trigger test_execution_dead
    after update of state on core.job for each row
    when (new.kind = 'test_execution' and new.state = 'dead'
          and old.state <> 'dead')
    execute function core.execution_job_dead();
