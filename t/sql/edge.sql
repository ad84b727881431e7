-- What the edge asks: tenants, hosts, live credentials, and what has changed
-- since a snapshot.

begin;
select no_plan();

create function pg_temp.hash() returns text
language sql as $$ select repeat('h', 60) $$;
create function pg_temp.tenant(p_name text) returns uuid
language sql stable security definer as $$
    select id from core.tenant where business_name = p_name
$$;
-- logs a user in; the claims of his token
create function pg_temp.claims(p_email text) returns json
language plpgsql as $$
declare
    v_args   jsonb := jsonb_build_object('email', p_email,
                                         'password_ok', true);
    v_nobody api.ctx := api.enter(null, null, 'anonymous', null, null, 'r',
                                  null);
begin
    v_args := v_args || (select l.data::jsonb - 'hash'
        from api.login_lookup(v_nobody, v_args) l);
    return (api.login(v_nobody, v_args)).claims;
end $$;
create function pg_temp.live(c json, p_role text default null)
returns boolean
language sql as $$
    select api.edge_session((c ->> 'tenant_id')::uuid, (c ->> 'sub')::uuid,
        'user', coalesce(p_role, c ->> 'role'), (c ->> 'sid')::uuid)
$$;
create temp table login (name text primary key, claims json);
grant all on login to voice_edge;

select work.bootstrap('owner@acme.example', pg_temp.hash(), 'Acme');
select work.bootstrap('viewer@acme.example', pg_temp.hash(), 'Acme',
                      'viewer');
select work.bootstrap('owner@other.example', pg_temp.hash(), 'Other');

-- the record of a tenant
update core.tenant
   set plan = 'starter', upstream = 'crm:8080', shard = 'eu1',
       allow_addresses = '{10.0.0.0/8,2001:db8::/32}',
       deny_addresses = '{10.1.0.0/16}',
       cors_origins = '{https://a.example,http://b.example:8080}',
       external_id = 'org-7'
 where id = pg_temp.tenant('Acme');

set local role voice_edge;
select is((api.edge_tenant(pg_temp.tenant('Acme')))::jsonb
          - array['limits', 'user_limits'],
    jsonb_build_object('id', pg_temp.tenant('Acme'), 'status', 'active',
        'plan', 'starter', 'upstream', 'crm:8080', 'shard', 'eu1',
        'allow', '["10.0.0.0/8", "2001:db8::/32"]'::jsonb,
        'deny', '["10.1.0.0/16"]'::jsonb,
        'origins', '["https://a.example", "http://b.example:8080"]'::jsonb),
    'the edge learns what it routes and filters by');
select is(api.edge_tenant(pg_temp.tenant('Acme')) #>> '{limits,read,rate}',
          '20', 'with the figures of the plan');
select is(api.edge_tenant(pg_temp.tenant('Other')) ->> 'plan', 'standard',
          'a tenant has the standard plan');
select is(api.edge_tenant(gen_random_uuid())::text, null,
          'an unknown tenant has no record');
select is(api.edge_external('org-7'), pg_temp.tenant('Acme'),
          'a tenant is found by the name that an issuer has for it');
select is(api.edge_external('org-8'), null, 'another name finds none');
reset role;

-- bounds
prepare origin(text) as update core.tenant set cors_origins = array[$1];
select throws_ok(format('execute origin(%L)', o), '23514', null,
                 format('"%s" is no origin', o))
  from unnest(array['https://a.example/', 'a.example', 'ftp://a.example',
                    'https://a b', '', '*', 'https://A.example',
                    'https://' || repeat('a', 81)]) o;
select throws_ok($$ update core.tenant set cors_origins =
    array_fill('https://a.example'::text, array[9]) $$, '23514', null,
    'origins have a bound');
select throws_ok($$ update core.tenant set deny_addresses =
    array_fill('10.0.0.0/8'::cidr, array[31]) $$, '23514', null,
    'addresses have one for both lists');
select throws_ok($$ update core.tenant set allow_addresses = array[null::cidr]
    $$, '23514', null, 'and none of them is null');
select throws_ok($$ update core.tenant set upstream = 'a b' $$, '23514',
                 null, 'an upstream is one word');

-- hosts
insert into core.tenant_host (tenant_id, host)
values (pg_temp.tenant('Acme'), 'acme.example'),
       (pg_temp.tenant('Acme'), '*.example'),
       (pg_temp.tenant('Other'), '*.shop.example');
select throws_ok(format('insert into core.tenant_host values (%L, %L)',
                        pg_temp.tenant('Other'), h), '23514', null,
                 format('"%s" is no host', h))
  from unnest(array['', '*', 'a..b', 'A.example', 'a.*', '-a', 'a/b',
                    '.a', repeat('a', 64), 'a b']) h;
select throws_ok(format('insert into core.tenant_host values (%L, %L)',
                        pg_temp.tenant('Other'), 'acme.example'), '23505',
                 null, 'a host is one tenant''s');
set local role voice_edge;
select is(api.edge_host(h), pg_temp.tenant(t), format('%s is %s''s', h, t))
  from (values ('acme.example', 'Acme'), ('x.example', 'Acme'),
               ('shop.example', 'Acme'), ('a.shop.example', 'Other'),
               ('a.b.shop.example', 'Other'), ('example', 'nobody'),
               ('acme.example.org', 'nobody'), ('', 'nobody'),
               ('%.example', 'Acme')) v (h, t);

-- who is live
insert into login
select n, pg_temp.claims(n || '@acme.example')
  from unnest(array['owner', 'viewer']) n;
select ok(pg_temp.live((select claims from login where name = 'owner')),
          'a session that lives is proved');
select throws_ok($$ select pg_temp.live((select claims from login
    where name = 'viewer'), 'owner') $$, 'V2401', null,
    'not with another role');
select throws_ok($$ select api.edge_session(pg_temp.tenant('Acme'),
    gen_random_uuid(), 'api_key', 'viewer', null) $$, 'V2401', null,
    'nor a key that there is not');
select throws_ok($$ select api.edge_session(null, null, 'anonymous', null,
    null) $$, 'V2401', null, 'and nobody is nobody');
select ok(api.edge_session(pg_temp.tenant('Acme'), gen_random_uuid(),
    'federated', 'admin', null), 'a foreign person needs no session');
select throws_ok($$ select api.edge_session(pg_temp.tenant('Acme'),
    gen_random_uuid(), 'federated', $$ || r || $$, null) $$, 'V2401', null,
    'but never has the role ' || r)
  from unnest(array['''platform_admin''', '''emperor''', 'null']) r;
select is((api.enter(pg_temp.tenant('Acme'), gen_random_uuid(), 'federated',
                     'admin', null, 'r', null)).role, 'admin',
          'and enters with a role of ours');
select is((api.enter(pg_temp.tenant('Acme'), null, 'dropin', 'service', null,
                     'r', null)).role, 'service',
          'nobody enters as a machine, where the edge says so');
select throws_ok($$ select api.enter(pg_temp.tenant('Acme'), $$ || a || $$,
    'dropin', $$ || r || $$, null, 'r', null) $$, 'V2401', null,
    'but in no other role and as nobody else: ' || a || ', ' || r)
  from (values ('null', '''owner'''), ('null', 'null'),
               ('null', '''platform_admin'''),
               ('gen_random_uuid()', '''service''')) v (a, r);
select throws_ok($$ select api.enter(null, null, 'dropin', 'service', null,
    'r', null) $$, 'V2401', null, 'nor without a tenant');
reset role;

-- what is written for whom: kind and number of new rows
create function pg_temp.changes() returns text
language plpgsql as $$
declare
    v_rows  text;
begin
    with gone as (delete from core.edge_change returning kind, id)
    select string_agg(g.kind || case when g.id = '' then '' else ':' end
        || case when g.id ~ '-.*-' then 'id' else g.id end, ' '
        order by g.kind) into v_rows from gone g;
    return v_rows;
end $$;
select pg_temp.changes();

update core.tenant set business_name = 'Acme Inc.', settings = '{"a": 1}'
 where business_name = 'Acme';
select is(pg_temp.changes(), null, 'a name is nothing to the edge');
update core.tenant set status = 'suspended'
 where business_name = 'Acme Inc.';
select is(pg_temp.changes(), 'tenant:id', 'a status is');
update core.tenant set status = 'active', business_name = 'Acme'
 where business_name = 'Acme Inc.';
update core.plan set limits = '{"read": {"rate": 1, "burst": 1}}'
 where id = 'starter';
select is(pg_temp.changes(), 'tenant:id tenants', 'so are a plan''s figures');
delete from core.tenant_host where host = 'acme.example';
select is(pg_temp.changes(), 'host:acme.example', 'so is a host');
update core.tenant_host set host = 'b.example' where host = '*.example';
select is(pg_temp.changes(), 'host:b.example hosts', 'so is a pattern');
update core.session set last_seen_at = now() + interval '1 second';
select is(pg_temp.changes(), null, 'that a session was seen is not');
update core.session s set ended_at = now(), end_reason = 'logout'
  from core.app_user u
 where u.id = s.user_id and u.email = 'owner@acme.example';
select is(pg_temp.changes(), 'session:id', 'that it ended is');
update core.membership m set role = 'operator'
  from core.app_user u
 where u.id = m.user_id and u.email = 'viewer@acme.example';
select is(pg_temp.changes(), 'actor:id', 'so is another role');
update core.membership m set last_login_at = now();
select is(pg_temp.changes(), null, 'a login is not');
insert into core.api_key (tenant_id, name, prefix, last_four, hash, role)
values (pg_temp.tenant('Acme'), 'k', 'vgk_', 'aaaa', repeat('a', 64),
        'viewer');
update core.api_key set last_used_at = now();
select is(pg_temp.changes(), null, 'nor that a key was used');
update core.api_key set scopes = '{a}';
select is(pg_temp.changes(), 'actor:id', 'its scopes are');
update core.api_key set revoked_at = now();
select is(pg_temp.changes(), 'actor:id', 'and its end');
set local role voice_edge;
select throws_ok($$ select pg_temp.live((select claims from login
    where name = 'owner')) $$, 'V2401', null, 'an ended session is no proof');
select throws_ok($$ select pg_temp.live((select claims from login
    where name = 'viewer')) $$, 'V2401', null, 'nor is a role of before');

-- reading it; this transaction's own rows are not in progress for itself
reset role;
select core.edge_changed('session', 'x');

-- a mark of a snapshot, so many seconds old, of this server or of another
create function pg_temp.mark(p_snapshot text, p_age int default 0,
                             p_start int default 0)
returns text
language sql
as $$
    select (extract(epoch from pg_postmaster_start_time()) + p_start) || '/'
        || (extract(epoch from now()) - p_age) || '/' || p_snapshot
$$;

-- all transactions before the nth from now
create function pg_temp.seen(p_n int) returns text
language sql
as $$
    select x || ':' || x || ':'
      from (select pg_current_xact_id()::text::bigint + p_n) v (x)
$$;

set local role voice_edge;
select is(api.edge_changes(null) ->> 'changes', null,
          'the first question brings no changes');
select ok((api.edge_changes(null) ->> 'complete')::boolean
          and api.edge_changes(null) ->> 'mark' is not null,
          'but the mark to go on from');
select is(api.edge_changes(pg_temp.mark('1:1:')) ->> 'changes',
          '[["session", "x"]]', 'a later one those since then');
select is(api.edge_changes(pg_temp.mark(pg_temp.seen(1))) ->> 'changes',
          null, 'what a snapshot has seen does not come again');
select is(api.edge_changes(api.edge_changes(null) ->> 'mark') ->> 'complete',
          'true', 'marks that it gives are taken');
select is(api.edge_changes(pg_temp.mark(pg_temp.seen(5))) ->> 'complete',
          'false', 'a snapshot of the future is of another life');
select is(api.edge_changes(pg_temp.mark('1:1:', 0, 1)) ->> 'complete',
          'false', 'so is one of another server');
select is(api.edge_changes(pg_temp.mark('1:1:', 541)) ->> 'complete',
          'false', 'one before changes that were purged leaves out some');
select is(api.edge_changes('1:1:') ->> 'complete', 'false',
          'so may what is no mark');
reset role;
select core.edge_changed('session', n::text) from generate_series(1, 256) n;
set local role voice_edge;
select is(api.edge_changes(pg_temp.mark('1:1:')) ->> 'complete', 'false',
          'too many at once are all');
reset role;

-- retention
update core.edge_change set changed_at = now() - interval '11 minutes'
 where id = 'x';
select work.purge();
select is((select count(*) from core.edge_change where id = 'x'), 0::bigint,
          'old rows go');
select is((select count(*) from core.edge_change), 256::bigint,
          'young ones stay');

select * from finish();
rollback;
