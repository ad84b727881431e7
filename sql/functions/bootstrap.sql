-- The first of all: what bin/voicegate-admin calls as superuser.

-- Makes sure that a tenant of that name and a user with that role in it
-- exist.  The hash is bcrypt; an existing user keeps his own unless
-- p_reset.  True if the given password is now the user's.
create or replace function work.bootstrap(
    p_email text, p_hash text, p_tenant text, p_role text default 'owner',
    p_reset boolean default false)
returns boolean
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_tenant  uuid;
    v_user    uuid;
    v_made    boolean := false;
begin
    perform pg_advisory_xact_lock(7310592003);

    select t.id into v_tenant from core.tenant t
     where t.business_name = p_tenant and t.status <> 'deleted'
     order by t.created_at limit 1;

    if not found then
        v_tenant := core.uuid_v7();
        insert into core.tenant (id, business_name)
        values (v_tenant, p_tenant);
    end if;

    perform core.use_tenant(v_tenant, null, 'system', null, 'bootstrap');

    select u.id into v_user from core.app_user u
     where lower(u.email) = lower(p_email);

    if not found then
        v_user := core.uuid_v7();
        v_made := true;
        insert into core.app_user (id, home_tenant_id, email, password_hash,
                                   display_name)
        values (v_user, v_tenant, lower(p_email), p_hash,
                split_part(p_email, '@', 1));
    elsif p_reset then
        v_made := true;
        update core.app_user u
           set password_hash = p_hash, password_changed_at = now(),
               updated_at = now()
         where u.id = v_user;
        perform core.login_unlock(p_email);
        -- in every tenant: whoever knew the old password is out
        update core.session s set ended_at = now(), end_reason = 'password'
         where s.user_id = v_user and s.ended_at is null;
    end if;

    insert into core.membership (tenant_id, user_id, role)
    values (v_tenant, v_user, p_role)
    on conflict (tenant_id, user_id)
        do update set role = excluded.role, is_active = true;

    perform core.audit('bootstrap', 'user', v_user,
        jsonb_build_object('email', lower(p_email), 'role', p_role,
                           'password_set', v_made));

    return v_made;
end
$$;

-- A tenant whose data stand in a shard: the main database keeps its name,
-- plan and hosts.  One that has people here already cannot be moved.  The
-- superuser's alone, like bootstrap().
create or replace function work.place_tenant(
    p_tenant text, p_shard text, p_host text)
returns uuid
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_tenant  uuid;
begin
    perform pg_advisory_xact_lock(7310592003);

    select t.id into v_tenant from core.tenant t
     where t.business_name = p_tenant and t.status <> 'deleted'
     order by t.created_at limit 1;

    if exists (select from core.membership m where m.tenant_id = v_tenant)
    then
        raise exception 'tenant "%" has people in the main database',
                        p_tenant;
    end if;

    insert into core.tenant (id, business_name, shard)
    values (coalesce(v_tenant, core.uuid_v7()), p_tenant, p_shard)
    on conflict (id) do update set shard = p_shard
    returning id into v_tenant;

    perform core.use_tenant(v_tenant, null, 'system', null, 'place');
    insert into core.tenant_host (tenant_id, host)
    values (v_tenant, lower(p_host))
    on conflict (tenant_id, host) do nothing;

    return v_tenant;
end
$$;

-- The same tenant in its shard.
create or replace function work.adopt_tenant(p_id uuid, p_tenant text)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    insert into core.tenant (id, business_name) values (p_id, p_tenant)
    on conflict (id) do nothing;
end
$$;
