-- Memberships: which role an existing person has in the tenant.

create or replace function core.membership_json(
    m core.membership, u core.app_user)
returns json
language sql stable
as $$
    select json_build_object(
        'id', m.id, 'user_id', m.user_id, 'email', u.email,
        'display_name', u.display_name, 'role', m.role,
        'is_active', m.is_active, 'version', m.version,
        'last_login_at', core.iso(m.last_login_at),
        'created_at', core.iso(m.created_at),
        'updated_at', core.iso(m.updated_at))
$$;

-- The user of a membership; 404 without one.
create or replace function core.membership_user(p_id uuid) returns uuid
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_user  uuid;
begin
    select m.user_id into v_user from core.membership m
     where m.tenant_id = core.tenant() and m.id = p_id;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    return v_user;
end
$$;

create or replace function api.list_memberships(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    v_page    core.paging := core.page(args);
    v_role    text := args ->> 'role';
    v_active  boolean := coalesce((args ->> 'is_active')::boolean, true);
    v_total   bigint;
    v_data    json;
begin
    select count(*) into v_total
      from core.membership m
     where m.tenant_id = core.tenant() and m.is_active = v_active
       and (v_role is null or m.role = v_role);

    select json_agg(core.membership_json(r.m, r.u)
                    order by (r.m).created_at desc, (r.m).id desc)
      into v_data
      from (select m, u
              from core.membership m join core.app_user u on u.id = m.user_id
             where m.tenant_id = core.tenant()
               and m.is_active = v_active
               and (v_role is null or m.role = v_role)
             order by m.created_at desc, m.id desc
             limit v_page.page_size offset v_page.skip) r;

    return core.reply_list(v_data, args, v_total);
end
$$;

create or replace function core.membership_reply(p_user uuid)
returns api.reply
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_data     json;
    v_version  int;
begin
    select core.membership_json(m, u), m.version into v_data, v_version
      from core.membership m join core.app_user u on u.id = m.user_id
     where m.tenant_id = core.tenant() and m.user_id = p_user;

    return core.reply_version(v_data, v_version);
end
$$;

create or replace function api.get_membership(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return core.membership_reply(core.membership_user((args ->> 'id')::uuid));
end
$$;

create or replace function api.create_membership(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_user   uuid := core.find_user(args ->> 'email');
    v_id     uuid := core.uuid_v7();
    v_reply  api.reply;
begin
    perform core.require_grant(ctx, args ->> 'role');

    if v_user is null then
        perform core.fail('RESOURCE_NOT_FOUND',
                          'There is no user with this email.');
    end if;

    insert into core.membership (tenant_id, id, user_id, role)
    values (core.tenant(), v_id, v_user, args ->> 'role')
    on conflict (tenant_id, user_id) do nothing;

    if not found then
        perform core.fail('DUPLICATE', 'The user is a member already.');
    end if;

    perform core.audit('membership.created', 'membership', v_id,
        jsonb_build_object('user_id', v_user, 'role', args ->> 'role'));

    v_reply := core.membership_reply(v_user);

    return core.reply_created(v_reply.data, '/api/v1/memberships/' || v_id,
                              1);
end
$$;

create or replace function api.update_membership(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    m  core.membership := core.member_lock(ctx,
           core.membership_user((args ->> 'id')::uuid));
begin
    perform core.check_version(args, m.version);

    if args ? 'role' then
        perform core.require_grant(ctx, args ->> 'role');
    end if;

    m := core.member_update(m, args ->> 'role',
                            (args ->> 'is_active')::boolean);

    perform core.audit('membership.updated', 'membership', m.id,
                       args - array['id', 'if_match']);

    return core.membership_reply(m.user_id);
end
$$;

create or replace function api.delete_membership(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    m  core.membership := core.member_lock(ctx,
           core.membership_user((args ->> 'id')::uuid));
begin
    perform core.check_version(args, m.version);
    perform core.member_delete(m);
    perform core.audit('membership.deleted', 'membership', m.id,
                       jsonb_build_object('user_id', m.user_id));

    return core.reply(null, 204);
end
$$;
