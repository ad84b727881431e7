-- Login, refresh, logout, passwords.  Passwords are compared and hashed by
-- the edge; SQL sees the outcome.  Refresh tokens and API keys stand as
-- SHA-256 only.

set local role voice_lookup;

-- x-verify of login.  An unknown user looks like a known one: no hash, and
-- the edge compares with a dummy.
create or replace function api.login_lookup(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_refusal  api.reply := core.login_begin(args ->> 'email', ctx.address);
begin
    if v_refusal.status is not null then
        return v_refusal;
    end if;

    return core.reply((
        select json_build_object('hash', u.password_hash, 'user_id', u.id)
          from (select 1) one
          left join core.app_user u
            on lower(u.email) = lower(args ->> 'email')));
end
$$;

-- The id of a person by email, whatever tenant he is in.
create or replace function core.find_user(p_email text) returns uuid
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return (select u.id from core.app_user u
             where lower(u.email) = lower(p_email));
end
$$;

-- The tenant that a user logs into: the asked one, else an active one, the
-- last used first.
create or replace function core.login_tenant(p_user uuid, p_tenant uuid)
returns uuid
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return (
        select m.tenant_id
          from core.membership m
          join core.tenant t on t.id = m.tenant_id
         where m.user_id = p_user and m.is_active and t.status <> 'deleted'
           and (p_tenant is null or m.tenant_id = p_tenant)
         order by t.status = 'active' desc, m.last_login_at desc nulls last,
                  m.created_at, m.tenant_id
         limit 1);
end
$$;

-- The tenants that a person is in.
create or replace function core.user_tenants(p_user uuid) returns uuid[]
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return array(select m.tenant_id from core.membership m
                  where m.user_id = p_user order by m.tenant_id);
end
$$;

create or replace function core.find_refresh(
    p_hash text, out tenant_id uuid, out session_id uuid)
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    select t.tenant_id, t.session_id into tenant_id, session_id
      from core.refresh_token t where t.hash = p_hash;
end
$$;

-- The edge's question before an identity is known: whose key is it?  hash is
-- SHA-256 (hex) of the whole key.  data: key_id, tenant_id, role; scopes, but
-- for a key that has all of its role's; rate and burst where it has limits of
-- its own; expires (Unix seconds), after which the edge must ask again.  For
-- a secret that was replaced that is a minute, so that its last use shows.
create or replace function api.authenticate_key(p_hash text)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    k          core.api_key;
    v_expires  timestamptz;
begin
    select * into k from core.api_key a where a.hash = p_hash;
    v_expires := k.expires_at;

    if not found then
        select * into k from core.api_key a
         where a.previous_hash = p_hash and a.previous_until > now();
        v_expires := least(k.expires_at, k.previous_until,
                           now() + interval '1 minute');
    end if;

    if k.id is null or k.revoked_at is not null or k.expires_at <= now() then
        return core.reply_error('AUTH_INVALID_TOKEN',
                                'The API key is not valid.');
    end if;

    if k.hash <> p_hash then
        perform core.api_key_touch_previous(k);
    end if;

    return core.reply(json_strip_nulls(json_build_object('key_id', k.id,
        'tenant_id', k.tenant_id, 'role', k.role,
        'scopes', case when '*' <> all (k.scopes) then k.scopes end,
        'rate', k.rate, 'burst', k.burst,
        'expires', floor(extract(epoch from v_expires)))));
end
$$;

set local role voice_owner;

-- A secret with 256 random bits: two random UUIDs (122 bits each) and the
-- server's clock through SHA-256, base64url without padding, 43 characters.
create or replace function core.random_secret() returns text
language sql volatile
as $$
    select translate(encode(sha256(
        uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
        || uuid_send(gen_random_uuid())), 'base64'), '+/=', '-_')
$$;

create or replace function core.sha256_hex(p_text text) returns text
language sql immutable
as $$ select encode(sha256(convert_to(p_text, 'UTF8')), 'hex') $$;

-- A new refresh token of a session; only its hash is kept.
create or replace function core.mint_refresh(p_session uuid) returns text
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_token  text := 'vgr_' || core.random_secret();
begin
    insert into core.refresh_token (tenant_id, hash, session_id)
    values (core.tenant(), core.sha256_hex(v_token), p_session);

    return v_token;
end
$$;

create or replace function core.session_info(s core.session) returns json
language sql stable
as $$
    select json_build_object('session_id', s.id,
        'created_at', core.iso(s.created_at),
        'last_seen_at', core.iso(s.last_seen_at),
        'expires_at', core.iso(s.expires_at))
$$;

-- What the client knows of a tenant it is logged into.
create or replace function core.tenant_brief(p_tenant uuid) returns json
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return (
        select json_build_object('id', t.id, 'business_name', t.business_name,
                                 'trade_type', t.trade_type)
          from core.tenant t where t.id = p_tenant);
end
$$;

-- The reply of login and refresh: the four members, and the claims of the
-- access token that the edge signs.
create or replace function core.reply_tokens(
    p_session core.session, p_refresh text)
returns api.reply
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_reply  api.reply;
begin
    select 200,
           json_build_object(
               'user', core.user_json(m, u),
               'tenant', core.tenant_brief(m.tenant_id),
               'tokens', json_build_object('refresh_token', p_refresh,
                   'token_type', 'Bearer', 'expires_in', 1800),
               'session_info', core.session_info(p_session)),
           null::text, null::json,
           json_build_object('sub', u.id, 'email', u.email,
               'tenant', core.tenant_brief(m.tenant_id),
               'tenant_id', m.tenant_id, 'role', m.role,
               'scopes', json_build_array('*'), 'sid', p_session.id),
           null::text[], null::json
      into v_reply
      from core.membership m
      join core.app_user u on u.id = m.user_id
     where m.tenant_id = p_session.tenant_id
       and m.user_id = p_session.user_id;

    return v_reply;
end
$$;

-- Ends sessions of a user in the current tenant, all but one where given;
-- how many.
create or replace function core.end_sessions(
    p_user uuid, p_reason text, p_but uuid default null)
returns int
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_n  int;
begin
    update core.session s set ended_at = now(), end_reason = p_reason
     where s.tenant_id = core.tenant() and s.user_id = p_user
       and s.ended_at is null and s.id is distinct from p_but;
    get diagnostics v_n = row_count;

    return v_n;
end
$$;

create or replace function api.login(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_user    uuid := (args ->> 'user_id')::uuid;
    v_tenant  uuid := core.login_tenant(v_user,
                                        (args ->> 'tenant_id')::uuid);
    s         core.session;
begin
    -- whatever is wrong, the same work: its time tells nothing
    if v_tenant is null
       or not coalesce((args ->> 'password_ok')::boolean, false)
    then
        perform core.login_failed(args ->> 'email', ctx.address, v_user);
        return core.reply_error('AUTH_INVALID_CREDENTIALS');
    end if;

    perform core.login_passed(args ->> 'email', ctx.address);
    perform core.use_tenant(v_tenant, v_user, 'user', null, ctx.request_id,
                            host(ctx.address));

    if not exists (select from core.tenant t
                    where t.id = v_tenant and t.status = 'active')
    then
        return core.reply_error('TENANT_SUSPENDED');
    end if;

    update core.membership m set last_login_at = now()
     where m.tenant_id = v_tenant and m.user_id = v_user;

    insert into core.session (tenant_id, user_id, address, user_agent,
                              expires_at)
    values (v_tenant, v_user, ctx.address, left(args ->> 'user_agent', 300),
            now() + interval '14 days')
    returning * into s;

    perform core.count('logins', 'ok');
    perform core.audit('session.login', 'session', s.id);

    return core.reply_tokens(s, core.mint_refresh(s.id));
end
$$;

-- A refresh token is good once.  Whoever shows a used one holds a copy: the
-- whole family ends, for the thief and the owner alike.
create or replace function api.refresh(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_hash    text := args ->> 'refresh_token';
    v_found   record;
    v_used    timestamptz;
    s         core.session;
begin
    select * into v_found from core.find_refresh(v_hash);

    if v_found.tenant_id is null then
        perform core.fail('AUTH_INVALID_TOKEN');
    end if;

    perform core.use_tenant(v_found.tenant_id, null, 'anonymous', null,
                            ctx.request_id, host(ctx.address));

    -- the session's lock puts two uses of one token in a row
    select * into s from core.session l
     where l.tenant_id = v_found.tenant_id and l.id = v_found.session_id
       for update;
    select t.used_at into v_used
      from core.refresh_token t where t.hash = v_hash;

    perform core.use_tenant(s.tenant_id, s.user_id, 'user', null,
                            ctx.request_id, host(ctx.address));

    if v_used is not null then
        if s.ended_at is null then
            update core.session e
               set ended_at = now(), end_reason = 'reuse'
             where e.tenant_id = s.tenant_id and e.id = s.id;
            perform core.audit('session.reuse_detected', 'session', s.id);
        end if;
        return core.reply_error('AUTH_TOKEN_REUSED');
    end if;

    if s.ended_at is not null or s.expires_at <= now()
       or not exists (select from core.membership m
                       where m.tenant_id = s.tenant_id
                         and m.user_id = s.user_id and m.is_active)
    then
        perform core.fail('AUTH_INVALID_TOKEN');
    end if;

    perform core.require_tenant(s.tenant_id);

    update core.refresh_token t set used_at = now() where t.hash = v_hash;
    update core.session r
       set last_seen_at = now(), expires_at = now() + interval '14 days'
     where r.tenant_id = s.tenant_id and r.id = s.id
    returning * into s;

    return core.reply_tokens(s, core.mint_refresh(s.id));
end
$$;

create or replace function api.logout(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    if ctx.session_id is null then
        perform core.fail('INVALID_STATE', 'An API key has no session.');
    end if;

    update core.session s set ended_at = now(), end_reason = 'logout'
     where s.tenant_id = core.tenant() and s.id = ctx.session_id
       and s.ended_at is null;

    perform core.audit('session.logout', 'session', ctx.session_id);

    return core.reply(json_build_object('logged_out', true));
end
$$;

-- Who am I: the user or the key, the tenant, the role.
create or replace function core.identity_json(ctx api.ctx) returns jsonb
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return jsonb_build_object(
        'actor_kind', ctx.actor_kind,
        'user', (select core.user_json(m, u)
                   from core.membership m
                   join core.app_user u on u.id = m.user_id
                  where m.tenant_id = core.tenant()
                    and m.user_id = ctx.actor_id),
        'api_key', (select core.api_key_json(k)
                      from core.api_key k
                     where k.tenant_id = core.tenant()
                       and k.id = ctx.actor_id),
        'tenant', core.tenant_brief(core.tenant()),
        'role', ctx.role);
end
$$;

create or replace function api.me(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return core.reply(core.identity_json(ctx)::json);
end
$$;

-- expires_at is the session's (or key's) end; the token's own stands in it.
create or replace function api.validate_token(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return core.reply((core.identity_json(ctx) || jsonb_build_object(
        'valid', true,
        'expires_at', core.iso(coalesce(
            (select s.expires_at from core.session s
              where s.tenant_id = core.tenant() and s.id = ctx.session_id),
            (select k.expires_at from core.api_key k
              where k.tenant_id = core.tenant()
                and k.id = ctx.actor_id)))))::json);
end
$$;

-- x-verify of change_password: counted like a login.
create or replace function api.password_lookup(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    u          core.app_user;
    v_refusal  api.reply;
begin
    select * into u from core.app_user p where p.id = core.actor();

    if not found then
        perform core.fail('INVALID_STATE', 'Only a user has a password.');
    end if;

    v_refusal := core.login_begin(u.email, ctx.address);

    if v_refusal.status is not null then
        return v_refusal;
    end if;

    return core.reply(json_build_object('hash', u.password_hash));
end
$$;

create or replace function api.change_password(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_email   text := (select u.email from core.app_user u
                        where u.id = ctx.actor_id);
    v_tenant  uuid;
begin
    if not coalesce((args ->> 'current_password_ok')::boolean, false) then
        perform core.login_failed(v_email, ctx.address, ctx.actor_id);
        return core.reply_error('AUTH_INVALID_CREDENTIALS',
                                'The current password is wrong.');
    end if;

    perform core.login_passed(v_email, ctx.address);

    update core.app_user u
       set password_hash = args ->> 'new_password_hash',
           password_changed_at = now(), updated_at = now()
     where u.id = ctx.actor_id;

    -- in every tenant: whoever knew the old password is out
    foreach v_tenant in array core.user_tenants(ctx.actor_id) loop
        perform core.use_tenant(v_tenant);
        perform core.end_sessions(ctx.actor_id, 'password', ctx.session_id);
    end loop;

    perform core.use_tenant(ctx.tenant_id);
    perform core.audit('user.password_changed', 'user', ctx.actor_id);

    return core.reply(json_build_object('changed', true));
end
$$;
