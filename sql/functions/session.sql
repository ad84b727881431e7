-- Sessions: a user sees his own, an administrator those of the tenant.

create or replace function core.session_json(s core.session, ctx api.ctx)
returns json
language sql stable
as $$
    select json_build_object(
        'id', s.id, 'user_id', s.user_id, 'address', host(s.address),
        'user_agent', s.user_agent,
        'is_current', s.id is not distinct from ctx.session_id,
        'created_at', core.iso(s.created_at),
        'last_seen_at', core.iso(s.last_seen_at),
        'expires_at', core.iso(s.expires_at),
        'ended_at', core.iso(s.ended_at), 'end_reason', s.end_reason)
$$;

create or replace function core.session_visible(
    s core.session, ctx api.ctx)
returns boolean
language sql stable
as $$
    select s.user_id is not distinct from ctx.actor_id
        or ctx.role in ('platform_admin', 'owner', 'admin')
$$;

create or replace function api.list_sessions(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    v_page    core.paging := core.page(args);
    v_user    uuid := (args ->> 'user_id')::uuid;
    v_active  boolean := coalesce((args ->> 'is_active')::boolean, true);
    v_total   bigint;
    v_data    json;
begin
    select count(*) into v_total
      from core.session s
     where s.tenant_id = core.tenant() and core.session_visible(s, ctx)
       and (v_user is null or s.user_id = v_user)
       and v_active = (s.ended_at is null and s.expires_at > now());

    select json_agg(core.session_json(r.s, ctx)
                    order by (r.s).created_at desc, (r.s).id desc)
      into v_data
      from (select s
              from core.session s
             where s.tenant_id = core.tenant()
               and core.session_visible(s, ctx)
               and (v_user is null or s.user_id = v_user)
               and v_active = (s.ended_at is null
                               and s.expires_at > now())
             order by s.created_at desc, s.id desc
             limit v_page.page_size offset v_page.skip) r;

    return core.reply_list(v_data, args, v_total);
end
$$;

create or replace function api.get_session(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    s  core.session;
begin
    select * into s from core.session r
     where r.tenant_id = core.tenant() and r.id = (args ->> 'id')::uuid
       and core.session_visible(r, ctx);

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    return core.reply(core.session_json(s, ctx));
end
$$;

-- Ends it; its access token is refused at once, too.
create or replace function api.delete_session(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    s  core.session;
begin
    select * into s from core.session r
     where r.tenant_id = core.tenant() and r.id = (args ->> 'id')::uuid
       and core.session_visible(r, ctx)
       for update;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    -- one whose membership is gone is nobody's superior
    if s.user_id is distinct from ctx.actor_id then
        perform core.require_rank(ctx.role, coalesce(
            (select m.role from core.membership m
              where m.tenant_id = s.tenant_id and m.user_id = s.user_id),
            'viewer'));
    end if;

    if s.ended_at is null then
        update core.session e set ended_at = now(), end_reason = 'revoked'
         where e.tenant_id = s.tenant_id and e.id = s.id;
        perform core.audit('session.revoked', 'session', s.id,
                           jsonb_build_object('user_id', s.user_id));
    end if;

    return core.reply(null, 204);
end
$$;

-- Ends one's own sessions but the one that asks; those of a user who is
-- named, all of them.
create or replace function api.end_other_sessions(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_user  uuid := coalesce((args ->> 'user_id')::uuid,
        case when ctx.actor_kind = 'user' then ctx.actor_id end);
    v_role  text;
    v_n     int;
begin
    if v_user is null then
        perform core.fail('INVALID_STATE', 'An API key has no session.');
    end if;

    if v_user is distinct from ctx.actor_id then
        select m.role into v_role from core.membership m
         where m.tenant_id = core.tenant() and m.user_id = v_user;

        if not found
           or ctx.role not in ('platform_admin', 'owner', 'admin')
        then
            perform core.fail('RESOURCE_NOT_FOUND');
        end if;

        perform core.require_rank(ctx.role, v_role);
    end if;

    v_n := core.end_sessions(v_user, 'revoked', ctx.session_id);

    perform core.audit('session.revoked', 'user', v_user,
                       jsonb_build_object('sessions', v_n));

    return core.reply(json_build_object('ended', v_n));
end
$$;
