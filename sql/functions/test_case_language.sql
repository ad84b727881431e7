-- Languages: their tags, and what a test case says in each of them.

-- A language tag in its usual case (RFC 5646 2.1.1), "_" taken for "-"; null
-- for what is none.
create or replace function core.language(p_tag text) returns text
language plpgsql immutable parallel safe set search_path = core, pg_temp
as $$
begin
    return (with tag as (
            select lower(replace(btrim(p_tag), '_', '-')) as t
        ), subtag as (
            select s.t, s.n, coalesce(bool_or(length(s.t) = 1) over (
                       order by s.n
                       rows between unbounded preceding and 1 preceding),
                       false) as extended
              from tag, string_to_table(tag.t, '-') with ordinality s (t, n)
             where length(tag.t) <= 35
               and tag.t ~ ('^([a-z]{2,3}(-[a-z]{3}){0,3}|[a-z]{4,8})'
                            '(-[a-z]{4})?(-([a-z]{2}|[0-9]{3}))?'
                            '(-([a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*'
                            '(-[0-9a-wyz](-[a-z0-9]{2,8})+)*'
                            '(-x(-[a-z0-9]{1,8})+)?$')
        )
        select string_agg(case
                   when n = 1 or extended then t
                   when length(t) = 2 then upper(t)
                   when length(t) = 4 and t ~ '^[a-z]' then initcap(t)
                   else t end, '-' order by n)
          from subtag);
end
$$;

-- The same, refusing with 422 at the path what is no language tag.
create or replace function core.language(p_tag text, p_path text)
returns text
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_tag  text := core.language(p_tag);
begin
    if v_tag is null then
        perform core.refuse(p_path, 'is no language tag (BCP 47)');
    end if;

    return v_tag;
end
$$;

-- A list of tags, each once, in their order.
create or replace function core.languages(p_list jsonb, p_path text)
returns text[]
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return (select coalesce(array_agg(d.tag order by d.n), '{}')
          from (select l.tag, min(l.n) as n
                  from (select core.language(e.tag, p_path || '/' || e.n - 1),
                               e.n
                          from unnest(core.text_array(p_list))
                               with ordinality e (tag, n)) l (tag, n)
                 group by l.tag) d);
end
$$;

create or replace function core.test_case_language_json(
    l core.test_case_language)
returns json
language sql stable
as $$
    select json_build_object(
        'language_code', l.language_code, 'is_primary', l.position = 1,
        'input_text', l.input_text, 'input_variations', l.input_variations,
        'voice', l.voice, 'created_at', core.iso(l.created_at),
        'updated_at', core.iso(l.updated_at))
$$;

-- A case's languages, the primary first.
create or replace function core.test_case_languages_json(
    p_tenant uuid, p_case uuid)
returns json
language plpgsql stable set search_path = core, pg_temp
set plan_cache_mode = auto
as $$
begin
    return (select coalesce(json_agg(core.test_case_language_json(l)
                                 order by l.position), '[]')
          from core.test_case_language l
         where l.tenant_id = p_tenant and l.test_case_id = p_case);
end
$$;

-- Makes a case's languages those of the list.  The first is the primary
-- one; a tag that stands twice with the same content counts once, with
-- another content it is refused.
create or replace function core.test_case_languages_set(
    p_case uuid, p_list jsonb)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_seen  jsonb := '{}';
    v_item  jsonb;
    v_code  text;
    v_path  text;
    v_kept  int := 0;
begin
    delete from core.test_case_language l
     where l.tenant_id = core.tenant() and l.test_case_id = p_case
       and l.language_code <> all (
           select core.language(e ->> 'language_code',
                                '/body/languages/language_code')
             from jsonb_array_elements(p_list) e);

    for i in 0 .. jsonb_array_length(p_list) - 1 loop
        v_item := p_list -> i;
        v_path := '/body/languages/' || i || '/language_code';
        v_code := core.language(v_item ->> 'language_code', v_path);
        v_item := v_item - 'language_code';

        if v_seen ? v_code and v_seen -> v_code <> v_item then
            perform core.refuse(v_path, 'the language stands twice');
        elsif not v_seen ? v_code then
            v_kept := v_kept + 1;
            perform core.test_case_language_put(p_case, v_code, v_kept,
                                                v_item);
            v_seen := v_seen || jsonb_build_object(v_code, v_item);
        end if;
    end loop;
end
$$;

-- Adds a language to a case, or changes it.
create or replace function core.test_case_language_put(
    p_case uuid, p_code text, p_position int, p_item jsonb)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    insert into core.test_case_language as l (tenant_id, test_case_id,
        language_code, position, input_text, input_variations, voice)
    values (core.tenant(), p_case, p_code, p_position,
        p_item ->> 'input_text',
        core.text_array(p_item -> 'input_variations'), p_item ->> 'voice')
    on conflict (tenant_id, test_case_id, language_code) do update
       set position = excluded.position,
           input_text = excluded.input_text,
           input_variations = excluded.input_variations,
           voice = excluded.voice,
           updated_at = now();
end
$$;

create or replace function api.list_test_case_languages(
    ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    c  core.test_case := core.test_case_get((args ->> 'id')::uuid);
begin
    return core.reply(core.test_case_languages_json(c.tenant_id, c.id));
end
$$;

create or replace function api.put_test_case_language(
    ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_code  text := core.language(args ->> 'code', '/path/code');
    c       core.test_case := core.test_case_lock((args ->> 'id')::uuid);
    l       core.test_case_language;
    v_new   boolean;
    v_next  int;
begin
    perform core.check_version(args, c.version);

    select coalesce(max(t.position), 0) + 1,
           coalesce(bool_and(t.language_code <> v_code), true)
      into v_next, v_new
      from core.test_case_language t
     where t.tenant_id = c.tenant_id and t.test_case_id = c.id;

    if v_new and v_next > 50 then
        perform core.refuse('/path/code', 'a case has at most 50 languages');
    end if;

    perform core.test_case_language_put(c.id, v_code,
        coalesce((select t.position from core.test_case_language t
                   where t.tenant_id = c.tenant_id
                     and t.test_case_id = c.id
                     and t.language_code = v_code), v_next), args);
    perform core.test_case_changed(c.id, 'Language ' || v_code || ' set');

    select * into l from core.test_case_language t
     where t.tenant_id = c.tenant_id and t.test_case_id = c.id
       and t.language_code = v_code;

    return core.reply(core.test_case_language_json(l),
                      case when v_new then 201 else 200 end);
end
$$;

create or replace function api.delete_test_case_language(
    ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_code  text := core.language(args ->> 'code', '/path/code');
    c       core.test_case := core.test_case_lock((args ->> 'id')::uuid);
begin
    perform core.check_version(args, c.version);

    delete from core.test_case_language l
     where l.tenant_id = c.tenant_id and l.test_case_id = c.id
       and l.language_code = v_code;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND',
                          'The case does not have this language.');
    end if;

    -- no gaps: position 1 is the primary language
    update core.test_case_language l
       set position = o.n
      from (select t.language_code,
                   row_number() over (order by t.position) as n
              from core.test_case_language t
             where t.tenant_id = c.tenant_id and t.test_case_id = c.id) o
     where l.tenant_id = c.tenant_id and l.test_case_id = c.id
       and l.language_code = o.language_code and l.position <> o.n;

    perform core.test_case_changed(c.id, 'Language ' || v_code
                                         || ' removed');

    return core.reply(null, 204);
end
$$;
