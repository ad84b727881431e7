-- Tenants, users, memberships, sessions, keys: who may change whom.

begin;
select no_plan();

create temp table note (name text primary key, reply json);
grant all on note to voice_edge;

create function pg_temp.keep(p_name text, r api.reply) returns int
language sql as $$
    insert into note values (p_name, r.data)
    on conflict (name) do update set reply = excluded.reply;
    select r.status
$$;
create function pg_temp.get(p_name text, p_member text default 'id')
returns text
language sql stable as $$
    select reply ->> p_member from note where name = p_name
$$;
create function pg_temp.hash() returns text
language sql as $$ select repeat('h', 60) $$;
-- logs a user in and enters as him
create function pg_temp.as(p_email text) returns api.ctx
language plpgsql as $$
declare
    v_args   jsonb := jsonb_build_object('email', p_email,
                                         'password_ok', true);
    v_nobody api.ctx := api.enter(null, null, 'anonymous', null, null, 'r',
                                  null);
    r        api.reply;
    c        json;
begin
    v_args := v_args || (select l.data::jsonb - 'hash'
        from api.login_lookup(v_nobody, v_args) l);
    r := api.login(v_nobody, v_args);
    if r.status <> 200 then
        raise exception '%', r.data ->> 'code';
    end if;
    c := r.claims;
    return api.enter((c ->> 'tenant_id')::uuid, (c ->> 'sub')::uuid, 'user',
                     c ->> 'role', (c ->> 'sid')::uuid, 'r', '::1');
end $$;

select work.bootstrap('root@platform.example', pg_temp.hash(), 'Platform',
                      'platform_admin');
select work.bootstrap('owner@acme.example', pg_temp.hash(), 'Acme');
select work.bootstrap('admin@acme.example', pg_temp.hash(), 'Acme', 'admin');
select work.bootstrap('owner@other.example', pg_temp.hash(), 'Other');

set local role voice_edge;

-- tenants
select is(pg_temp.keep('new', api.create_tenant(
    pg_temp.as('root@platform.example'), jsonb_build_object(
        'business_name', 'New', 'owner_email', 'Owner@New.example',
        'owner_password_hash', pg_temp.hash(),
        'settings', '{"agent": "builtin"}'::jsonb))), 201,
    'the platform makes a tenant with an owner');
select is(((pg_temp.as('owner@new.example'))).role, 'owner',
          'who can log in');
select throws_ok($$ select api.create_tenant(
    pg_temp.as('root@platform.example'), jsonb_build_object(
        'business_name', 'New', 'owner_email', 'owner@new.example',
        'owner_password_hash', pg_temp.hash())) $$, 'V1409', 'DUPLICATE',
    'an email that is taken is refused');
select is((select pagination ->> 'total_items' from api.list_tenants(
           pg_temp.as('root@platform.example'), '{"page_size": 1}')), '4',
          'the platform lists all tenants');
select is((select data #>> '{0,business_name}' from api.list_tenants(
           pg_temp.as('root@platform.example'), '{"search": "the"}')),
          'Other', 'finds by a part of the name');
select is((select json_array_length(data) from api.list_tenants(
           pg_temp.as('root@platform.example'), '{"search": "%"}')), 0,
          'and takes wildcards as they are');
select is((select pagination ->> 'total_items' from api.list_tenants(
           pg_temp.as('owner@acme.example'), '{}')), '1',
          'anybody else would see his own alone');
select throws_ok($$ select api.get_tenant(pg_temp.as('owner@acme.example'),
    jsonb_build_object('id', pg_temp.get('new'))) $$, 'V1404',
    'RESOURCE_NOT_FOUND', 'an owner does not see another tenant');
select throws_ok($$ select api.update_tenant(
    pg_temp.as('owner@new.example'), jsonb_build_object('id',
        pg_temp.get('new'), 'status', 'suspended')) $$, 'V2403',
    'AUTH_INSUFFICIENT_PERMISSIONS', 'an owner does not change the status');
select is((select data #>> '{settings}' from api.update_tenant(
           pg_temp.as('owner@new.example'), jsonb_build_object('id',
               pg_temp.get('new'), 'if_match', '"1"', 'settings',
               '{"validation": {"auto_pass": 0.9}, "agent": null}'::jsonb))
          )::jsonb, '{"validation": {"auto_pass": 0.9}}',
          'settings are merged, null removes');
select throws_ok($$ select api.update_tenant(
    pg_temp.as('owner@new.example'), jsonb_build_object('id',
        pg_temp.get('new'), 'if_match', '"1"', 'trade_type', 'x')) $$,
    'V1412', 'VERSION_MISMATCH', 'a stale version is refused');
select throws_ok($$ select api.update_tenant(
    pg_temp.as('owner@new.example'), jsonb_build_object('id',
        pg_temp.get('new'), 'settings',
        '{"validation": {"auto_pass": 0.3}}'::jsonb)) $$,
    'V1422', 'VALIDATION_ERROR', 'thresholds that cross are refused');
select throws_ok($$ select api.delete_tenant(
    pg_temp.as('root@platform.example'),
    jsonb_build_object('id', (pg_temp.as('root@platform.example')).tenant_id
    )) $$, 'V1409', 'INVALID_STATE', 'nobody deletes his own tenant');
select is((select data ->> 'status' from api.update_tenant(
           pg_temp.as('root@platform.example'), jsonb_build_object('id',
               pg_temp.get('new'), 'status', 'suspended'))), 'suspended',
          'the platform suspends');
select throws_ok($$ select pg_temp.as('owner@new.example') $$, 'P0001',
                 'TENANT_SUSPENDED', 'then nobody logs in');
select is((select status from api.delete_tenant(
           pg_temp.as('root@platform.example'),
           jsonb_build_object('id', pg_temp.get('new')))), 204,
          'the platform deletes');
select throws_ok($$ select api.get_tenant(
    pg_temp.as('root@platform.example'),
    jsonb_build_object('id', pg_temp.get('new'))) $$, 'V1404',
    'RESOURCE_NOT_FOUND', 'then it is gone');

-- users
select is(pg_temp.keep('op', api.create_user(
    pg_temp.as('admin@acme.example'), jsonb_build_object(
        'email', 'Op@acme.example', 'password_hash', pg_temp.hash(),
        'role', 'operator', 'display_name', 'Op'))), 201,
    'an administrator makes a user');
select is(pg_temp.get('op', 'email'), 'op@acme.example',
          'his email in lower case');
select throws_ok($$ select api.create_user(
    pg_temp.as('admin@acme.example'), jsonb_build_object(
        'email', 'op@acme.example', 'password_hash', pg_temp.hash(),
        'role', 'viewer')) $$, 'V1409', 'DUPLICATE',
    'an email stands once');
select throws_ok($$ select api.create_user(
    pg_temp.as('admin@acme.example'), jsonb_build_object(
        'email', 'own@acme.example', 'password_hash', pg_temp.hash(),
        'role', 'owner')) $$, 'V2403', 'AUTH_INSUFFICIENT_PERMISSIONS',
    'nobody grants a role above his own');
select throws_ok($$ select api.create_user(
    pg_temp.as('owner@acme.example'), jsonb_build_object(
        'email', 'own@acme.example', 'password_hash', pg_temp.hash(),
        'role', 'platform_admin')) $$, 'V2403',
    'AUTH_INSUFFICIENT_PERMISSIONS', 'not even an owner');
select results_eq(
    $$ select pagination ->> 'total_items', data #>> '{0,email}'
         from api.list_users(pg_temp.as('admin@acme.example'),
                             '{"role": "operator", "search": "OP@"}') $$,
    $$ values ('1', 'op@acme.example') $$, 'users are found');
select is((select string_agg(u ->> 'email', ' ') from api.list_users(
           pg_temp.as('admin@acme.example'), '{"sort": "email"}') r,
           json_array_elements(r.data) u),
          'admin@acme.example op@acme.example owner@acme.example',
          'and sorted');
select is((select string_agg(u ->> 'email', ' ') from api.list_users(
           pg_temp.as('admin@acme.example'),
           '{"sort": "-email", "page": 2, "page_size": 2}') r,
           json_array_elements(r.data) u), 'admin@acme.example',
          'and paged');
select is((select data ->> 'role' from api.update_user(
           pg_temp.as('admin@acme.example'), jsonb_build_object(
               'id', pg_temp.get('op'), 'role', 'supervisor'))),
          'supervisor', 'a role is changed');
select throws_ok($$ select api.update_user(
    pg_temp.as('admin@acme.example'), jsonb_build_object(
        'id', (pg_temp.as('admin@acme.example')).actor_id,
        'role', 'viewer')) $$, 'V1409', 'INVALID_STATE',
    'nobody changes his own role');
select throws_ok($$ select api.delete_user(
    pg_temp.as('admin@acme.example'), jsonb_build_object(
        'id', (pg_temp.as('admin@acme.example')).actor_id)) $$, 'V1409',
    'INVALID_STATE', 'nor deletes himself');
select is((select data ->> 'display_name' from api.update_user(
           pg_temp.as('admin@acme.example'), jsonb_build_object(
               'id', (pg_temp.as('admin@acme.example')).actor_id,
               'display_name', 'Ada'))), 'Ada', 'his name he changes');
select throws_ok($$ select api.update_user(
    pg_temp.as('admin@acme.example'), jsonb_build_object(
        'id', (pg_temp.as('owner@acme.example')).actor_id,
        'is_active', false)) $$, 'V2403', 'AUTH_INSUFFICIENT_PERMISSIONS',
    'an administrator does not touch an owner');
select pg_temp.as('op@acme.example');
select is((select data ->> 'is_active' from api.update_user(
           pg_temp.as('admin@acme.example'), jsonb_build_object(
               'id', pg_temp.get('op'), 'is_active', false))), 'false',
          'a user is deactivated');
select is((select pagination ->> 'total_items' from api.list_sessions(
           pg_temp.as('admin@acme.example'), jsonb_build_object(
               'user_id', pg_temp.get('op'), 'is_active', true))), '0',
          'his sessions end with it');
select is((select claims::text from api.login(api.enter(null, null, 'anonymous',
           null, null, 'r', null), jsonb_build_object('password_ok', true,
           'email', 'op@acme.example',
           'user_id', pg_temp.get('op')))), null, 'and he is let in no more');

-- memberships
select throws_ok($$ select api.create_membership(
    pg_temp.as('owner@acme.example'),
    '{"email": "nobody@x.example", "role": "viewer"}') $$, 'V1404',
    'RESOURCE_NOT_FOUND', 'an unknown person cannot be a member');
select is((pg_temp.as('owner@other.example')).role, 'owner',
          'somebody logs in at home');
select is(pg_temp.keep('guest', api.create_membership(
    pg_temp.as('owner@acme.example'),
    '{"email": "owner@other.example", "role": "viewer"}')), 201,
    'a person of another tenant can');
select throws_ok($$ select api.create_membership(
    pg_temp.as('owner@acme.example'),
    '{"email": "owner@other.example", "role": "admin"}') $$, 'V1409',
    'DUPLICATE', 'once');
select is((select data ->> 'role' from api.update_membership(
           pg_temp.as('owner@acme.example'), jsonb_build_object(
               'id', pg_temp.get('guest'), 'role', 'qa_lead'))), 'qa_lead',
          'his role here is changed');
select throws_ok($$ select api.update_user(
    pg_temp.as('owner@acme.example'), jsonb_build_object(
        'id', pg_temp.get('guest', 'user_id'), 'display_name', 'X')) $$,
    'V2403', 'AUTH_INSUFFICIENT_PERMISSIONS',
    'but his name is his and his tenant''s');
select is((pg_temp.as('owner@other.example')).role, 'owner',
          'he still lands at home, where he is what he was');
select is((api.login(api.enter(null, null, 'anonymous', null, null, 'r',
              null), jsonb_build_object('password_ok', true,
              'email', 'owner@other.example',
              'user_id', pg_temp.get('guest', 'user_id'), 'tenant_id',
              (pg_temp.as('owner@acme.example')).tenant_id))
          ).claims ->> 'role', 'qa_lead', 'or in the tenant that he names');
select is((select status from api.delete_membership(
           pg_temp.as('owner@acme.example'), jsonb_build_object(
               'id', pg_temp.get('guest')))), 204, 'a membership ends');
select is((pg_temp.as('owner@other.example')).role, 'owner',
          'the person stays');
select throws_ok($$ select api.get_user(pg_temp.as('owner@acme.example'),
    jsonb_build_object('id', pg_temp.get('guest', 'user_id'))) $$, 'V1404',
    'RESOURCE_NOT_FOUND', 'out of sight');

-- sessions
select throws_ok($$ select api.get_session(pg_temp.as('owner@other.example'),
    jsonb_build_object('id', (pg_temp.as('owner@acme.example')).session_id))
    $$, 'V1404', 'RESOURCE_NOT_FOUND',
    'another tenant''s session is not there');
select is(pg_temp.keep('viewer', api.create_user(
    pg_temp.as('admin@acme.example'), jsonb_build_object(
        'email', 'view@acme.example', 'password_hash', pg_temp.hash(),
        'role', 'viewer'))), 201, 'a viewer');
select pg_temp.as('view@acme.example');
select is((select count(distinct s ->> 'user_id') from api.list_sessions(
           pg_temp.as('view@acme.example'), '{}') r,
           json_array_elements(r.data) s), 1::bigint,
          'a viewer lists his own sessions');
select cmp_ok((select count(distinct s ->> 'user_id') from api.list_sessions(
           pg_temp.as('admin@acme.example'), '{"page_size": 100}') r,
           json_array_elements(r.data) s), '>', 1::bigint,
          'an administrator everybody''s');
select throws_ok($$ select api.delete_session(
    pg_temp.as('admin@acme.example'), jsonb_build_object(
        'id', (pg_temp.as('owner@acme.example')).session_id)) $$, 'V2403',
    'AUTH_INSUFFICIENT_PERMISSIONS', 'an admin does not log an owner out');
select is((select status from api.delete_session(
    pg_temp.as('owner@acme.example'), jsonb_build_object(
        'id', (pg_temp.as('admin@acme.example')).session_id))), 204,
    'an owner logs an admin out');
select throws_ok($$ select api.delete_session(
    pg_temp.as('view@acme.example'), jsonb_build_object(
        'id', (pg_temp.as('admin@acme.example')).session_id)) $$, 'V1404',
    'RESOURCE_NOT_FOUND', 'a viewer does not end another''s');

-- keys
select is(pg_temp.keep('key', api.create_api_key(
    pg_temp.as('admin@acme.example'), jsonb_build_object('name', 'ci',
        'role', 'admin', 'scopes', '["api-keys:write"]'::jsonb,
        'expires_at', now() + interval '1 day'))), 201, 'a key is made');
select throws_ok($$ select api.create_api_key(
    pg_temp.as('admin@acme.example'), '{"name": "CI", "role": "viewer"}') $$,
    'V1409', 'DUPLICATE', 'a name stands once');
select throws_ok($$ select api.create_api_key(
    pg_temp.as('admin@acme.example'), '{"name": "x", "role": "owner"}') $$,
    'V2403', 'AUTH_INSUFFICIENT_PERMISSIONS',
    'no key is above its maker');
select throws_ok($$ select api.create_api_key(
    pg_temp.as('admin@acme.example'), jsonb_build_object('name', 'x',
        'role', 'viewer', 'expires_at', now() - interval '1 second')) $$,
    'V1422', 'VALIDATION_ERROR', 'an expiry lies ahead');
create function pg_temp.key_ctx() returns api.ctx
language sql as $$
    select api.enter((pg_temp.as('admin@acme.example')).tenant_id,
        pg_temp.get('key')::uuid, 'api_key', 'admin', null, 'r', null)
$$;
select throws_ok($$ select api.create_api_key(pg_temp.key_ctx(),
    '{"name": "x", "role": "viewer"}') $$, 'V2403',
    'AUTH_INSUFFICIENT_PERMISSIONS', 'a key gives no scope that it lacks');
select throws_ok($$ select api.create_user(pg_temp.key_ctx(),
    jsonb_build_object('email', 'k@acme.example', 'role', 'viewer',
        'password_hash', pg_temp.hash())) $$, 'V2403',
    'AUTH_INSUFFICIENT_PERMISSIONS', 'nor makes a person who has them all');
select is((select status from api.create_api_key(pg_temp.key_ctx(),
    jsonb_build_object('name', 'x', 'role', 'viewer',
        'scopes', '["api-keys:write"]'::jsonb,
        'expires_at', now() + interval '1 hour'))), 201,
    'but those that it has');
select is((select data -> 'expires_at' from api.update_api_key(
           pg_temp.as('admin@acme.example'), jsonb_build_object('id',
               pg_temp.get('key'), 'expires_at', null)))::text, 'null',
          'an expiry can be taken away');
select is((select data ->> 'secret' from api.get_api_key(
           pg_temp.as('admin@acme.example'), jsonb_build_object('id',
               pg_temp.get('key')))), null, 'the secret is shown once');
select is((select status from api.delete_api_key(
           pg_temp.as('admin@acme.example'), jsonb_build_object('id',
               pg_temp.get('key')))), 204, 'a key is revoked');
select throws_ok($$ select pg_temp.key_ctx() $$, 'V2401',
                 'AUTH_INVALID_TOKEN', 'and is nothing then');
select is((select status from api.create_api_key(
           pg_temp.as('admin@acme.example'),
           '{"name": "ci", "role": "viewer"}')), 201,
          'its name is free again');

reset role;
select is((select bool_and(v.ok) from core.tenant t,
           work.verify_audit(t.id) v), true,
          'the audit logs of all this are whole');
select ok((select count(*) from core.audit_log l
            join core.tenant t on t.id = l.tenant_id
           where t.business_name = 'Acme'
             and l.action in ('user.created', 'user.updated',
                 'membership.created', 'membership.deleted',
                 'api_key.created', 'api_key.revoked')) >= 8,
          'and tell who did what');

select * from finish();
rollback;
