-- Plans: the figures by which tenants are limited.  The platform's own.

create or replace function core.plan_json(p core.plan) returns json
language sql stable
as $$
    select json_build_object(
        'id', p.id, 'name', p.name, 'limits', p.limits,
        'user_limits', p.user_limits, 'version', p.version,
        'created_at', core.iso(p.created_at),
        'updated_at', core.iso(p.updated_at))
$$;

create or replace function api.list_plans(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    v_page     core.paging := core.page(args);
    v_pattern  text := core.pattern(args ->> 'search');
    v_total    bigint;
    v_data     json;
begin
    select count(*) into v_total
      from core.plan p
     where v_pattern is null or p.id ilike v_pattern
        or p.name ilike v_pattern;

    select json_agg(core.plan_json(r.p) order by (r.p).id) into v_data
      from (select p
              from core.plan p
             where v_pattern is null or p.id ilike v_pattern
                or p.name ilike v_pattern
             order by p.id
             limit v_page.page_size offset v_page.skip) r;

    return core.reply_list(v_data, args, v_total);
end
$$;

create or replace function api.get_plan(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    p  core.plan;
begin
    select * into p from core.plan r where r.id = args ->> 'id';

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    return core.reply_version(core.plan_json(p), p.version);
end
$$;

create or replace function api.create_plan(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    p  core.plan;
begin
    insert into core.plan (id, name, limits, user_limits)
    values (args ->> 'id', args ->> 'name',
            coalesce(args -> 'limits', '{}'),
            coalesce(args -> 'user_limits', '{}'))
    on conflict (id) do nothing
    returning * into p;

    if not found then
        perform core.fail('DUPLICATE',
                          'There is a plan with this id already.');
    end if;

    perform core.audit('plan.created', 'plan', p.id, args);

    return core.reply_created(core.plan_json(p), '/api/v1/plans/' || p.id,
                              p.version);
end
$$;

create or replace function api.update_plan(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    p  core.plan;
begin
    select * into p from core.plan l where l.id = args ->> 'id' for update;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    perform core.check_version(args, p.version);

    update core.plan u
       set name = coalesce(args ->> 'name', u.name),
           limits = coalesce(args -> 'limits', u.limits),
           user_limits = coalesce(args -> 'user_limits', u.user_limits),
           version = u.version + 1, updated_at = now()
     where u.id = p.id
    returning * into p;

    perform core.audit('plan.updated', 'plan', p.id,
                       args - array['id', 'if_match']);

    return core.reply_version(core.plan_json(p), p.version);
end
$$;
