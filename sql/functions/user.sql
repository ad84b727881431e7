-- Users of a tenant: a person with his membership.

create or replace function core.user_json(
    m core.membership, u core.app_user)
returns json
language sql stable
as $$
    select json_build_object(
        'id', u.id, 'email', u.email, 'display_name', u.display_name,
        'role', m.role, 'is_active', m.is_active, 'version', m.version,
        'last_login_at', core.iso(m.last_login_at),
        'created_at', core.iso(m.created_at),
        'updated_at', core.iso(m.updated_at))
$$;

-- Locks the tenant's members against each other: two owners cannot remove
-- one another at once.  Members are changed only under it.  Not "for update":
-- whatever names the tenant in a foreign key, the audit log with its chain
-- locked above all, would wait for this and this for it.
create or replace function core.lock_members() returns void
language sql volatile set search_path = core, pg_temp
as $$
    select t.id from core.tenant t where t.id = core.tenant()
       for no key update
$$;

-- After a change: somebody must be left who owns the tenant.
create or replace function core.require_owner() returns void
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    if not exists (select from core.membership m
                    where m.tenant_id = core.tenant() and m.is_active
                      and m.role in ('owner', 'platform_admin'))
    then
        perform core.fail('INVALID_STATE',
                          'The tenant would be without an owner.');
    end if;
end
$$;

-- Nobody grants a role above his own.
create or replace function core.require_rank(p_own text, p_role text)
returns void
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    if coalesce(core.rank(p_role) > core.rank(p_own), true) then
        perform core.fail('AUTH_INSUFFICIENT_PERMISSIONS',
                          'The role is above your own.');
    end if;
end
$$;

-- Before a person gets a role.  A person has every scope of his role, so a
-- key that lacks one makes none.
create or replace function core.require_grant(ctx api.ctx, p_role text)
returns void
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    perform core.require_rank(ctx.role, p_role);
    perform core.require_scopes(ctx, array['*']);
end
$$;

-- The membership of a user that the asker is about to change: locked, not
-- his own, not above him.
create or replace function core.member_lock(
    ctx api.ctx, p_user uuid, p_own boolean default false)
returns core.membership
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    m  core.membership;
begin
    perform core.lock_members();

    select * into m from core.membership l
     where l.tenant_id = core.tenant() and l.user_id = p_user for update;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    if m.user_id = ctx.actor_id and not p_own then
        perform core.fail('INVALID_STATE',
            'Nobody changes his own role, state or membership.');
    end if;

    if m.user_id is distinct from ctx.actor_id then
        perform core.require_rank(ctx.role, m.role);
    end if;

    return m;
end
$$;

-- Members whose role and state change lose nothing else; those who are shut
-- out lose their sessions, too.
create or replace function core.member_update(
    m core.membership, p_role text, p_active boolean)
returns core.membership
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    update core.membership u
       set role = coalesce(p_role, u.role),
           is_active = coalesce(p_active, u.is_active),
           version = u.version + 1, updated_at = now()
     where u.tenant_id = m.tenant_id and u.id = m.id
    returning * into m;

    perform core.require_owner();

    if not m.is_active then
        perform core.end_sessions(m.user_id, 'membership');
    end if;

    return m;
end
$$;

create or replace function core.member_delete(m core.membership)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    perform core.end_sessions(m.user_id, 'membership');

    delete from core.membership d
     where d.tenant_id = m.tenant_id and d.id = m.id;

    perform core.require_owner();
end
$$;

create or replace function api.list_users(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    v_page     core.paging := core.page(args);
    v_pattern  text := core.pattern(args ->> 'search');
    v_role     text := args ->> 'role';
    v_active   boolean := coalesce((args ->> 'is_active')::boolean, true);
    v_sort     text := coalesce(args ->> 'sort', '-created_at');
    v_total    bigint;
    v_data     json;
begin
    select count(*) into v_total
      from core.membership m join core.app_user u on u.id = m.user_id
     where m.tenant_id = core.tenant()
       and (v_role is null or m.role = v_role)
       and m.is_active = v_active
       and (v_pattern is null or u.email ilike v_pattern
            or u.display_name ilike v_pattern);

    select json_agg(core.user_json(r.m, r.u) order by r.place) into v_data
      from (select m, u, row_number() over (order by
                case when v_sort = 'email' then u.email end,
                case when v_sort = '-email' then u.email end desc,
                case when v_sort = 'display_name' then u.display_name end,
                case when v_sort = '-display_name'
                     then u.display_name end desc,
                case when v_sort = 'last_login_at'
                     then m.last_login_at end,
                case when v_sort = '-last_login_at'
                     then m.last_login_at end desc nulls last,
                case when v_sort = 'created_at' then m.created_at end,
                m.created_at desc, m.id desc) as place
              from core.membership m join core.app_user u on u.id = m.user_id
             where m.tenant_id = core.tenant()
               and (v_role is null or m.role = v_role)
               and m.is_active = v_active
               and (v_pattern is null or u.email ilike v_pattern
                    or u.display_name ilike v_pattern)
             order by place
             limit v_page.page_size offset v_page.skip) r;

    return core.reply_list(v_data, args, v_total);
end
$$;

create or replace function core.user_reply(p_user uuid) returns api.reply
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_data     json;
    v_version  int;
begin
    select core.user_json(m, u), m.version into v_data, v_version
      from core.membership m join core.app_user u on u.id = m.user_id
     where m.tenant_id = core.tenant() and m.user_id = p_user;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    return core.reply_version(v_data, v_version);
end
$$;

create or replace function api.get_user(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return core.user_reply((args ->> 'id')::uuid);
end
$$;

create or replace function api.create_user(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_user   uuid := core.uuid_v7();
    v_reply  api.reply;
begin
    perform core.require_grant(ctx, args ->> 'role');

    if core.find_user(args ->> 'email') is not null then
        perform core.fail('DUPLICATE',
                          'There is a user with this email already.');
    end if;

    insert into core.app_user (id, home_tenant_id, email, password_hash,
                               display_name)
    values (v_user, core.tenant(), lower(args ->> 'email'),
            args ->> 'password_hash', coalesce(args ->> 'display_name', ''));
    insert into core.membership (tenant_id, user_id, role)
    values (core.tenant(), v_user, args ->> 'role');

    perform core.audit('user.created', 'user', v_user,
        jsonb_build_object('email', lower(args ->> 'email'),
                           'role', args ->> 'role'));

    v_reply := core.user_reply(v_user);

    return core.reply_created(v_reply.data, '/api/v1/users/' || v_user, 1);
end
$$;

-- Names belong to the person and the tenant that made him; role and state to
-- the membership.
create or replace function api.update_user(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_user  uuid := (args ->> 'id')::uuid;
    m       core.membership := core.member_lock(ctx, v_user,
                not (args ? 'role' or args ? 'is_active'));
begin
    perform core.check_version(args, m.version);

    if args ? 'role' then
        perform core.require_grant(ctx, args ->> 'role');
    end if;

    if args ? 'display_name' then
        update core.app_user u
           set display_name = args ->> 'display_name', updated_at = now()
         where u.id = v_user
           and (u.id = ctx.actor_id or u.home_tenant_id = core.tenant());

        if not found then
            perform core.fail('AUTH_INSUFFICIENT_PERMISSIONS',
                'Another tenant made this account; only its tenant and the'
                || ' person change the name.');
        end if;
    end if;

    m := core.member_update(m, args ->> 'role',
                            (args ->> 'is_active')::boolean);

    perform core.audit('user.updated', 'user', v_user,
                       args - array['id', 'if_match']);

    return core.user_reply(v_user);
end
$$;

-- Lets a person log in again who is locked out by wrong passwords, whoever
-- typed them.
create or replace function api.unlock_user(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_user    uuid := (args ->> 'id')::uuid;
    v_role    text;
    v_waited  boolean;
begin
    -- not locked: a login takes its attempt first, then the membership
    select m.role into v_role from core.membership m
     where m.tenant_id = core.tenant() and m.user_id = v_user;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    perform core.require_rank(ctx.role, v_role);
    v_waited := core.login_unlock((select u.email from core.app_user u
                                    where u.id = v_user));
    perform core.audit('user.unlocked', 'user', v_user);

    return core.reply(json_build_object('unlocked', v_waited));
end
$$;

-- Takes the person out of the tenant; what he made stays his.
create or replace function api.delete_user(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    m  core.membership := core.member_lock(ctx, (args ->> 'id')::uuid);
begin
    perform core.check_version(args, m.version);
    perform core.member_delete(m);
    perform core.audit('user.deleted', 'user', m.user_id);

    return core.reply(null, 204);
end
$$;
