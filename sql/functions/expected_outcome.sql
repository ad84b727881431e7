-- Expected outcomes, and their links to cases.

create or replace function core.expected_outcome_json(
    o core.expected_outcome)
returns json
language sql stable
as $$
    select json_build_object(
        'id', o.id, 'outcome_code', o.outcome_code, 'name', o.name,
        'description', o.description, 'domain', o.domain,
        'expected_intent', o.expected_intent,
        'expected_command_kind', o.expected_command_kind,
        'expected_response', o.expected_response,
        'entities', o.entities, 'required_entities', o.required_entities,
        'validation_rules', o.validation_rules,
        'language_variations', o.language_variations,
        'expected_response_content', o.expected_response_content,
        'forbidden_phrases', o.forbidden_phrases,
        'acceptable_alternates', o.acceptable_alternates,
        'expected_asr_confidence_min', o.expected_asr_confidence_min,
        'max_response_time_ms', o.max_response_time_ms,
        'max_response_length', o.max_response_length,
        'tolerance_settings', o.tolerance_settings,
        'tone_requirement', o.tone_requirement,
        'confirmation_required', o.confirmation_required,
        'confirmation_prompt', o.confirmation_prompt,
        'allow_partial_success', o.allow_partial_success,
        'next_step_on_success', o.next_step_on_success,
        'next_step_on_failure', o.next_step_on_failure,
        'is_active', o.is_active, 'version', o.version,
        'created_by', o.created_by, 'created_at', core.iso(o.created_at),
        'updated_at', core.iso(o.updated_at))
$$;

-- What the validation of an execution in a language compares with: the
-- outcome with its variation for that language, or for its primary subtag,
-- in place of the general text and patterns.
create or replace function core.expected_outcome_merged(
    o core.expected_outcome, p_language text)
returns jsonb
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return (select jsonb_build_object(
            'expected_outcome_id', o.id, 'outcome_code', o.outcome_code,
            'expected_intent', o.expected_intent,
            'expected_command_kind', o.expected_command_kind,
            'expected_response', coalesce(v.v ->> 'expected_response',
                                          o.expected_response),
            'entities', o.entities, 'required_entities', o.required_entities,
            'validation_rules', o.validation_rules,
            'patterns', coalesce(v.v -> 'expected_response_patterns',
                                 o.expected_response_content),
            'forbidden_phrases', o.forbidden_phrases,
            'acceptable_alternates', o.acceptable_alternates,
            'expected_asr_confidence_min', o.expected_asr_confidence_min,
            'max_response_time_ms', o.max_response_time_ms,
            'max_response_length', o.max_response_length,
            'tolerance_settings', o.tolerance_settings,
            'allow_partial_success', o.allow_partial_success)
          from (select coalesce(
                    o.language_variations -> p_language,
                    o.language_variations -> split_part(p_language, '-', 1),
                    '{}') as v) v);
end
$$;

create or replace function core.expected_outcome_lock(p_id uuid)
returns core.expected_outcome
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    o  core.expected_outcome;
begin
    select * into o from core.expected_outcome t
     where t.tenant_id = core.tenant() and t.id = p_id for update;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND', 'There is no such outcome.');
    end if;

    return o;
end
$$;

-- The row with the members of the body that were sent.
create or replace function core.expected_outcome_apply(
    o core.expected_outcome, args jsonb)
returns core.expected_outcome
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    o := jsonb_populate_record(o, args - array['tenant_id', 'id', 'version',
             'created_by', 'created_at', 'updated_at']);

    o.language_variations := (
        select coalesce(jsonb_object_agg(
                   core.language(v.key, '/body/language_variations/'
                                        || v.key), v.value), '{}')
          from jsonb_each(o.language_variations) v);

    if o.is_active and exists (
        select from core.expected_outcome t
         where t.tenant_id = core.tenant() and t.is_active
           and t.outcome_code = o.outcome_code and t.id <> o.id)
    then
        perform core.fail('DUPLICATE',
                          'There is an outcome with this code already.');
    end if;

    return o;
end
$$;

create or replace function api.list_expected_outcomes(
    ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    p         core.paging := core.page(args);
    v_sort    text := coalesce(args ->> 'sort', '-created_at');
    v_active  boolean := coalesce((args ->> 'is_active')::boolean, true);
    v_domain  text := args ->> 'domain';
    v_intent  text := args ->> 'expected_intent';
    v_like    text := core.pattern(args ->> 'search');
    v_total   bigint;
    v_data    json;
begin
    with hit as not materialized (
        select o.* from core.expected_outcome o
         where o.tenant_id = core.tenant()
           and o.is_active = v_active
           and (v_domain is null or o.domain = v_domain)
           and (v_intent is null or o.expected_intent = v_intent)
           and (v_like is null or o.name ilike v_like
                or o.outcome_code ilike v_like
                or o.description ilike v_like)
    )
    select (select count(*) from hit),
           (select json_agg(core.expected_outcome_json(
                       row(s.*)::core.expected_outcome))
              from (select h.* from hit h
                     order by
                        case v_sort when 'created_at' then h.created_at end,
                        case v_sort when '-created_at' then h.created_at
                        end desc,
                        case v_sort when 'name' then lower(h.name) end,
                        case v_sort when '-name' then lower(h.name) end desc,
                        case v_sort when 'outcome_code' then h.outcome_code
                        end,
                        case v_sort when '-outcome_code' then h.outcome_code
                        end desc,
                        h.id desc
                     limit p.page_size offset p.skip) s)
      into v_total, v_data;

    return core.reply_list(v_data, args, v_total);
end
$$;

create or replace function api.create_expected_outcome(
    ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    o  core.expected_outcome;
begin
    o.tenant_id := core.tenant();
    o.id := core.uuid_v7();
    o.domain := 'navigation';
    o.entities := '{}';
    o.required_entities := '{}';
    o.validation_rules := '{}';
    o.language_variations := '{}';
    o.expected_response_content := '{}';
    o.forbidden_phrases := '{}';
    o.acceptable_alternates := '{}';
    o.tolerance_settings := '{}';
    o.confirmation_required := false;
    o.allow_partial_success := false;
    o.is_active := true;
    o.version := 1;
    o.created_by := ctx.actor_id;
    o.created_at := now();
    o.updated_at := now();
    o := core.expected_outcome_apply(o, args);

    insert into core.expected_outcome (tenant_id, id, outcome_code, name,
        description, domain, expected_intent, expected_command_kind,
        expected_response, entities, required_entities, validation_rules,
        language_variations, expected_response_content, forbidden_phrases,
        acceptable_alternates, expected_asr_confidence_min,
        max_response_time_ms, max_response_length, tolerance_settings,
        tone_requirement, confirmation_required, confirmation_prompt,
        allow_partial_success, next_step_on_success, next_step_on_failure,
        is_active, version, created_by, created_at, updated_at)
    values (o.tenant_id, o.id, o.outcome_code, o.name, o.description,
        o.domain, o.expected_intent, o.expected_command_kind,
        o.expected_response, o.entities, o.required_entities,
        o.validation_rules, o.language_variations,
        o.expected_response_content, o.forbidden_phrases,
        o.acceptable_alternates, o.expected_asr_confidence_min,
        o.max_response_time_ms, o.max_response_length, o.tolerance_settings,
        o.tone_requirement, o.confirmation_required, o.confirmation_prompt,
        o.allow_partial_success, o.next_step_on_success,
        o.next_step_on_failure, o.is_active, o.version, o.created_by,
        o.created_at, o.updated_at);

    perform core.audit('expected_outcome.created', 'expected_outcome', o.id,
                       jsonb_build_object('outcome_code', o.outcome_code));

    return core.reply_created(core.expected_outcome_json(o),
                              '/api/v1/expected-outcomes/' || o.id,
                              o.version);
end
$$;

create or replace function api.get_expected_outcome(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    o  core.expected_outcome;
begin
    select * into o from core.expected_outcome t
     where t.tenant_id = core.tenant() and t.id = (args ->> 'id')::uuid;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND', 'There is no such outcome.');
    end if;

    return core.reply_version(core.expected_outcome_json(o), o.version);
end
$$;

create or replace function api.update_expected_outcome(
    ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    o  core.expected_outcome
       := core.expected_outcome_lock((args ->> 'id')::uuid);
begin
    perform core.check_version(args, o.version);
    o := core.expected_outcome_apply(o, args);

    update core.expected_outcome t
       set outcome_code = o.outcome_code, name = o.name,
           description = o.description, domain = o.domain,
           expected_intent = o.expected_intent,
           expected_command_kind = o.expected_command_kind,
           expected_response = o.expected_response, entities = o.entities,
           required_entities = o.required_entities,
           validation_rules = o.validation_rules,
           language_variations = o.language_variations,
           expected_response_content = o.expected_response_content,
           forbidden_phrases = o.forbidden_phrases,
           acceptable_alternates = o.acceptable_alternates,
           expected_asr_confidence_min = o.expected_asr_confidence_min,
           max_response_time_ms = o.max_response_time_ms,
           max_response_length = o.max_response_length,
           tolerance_settings = o.tolerance_settings,
           tone_requirement = o.tone_requirement,
           confirmation_required = o.confirmation_required,
           confirmation_prompt = o.confirmation_prompt,
           allow_partial_success = o.allow_partial_success,
           next_step_on_success = o.next_step_on_success,
           next_step_on_failure = o.next_step_on_failure,
           is_active = o.is_active, version = t.version + 1,
           updated_at = now()
     where t.tenant_id = o.tenant_id and t.id = o.id
    returning * into o;

    perform core.audit('expected_outcome.updated', 'expected_outcome', o.id,
                       jsonb_build_object('version', o.version));

    return core.reply_version(core.expected_outcome_json(o), o.version);
end
$$;

create or replace function api.delete_expected_outcome(
    ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    o  core.expected_outcome
       := core.expected_outcome_lock((args ->> 'id')::uuid);
begin
    perform core.check_version(args, o.version);

    update core.expected_outcome t
       set is_active = false, version = t.version + 1, updated_at = now()
     where t.tenant_id = o.tenant_id and t.id = o.id and t.is_active;

    perform core.audit('expected_outcome.deleted', 'expected_outcome', o.id);

    return core.reply(null, 204);
end
$$;

-- Links to cases.

create or replace function core.test_case_outcomes_json(
    p_tenant uuid, p_case uuid)
returns json
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return (select coalesce(json_agg(json_build_object(
                   'test_case_id', l.test_case_id,
                   'expected_outcome_id', l.expected_outcome_id,
                   'outcome_code', o.outcome_code, 'name', o.name,
                   'is_active', o.is_active, 'language_code', l.language_code,
                   'priority', l.priority, 'created_at', core.iso(l.created_at))
                   order by l.priority, l.created_at, o.outcome_code), '[]')
          from core.test_case_outcome l
          join core.expected_outcome o
            on o.tenant_id = l.tenant_id and o.id = l.expected_outcome_id
         where l.tenant_id = p_tenant and l.test_case_id = p_case);
end
$$;

-- The outcome that a case has to reach in a language: nearest language
-- first (the tag, its primary subtag, any), then the smallest priority.
create or replace function core.test_case_expects(
    p_case uuid, p_language text)
returns core.expected_outcome
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_outcome  core.expected_outcome;
begin
    select o.* into v_outcome
      from core.test_case_outcome l
      join core.expected_outcome o
        on o.tenant_id = l.tenant_id and o.id = l.expected_outcome_id
       and o.is_active
     where l.tenant_id = core.tenant() and l.test_case_id = p_case
       and (l.language_code is null or l.language_code = p_language
            or l.language_code = split_part(p_language, '-', 1))
     order by l.language_code is null, l.language_code <> p_language,
              l.priority, l.created_at, o.id
     limit 1;

    return v_outcome;
end
$$;

create or replace function api.list_test_case_outcomes(
    ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    c  core.test_case := core.test_case_get((args ->> 'id')::uuid);
begin
    return core.reply(core.test_case_outcomes_json(c.tenant_id, c.id));
end
$$;

-- Links an outcome; a link that stands already gets the priority.
create or replace function api.link_test_case_outcome(
    ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    c           core.test_case
                := core.test_case_lock((args ->> 'id')::uuid);
    v_outcome   uuid := (args ->> 'expected_outcome_id')::uuid;
    v_language  text;
begin
    if args ->> 'language_code' is not null then
        v_language := core.language(args ->> 'language_code',
                                    '/body/language_code');
    end if;

    if not exists (select from core.expected_outcome o
                    where o.tenant_id = c.tenant_id and o.id = v_outcome
                      and o.is_active)
    then
        perform core.fail('RESOURCE_NOT_FOUND',
                          'There is no such active outcome.');
    end if;

    if (select count(*) from core.test_case_outcome l
         where l.tenant_id = c.tenant_id and l.test_case_id = c.id) >= 100
    then
        perform core.fail('CONFLICT', 'A case has at most 100 outcomes.');
    end if;

    insert into core.test_case_outcome as l (tenant_id, test_case_id,
        expected_outcome_id, language_code, priority)
    values (c.tenant_id, c.id, v_outcome, v_language,
        coalesce((args ->> 'priority')::int, 1))
    on conflict (tenant_id, test_case_id, expected_outcome_id,
                 language_code)
        do update set priority = excluded.priority;

    perform core.test_case_changed(c.id, 'Outcome linked');

    return core.reply(core.test_case_outcomes_json(c.tenant_id, c.id), 201);
end
$$;

-- Unlinks an outcome: for one language, or wherever it is linked.
create or replace function api.unlink_test_case_outcome(
    ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    c           core.test_case
                := core.test_case_lock((args ->> 'id')::uuid);
    v_language  text;
begin
    if args ->> 'language_code' is not null then
        v_language := core.language(args ->> 'language_code',
                                    '/query/language_code');
    end if;

    delete from core.test_case_outcome l
     where l.tenant_id = c.tenant_id and l.test_case_id = c.id
       and l.expected_outcome_id = (args ->> 'outcome_id')::uuid
       and (v_language is null or l.language_code = v_language);

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND',
                          'The case is not linked to this outcome.');
    end if;

    perform core.test_case_changed(c.id, 'Outcome unlinked');

    return core.reply(null, 204);
end
$$;
