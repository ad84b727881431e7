-- Test suites.

-- A JSON array of strings as an array; null gives an empty one.
create or replace function core.text_array(p_list jsonb) returns text[]
language plpgsql immutable set search_path = core, pg_temp
as $$
begin
    return (select array(select jsonb_array_elements_text(
                         case when jsonb_typeof(p_list) = 'array' then p_list
                              else '[]' end)));
end
$$;

-- With the numbers of its cases, all and active: an expression, so that a list
-- does not pay for a call a row.
create or replace function core.test_suite_json(
    s core.test_suite, p_cases bigint, p_active bigint)
returns json
language sql stable
as $$
    select json_build_object(
        'id', s.id, 'name', s.name, 'description', s.description,
        'category', s.category, 'is_active', s.is_active,
        'language_config', json_build_object(
            'mode', s.language_mode, 'languages', s.languages,
            'fallback_behavior', s.fallback_behavior),
        'agent', s.agent,
        'test_case_count', p_cases, 'active_test_case_count', p_active,
        'version', s.version, 'created_by', s.created_by,
        'created_at', core.iso(s.created_at),
        'updated_at', core.iso(s.updated_at))
$$;

-- A page of suites, in its order.
create or replace function core.test_suites_json(p_rows core.test_suite[])
returns json
language plpgsql stable set search_path = core, pg_temp
set plan_cache_mode = auto
as $$
begin
    return (select json_agg(core.test_suite_json(
                       row(s.*)::core.test_suite, c.cases, c.active))
              from unnest(p_rows) s
             cross join lateral (
                   select count(*) cases,
                          count(*) filter (where c.is_active) active
                     from core.test_case c
                    where c.tenant_id = core.tenant()
                      and c.suite_id = s.id) c);
end
$$;

create or replace function core.test_suite_json(s core.test_suite)
returns json
language plpgsql stable set search_path = core, pg_temp
set plan_cache_mode = auto
as $$
begin
    return (select core.test_suite_json(s, count(*),
                                        count(*) filter (where c.is_active))
              from core.test_case c
             where c.tenant_id = s.tenant_id and c.suite_id = s.id);
end
$$;

-- The suite, locked against changes; 404 where there is none.
create or replace function core.test_suite_lock(p_id uuid)
returns core.test_suite
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    s  core.test_suite;
begin
    select * into s from core.test_suite t
     where t.tenant_id = core.tenant() and t.id = p_id for update;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND', 'There is no such suite.');
    end if;

    return s;
end
$$;

-- The row with the members of the body that were sent.
create or replace function core.test_suite_apply(
    s core.test_suite, args jsonb)
returns core.test_suite
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_config  jsonb := args -> 'language_config';
begin
    if args ? 'name' then s.name := args ->> 'name'; end if;
    if args ? 'description' then
        s.description := args ->> 'description';
    end if;
    if args ? 'category' then s.category := args ->> 'category'; end if;
    if args ? 'is_active' then
        s.is_active := (args ->> 'is_active')::boolean;
    end if;
    if args ? 'agent' then s.agent := args ->> 'agent'; end if;

    if v_config is not null then
        s.language_mode := coalesce(v_config ->> 'mode', s.language_mode);
        s.fallback_behavior := coalesce(v_config ->> 'fallback_behavior',
                                        s.fallback_behavior);
        if v_config ? 'languages' then
            s.languages := core.languages(v_config -> 'languages',
                                          '/body/language_config/languages');
        end if;
    end if;

    if s.language_mode = 'specific' and cardinality(s.languages) = 0 then
        perform core.refuse('/body/language_config/languages',
                            'mode "specific" needs at least one language');
    end if;

    return s;
end
$$;

create or replace function api.list_test_suites(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    p         core.paging := core.page(args);
    v_sort    text := coalesce(args ->> 'sort', '-created_at');
    v_active  boolean := coalesce((args ->> 'is_active')::boolean, true);
    v_cat     text := args ->> 'category';
    v_like    text := core.pattern(args ->> 'search');
    v_total   bigint;
    v_rows    core.test_suite[];
begin
    with hit as not materialized (
        select s.* from core.test_suite s
         where s.tenant_id = core.tenant()
           and s.is_active = v_active
           and (v_cat is null or s.category = v_cat)
           and (v_like is null or s.name ilike v_like
                or s.description ilike v_like)
    )
    select (select count(*) from hit),
           (select array_agg(row(o.*)::core.test_suite)
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
      into v_total, v_rows;

    return core.reply_list(core.test_suites_json(v_rows), args, v_total);
end
$$;

create or replace function api.create_test_suite(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    s  core.test_suite;
begin
    s.language_mode := 'primary';
    s.languages := '{}';
    s.fallback_behavior := 'skip';
    s.is_active := true;
    s := core.test_suite_apply(s, args);

    insert into core.test_suite (tenant_id, name, description, category,
        is_active, language_mode, languages, fallback_behavior, agent,
        created_by)
    values (core.tenant(), s.name, s.description, s.category, s.is_active,
        s.language_mode, s.languages, s.fallback_behavior, s.agent,
        ctx.actor_id)
    returning * into s;

    perform core.audit('test_suite.created', 'test_suite', s.id,
                       jsonb_build_object('name', s.name));

    return core.reply_created(core.test_suite_json(s),
                              '/api/v1/test-suites/' || s.id, s.version);
end
$$;

create or replace function api.get_test_suite(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    s  core.test_suite;
begin
    select * into s from core.test_suite t
     where t.tenant_id = core.tenant() and t.id = (args ->> 'id')::uuid;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND', 'There is no such suite.');
    end if;

    return core.reply_version(core.test_suite_json(s), s.version);
end
$$;

create or replace function api.update_test_suite(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    s  core.test_suite := core.test_suite_lock((args ->> 'id')::uuid);
begin
    perform core.check_version(args, s.version);
    s := core.test_suite_apply(s, args);

    update core.test_suite t
       set name = s.name, description = s.description,
           category = s.category, is_active = s.is_active,
           language_mode = s.language_mode, languages = s.languages,
           fallback_behavior = s.fallback_behavior, agent = s.agent,
           version = t.version + 1, updated_at = now()
     where t.tenant_id = s.tenant_id and t.id = s.id
    returning * into s;

    perform core.audit('test_suite.updated', 'test_suite', s.id,
                       jsonb_build_object('version', s.version));

    return core.reply_version(core.test_suite_json(s), s.version);
end
$$;

create or replace function api.delete_test_suite(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    s  core.test_suite := core.test_suite_lock((args ->> 'id')::uuid);
begin
    perform core.check_version(args, s.version);

    update core.test_suite t
       set is_active = false, version = t.version + 1, updated_at = now()
     where t.tenant_id = s.tenant_id and t.id = s.id and t.is_active;

    perform core.audit('test_suite.deleted', 'test_suite', s.id, '{}');

    return core.reply(null, 204);
end
$$;
