-- Executions: one case in one language in one run.
--
-- pending -> running -> passed | failed | error | skipped.  An execution
-- whose verdict is left to a human is pending again, with review_status
-- manual_review: its call is over and its run does not wait for it.

-- What a validation found wrong, in a line; null: nothing.
create or replace function core.gates_failed(p_gates jsonb) returns text
language plpgsql immutable set search_path = core, pg_temp
as $$
begin
    return (select string_agg(g.gate ->> 'reason', '; ' order by g.place)
              from jsonb_array_elements(p_gates)
                   with ordinality g (gate, place)
             where not (g.gate ->> 'passed')::boolean);
end
$$;

create or replace function core.execution_json(e core.voice_test_execution)
returns json
language plpgsql stable set search_path = core, pg_temp
set plan_cache_mode = auto
as $$
begin
    return (select json_build_object(
            'id', e.id, 'test_run_id', e.test_run_id,
            'test_case_id', e.test_case_id,
            'test_case_name', e.test_case_name,
            'test_case_version', e.test_case_version,
            'expected_outcome_id', e.expected_outcome_id,
            'language_code', e.language_code, 'input_text', e.input_text,
            'voice', e.voice, 'agent', e.agent, 'domain', e.domain,
            'status', e.status, 'review_status', e.review_status,
            'reason', case when e.status <> 'passed' then
                coalesce(e.reason, e.error_message,
                         core.gates_failed(v.gates)) end,
            'error_message', e.error_message,
            'response_text', e.response_text,
            'written_response', e.written_response,
            'transcript', e.transcript, 'heard_text', v.heard_text,
            'intent', e.intent, 'command_kind', e.command_kind,
            'response_entities', e.response_entities,
            'asr_confidence', e.asr_confidence,
            'confidence_score', v.confidence_score, 'wer_score', v.wer_score,
            'validation_result_id', v.id,
            'response_time_ms', e.final_result_ms,
            'timings', json_build_object('first_byte_ms', e.first_byte_ms,
                'final_result_ms', e.final_result_ms,
                'network_ms', e.network_ms),
            'rtf', e.rtf, 'processing_mode', e.processing_mode,
            'agent_provider', e.agent_provider,
            'input_audio_url', case when e.input_audio_key is not null
                then '/api/v1/executions/' || e.id || '/audio/input' end,
            'input_audio_ms', e.input_audio_ms,
            'response_audio_url', case when e.response_audio_key is not null
                then '/api/v1/executions/' || e.id || '/audio/response' end,
            'response_audio_ms', e.response_audio_ms,
            'created_at', core.iso(e.created_at),
            'started_at', core.iso(e.started_at),
            'completed_at', core.iso(e.completed_at))
          from (select) one
          left join core.validation_result v
            on v.tenant_id = e.tenant_id and v.execution_id = e.id);
end
$$;

-- The executions of a plan.  What an execution tests is copied now: later
-- changes of cases and outcomes do not touch it.
create or replace function core.executions_add(
    p_run uuid, p_plan core.test_plan_item[])
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    insert into core.voice_test_execution (tenant_id, test_run_id, position,
        test_case_id, test_case_name, test_case_version,
        expected_outcome_id, language_code, input_text, voice, agent,
        domain, expected, status, reason, completed_at)
    select c.tenant_id, p_run, i.n, c.id, c.name, c.version, o.id,
           i.language_code, l.input_text, l.voice,
           coalesce(s.agent, t.settings ->> 'agent', 'builtin'),
           coalesce(o.domain, 'navigation'),
           case when o.id is null then '{}'
                else core.expected_outcome_merged(o, i.language_code) end,
           i.status, i.reason,
           case when i.status <> 'pending' then now() end
      from unnest(p_plan) with ordinality
           i (test_case_id, language_code, status, reason, n)
      join core.test_case c
        on c.tenant_id = core.tenant() and c.id = i.test_case_id
      join core.tenant t on t.id = c.tenant_id
      left join core.test_case_language l
        on l.tenant_id = c.tenant_id and l.test_case_id = c.id
       and l.language_code = i.language_code
      left join core.test_suite s
        on s.tenant_id = c.tenant_id and s.id = c.suite_id
      left join lateral core.test_case_expects(c.id, i.language_code) o
        on true;

    perform core.count('test_executions', i.status, count(*))
      from unnest(p_plan) i
     where i.status <> 'pending'
     group by i.status;
end
$$;

-- The execution, its run locked before it.
create or replace function core.execution_lock(p_id uuid)
returns core.voice_test_execution
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    e  core.voice_test_execution;
begin
    perform core.test_run_lock((
        select x.test_run_id from core.voice_test_execution x
         where x.tenant_id = core.tenant() and x.id = p_id));

    select * into e from core.voice_test_execution x
     where x.tenant_id = core.tenant() and x.id = p_id for update;

    return e;
end
$$;

-- The only place where one execution's state changes; the caller has it
-- from core.execution_lock().  p_note is the reason of a skip or the error.
-- False, and nothing is done, where the execution may not go there.
create or replace function core.execution_set_state(
    e core.voice_test_execution, p_status text, p_review text default null,
    p_note text default null)
returns boolean
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    -- pending with a review status is "in review"
    if not (case when e.status = 'pending' and e.review_status is not null
                 then 'review' else e.status end,
            case when p_status = 'pending' then 'review'
                 else p_status end) in (
               ('pending', 'running'), ('pending', 'skipped'),
               ('pending', 'error'), ('running', 'passed'),
               ('running', 'failed'), ('running', 'error'),
               ('running', 'skipped'), ('running', 'review'),
               ('review', 'passed'), ('review', 'failed'),
               ('passed', 'failed'), ('failed', 'passed'))
    then
        return false;
    end if;

    update core.voice_test_execution x
       set status = p_status,
           review_status = coalesce(p_review, x.review_status),
           reason = case p_status when 'skipped' then p_note
                                  else x.reason end,
           error_message = case p_status when 'error' then p_note
                                         else x.error_message end,
           started_at = case p_status when 'running' then now()
                                      else x.started_at end,
           completed_at = case when p_status <> 'running'
                               then coalesce(x.completed_at, now()) end
     where x.tenant_id = e.tenant_id and x.id = e.id;

    if p_status = 'running' then
        if core.test_run_set_state(e.test_run_id, 'running') then
            perform core.test_run_emit(e.test_run_id, 'started');
        end if;
    else
        perform core.execution_ended(e.id);
    end if;

    -- a total without a tenant: counted last, by its first end
    if p_status <> 'running' and e.completed_at is null then
        perform core.count('test_executions',
            case p_status when 'pending' then p_review else p_status end);
    end if;

    return true;
end
$$;

-- What follows from an execution's end, or from a human's verdict on it.
create or replace function core.execution_ended(p_id uuid) returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_run      uuid;
    v_payload  jsonb;
begin
    select e.test_run_id,
           jsonb_build_object(
               'test_run_id', e.test_run_id, 'test_execution_id', e.id,
               'test_case_name', e.test_case_name,
               'language_code', e.language_code, 'status', e.status,
               'review_status', e.review_status,
               'confidence_score', v.confidence_score)
      into v_run, v_payload
      from core.voice_test_execution e
      left join core.validation_result v
        on v.tenant_id = e.tenant_id and v.execution_id = e.id
     where e.tenant_id = core.tenant() and e.id = p_id;

    perform core.emit('test_execution.completed', 'test_run', v_run,
                      v_payload);
    perform core.test_run_settle(v_run);
end
$$;

-- Skips what has not ended of a run that is being cancelled; the caller
-- holds the run's row.
create or replace function core.executions_skip(p_run uuid, p_reason text)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_count  bigint;
begin
    update core.voice_test_execution e
       set status = 'skipped', reason = p_reason, completed_at = now()
     where e.tenant_id = core.tenant() and e.test_run_id = p_run
       and e.status in ('pending', 'running') and e.review_status is null;
    get diagnostics v_count = row_count;

    perform core.count('test_executions', 'skipped', v_count);
end
$$;

-- The trigger function of both kinds of jobs: a dead job makes its execution
-- an error, whatever killed it.
create or replace function core.execution_job_dead() returns trigger
language plpgsql security definer set search_path = core, pg_temp
as $$
declare
    v_tenant  uuid := core.tenant();
    v_id      uuid := (new.args ->> 'execution_id')::uuid;
begin
    perform core.use_tenant(new.tenant_id);

    -- a job may outlive what it was for: that must not keep it alive
    if exists (select from core.voice_test_execution x
                where x.tenant_id = new.tenant_id and x.id = v_id)
    then
        perform core.execution_set_state(core.execution_lock(v_id), 'error',
            p_note => coalesce(new.error, 'The job ended without a result.'));
    end if;

    perform core.use_tenant(v_tenant);

    return null;
end
$$;

create or replace function api.list_test_run_executions(
    ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    p           core.paging := core.page(args);
    r           core.test_run := core.test_run_get((args ->> 'id')::uuid);
    v_sort      text := coalesce(args ->> 'sort', 'position');
    v_status    text := args ->> 'status';
    v_review    text := args ->> 'review_status';
    v_language  text := core.language(args ->> 'language_code');
    v_like      text := core.pattern(args ->> 'search');
    v_total     bigint;
    v_data      json;
begin
    if v_language is null and args ->> 'language_code' is not null then
        perform core.language(args ->> 'language_code',
                              '/query/language_code');
    end if;

    with hit as not materialized (
        select e.* from core.voice_test_execution e
         where e.tenant_id = r.tenant_id
           and e.test_run_id = r.id
           and (v_status is null or e.status = v_status)
           and (v_review is null or e.review_status = v_review)
           and (v_language is null or e.language_code = v_language)
           and (v_like is null or e.test_case_name ilike v_like)
    )
    select (select count(*) from hit),
           (select json_agg(core.execution_json(
                       row(o.*)::core.voice_test_execution))
              from (select h.* from hit h
                     order by
                        case v_sort when '-position' then h.position
                        end desc,
                        case v_sort when 'completed_at' then h.completed_at
                        end,
                        case v_sort when '-completed_at' then h.completed_at
                        end desc nulls last,
                        case v_sort when 'response_time_ms'
                             then h.final_result_ms end,
                        case v_sort when '-response_time_ms'
                             then h.final_result_ms end desc nulls last,
                        h.position
                     limit p.page_size offset p.skip) o)
      into v_total, v_data;

    return core.reply_list(v_data, args, v_total);
end
$$;

create or replace function core.execution_get(p_id uuid)
returns core.voice_test_execution
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    e  core.voice_test_execution;
begin
    select * into e from core.voice_test_execution x
     where x.tenant_id = core.tenant() and x.id = p_id;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND',
                          'There is no such execution.');
    end if;

    return e;
end
$$;

create or replace function api.get_execution(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return core.reply(core.execution_json(
               core.execution_get((args ->> 'id')::uuid)));
end
$$;

-- The recording itself: the edge answers with the object.
create or replace function api.get_execution_audio(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    e      core.voice_test_execution
           := core.execution_get((args ->> 'id')::uuid);
    v_key  text := case args ->> 'kind'
                        when 'input' then e.input_audio_key
                        when 'response' then e.response_audio_key end;
begin
    if v_key is null then
        perform core.fail('RESOURCE_NOT_FOUND',
                          'The execution has no such recording.');
    end if;

    return core.reply(null, p_headers => json_build_object(
        'X-Accel-Redirect', '/objects/' || v_key,
        'Content-Type', 'audio/wav'));
end
$$;
