-- Test cases.

create or replace function core.test_case_json(c core.test_case)
returns json
language sql stable
as $$
    select json_build_object(
        'id', c.id, 'suite_id', c.suite_id, 'name', c.name,
        'description', c.description, 'test_type', c.test_type,
        'category', c.category,
        'scenario_definition', c.scenario_definition, 'tags', c.tags,
        'languages', core.test_case_languages_json(c.tenant_id, c.id),
        'is_active', c.is_active, 'version', c.version,
        'created_by', c.created_by, 'created_at', core.iso(c.created_at),
        'updated_at', core.iso(c.updated_at))
$$;

create or replace function core.test_case_get(p_id uuid)
returns core.test_case
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    c  core.test_case;
begin
    select * into c from core.test_case t
     where t.tenant_id = core.tenant() and t.id = p_id;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND', 'There is no such case.');
    end if;

    return c;
end
$$;

create or replace function core.test_case_lock(p_id uuid)
returns core.test_case
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    c  core.test_case;
begin
    select * into c from core.test_case t
     where t.tenant_id = core.tenant() and t.id = p_id for update;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND', 'There is no such case.');
    end if;

    return c;
end
$$;

-- The row with the members of the body that were sent.
create or replace function core.test_case_apply(c core.test_case, args jsonb)
returns core.test_case
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    if args ? 'suite_id' then
        c.suite_id := (args ->> 'suite_id')::uuid;
        if c.suite_id is not null and not exists (
            select from core.test_suite s
             where s.tenant_id = core.tenant() and s.id = c.suite_id)
        then
            perform core.fail('RESOURCE_NOT_FOUND',
                              'There is no such suite.');
        end if;
    end if;

    if args ? 'name' then c.name := args ->> 'name'; end if;
    if args ? 'description' then
        c.description := args ->> 'description';
    end if;
    if args ? 'test_type' then c.test_type := args ->> 'test_type'; end if;
    if args ? 'category' then c.category := args ->> 'category'; end if;
    if args ? 'scenario_definition' then
        c.scenario_definition := args -> 'scenario_definition';
    end if;
    if args ? 'tags' then
        c.tags := core.test_case_tags(args -> 'tags');
    end if;
    if args ? 'is_active' then
        c.is_active := (args ->> 'is_active')::boolean;
    end if;

    return c;
end
$$;

-- Tags trimmed, lower case, each once, sorted.
create or replace function core.test_case_tags(p_tags jsonb) returns text[]
language plpgsql immutable set search_path = core, pg_temp
as $$
begin
    return (select coalesce(array_agg(distinct lower(btrim(t)) order by
                                  lower(btrim(t))), '{}')
          from unnest(core.text_array(p_tags)) t
         where btrim(t) <> '');
end
$$;

create or replace function api.list_test_cases(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    p           core.paging := core.page(args);
    v_sort      text := coalesce(args ->> 'sort', '-created_at');
    v_active    boolean := coalesce((args ->> 'is_active')::boolean, true);
    v_suite     uuid := (args ->> 'suite_id')::uuid;
    v_type      text := args ->> 'test_type';
    v_category  text := args ->> 'category';
    v_tags      text[] := core.test_case_tags(to_jsonb(
                    string_to_array(args ->> 'tags', ',')));
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
        select c.* from core.test_case c
         where c.tenant_id = core.tenant()
           and c.is_active = v_active
           and (v_suite is null or c.suite_id = v_suite)
           and (v_type is null or c.test_type = v_type)
           and (v_category is null or c.category = v_category)
           and (cardinality(v_tags) = 0 or c.tags @> v_tags)
           and (v_language is null or exists (
                select from core.test_case_language l
                 where l.tenant_id = c.tenant_id
                   and l.test_case_id = c.id
                   and l.language_code = v_language))
           and (v_like is null or c.name ilike v_like
                or c.description ilike v_like)
    )
    select (select count(*) from hit),
           (select json_agg(core.test_case_json(row(o.*)::core.test_case))
              from (select h.* from hit h
                     order by
                        case v_sort when 'created_at' then h.created_at end,
                        case v_sort when '-created_at' then h.created_at
                        end desc,
                        case v_sort when 'updated_at' then h.updated_at end,
                        case v_sort when '-updated_at' then h.updated_at
                        end desc,
                        case v_sort when 'name' then lower(h.name) end,
                        case v_sort when '-name' then lower(h.name) end desc,
                        h.id desc
                     limit p.page_size offset p.skip) o)
      into v_total, v_data;

    return core.reply_list(v_data, args, v_total);
end
$$;

create or replace function api.create_test_case(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    c  core.test_case;
begin
    c.test_type := 'voice_command';
    c.scenario_definition := '{}';
    c.tags := '{}';
    c.is_active := true;
    c := core.test_case_apply(c, args);
    c := core.test_case_add(c);

    perform core.test_case_languages_set(c.id,
                                         coalesce(args -> 'languages', '[]'));
    perform core.test_case_snapshot(c.id, 'Created');
    perform core.audit('test_case.created', 'test_case', c.id,
                       jsonb_build_object('name', c.name));

    return core.reply_created(core.test_case_json(c),
                              '/api/v1/test-cases/' || c.id, c.version);
end
$$;

-- Inserts a case, without languages and version yet.
create or replace function core.test_case_add(c core.test_case)
returns core.test_case
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    insert into core.test_case (tenant_id, suite_id, name, description,
        test_type, category, scenario_definition, tags, is_active,
        created_by)
    values (core.tenant(), c.suite_id, c.name, c.description, c.test_type,
        c.category, c.scenario_definition, c.tags, c.is_active,
        core.actor())
    returning * into c;

    return c;
end
$$;

-- Stores a changed case; its version stays, see core.test_case_changed().
create or replace function core.test_case_store(c core.test_case)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    update core.test_case t
       set suite_id = c.suite_id, name = c.name,
           description = c.description, test_type = c.test_type,
           category = c.category,
           scenario_definition = c.scenario_definition, tags = c.tags,
           is_active = c.is_active
     where t.tenant_id = c.tenant_id and t.id = c.id;
end
$$;

-- What every change of a case or of what belongs to it ends with: the next
-- version, its snapshot, the audit entry.
create or replace function core.test_case_changed(
    p_case uuid, p_summary text)
returns core.test_case
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    c  core.test_case;
begin
    update core.test_case t
       set version = t.version + 1, updated_at = now()
     where t.tenant_id = core.tenant() and t.id = p_case
    returning * into c;

    perform core.test_case_snapshot(c.id, p_summary);
    perform core.audit('test_case.updated', 'test_case', c.id,
                       jsonb_build_object('version', c.version,
                                          'summary', p_summary));

    return c;
end
$$;

create or replace function api.get_test_case(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    c  core.test_case := core.test_case_get((args ->> 'id')::uuid);
begin
    return core.reply_version(core.test_case_json(c), c.version);
end
$$;

create or replace function api.update_test_case(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    c  core.test_case := core.test_case_lock((args ->> 'id')::uuid);
begin
    perform core.check_version(args, c.version);
    c := core.test_case_apply(c, args);
    perform core.test_case_store(c);

    if args ? 'languages' then
        perform core.test_case_languages_set(c.id, args -> 'languages');
    end if;

    c := core.test_case_changed(c.id, coalesce(args ->> 'change_summary',
                                               'Updated'));

    return core.reply_version(core.test_case_json(c), c.version);
end
$$;

create or replace function api.delete_test_case(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    c  core.test_case := core.test_case_lock((args ->> 'id')::uuid);
begin
    perform core.check_version(args, c.version);

    if c.is_active then
        c.is_active := false;
        perform core.test_case_store(c);
        perform core.test_case_changed(c.id, 'Deleted');
    end if;

    return core.reply(null, 204);
end
$$;

create or replace function api.duplicate_test_case(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    c         core.test_case := core.test_case_get((args ->> 'id')::uuid);
    v_source  uuid := c.id;
begin
    c.name := coalesce(args ->> 'name', left(c.name, 248) || ' (copy)');
    c.is_active := true;
    c := core.test_case_add(c);

    insert into core.test_case_language (tenant_id, test_case_id,
        language_code, position, input_text, input_variations, voice)
    select l.tenant_id, c.id, l.language_code, l.position, l.input_text,
           l.input_variations, l.voice
      from core.test_case_language l
     where l.tenant_id = c.tenant_id and l.test_case_id = v_source;

    insert into core.test_case_outcome (tenant_id, test_case_id,
        expected_outcome_id, language_code, priority)
    select o.tenant_id, c.id, o.expected_outcome_id, o.language_code,
           o.priority
      from core.test_case_outcome o
     where o.tenant_id = c.tenant_id and o.test_case_id = v_source;

    perform core.test_case_snapshot(c.id, 'Copied from ' || v_source);
    perform core.audit('test_case.created', 'test_case', c.id,
                       jsonb_build_object('copy_of', v_source));

    return core.reply_created(core.test_case_json(c),
                              '/api/v1/test-cases/' || c.id, c.version);
end
$$;
