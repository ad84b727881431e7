-- What the edge asks beside the operations: tenants, hosts, whether a
-- credential is still good, and what has changed.

-- Tells the edge that its copies are old.  kinds: tenant, session (ids), host
-- (a name), actor (id of a user or key), tenants, hosts, all (no id).
create or replace function core.edge_changed(
    p_kind text, p_id text default '')
returns void
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    insert into core.edge_change (kind, id) values (p_kind, p_id);
end
$$;

create or replace function core.edge_tenant_changed() returns trigger
language plpgsql security definer set search_path = core, pg_temp
as $$
begin
    perform core.edge_changed('tenant', new.id::text);
    return null;
end
$$;

-- Names and settings stay out of the edge's record; a new column counts.
create or replace trigger edge_tenant
    after update on core.tenant for each row
    when (to_jsonb(old) - array['business_name', 'trade_type', 'settings',
                                'version', 'updated_at']
          is distinct from
          to_jsonb(new) - array['business_name', 'trade_type', 'settings',
                                'version', 'updated_at'])
    execute function core.edge_tenant_changed();

create or replace function core.edge_plan_changed() returns trigger
language plpgsql security definer set search_path = core, pg_temp
as $$
begin
    perform core.edge_changed('tenants');
    return null;
end
$$;

create or replace trigger edge_plan
    after update on core.plan for each row
    when (old.limits is distinct from new.limits
          or old.user_limits is distinct from new.user_limits
          or old.id <> new.id)
    execute function core.edge_plan_changed();

-- A pattern may have covered any name.
create or replace function core.edge_host_changed() returns trigger
language plpgsql security definer set search_path = core, pg_temp
as $$
declare
    v_host  text;
begin
    foreach v_host in array array_remove(array[old.host, new.host], null)
    loop
        if v_host like '*%' then
            perform core.edge_changed('hosts');
        else
            perform core.edge_changed('host', v_host);
        end if;
    end loop;

    return null;
end
$$;

create or replace trigger edge_host
    after insert or update or delete on core.tenant_host for each row
    execute function core.edge_host_changed();

create or replace function core.edge_session_changed() returns trigger
language plpgsql security definer set search_path = core, pg_temp
as $$
begin
    perform core.edge_changed('session', old.id::text);
    return null;
end
$$;

create or replace trigger edge_session_ended
    after update of ended_at on core.session for each row
    when (old.ended_at is null and new.ended_at is not null)
    execute function core.edge_session_changed();

create or replace trigger edge_session_deleted
    after delete on core.session for each row
    when (old.ended_at is null and old.expires_at > now())
    execute function core.edge_session_changed();

create or replace function core.edge_member_changed() returns trigger
language plpgsql security definer set search_path = core, pg_temp
as $$
begin
    perform core.edge_changed('actor', old.user_id::text);
    return null;
end
$$;

create or replace trigger edge_member_updated
    after update of role, is_active on core.membership for each row
    when (old.role <> new.role or old.is_active <> new.is_active)
    execute function core.edge_member_changed();

create or replace trigger edge_member_deleted
    after delete on core.membership for each row
    execute function core.edge_member_changed();

create or replace function core.edge_key_changed() returns trigger
language plpgsql security definer set search_path = core, pg_temp
as $$
begin
    perform core.edge_changed('actor', old.id::text);
    return null;
end
$$;

-- Whatever of a key is no name and no time of use counts.
create or replace trigger edge_key_updated
    after update on core.api_key for each row
    when (to_jsonb(old) - array['name', 'last_used_at', 'previous_used_at',
                                'version', 'updated_at']
          is distinct from
          to_jsonb(new) - array['name', 'last_used_at', 'previous_used_at',
                                'version', 'updated_at'])
    execute function core.edge_key_changed();

create or replace trigger edge_key_deleted
    after delete on core.api_key for each row
    execute function core.edge_key_changed();

-- Is a credential that the edge has verified still good?  By the rules of
-- the operations themselves; raises what they would.
create or replace function api.edge_session(
    p_tenant uuid, p_actor uuid, p_actor_kind text, p_role text,
    p_session uuid)
returns boolean
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    if p_actor_kind = 'anonymous' then
        perform core.fail('AUTH_INVALID_TOKEN');
    end if;

    perform api.enter(p_tenant, p_actor, p_actor_kind, p_role, p_session,
                      null, null);
    return true;
end
$$;

set local role voice_lookup;

-- A tenant's record; null: there is none.
create or replace function api.edge_tenant(p_tenant uuid) returns json
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return (
        select json_build_object('id', t.id, 'status', t.status,
                   'plan', t.plan, 'limits', p.limits,
                   'user_limits', p.user_limits, 'upstream', t.upstream,
                   'shard', t.shard, 'allow', t.allow_addresses,
                   'deny', t.deny_addresses, 'origins', t.cors_origins)
          from core.tenant t join core.plan p on p.id = t.plan
         where t.id = p_tenant and t.status <> 'deleted');
end
$$;

-- The tenant of a host, in lower case: by its name, else by the longest
-- pattern; null: nobody's.
create or replace function api.edge_host(p_host text) returns uuid
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    v_names  text[] := array[p_host];
    v_rest   text := p_host;
begin
    while position('.' in v_rest) > 0 loop
        v_rest := substr(v_rest, position('.' in v_rest) + 1);
        v_names := v_names || ('*.' || v_rest);
    end loop;

    return (
        select h.tenant_id
          from core.tenant_host h join core.tenant t on t.id = h.tenant_id
         where h.host = any (v_names) and t.status <> 'deleted'
         order by h.host = p_host desc, length(h.host) desc
         limit 1);
end
$$;

-- The tenant that a foreign issuer calls by this name; null: none.
create or replace function api.edge_external(p_id text) returns uuid
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return (select t.id from core.tenant t
             where t.external_id = p_id and t.status <> 'deleted');
end
$$;

-- Where to go on from: a start of the server, the time and a snapshot, by
-- "/".  Another start is another server, or one that may have lost what it
-- had promised; then the numbers of transactions mean something else.  A long
-- snapshot is cut to its xmin: some changes come twice.
create or replace function core.edge_mark(p_now pg_snapshot) returns text
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_xmin  text := pg_snapshot_xmin(p_now);
begin
    return extract(epoch from pg_postmaster_start_time()) || '/'
        || extract(epoch from now()) || '/'
        || case when length(p_now::text) > 900
                then v_xmin || ':' || v_xmin || ':' else p_now::text end;
end
$$;

-- What has changed since a mark, and the mark to ask with next time; null
-- asks for that alone.  complete is false where there is more than the edge
-- wants to hear one by one, or where the mark is of another life or so old
-- that changes since may have been purged.
create or replace function api.edge_changes(p_since text) returns json
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    v_now    pg_snapshot := pg_current_snapshot();
    v_mark   text := core.edge_mark(v_now);
    v_old    text[] := string_to_array(coalesce(p_since, v_mark), '/');
    v_since  pg_snapshot := v_old[3];
begin
    -- work.purge() leaves ten minutes
    if v_old[1] <> split_part(v_mark, '/', 1) or v_since is null
       or v_old[2]::numeric < extract(epoch from now() - interval '9 minutes')
       or pg_snapshot_xmin(v_since) > pg_snapshot_xmin(v_now)
    then
        return json_build_object('mark', v_mark, 'complete', false);
    end if;

    return (
        select json_build_object(
                   'mark', v_mark,
                   'complete', count(*) <= 256,
                   'changes', case when count(*) <= 256
                       then json_agg(json_build_array(c.kind, c.id)) end)
          from (select e.kind, e.id
                  from core.edge_change e
                 where e.xid >= pg_snapshot_xmin(v_since)
                   and not pg_visible_in_snapshot(e.xid, v_since)
                 limit 257) c);
end
$$;
