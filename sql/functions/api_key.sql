-- API keys: "vgk_<8>_<43>"; the secret is shown once, when it is made.

create or replace function core.api_key_json(k core.api_key) returns json
language sql stable
as $$
    select json_build_object(
        'id', k.id, 'name', k.name, 'prefix', k.prefix,
        'last_four', k.last_four, 'role', k.role, 'scopes', k.scopes,
        'expires_at', core.iso(k.expires_at),
        'revoked_at', core.iso(k.revoked_at),
        'last_used_at', core.iso(k.last_used_at),
        'created_by', k.created_by, 'version', k.version,
        'created_at', core.iso(k.created_at),
        'updated_at', core.iso(k.updated_at))
$$;

create or replace function core.api_key_lock(p_id uuid)
returns core.api_key
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    k  core.api_key;
begin
    select * into k from core.api_key l
     where l.tenant_id = core.tenant() and l.id = p_id for update;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    return k;
end
$$;

-- An expiry as sent; null: never.  Refuses one that is over, and one by
-- which a key would let itself or another outlive it.
create or replace function core.api_key_expiry(ctx api.ctx, args jsonb)
returns timestamptz
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_at  timestamptz := (args ->> 'expires_at')::timestamptz;
begin
    if v_at <= now() then
        perform core.refuse('/body/expires_at', 'must be in the future');
    end if;

    if ctx.actor_kind = 'api_key'
       and exists (select from core.api_key k
                    where k.tenant_id = core.tenant()
                      and k.id = ctx.actor_id
                      and k.expires_at < coalesce(v_at, 'infinity'))
    then
        perform core.fail('AUTH_INSUFFICIENT_PERMISSIONS',
                          'No key outlives the one that makes it.');
    end if;

    return v_at;
end
$$;

create or replace function core.api_key_scopes(args jsonb) returns text[]
language sql immutable set search_path = core, pg_temp
as $$
    select coalesce(array_agg(distinct s.scope order by s.scope),
                    array['*'])
      from jsonb_array_elements_text(args -> 'scopes') s (scope)
$$;

-- A key hands out no more than it has itself.
create or replace function core.require_scopes(
    ctx api.ctx, p_scopes text[])
returns void
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    if ctx.actor_kind = 'api_key'
       and not exists (select from core.api_key k
                        where k.tenant_id = core.tenant()
                          and k.id = ctx.actor_id
                          and (k.scopes @> p_scopes
                               or '*' = any (k.scopes)))
    then
        perform core.fail('AUTH_INSUFFICIENT_PERMISSIONS',
                          'A scope is not among your own.');
    end if;
end
$$;

create or replace function api.list_api_keys(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    v_page     core.paging := core.page(args);
    v_pattern  text := core.pattern(args ->> 'search');
    v_active   boolean := coalesce((args ->> 'is_active')::boolean, true);
    v_total    bigint;
    v_data     json;
begin
    select count(*) into v_total
      from core.api_key k
     where k.tenant_id = core.tenant()
       and (v_pattern is null or k.name ilike v_pattern)
       and v_active = (k.revoked_at is null
                       and coalesce(k.expires_at > now(), true));

    select json_agg(core.api_key_json(r.k)
                    order by (r.k).created_at desc, (r.k).id desc)
      into v_data
      from (select k
              from core.api_key k
             where k.tenant_id = core.tenant()
               and (v_pattern is null or k.name ilike v_pattern)
               and v_active = (k.revoked_at is null
                               and coalesce(k.expires_at > now(), true))
             order by k.created_at desc, k.id desc
             limit v_page.page_size offset v_page.skip) r;

    return core.reply_list(v_data, args, v_total);
end
$$;

create or replace function api.get_api_key(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    k  core.api_key;
begin
    select * into k from core.api_key r
     where r.tenant_id = core.tenant() and r.id = (args ->> 'id')::uuid;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    return core.reply_version(core.api_key_json(k), k.version);
end
$$;

create or replace function api.create_api_key(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_prefix  text := 'vgk_' || left(replace(gen_random_uuid()::text, '-',
                                             ''), 8);
    v_secret  text := v_prefix || '_' || core.random_secret();
    k         core.api_key;
begin
    perform core.require_rank(ctx.role, args ->> 'role');
    perform core.require_scopes(ctx, core.api_key_scopes(args));

    insert into core.api_key (tenant_id, name, prefix, last_four, hash, role,
                              scopes, expires_at, created_by)
    values (core.tenant(), args ->> 'name', v_prefix, right(v_secret, 4),
            core.sha256_hex(v_secret), args ->> 'role',
            core.api_key_scopes(args), core.api_key_expiry(ctx, args),
            case when ctx.actor_kind = 'user' then ctx.actor_id end)
    on conflict (tenant_id, lower(name)) where revoked_at is null do nothing
    returning * into k;

    if not found then
        perform core.fail('DUPLICATE',
                          'There is a key with this name already.');
    end if;

    perform core.audit('api_key.created', 'api_key', k.id,
        jsonb_build_object('name', k.name, 'role', k.role,
                           'scopes', k.scopes));

    return core.reply_created(
        (core.api_key_json(k)::jsonb
         || jsonb_build_object('secret', v_secret))::json,
        '/api/v1/api-keys/' || k.id, k.version);
end
$$;

create or replace function api.update_api_key(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    k  core.api_key := core.api_key_lock((args ->> 'id')::uuid);
begin
    perform core.check_version(args, k.version);
    perform core.require_rank(ctx.role, k.role);
    perform core.require_scopes(ctx, case when args ? 'scopes'
        then core.api_key_scopes(args) else k.scopes end);

    if k.revoked_at is not null then
        perform core.fail('INVALID_STATE', 'The key is revoked.');
    end if;

    if exists (select from core.api_key o
                where o.tenant_id = core.tenant() and o.revoked_at is null
                  and lower(o.name) = lower(args ->> 'name')
                  and o.id <> k.id)
    then
        perform core.fail('DUPLICATE',
                          'There is a key with this name already.');
    end if;

    update core.api_key u
       set name = coalesce(args ->> 'name', u.name),
           scopes = case when args ? 'scopes'
                         then core.api_key_scopes(args) else u.scopes end,
           expires_at = case when args ? 'expires_at'
                             then core.api_key_expiry(ctx, args)
                             else u.expires_at end,
           version = u.version + 1, updated_at = now()
     where u.tenant_id = k.tenant_id and u.id = k.id
    returning * into k;

    perform core.audit('api_key.updated', 'api_key', k.id,
                       args - array['id', 'if_match']);

    return core.reply_version(core.api_key_json(k), k.version);
end
$$;

-- Revokes it for good; the row stays for the log.
create or replace function api.delete_api_key(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    k  core.api_key := core.api_key_lock((args ->> 'id')::uuid);
begin
    perform core.check_version(args, k.version);
    perform core.require_rank(ctx.role, k.role);

    if k.revoked_at is null then
        update core.api_key u
           set revoked_at = now(), updated_at = now(),
               version = u.version + 1
         where u.tenant_id = k.tenant_id and u.id = k.id;
        perform core.audit('api_key.revoked', 'api_key', k.id);
    end if;

    return core.reply(null, 204);
end
$$;
