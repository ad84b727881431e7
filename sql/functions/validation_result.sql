-- Validation results, and what humans make of them.

-- Stores the scores of an execution.  Error rates are capped at 1 as scores;
-- the raw ones keep what they are.
create or replace function core.validation_result_add(
    e core.voice_test_execution, p_result jsonb)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    insert into core.validation_result (tenant_id, test_run_id,
        execution_id, expected_outcome_id, language_code, review_status,
        confidence_score, intent_match_score, entity_match_score,
        semantic_similarity_score, semantic_method, response_time_score,
        command_kind_match_score, asr_confidence_score, wer_score,
        cer_score, ser_score, wer_raw, cer_raw, alignment,
        response_patterns, gates, heard_text, recogniser, detail)
    select e.tenant_id, e.test_run_id, e.id, e.expected_outcome_id,
           e.language_code, p_result ->> 'decision', r.confidence_score,
           r.intent_match_score, r.entity_match_score,
           r.semantic_similarity_score, r.semantic_method,
           r.response_time_score, r.command_kind_match_score,
           r.asr_confidence_score,
           case when r.wer_score > 1 then 1 else r.wer_score end,
           case when r.cer_score > 1 then 1 else r.cer_score end,
           r.ser_score, r.wer_raw, r.cer_raw,
           nullif(r.alignment, 'null'), nullif(r.response_patterns, 'null'),
           coalesce(nullif(r.gates, 'null'), '[]'), r.heard_text,
           r.recogniser, coalesce(nullif(r.detail, 'null'), '{}')
      from jsonb_populate_record(null::core.validation_result, p_result) r;
end
$$;

create or replace function core.validation_result_json(
    v core.validation_result)
returns json
language plpgsql stable set search_path = core, pg_temp
set plan_cache_mode = auto
as $$
begin
    return (select json_build_object(
            'id', v.id, 'test_run_id', v.test_run_id,
            'execution_id', v.execution_id, 'test_case_id', e.test_case_id,
            'test_case_name', e.test_case_name,
            'expected_outcome_id', v.expected_outcome_id,
            'language_code', v.language_code, 'status', e.status,
            'review_status', v.review_status,
            'confidence_score', v.confidence_score,
            'intent_match_score', v.intent_match_score,
            'entity_match_score', v.entity_match_score,
            'semantic_similarity_score', v.semantic_similarity_score,
            'semantic_method', v.semantic_method,
            'response_time_score', v.response_time_score,
            'command_kind_match_score', v.command_kind_match_score,
            'asr_confidence_score', v.asr_confidence_score,
            'wer_score', v.wer_score, 'cer_score', v.cer_score,
            'ser_score', v.ser_score, 'wer_raw', v.wer_raw,
            'cer_raw', v.cer_raw, 'alignment', v.alignment,
            'response_patterns', v.response_patterns, 'gates', v.gates,
            'heard_text', v.heard_text, 'response_text', e.response_text,
            'recogniser', v.recogniser, 'detail', v.detail,
            'expected', e.expected, 'review_decision', v.review_decision,
            'review_feedback', v.review_feedback,
            'reviewed_by', v.reviewed_by,
            'reviewed_at', core.iso(v.reviewed_at),
            'created_at', core.iso(v.created_at))
          from core.voice_test_execution e
         where e.tenant_id = v.tenant_id and e.id = v.execution_id);
end
$$;

create or replace function api.list_validation_results(
    ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    p           core.paging := core.page(args);
    v_sort      text := coalesce(args ->> 'sort', '-created_at');
    v_run       uuid := (args ->> 'test_run_id')::uuid;
    v_case      uuid := (args ->> 'test_case_id')::uuid;
    v_review    text := args ->> 'review_status';
    v_open      boolean := (args ->> 'awaiting_review')::boolean;
    v_min       numeric := (args ->> 'min_confidence')::numeric;
    v_max       numeric := (args ->> 'max_confidence')::numeric;
    v_start     timestamptz := (args ->> 'start_date')::timestamptz;
    v_end       timestamptz := (args ->> 'end_date')::timestamptz;
    v_language  text := core.language(args ->> 'language_code');
    v_total     bigint;
    v_data      json;
begin
    if v_language is null and args ->> 'language_code' is not null then
        perform core.language(args ->> 'language_code',
                              '/query/language_code');
    end if;

    with hit as not materialized (
        select v.* from core.validation_result v
         where v.tenant_id = core.tenant()
           and (v_run is null or v.test_run_id = v_run)
           and (v_case is null or exists (
                select from core.voice_test_execution e
                 where e.tenant_id = v.tenant_id and e.id = v.execution_id
                   and e.test_case_id = v_case))
           and (v_review is null or v.review_status = v_review)
           and (v_open is null
                or v_open = (v.review_status = 'manual_review'
                             and v.review_decision is null))
           and (v_min is null or v.confidence_score >= v_min)
           and (v_max is null or v.confidence_score <= v_max)
           and (v_start is null or v.created_at >= v_start)
           and (v_end is null or v.created_at <= v_end)
           and (v_language is null or v.language_code = v_language)
    )
    select (select count(*) from hit),
           (select json_agg(core.validation_result_json(
                       row(o.*)::core.validation_result))
              from (select h.* from hit h
                     order by
                        case v_sort when 'created_at' then h.created_at end,
                        case v_sort when '-created_at' then h.created_at
                        end desc,
                        case v_sort when 'confidence_score'
                             then h.confidence_score end,
                        case v_sort when '-confidence_score'
                             then h.confidence_score end desc nulls last,
                        h.id desc
                     limit p.page_size offset p.skip) o)
      into v_total, v_data;

    return core.reply_list(v_data, args, v_total);
end
$$;

create or replace function core.validation_result_get(p_id uuid)
returns core.validation_result
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v  core.validation_result;
begin
    select * into v from core.validation_result t
     where t.tenant_id = core.tenant() and t.id = p_id;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND',
                          'There is no such validation result.');
    end if;

    return v;
end
$$;

create or replace function api.get_validation_result(
    ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return core.reply(core.validation_result_json(
               core.validation_result_get((args ->> 'id')::uuid)));
end
$$;

-- A human's verdict: it decides the execution, whatever the machine said,
-- and with it the run's counters and state.
create or replace function api.review_validation_result(
    ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v         core.validation_result
              := core.validation_result_get((args ->> 'id')::uuid);
    e         core.voice_test_execution
              := core.execution_lock(v.execution_id);
    v_status  text := case args ->> 'decision' when 'pass' then 'passed'
                                               else 'failed' end;
begin
    update core.validation_result t
       set review_decision = args ->> 'decision',
           review_feedback = args ->> 'feedback',
           reviewed_by = ctx.actor_id, reviewed_at = now()
     where t.tenant_id = v.tenant_id and t.id = v.id;

    if e.status <> v_status
       and not core.execution_set_state(e, v_status)
    then
        perform core.fail('INVALID_STATE',
                          'The execution is ' || e.status || '.');
    end if;

    perform core.audit('validation_result.reviewed', 'validation_result',
                       v.id, jsonb_build_object('decision',
                                                args ->> 'decision'));

    return core.reply(core.validation_result_json(
                          core.validation_result_get(v.id)));
end
$$;
