-- Tenants.  The platform's administrators see all of them, an owner his own
-- (RLS).

create or replace function core.tenant_json(t core.tenant) returns json
language sql stable
as $$
    select json_build_object(
        'id', t.id, 'business_name', t.business_name,
        'trade_type', t.trade_type, 'status', t.status,
        'settings', t.settings, 'plan', t.plan, 'upstream', t.upstream,
        'shard', t.shard, 'external_id', t.external_id,
        'hosts', core.tenant_hosts(t.id),
        'allow_addresses', t.allow_addresses,
        'deny_addresses', t.deny_addresses,
        'cors_origins', t.cors_origins, 'version', t.version,
        'created_at', core.iso(t.created_at),
        'updated_at', core.iso(t.updated_at))
$$;

-- The tenant, locked as in core.lock_members(); deleted ones are gone.
create or replace function core.tenant_lock(p_id uuid) returns core.tenant
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    t  core.tenant;
begin
    select * into t from core.tenant l
     where l.id = p_id and l.status <> 'deleted' for no key update;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    return t;
end
$$;

-- What a tenant's settings may say beyond their schema.
create or replace function core.require_settings(p_settings jsonb)
returns void
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_policy  jsonb := p_settings -> 'validation';
begin
    -- the defaults are those of the score (lib/voice_score.h)
    if coalesce((v_policy ->> 'manual_review')::numeric, 0.40)
       > coalesce((v_policy ->> 'auto_pass')::numeric, 0.75)
    then
        perform core.refuse('/body/settings/validation',
                            'manual_review is above auto_pass');
    end if;

    if p_settings #>> '{calls,language}' is not null then
        perform core.language(p_settings #>> '{calls,language}',
                              '/body/settings/calls/language');
    end if;
end
$$;

create or replace function api.list_tenants(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    v_page     core.paging := core.page(args);
    v_pattern  text := core.pattern(args ->> 'search');
    v_status   text := args ->> 'status';
    v_sort     text := coalesce(args ->> 'sort', '-created_at');
    v_total    bigint;
    v_data     json;
begin
    select count(*) into v_total
      from core.tenant t
     where t.status <> 'deleted'
       and (v_status is null or t.status = v_status)
       and (v_pattern is null or t.business_name ilike v_pattern);

    select json_agg(core.tenant_json(r.t) order by r.place) into v_data
      from (select t, row_number() over (order by
                case when v_sort = 'business_name' then t.business_name end,
                case when v_sort = '-business_name'
                     then t.business_name end desc,
                case when v_sort = 'created_at' then t.created_at end,
                t.created_at desc, t.id desc) as place
              from core.tenant t
             where t.status <> 'deleted'
               and (v_status is null or t.status = v_status)
               and (v_pattern is null or t.business_name ilike v_pattern)
             order by place
             limit v_page.page_size offset v_page.skip) r;

    return core.reply_list(v_data, args, v_total);
end
$$;

create or replace function api.create_tenant(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    t        core.tenant;
    v_owner  uuid := core.uuid_v7();
begin
    if core.find_user(args ->> 'owner_email') is not null then
        perform core.fail('DUPLICATE',
                          'There is a user with this email already.');
    end if;

    t.plan := 'standard';
    t.allow_addresses := '{}';
    t.deny_addresses := '{}';
    t.cors_origins := '{}';
    t := core.tenant_edge(t, args);

    insert into core.tenant (business_name, trade_type, settings, plan,
        upstream, shard, external_id, allow_addresses, deny_addresses,
        cors_origins)
    values (args ->> 'business_name', args ->> 'trade_type',
            jsonb_strip_nulls(coalesce(args -> 'settings', '{}')), t.plan,
            t.upstream, t.shard, t.external_id, t.allow_addresses,
            t.deny_addresses, t.cors_origins)
    returning * into t;

    perform core.require_settings(t.settings);
    perform core.set_hosts(t.id, core.hosts(args));
    perform core.use_tenant(t.id);
    insert into core.app_user (id, home_tenant_id, email, password_hash,
                               display_name)
    values (v_owner, t.id, lower(args ->> 'owner_email'),
            args ->> 'owner_password_hash',
            coalesce(args ->> 'owner_name', ''));
    insert into core.membership (tenant_id, user_id, role)
    values (t.id, v_owner, 'owner');

    perform core.use_tenant(ctx.tenant_id);
    perform core.audit('tenant.created', 'tenant', t.id,
        jsonb_build_object('business_name', t.business_name,
                           'owner_id', v_owner));

    return core.reply_created(core.tenant_json(t), '/api/v1/tenants/' || t.id,
                              t.version);
end
$$;

create or replace function api.get_tenant(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    t  core.tenant;
begin
    select * into t from core.tenant r
     where r.id = (args ->> 'id')::uuid and r.status <> 'deleted';

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    return core.reply_version(core.tenant_json(t), t.version);
end
$$;

-- Settings are merged member by member; null removes one.
create or replace function api.update_tenant(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    t  core.tenant := core.tenant_lock((args ->> 'id')::uuid);
    n  core.tenant := core.tenant_edge(t, args);
begin
    perform core.check_version(args, t.version);
    n.status := coalesce(args ->> 'status', t.status);
    perform core.require_platform(ctx, t, n, args);

    if n.status <> t.status and t.id = ctx.tenant_id then
        perform core.fail('INVALID_STATE',
                          'Nobody suspends the tenant that he is in.');
    end if;

    perform core.require_way_in(ctx, n, args);

    update core.tenant u
       set business_name = coalesce(args ->> 'business_name',
                                    u.business_name),
           trade_type = case when args ? 'trade_type'
                             then args ->> 'trade_type'
                             else u.trade_type end,
           status = n.status,
           settings = jsonb_strip_nulls(u.settings
                                        || coalesce(args -> 'settings',
                                                    '{}')),
           plan = n.plan, upstream = n.upstream, shard = n.shard,
           external_id = n.external_id,
           allow_addresses = n.allow_addresses,
           deny_addresses = n.deny_addresses, cors_origins = n.cors_origins,
           version = u.version + 1, updated_at = now()
     where u.id = t.id
    returning * into t;

    if args ? 'hosts' then
        perform core.set_hosts(t.id, core.hosts(args));
    end if;

    perform core.require_settings(t.settings);
    perform core.audit('tenant.updated', 'tenant', t.id,
        args - array['id', 'if_match', 'force']);

    return core.reply_version(core.tenant_json(t), t.version);
end
$$;

-- Soft: nobody gets in any more, the data stay.
create or replace function api.delete_tenant(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    t  core.tenant := core.tenant_lock((args ->> 'id')::uuid);
begin
    perform core.check_version(args, t.version);

    if t.id = ctx.tenant_id then
        perform core.fail('INVALID_STATE',
                          'Nobody deletes the tenant that he is in.');
    end if;

    update core.tenant u
       set status = 'deleted', deleted_at = now(), updated_at = now(),
           version = u.version + 1, external_id = null
     where u.id = t.id;

    -- both are free for others
    perform core.set_hosts(t.id, '{}');
    perform core.audit('tenant.deleted', 'tenant', t.id);

    return core.reply(null, 204);
end
$$;
