-- Versions of test cases: a snapshot of each, what changed, and the way back.

-- Everything that a case is, as its history keeps it.
create or replace function core.test_case_content(c core.test_case)
returns jsonb
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return (select jsonb_build_object(
            'suite_id', c.suite_id, 'name', c.name,
            'description', c.description, 'test_type', c.test_type,
            'category', c.category,
            'scenario_definition', c.scenario_definition, 'tags', c.tags,
            'is_active', c.is_active,
            'languages', (
                select coalesce(jsonb_agg(jsonb_build_object(
                           'language_code', l.language_code,
                           'input_text', l.input_text,
                           'input_variations', l.input_variations,
                           'voice', l.voice) order by l.position), '[]')
                  from core.test_case_language l
                 where l.tenant_id = c.tenant_id and l.test_case_id = c.id),
            'outcomes', (
                select coalesce(jsonb_agg(jsonb_build_object(
                           'expected_outcome_id', o.expected_outcome_id,
                           'language_code', o.language_code,
                           'priority', o.priority)
                           order by o.priority, o.expected_outcome_id,
                                    o.language_code), '[]')
                  from core.test_case_outcome o
                 where o.tenant_id = c.tenant_id and o.test_case_id = c.id)));
end
$$;

-- {field: {"from": ..., "to": ...}} of the fields that differ.
create or replace function core.json_diff(p_from jsonb, p_to jsonb)
returns jsonb
language plpgsql immutable set search_path = core, pg_temp
as $$
begin
    return (select coalesce(jsonb_object_agg(
                   coalesce(a.key, b.key),
                   jsonb_build_object('from', a.value, 'to', b.value)), '{}')
          from jsonb_each(p_from) a
          full join jsonb_each(p_to) b on b.key = a.key
         where a.value is distinct from b.value);
end
$$;

-- Adds the case's present version to its history.
create or replace function core.test_case_snapshot(
    p_case uuid, p_summary text)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    insert into core.test_case_version (tenant_id, test_case_id,
        version_number, snapshot, diff, change_summary, created_by)
    select c.tenant_id, c.id, c.version, core.test_case_content(c),
           core.json_diff(coalesce((
               select v.snapshot from core.test_case_version v
                where v.tenant_id = c.tenant_id and v.test_case_id = c.id
                  and v.version_number = c.version - 1), '{}'),
               core.test_case_content(c)),
           p_summary, core.actor()
      from core.test_case c
     where c.tenant_id = core.tenant() and c.id = p_case;
end
$$;

create or replace function core.test_case_version_get(
    p_case uuid, p_number int)
returns core.test_case_version
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v  core.test_case_version;
begin
    select * into v from core.test_case_version t
     where t.tenant_id = core.tenant() and t.test_case_id = p_case
       and t.version_number = p_number;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND',
                          'The case has no such version.');
    end if;

    return v;
end
$$;

create or replace function core.test_case_version_json(
    v core.test_case_version)
returns json
language sql stable
as $$
    select json_build_object(
        'test_case_id', v.test_case_id, 'version_number', v.version_number,
        'change_summary', v.change_summary, 'diff', v.diff,
        'snapshot', v.snapshot, 'created_by', v.created_by,
        'created_at', core.iso(v.created_at))
$$;

create or replace function api.list_test_case_versions(
    ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    c        core.test_case := core.test_case_get((args ->> 'id')::uuid);
    p        core.paging := core.page(args);
    v_total  bigint;
    v_data   json;
begin
    select count(*) into v_total from core.test_case_version v
     where v.tenant_id = c.tenant_id and v.test_case_id = c.id;

    select json_agg(core.test_case_version_json(v)
                    order by v.version_number desc) into v_data
      from (select * from core.test_case_version t
             where t.tenant_id = c.tenant_id and t.test_case_id = c.id
             order by t.version_number desc
             limit p.page_size offset p.skip) v;

    return core.reply_list(v_data, args, v_total);
end
$$;

create or replace function api.get_test_case_version(
    ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return core.reply(core.test_case_version_json(
        core.test_case_version_get((args ->> 'id')::uuid,
                                   (args ->> 'number')::int)));
end
$$;

create or replace function api.compare_test_case_versions(
    ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    v_case  uuid := (args ->> 'id')::uuid;
    a       core.test_case_version;
    b       core.test_case_version;
begin
    a := core.test_case_version_get(v_case, (args ->> 'number')::int);
    b := core.test_case_version_get(v_case, (args ->> 'other')::int);

    return core.reply(json_build_object(
        'test_case_id', v_case, 'from_version', a.version_number,
        'to_version', b.version_number,
        'differences', core.json_diff(a.snapshot, b.snapshot)));
end
$$;

-- Makes an old version's content the newest version.  What that content
-- refers to may be gone: then the case stands without it.
create or replace function api.rollback_test_case(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    c  core.test_case := core.test_case_lock((args ->> 'id')::uuid);
    v  core.test_case_version;
begin
    v := core.test_case_version_get(c.id, (args ->> 'number')::int);
    perform core.check_version(args, c.version);

    c := core.test_case_apply(c, v.snapshot);
    perform core.test_case_store(c);
    perform core.test_case_languages_set(c.id, v.snapshot -> 'languages');

    delete from core.test_case_outcome o
     where o.tenant_id = c.tenant_id and o.test_case_id = c.id;

    insert into core.test_case_outcome (tenant_id, test_case_id,
        expected_outcome_id, language_code, priority)
    select c.tenant_id, c.id, e.id, s.language_code, s.priority
      from jsonb_to_recordset(v.snapshot -> 'outcomes') as s (
               expected_outcome_id uuid, language_code text, priority int)
      join core.expected_outcome e
        on e.tenant_id = c.tenant_id and e.id = s.expected_outcome_id
       and e.is_active;

    c := core.test_case_changed(c.id, 'Rolled back to version '
                                      || v.version_number);

    return core.reply_version(core.test_case_json(c), c.version);
end
$$;
