-- Login, rotation, sessions, keys.  What wrong passwords lead to: login.sql.

begin;
select plan(53);

create temp table known (name text primary key, value text);
grant all on known to voice_edge;

create function pg_temp.know(p_name text, p_value text) returns void
language sql as $$
    insert into known values (p_name, p_value)
    on conflict (name) do update set value = excluded.value
$$;
create function pg_temp.get(p_name text) returns text
language sql stable as $$ select value from known where name = p_name $$;
create function pg_temp.hex(p_text text) returns text
language sql as $$ select encode(sha256(convert_to(p_text, 'UTF8')), 'hex') $$;

-- as the edge calls: nobody, or the user who logged in
create function pg_temp.anyone() returns api.ctx
language sql volatile as $$
    select api.enter(null, null, 'anonymous', null, null, 'r', '127.0.0.1')
$$;
create function pg_temp.me(p_role text default 'owner') returns api.ctx
language sql volatile as $$
    select api.enter(pg_temp.get('tenant')::uuid, pg_temp.get('user')::uuid,
                     'user', p_role, pg_temp.get('session')::uuid, 'r', '::1')
$$;
create function pg_temp.forget() returns void
language sql volatile security definer
as $$ delete from core.login_attempt $$;
create function pg_temp.login(p_email text, p_good boolean)
returns setof api.reply
language plpgsql volatile as $$
declare
    v_args   jsonb := jsonb_build_object('email', p_email,
                                         'password_ok', p_good);
    v_reply  api.reply;
begin
    perform pg_temp.forget();
    v_args := v_args || (select l.data::jsonb - 'hash'
        from api.login_lookup(pg_temp.anyone(), v_args) l);
    v_reply := api.login(pg_temp.anyone(), v_args);

    if v_reply.status = 200 then
        perform pg_temp.know('tenant', v_reply.claims ->> 'tenant_id'),
                pg_temp.know('user', v_reply.claims ->> 'sub'),
                pg_temp.know('session', v_reply.claims ->> 'sid'),
                pg_temp.know('refresh',
                             v_reply.data #>> '{tokens,refresh_token}');
    end if;
    return next v_reply;
end $$;

create function pg_temp.tenant_named(p_name text) returns uuid
language sql stable security definer
as $$ select t.id from core.tenant t where t.business_name = p_name $$;

select work.bootstrap('owner@acme.example', repeat('h', 60), 'Acme');
select work.bootstrap('viewer@acme.example', repeat('h', 60), 'Acme',
                      'viewer');

select is(work.bootstrap('owner@acme.example', repeat('i', 60), 'Acme'),
          false, 'bootstrap twice keeps the password');
select is((select password_hash from core.app_user
            where email = 'owner@acme.example'),
          repeat('h', 60), 'and the hash stands as it was');
select is(work.bootstrap('owner@acme.example', repeat('j', 60), 'Acme',
                         'owner', true),
          true, 'a reset sets it');

set local role voice_edge;

select is((select data ->> 'hash' from api.login_lookup(pg_temp.anyone(),
           '{"email": "OWNER@acme.example"}')), repeat('j', 60),
          'the lookup finds an email in any case');
select is((select data ->> 'hash' from api.login_lookup(pg_temp.anyone(),
           '{"email": "nobody@acme.example"}')), null,
          'an unknown email has a row without a hash');
select is((select status from pg_temp.login('nobody@acme.example', true)),
          401, 'an unknown user does not get in, whatever the edge says');
select is((select data ->> 'code'
             from pg_temp.login('owner@acme.example', false)),
          'AUTH_INVALID_CREDENTIALS', 'a wrong password is refused');
select results_eq(
    $$ select array_agg(k order by k) from pg_temp.login(
           'owner@acme.example', true), json_object_keys(data) k $$,
    $$ values (array['session_info', 'tenant', 'tokens', 'user']) $$,
    'login answers exactly the four members');
select is((select count(*) from known), 4::bigint, 'and gives claims');
select matches(pg_temp.get('refresh'), '^vgr_[A-Za-z0-9_-]{43}$',
               'a refresh token has 43 random characters');
select is((select data #>> '{user,email}' from api.me(pg_temp.me(), '{}')),
          'owner@acme.example', 'the session is known');
select throws_ok($$ select pg_temp.me('admin') $$, 'V2401',
                 'AUTH_INVALID_TOKEN', 'a role that the user lacks is refused');
select throws_ok(
    $$ select api.enter(pg_temp.get('tenant')::uuid, core_user, 'user',
                        'owner', pg_temp.get('session')::uuid, 'r', null)
         from gen_random_uuid() core_user $$,
    'V2401', 'AUTH_INVALID_TOKEN', 'a session of another user is refused');
select throws_ok(
    $$ select api.enter(gen_random_uuid(), pg_temp.get('user')::uuid, 'user',
                        'owner', pg_temp.get('session')::uuid, 'r', null) $$,
    'V2401', 'AUTH_INVALID_TOKEN', 'an unknown tenant is refused');
select throws_ok(
    $$ select api.enter(pg_temp.get('tenant')::uuid,
                        pg_temp.get('user')::uuid, 'worker', 'owner',
                        pg_temp.get('session')::uuid, 'r', null) $$,
    'V2401', 'AUTH_INVALID_TOKEN', 'an unknown kind of actor is refused');

-- rotation
select pg_temp.know('old', pg_temp.get('refresh'));
select is((select status from pg_temp.login('viewer@acme.example', true)),
          200, 'a second user logs in');
select pg_temp.know('viewer', pg_temp.get('session'));
select is((select data #>> '{user,email}' from api.refresh(pg_temp.anyone(),
           jsonb_build_object('refresh_token',
                              pg_temp.hex(pg_temp.get('old'))))),
          'owner@acme.example', 'a refresh token gives new tokens');
select results_eq(
    $$ select status, data ->> 'code' from api.refresh(pg_temp.anyone(),
           jsonb_build_object('refresh_token',
                              pg_temp.hex(pg_temp.get('old')))) $$,
    $$ values (401, 'AUTH_TOKEN_REUSED') $$,
    'the same token again is refused by a reply that commits');
reset role;
select results_eq(
    $$ select end_reason from core.session s
         join core.refresh_token t on t.session_id = s.id
        where t.hash = pg_temp.hex(pg_temp.get('old')) $$,
    $$ values ('reuse') $$, 'and its whole family has ended');
select is((select count(*) from core.refresh_token
            where hash like 'vgr_%'), 0::bigint,
          'no refresh token stands in clear');
set local role voice_edge;
select throws_ok(
    $$ select api.refresh(pg_temp.anyone(), '{"refresh_token": "none"}') $$,
    'V2401', 'AUTH_INVALID_TOKEN', 'an unknown refresh token is refused');
select lives_ok($$ select pg_temp.me('viewer') $$,
                'another session of the tenant lives on');

-- logout and password
select is((select status from api.logout(pg_temp.me('viewer'), '{}')), 200,
          'logout');
select throws_ok($$ select pg_temp.me('viewer') $$, 'V2401',
                 'AUTH_INVALID_TOKEN', 'a session that logged out is refused');
select throws_ok(
    $$ select api.refresh(pg_temp.anyone(), jsonb_build_object(
           'refresh_token', pg_temp.hex(pg_temp.get('refresh')))) $$,
    'V2401', 'AUTH_INVALID_TOKEN', 'so is its refresh token');

select is((select status from pg_temp.login('owner@acme.example', true)), 200,
          'the owner logs in twice');
select pg_temp.know('first', pg_temp.get('session'));
select is((select status from pg_temp.login('owner@acme.example', true)), 200,
          'from another device');
select is((select data ->> 'code' from api.change_password(pg_temp.me(),
           '{"current_password_ok": false, "new_password_hash": "x"}')),
          'AUTH_INVALID_CREDENTIALS',
          'a wrong current password changes nothing');
select is((select status from api.change_password(pg_temp.me(),
           jsonb_build_object('current_password_ok', true,
               'new_password_hash', repeat('k', 60)))), 200,
          'the password is changed');
select is((select data ->> 'hash' from api.password_lookup(pg_temp.me(),
           '{}')), repeat('k', 60), 'to the new hash');
select lives_ok($$ select pg_temp.me() $$, 'the session that did it lives');
select pg_temp.know('session', pg_temp.get('first'));
select throws_ok($$ select pg_temp.me() $$, 'V2401', 'AUTH_INVALID_TOKEN',
                 'the other one has ended');

-- a person in two tenants
reset role;
select work.bootstrap('owner@acme.example', repeat('h', 60), 'Beta');
set local role voice_edge;
select pg_temp.login('owner@acme.example', true);
select pg_temp.know('here', pg_temp.get('session'));
select pg_temp.know('home', pg_temp.get('tenant'));
select pg_temp.know('session', (api.login(pg_temp.anyone(),
    jsonb_build_object('password_ok', true,
        'email', 'owner@acme.example', 'user_id', pg_temp.get('user'),
        'tenant_id', (select t.id from pg_temp.tenant_named('Beta') t (id))
    ))).claims ->> 'sid');
select pg_temp.know('tenant', pg_temp.tenant_named('Beta')::text);
select lives_ok($$ select pg_temp.me() $$, 'he is in both');
select pg_temp.know('there', pg_temp.get('session')),
       pg_temp.know('session', pg_temp.get('here')),
       pg_temp.know('tenant', pg_temp.get('home'));
select is((select status from api.change_password(pg_temp.me(),
           jsonb_build_object('current_password_ok', true,
               'new_password_hash', repeat('k', 60)))), 200,
          'he changes his password in one');
select is(core_tenant, pg_temp.get('home'), 'and stays there')
  from current_setting('voice.tenant') core_tenant;
select lives_ok($$ select pg_temp.me() $$, 'with his session');
select pg_temp.know('session', pg_temp.get('there')),
       pg_temp.know('tenant', pg_temp.tenant_named('Beta')::text);
select throws_ok($$ select pg_temp.me() $$, 'V2401', 'AUTH_INVALID_TOKEN',
                 'that in the other tenant has ended');
select pg_temp.know('tenant', pg_temp.get('home'));

reset role;
delete from core.membership where tenant_id = pg_temp.tenant_named('Beta');
set local role voice_edge;

-- keys
select pg_temp.login('owner@acme.example', true);
select pg_temp.know('key', data ->> 'secret')
  from api.create_api_key(pg_temp.me(),
       '{"name": "ci", "role": "api_client", "scopes": ["test-runs:write"]}');
select matches(pg_temp.get('key'), '^vgk_[0-9a-f]{8}_[A-Za-z0-9_-]{43}$',
               'an API key has the stated form');
select results_eq(
    $$ select data ->> 'role', data -> 'scopes' ->> 0,
              data ->> 'tenant_id' = pg_temp.get('tenant')
         from api.authenticate_key(pg_temp.hex(pg_temp.get('key'))) $$,
    $$ values ('api_client', 'test-runs:write', true) $$,
    'a key is found by its hash');
select pg_temp.know('key_id', data ->> 'key_id')
  from api.authenticate_key(pg_temp.hex(pg_temp.get('key')));
select lives_ok(
    $$ select api.enter(pg_temp.get('tenant')::uuid,
           pg_temp.get('key_id')::uuid, 'api_key', 'api_client', null, 'r',
           null) $$, 'a key enters with its role');
select throws_ok(
    $$ select api.enter(pg_temp.get('tenant')::uuid,
           pg_temp.get('key_id')::uuid, 'api_key', 'owner', null, 'r',
           null) $$, 'V2401', 'AUTH_INVALID_TOKEN', 'but with no other');
select throws_ok(
    $$ select api.logout(api.enter(pg_temp.get('tenant')::uuid,
           pg_temp.get('key_id')::uuid, 'api_key', 'api_client', null, 'r',
           null), '{}') $$, 'V1409', 'INVALID_STATE',
    'a key has no session to end');

-- a key that ends
create function pg_temp.short() returns api.ctx
language sql volatile as $$
    select api.enter(pg_temp.get('tenant')::uuid,
                     pg_temp.get('short')::uuid, 'api_key', 'admin', null,
                     'r', null)
$$;
select pg_temp.know('short', data ->> 'id')
  from api.create_api_key(pg_temp.me(), jsonb_build_object('name', 'short',
      'role', 'admin', 'expires_at', now() + interval '1 hour'));
select throws_ok($$ select api.update_api_key(pg_temp.short(),
    jsonb_build_object('id', pg_temp.get('short'), 'expires_at', null)) $$,
    'V2403', 'AUTH_INSUFFICIENT_PERMISSIONS', 'does not make itself eternal');
select throws_ok($$ select api.update_api_key(pg_temp.short(),
    jsonb_build_object('id', pg_temp.get('short'),
                       'expires_at', now() + interval '2 hours')) $$,
    'V2403', 'AUTH_INSUFFICIENT_PERMISSIONS', 'nor live longer');
select throws_ok($$ select api.create_api_key(pg_temp.short(),
    '{"name": "child", "role": "viewer"}') $$, 'V2403',
    'AUTH_INSUFFICIENT_PERMISSIONS', 'nor makes a key that outlives it');
select is((select status from api.create_api_key(pg_temp.short(),
    jsonb_build_object('name', 'child', 'role', 'viewer',
                       'expires_at', now() + interval '1 hour'))), 201,
    'but one that ends with it');
select is((select status from api.update_api_key(pg_temp.short(),
    jsonb_build_object('id', pg_temp.get('short'), 'name', 'renamed'))), 200,
    'and may be renamed');
select throws_ok($$ select api.create_api_key(pg_temp.short(),
    jsonb_build_object('name', 'boss', 'role', 'owner',
                       'expires_at', now() + interval '1 hour')) $$, 'V2403',
    'AUTH_INSUFFICIENT_PERMISSIONS', 'nobody makes a key above himself');

select api.delete_api_key(pg_temp.me(),
    jsonb_build_object('id', pg_temp.get('key_id')));
select is((select status
             from api.authenticate_key(pg_temp.hex(pg_temp.get('key')))),
          401, 'a revoked key is not found');
select throws_ok(
    $$ select api.enter(pg_temp.get('tenant')::uuid,
           pg_temp.get('key_id')::uuid, 'api_key', 'api_client', null, 'r',
           null) $$, 'V2401', 'AUTH_INVALID_TOKEN',
    'nor does one that the edge has cached get in');
reset role;
select is((select count(*) from core.api_key where hash = pg_temp.get('key')),
          0::bigint, 'no API key stands in clear');

-- suspension
update core.tenant set status = 'suspended' where business_name = 'Acme';
set local role voice_edge;
select throws_ok($$ select pg_temp.me() $$, 'V2403', 'TENANT_SUSPENDED',
                 'a suspended tenant is refused');
select is((select data ->> 'code'
             from pg_temp.login('owner@acme.example', true)),
          'TENANT_SUSPENDED', 'at login, too');

reset role;
select * from finish();
rollback;
