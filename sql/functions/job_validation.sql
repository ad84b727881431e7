-- The kind validation: listen to the answer and score it.

create or replace function work.start_validation(p_job uuid, p_token bigint)
returns json
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    j  core.job := core.start_job(p_job, p_token);
    e  core.voice_test_execution
       := core.execution_get((j.args ->> 'execution_id')::uuid);
begin
    if e.status <> 'running' then
        perform core.fail('INVALID_STATE', 'The execution has ended.');
    end if;

    return json_build_object(
        'execution_id', e.id, 'test_run_id', e.test_run_id,
        'tenant_id', e.tenant_id, 'language_code', e.language_code,
        'domain', e.domain, 'input_text', e.input_text,
        'response_text', e.response_text,
        'written_response', e.written_response,
        'transcript', e.transcript, 'intent', e.intent,
        'command_kind', e.command_kind, 'entities', e.response_entities,
        'asr_confidence', e.asr_confidence,
        'response_audio', case when e.response_audio_key is not null
            then json_build_object('object', e.response_audio_key,
                'bytes', e.response_audio_bytes,
                'duration_ms', e.response_audio_ms) end,
        'timings', json_build_object('first_byte_ms', e.first_byte_ms,
            'final_result_ms', e.final_result_ms,
            'network_ms', e.network_ms),
        'expected', e.expected,
        'policy', (select t.settings -> 'validation' from core.tenant t
                    where t.id = e.tenant_id));
end
$$;

create or replace function work.finish_validation(
    p_job uuid, p_token bigint, p_result json)
returns table (accepted boolean, wake text[])
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    j           core.job := core.hold_job(p_job, p_token);
    e           core.voice_test_execution;
    v_decision  text := p_result ->> 'decision';
begin
    if j.id is null or j.kind <> 'validation' then
        return query select false, null::text[];
        return;
    end if;

    e := core.execution_lock((j.args ->> 'execution_id')::uuid);
    accepted := true;
    wake := core.end_job(j.id);

    if e.status = 'running' then
        perform core.validation_result_add(e, p_result::jsonb);
        perform core.execution_set_state(e,
            case v_decision when 'auto_pass' then 'passed'
                            when 'auto_fail' then 'failed'
                            else 'pending' end,
            p_review => v_decision);
    end if;

    return next;
end
$$;

create or replace trigger validation_dead
    after update of state on core.job for each row
    when (new.kind = 'validation' and new.state = 'dead'
          and old.state <> 'dead')
    execute function core.execution_job_dead();
