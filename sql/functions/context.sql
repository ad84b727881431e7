-- The context of a request or job, and what every resource needs: replies,
-- pages, versions, times.
--
-- What reads a table or makes a reply is plpgsql, which keeps its plan for
-- the session; a plain expression is SQL without settings of its own, so
-- that PostgreSQL puts it in place of the call.

-- Puts the rest of the transaction under a tenant.
create or replace function core.use_tenant(
    p_tenant uuid, p_actor uuid, p_actor_kind text, p_role text,
    p_request text, p_address text default '')
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    perform set_config('voice.tenant', coalesce(p_tenant::text, ''), true),
            set_config('voice.actor', coalesce(p_actor::text, ''), true),
            set_config('voice.actor_kind', coalesce(p_actor_kind, ''), true),
            set_config('voice.role', coalesce(p_role, ''), true),
            set_config('voice.request', coalesce(p_request, ''), true),
            set_config('voice.address', coalesce(p_address, ''), true);
end
$$;

-- For triggers and jobs: the tenant alone, everything else as it is.
create or replace function core.use_tenant(p_tenant uuid) returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    perform set_config('voice.tenant', coalesce(p_tenant::text, ''), true);
end
$$;

create or replace function core.actor_kind() returns text
language sql stable
as $$
    select coalesce(nullif(current_setting('voice.actor_kind', true), ''),
                    'system')
$$;

create or replace function core.request_id() returns text
language sql stable
as $$ select coalesce(current_setting('voice.request', true), '') $$;

-- W3C traceparent of the request or of the job's cause; '' without one.
create or replace function core.traceparent() returns text
language sql stable
as $$ select coalesce(current_setting('voice.trace', true), '') $$;

-- What a log finds all by: the trace's id, else the request's.
create or replace function core.trace_id() returns text
language sql stable
as $$
    select coalesce(nullif(substr(core.traceparent(), 4, 32), ''),
                    core.request_id())
$$;

-- Refuses what has no tenant, or a tenant that may not work now.
create or replace function core.require_tenant(p_tenant uuid) returns void
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_status  text;
begin
    select t.status into v_status from core.tenant t where t.id = p_tenant;

    if v_status is null or v_status = 'deleted' then
        perform core.fail('AUTH_INVALID_TOKEN');
    elsif v_status <> 'active' then
        perform core.fail('TENANT_SUSPENDED');
    end if;
end
$$;

-- A user's session must live and his membership still give him that role.
create or replace function core.require_session(
    p_tenant uuid, p_user uuid, p_role text, p_session uuid)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_seen  timestamptz;
begin
    select s.last_seen_at into v_seen
      from core.session s
      join core.membership m
        on m.tenant_id = s.tenant_id and m.user_id = s.user_id
     where s.tenant_id = p_tenant and s.id = p_session
       and s.user_id = p_user and s.ended_at is null
       and s.expires_at > now() and m.is_active and m.role = p_role;

    if not found then
        perform core.fail('AUTH_INVALID_TOKEN',
            'The session has ended or its rights have changed.');
    end if;

    -- once a minute is enough, never a wait for a concurrent request, and
    -- not on a replica
    if v_seen < now() - interval '1 minute' and not pg_is_in_recovery() then
        update core.session s set last_seen_at = now()
         where s.tenant_id = p_tenant
           and s.id in (select l.id from core.session l
                         where l.tenant_id = p_tenant and l.id = p_session
                           for update skip locked);
    end if;
end
$$;

create or replace function core.require_key(
    p_tenant uuid, p_key uuid, p_role text)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_used  timestamptz;
begin
    select coalesce(k.last_used_at, '-infinity') into v_used
      from core.api_key k
     where k.tenant_id = p_tenant and k.id = p_key and k.role = p_role
       and k.revoked_at is null
       and (k.expires_at is null or k.expires_at > now());

    if not found then
        perform core.fail('AUTH_INVALID_TOKEN', 'The API key is not valid.');
    end if;

    if v_used < now() - interval '1 minute' and not pg_is_in_recovery() then
        update core.api_key k set last_used_at = now()
         where k.tenant_id = p_tenant
           and k.id in (select l.id from core.api_key l
                         where l.tenant_id = p_tenant and l.id = p_key
                           for update skip locked);
    end if;
end
$$;

-- A person of a foreign issuer: the edge has verified the token, there is no
-- session of ours.  The platform's own role is nobody else's to give.
create or replace function core.require_federated(
    p_actor uuid, p_role text)
returns void
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    if p_actor is null or coalesce(core.rank(p_role), 60) >= 60 then
        perform core.fail('AUTH_INVALID_TOKEN');
    end if;
end
$$;

-- Nobody: the edge is of one tenant and takes packets of calls without
-- credentials (voice_tenancy).  He is no person and no key, and has the role
-- of a machine, whatever the edge says.
create or replace function core.require_dropin(
    p_actor uuid, p_role text, p_session uuid)
returns void
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    if p_actor is not null or p_session is not null
       or p_role is distinct from 'service'
    then
        perform core.fail('AUTH_INVALID_TOKEN');
    end if;
end
$$;

-- The first thing of every statement of the edge: who asks, for which
-- tenant.  Refuses with 401 or 403 what has changed since the token was
-- signed.
create or replace function api.enter(
    p_tenant uuid, p_actor uuid, p_actor_kind text, p_role text,
    p_session uuid, p_request_id text, p_address inet,
    p_traceparent text default null)
returns api.ctx
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    perform set_config('voice.trace', coalesce(p_traceparent, ''), true);

    -- the role counts only once it is proved: RLS trusts it
    perform core.use_tenant(p_tenant, p_actor, p_actor_kind, null,
                            p_request_id, host(p_address));

    if p_actor_kind = 'anonymous' then
        perform core.use_tenant(null, null, 'anonymous', null, p_request_id,
                                host(p_address));
        return (null, null, 'anonymous', null, null, p_request_id,
                p_address)::api.ctx;
    end if;

    perform core.require_tenant(p_tenant);

    if p_actor_kind = 'user' then
        perform core.require_session(p_tenant, p_actor, p_role, p_session);
    elsif p_actor_kind = 'api_key' then
        perform core.require_key(p_tenant, p_actor, p_role);
    elsif p_actor_kind = 'federated' then
        perform core.require_federated(p_actor, p_role);
    elsif p_actor_kind = 'dropin' then
        perform core.require_dropin(p_actor, p_role, p_session);
    else
        perform core.fail('AUTH_INVALID_TOKEN');
    end if;

    perform set_config('voice.role', p_role, true);

    return (p_tenant, p_actor, p_actor_kind, p_role, p_session,
            p_request_id, p_address)::api.ctx;
end
$$;

-- Rank of a role for "nobody grants above his own": side and machine roles
-- stand where their rights end.  Null for an unknown one.
create or replace function core.rank(p_role text) returns int
language sql immutable
as $$
    select case p_role
        when 'platform_admin' then 60 when 'owner' then 50
        when 'admin' then 40          when 'supervisor' then 30
        when 'operator' then 20       when 'viewer' then 10
        when 'billing' then 40        when 'qa_lead' then 30
        when 'validator' then 20      when 'service' then 40
        when 'api_client' then 20
    end
$$;

-- A time as ISO 8601 in UTC, milliseconds.
create or replace function core.iso(p_time timestamptz) returns text
language sql immutable parallel safe
as $$
    select to_char(p_time at time zone 'UTC',
                   'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- An IPv4 address that was written as IPv6 (RFC 4291 2.5.5.2), and ranges of
-- such, as what they are.
create or replace function core.plain_address(p_address inet) returns inet
language sql immutable parallel safe
as $$
    select case when p_address <<= inet '::ffff:0.0.0.0/96'
        then set_masklen(inet '0.0.0.0' + (set_masklen(p_address, 128)
                                           - inet '::ffff:0.0.0.0'),
                         masklen(p_address) - 96)
        else p_address end
$$;

-- Replies.

create or replace function core.reply(
    p_data json, p_status int default 200, p_message text default null,
    p_wake text[] default null, p_headers json default null)
returns api.reply
language plpgsql immutable set search_path = core, pg_temp
as $$
begin
    return (p_status, p_data, p_message, null, null, p_wake,
            p_headers)::api.reply;
end
$$;

-- 201 with Location and, for what has versions, ETag.
create or replace function core.reply_created(
    p_data json, p_location text, p_version int default null,
    p_wake text[] default null)
returns api.reply
language plpgsql immutable set search_path = core, pg_temp
as $$
begin
    return (201, p_data, null, null, null, p_wake,
            json_strip_nulls(json_build_object('Location', p_location,
                'ETag', '"' || p_version || '"')))::api.reply;
end
$$;

-- 200 with ETag.
create or replace function core.reply_version(p_data json, p_version int)
returns api.reply
language plpgsql immutable set search_path = core, pg_temp
as $$
begin
    return core.reply(p_data,
        p_headers => json_build_object('ETag', '"' || p_version || '"'));
end
$$;

-- 200 with a page of a list; data null stands for no rows.
create or replace function core.reply_list(
    p_data json, p_args jsonb, p_total bigint)
returns api.reply
language plpgsql immutable set search_path = core, pg_temp
as $$
begin
    return (200, coalesce(p_data, '[]'), null,
            core.pagination(p_args, p_total), null, null,
            null)::api.reply;
end
$$;

-- Which rows a list shows: arguments page (from 1) and page_size (1..100).
create or replace function core.page(p_args jsonb) returns core.paging
language plpgsql immutable set search_path = core, pg_temp
as $$
declare
    p  core.paging;
begin
    p.page := least(greatest(coalesce((p_args ->> 'page')::bigint, 1), 1),
                    1000000);
    p.page_size := least(greatest(
        coalesce((p_args ->> 'page_size')::bigint, 20), 1), 100);
    p.skip := (p.page - 1) * p.page_size;

    return p;
end
$$;

create or replace function core.pagination(p_args jsonb, p_total bigint)
returns json
language plpgsql immutable set search_path = core, pg_temp
as $$
declare
    p  core.paging := core.page(p_args);
begin
    return json_build_object(
        'page', p.page, 'page_size', p.page_size, 'total_items', p_total,
        'total_pages', (p_total + p.page_size - 1) / p.page_size);
end
$$;

-- Pattern for ilike that finds the text anywhere; null finds all.
create or replace function core.pattern(p_search text) returns text
language sql immutable
as $$
    select '%' || replace(replace(replace(p_search, '\', '\\'), '%', '\%'),
                          '_', '\_') || '%'
$$;

-- If-Match (argument if_match: entity tags, or a bare version) must name the
-- row's version where it is sent; "*" takes any.  Comparison is strong (RFC
-- 9110, 13.1.1): W/"1" names nothing.
create or replace function core.check_version(p_args jsonb, p_version int)
returns void
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_sent  text := p_args ->> 'if_match';
begin
    if v_sent is null or v_sent = '*' or v_sent = p_version::text
       or v_sent = '"' || p_version || '"'
    then
        return;
    end if;

    if v_sent !~ ('^ *(W/)?"[^"[:cntrl:] ]*"'
                  || '( *, *(W/)?"[^"[:cntrl:] ]*")* *$')
       and v_sent !~ '^[0-9]+$'
    then
        perform core.refuse('/header/if_match',
                            'must be "*" or a list of entity tags');
    end if;

    if not exists (
        select from regexp_matches(v_sent, '(?:W/)?"[^"]*"', 'g') m (tag)
         where m.tag[1] = '"' || p_version || '"')
    then
        perform core.fail('VERSION_MISMATCH');
    end if;
end
$$;

-- Adds to a total for /metrics.
create or replace function core.count(
    p_name text, p_label text, p_value bigint default 1)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    insert into core.counter (name, label, slot, value)
    values (p_name, p_label, pg_backend_pid() % 16, p_value)
    on conflict (name, label, slot)
        do update set value = counter.value + excluded.value;
end
$$;
