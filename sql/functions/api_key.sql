-- API keys: "vgk_<8>_<43>"; a secret is shown once, when it is made.  A key
-- that was rotated has two for a while.

create or replace function core.api_key_json(k core.api_key) returns json
language sql stable
as $$
    select json_build_object(
        'id', k.id, 'name', k.name, 'prefix', k.prefix,
        'last_four', k.last_four, 'role', k.role, 'scopes', k.scopes,
        'expires_at', core.iso(k.expires_at),
        'revoked_at', core.iso(k.revoked_at),
        'last_used_at', core.iso(k.last_used_at),
        'limits', case when k.rate is not null then json_build_object(
            'rate', k.rate, 'burst', k.burst) end,
        'previous', case when k.previous_until > now() then json_build_object(
            'last_four', k.previous_last_four,
            'expires_at', core.iso(k.previous_until),
            'last_used_at', core.iso(k.previous_used_at)) end,
        'created_by', k.created_by, 'version', k.version,
        'created_at', core.iso(k.created_at),
        'updated_at', core.iso(k.updated_at))
$$;

-- With its secret, the once.
create or replace function core.api_key_shown(k core.api_key, p_secret text)
returns json
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return (core.api_key_json(k)::jsonb
            || jsonb_build_object('secret', p_secret))::json;
end
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

-- What a key may give to a key, itself included: no longer life and no higher
-- limits than its own (null: none).
create or replace function core.require_key_within(
    ctx api.ctx, p_expires_at timestamptz, p_rate int, p_burst int)
returns void
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    k  core.api_key;
begin
    if ctx.actor_kind <> 'api_key' then
        return;
    end if;

    select * into k from core.api_key o
     where o.tenant_id = core.tenant() and o.id = ctx.actor_id;

    if k.expires_at < coalesce(p_expires_at, 'infinity') then
        perform core.fail('AUTH_INSUFFICIENT_PERMISSIONS',
                          'No key outlives the one that makes it.');
    end if;

    if k.rate < coalesce(p_rate, 2147483647)
       or k.burst < coalesce(p_burst, 2147483647)
    then
        perform core.fail('AUTH_INSUFFICIENT_PERMISSIONS',
                          'The limits are above your own.');
    end if;
end
$$;

-- An expiry as sent; null: never.  Refuses one that is over.
create or replace function core.api_key_expiry(args jsonb)
returns timestamptz
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_at  timestamptz := (args ->> 'expires_at')::timestamptz;
begin
    if v_at <= now() then
        perform core.refuse('/body/expires_at', 'must be in the future');
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
    v_rate    int := (args #>> '{limits,rate}')::int;
    v_burst   int := (args #>> '{limits,burst}')::int;
    v_expiry  timestamptz := core.api_key_expiry(args);
    k         core.api_key;
begin
    perform core.require_rank(ctx.role, args ->> 'role');
    perform core.require_scopes(ctx, core.api_key_scopes(args));
    perform core.require_key_within(ctx, v_expiry, v_rate, v_burst);

    insert into core.api_key (tenant_id, name, prefix, last_four, hash, role,
                              scopes, expires_at, rate, burst, created_by)
    values (core.tenant(), args ->> 'name', v_prefix, right(v_secret, 4),
            core.sha256_hex(v_secret), args ->> 'role',
            core.api_key_scopes(args), v_expiry, v_rate, v_burst,
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

    return core.reply_created(core.api_key_shown(k, v_secret),
                              '/api/v1/api-keys/' || k.id, k.version);
end
$$;

-- A change takes a key that is not revoked, and one of no wider scopes than
-- the asker's.
create or replace function core.api_key_change(
    ctx api.ctx, args jsonb, p_scopes text[])
returns core.api_key
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    k  core.api_key := core.api_key_lock((args ->> 'id')::uuid);
begin
    perform core.check_version(args, k.version);
    perform core.require_rank(ctx.role, k.role);
    perform core.require_scopes(ctx, coalesce(p_scopes, k.scopes));

    if k.revoked_at is not null then
        perform core.fail('INVALID_STATE', 'The key is revoked.');
    end if;

    return k;
end
$$;

create or replace function api.update_api_key(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    k  core.api_key := core.api_key_change(ctx, args,
           case when args ? 'scopes' then core.api_key_scopes(args) end);
begin
    if exists (select from core.api_key o
                where o.tenant_id = core.tenant() and o.revoked_at is null
                  and lower(o.name) = lower(args ->> 'name')
                  and o.id <> k.id)
    then
        perform core.fail('DUPLICATE',
                          'There is a key with this name already.');
    end if;

    k.name := coalesce(args ->> 'name', k.name);

    if args ? 'scopes' then
        k.scopes := core.api_key_scopes(args);
    end if;

    if args ? 'expires_at' then
        k.expires_at := core.api_key_expiry(args);
    end if;

    if args ? 'limits' then
        k.rate := (args #>> '{limits,rate}')::int;
        k.burst := (args #>> '{limits,burst}')::int;
    end if;

    if args ?| array['expires_at', 'limits'] then
        perform core.require_key_within(ctx, k.expires_at, k.rate, k.burst);
    end if;

    update core.api_key u
       set name = k.name, scopes = k.scopes, expires_at = k.expires_at,
           rate = k.rate, burst = k.burst,
           version = u.version + 1, updated_at = now()
     where u.tenant_id = k.tenant_id and u.id = k.id
    returning * into k;

    perform core.audit('api_key.updated', 'api_key', k.id,
                       args - array['id', 'if_match']);

    return core.reply_version(core.api_key_json(k), k.version);
end
$$;

-- A new secret beside the one that there is, which goes on for the overlap;
-- what was left of an earlier one ends.  The asker learns a secret of the
-- key, so it may be no more than he himself.
create or replace function api.rotate_api_key(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    k          core.api_key := core.api_key_change(ctx, args, null);
    v_secret   text := k.prefix || '_' || core.random_secret();
    v_overlap  int := coalesce((args ->> 'overlap_seconds')::int, 86400);
begin
    if k.expires_at <= now() then
        perform core.fail('INVALID_STATE', 'The key has expired.');
    end if;

    perform core.require_key_within(ctx, k.expires_at, k.rate, k.burst);

    update core.api_key u
       set hash = core.sha256_hex(v_secret),
           last_four = right(v_secret, 4),
           previous_hash = case when v_overlap > 0 then u.hash end,
           previous_last_four = case when v_overlap > 0 then u.last_four end,
           previous_until = case when v_overlap > 0 then now()
               + make_interval(secs => v_overlap) end,
           previous_used_at = null,
           version = u.version + 1, updated_at = now()
     where u.tenant_id = k.tenant_id and u.id = k.id
    returning * into k;

    perform core.audit('api_key.rotated', 'api_key', k.id,
                       jsonb_build_object('overlap_seconds', v_overlap));

    return core.reply_version(core.api_key_shown(k, v_secret), k.version);
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

-- The secret before the last was used: once a minute is noted, and never by
-- waiting for a concurrent request or on a replica.
create or replace function core.api_key_touch_previous(k core.api_key)
returns void
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    if pg_is_in_recovery()
       or k.previous_used_at > now() - interval '1 minute'
    then
        return;
    end if;

    perform core.use_tenant(k.tenant_id);
    update core.api_key u set previous_used_at = now()
     where u.tenant_id = k.tenant_id
       and u.id in (select l.id from core.api_key l
                     where l.tenant_id = k.tenant_id and l.id = k.id
                       for update skip locked);
end
$$;
