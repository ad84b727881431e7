-- Tenants are hidden from each other by RLS alone, and the roles may do what
-- is theirs and nothing else.

begin;
select no_plan();

-- two tenants with everything
insert into core.tenant (id, business_name)
values ('00000000-0000-7000-8000-00000000000a', 'Acme'),
       ('00000000-0000-7000-8000-00000000000b', 'Beta');

create function pg_temp.a() returns uuid language sql
as $$ select '00000000-0000-7000-8000-00000000000a'::uuid $$;
create function pg_temp.b() returns uuid language sql
as $$ select '00000000-0000-7000-8000-00000000000b'::uuid $$;

do $$
declare
    v_tenant  uuid;
    v_user    uuid;
    v_session uuid;
begin
    foreach v_tenant in array array[pg_temp.a(), pg_temp.b()] loop
        perform core.use_tenant(v_tenant, null, 'system', null, 'r');
        v_user := core.uuid_v7();
        v_session := core.uuid_v7();
        insert into core.app_user (id, home_tenant_id, email, password_hash)
        values (v_user, v_tenant, v_tenant || '@x.example', repeat('h', 60));
        insert into core.membership (tenant_id, user_id, role)
        values (v_tenant, v_user, 'owner');
        insert into core.session (tenant_id, id, user_id, expires_at)
        values (v_tenant, v_session, v_user, now() + interval '1 day');
        insert into core.refresh_token (tenant_id, hash, session_id)
        values (v_tenant, md5(v_tenant::text) || md5(v_tenant::text),
                v_session);
        insert into core.api_key (tenant_id, name, prefix, last_four, hash,
                                  role)
        values (v_tenant, 'k', 'vgk_', 'aaaa',
                md5(v_tenant::text) || md5('k'), 'viewer');
        insert into core.job (tenant_id, kind, queue)
        values (v_tenant, 'validation', 'validation');
        perform core.begin_calls(array['of ' || v_tenant],
                                 array[null::text]);
        insert into core.packet (tenant_id, call_id, sequence, day, sent_at,
                                 received_at, data)
        select c.tenant_id, c.id, 0, c.day, 1, now(), 'x' from core.call c
         where c.tenant_id = v_tenant;
        insert into core.call_move (tenant_id, call_id, position, from_state,
                                    to_state)
        select c.tenant_id, c.id, 1, 'a', 'b' from core.call c
         where c.tenant_id = v_tenant;
        insert into core.call_try (tenant_id, call_id, drive, try)
        select c.tenant_id, c.id, 1, 1 from core.call c
         where c.tenant_id = v_tenant;
        perform core.emit('test_run.created', 'test_run', v_user, '{}');
        perform core.audit('a', 'b', v_user);
    end loop;
end $$;
select count(*) from work.relay_take(10);

-- tables: all of them, also those of other migrations
create temp view tenant_table as
    select c.oid, c.relname, c.relrowsecurity, c.relforcerowsecurity
      from pg_class c
     where c.relnamespace = 'core'::regnamespace and c.relkind in ('r', 'p')
       and (c.relname in ('tenant', 'app_user')
            or exists (select from pg_attribute t
                        where t.attrelid = c.oid
                          and t.attname = 'tenant_id'));
grant select on tenant_table to voice_owner;

select is((select array_agg(relname::text) from tenant_table
            where not (relrowsecurity and relforcerowsecurity)), null,
          'row security is forced on every table of a tenant');
select is((select array_agg(c.relname::text order by c.relname) from pg_class c
            where c.relnamespace = 'core'::regnamespace
              and c.relkind = 'r' and not c.relrowsecurity),
          array['applied', 'counter', 'edge_change', 'error', 'job_done',
                'job_figure', 'job_kind', 'job_kind_change', 'job_tally',
                'object_erasure', 'plan', 'queue', 'queue_scale',
                'system_schedule', 'worker'],
          'the tables without are those that know no tenant');
select is((select array_agg(c.relname::text || ' ' || r.rolname)
             from pg_class c join pg_roles r on r.oid = c.relowner
            where c.relnamespace = 'core'::regnamespace
              and c.relkind in ('r', 'v') and r.rolname <> 'voice_owner'),
          null, 'all tables are of one owner');

-- rows that a role sees under a setting
create function pg_temp.seen(p_table text, p_tenant text) returns bigint
language plpgsql as $$
declare
    v_count  bigint;
begin
    perform set_config('voice.tenant', p_tenant, true);
    execute format('select count(*) from core.%I', p_table) into v_count;
    return v_count;
end $$;
-- those of the other tenant among them
create function pg_temp.foreign_rows(p_table text) returns bigint
language plpgsql as $$
declare
    v_count  bigint;
    v_column text := case p_table when 'tenant' then 'id'
                                  when 'app_user' then 'home_tenant_id'
                                  else 'tenant_id' end;
begin
    perform set_config('voice.tenant', pg_temp.a()::text, true);
    execute format('select count(*) from core.%I where %I <> $1', p_table,
                   v_column) into v_count using pg_temp.a();
    return v_count;
end $$;

select core.use_tenant(null, null, null, null, null);
set local role voice_owner;
select is(pg_temp.seen(relname, ''), 0::bigint,
          relname || ': the owner without a tenant sees no row')
  from tenant_table order by relname;
select is(pg_temp.foreign_rows(relname), 0::bigint,
          relname || ': under a tenant no row of another')
  from tenant_table order by relname;
select is(pg_temp.seen(relname, pg_temp.a()::text), 1::bigint,
          relname || ': but its own')
  from unnest(array['tenant', 'app_user', 'membership', 'session',
                    'refresh_token', 'api_key', 'job', 'event',
                    'audit_log', 'call', 'call_stream', 'packet',
                    'call_move', 'call_try']) relname;
select is(pg_temp.seen(c.relname, pg_temp.a()::text), 0::bigint,
          c.relname || ': a partition shows nothing but through its table')
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
 where i.inhparent = 'core.packet'::regclass order by c.relname;

-- writing into another tenant
select set_config('voice.tenant', pg_temp.a()::text, true);
select throws_ok($$ insert into core.api_key (tenant_id, name, prefix,
        last_four, hash, role)
    values (pg_temp.b(), 'x', 'vgk_', 'aaaa', repeat('x', 64), 'viewer') $$,
    '42501', null, 'no row is written for another tenant');
select throws_ok($$ update core.job set tenant_id = pg_temp.b() $$, '42501',
                 null, 'none is moved there');
with gone as (delete from core.session
               where tenant_id = pg_temp.b() returning 1)
select is((select count(*) from gone), 0::bigint, 'none is deleted');
select throws_ok($$ insert into core.event (tenant_id, type, subject_type,
        subject_id, payload)
    values (pg_temp.b(), 'a.b', 'c', pg_temp.b(), '{}') $$, '42501', null,
    'no event is told to another tenant');
reset role;

-- the login roles
create function pg_temp.allowed(p_role text) returns setof text
language sql as $$
    select p.pronamespace::regnamespace || '.' || p.proname
      from pg_proc p
     where p.pronamespace in ('core'::regnamespace, 'api'::regnamespace,
                              'work'::regnamespace)
       and has_function_privilege(p_role, p.oid, 'execute')
       and has_schema_privilege(p_role, p.pronamespace, 'usage')
$$;
select is((select count(*) from pg_temp.allowed('voice_edge') f
            where f not like 'api.%'), 0::bigint,
          'the edge may execute api.* and nothing else');
select is((select count(*) from pg_temp.allowed('voice_worker') f
            where f not like 'work.%'
               or f in ('work.bootstrap', 'work.place_tenant',
                        'work.adopt_tenant')), 0::bigint,
          'the workers work.* and nothing else');
select is((select count(*) from pg_proc p
            where p.pronamespace in ('core'::regnamespace,
                                     'api'::regnamespace,
                                     'work'::regnamespace)
              and has_function_privilege('public', p.oid, 'execute')),
          0::bigint, 'everybody else none');
select is((select array_agg(c.relname::text) from pg_class c,
           unnest(array['voice_edge', 'voice_worker']) r
            where c.relnamespace = 'core'::regnamespace
              and c.relkind in ('r', 'p', 'v', 'S')
              and has_table_privilege(r, c.oid,
                  'select, insert, update, delete, truncate')), null,
          'neither may touch a table');
select is((select count(*) from pg_roles
            where rolname like 'voice\_%'
              and (rolsuper or rolbypassrls or rolcreaterole
                   or rolcreatedb)), 0::bigint,
          'no role of ours is above the rules');
select is((select array_agg(p.proname::text) from pg_proc p
            where p.pronamespace in ('core'::regnamespace,
                                     'api'::regnamespace,
                                     'work'::regnamespace)
              and p.prosecdef
              and not exists (select from unnest(p.proconfig) s
                               where s like 'search_path=%')), null,
          'every definer function has a pinned search_path');
select is((select array_agg(p.pronamespace::regnamespace || '.' || p.proname)
             from pg_proc p join pg_roles r on r.oid = p.proowner
            where p.pronamespace in ('api'::regnamespace,
                                     'work'::regnamespace)
              and p.prosecdef
              and r.rolname not in ('voice_owner', 'voice_work',
                                    'voice_lookup')), null,
          'and none runs as a superuser');

-- every operation under tenant a with tenant b's ids
set local role voice_owner;
create temp table victim (id uuid);
grant select on victim to public;
reset role;
insert into victim
select id from core.tenant where id = pg_temp.b()
union all select user_id from core.membership where tenant_id = pg_temp.b()
union all select id from core.membership where tenant_id = pg_temp.b()
union all select id from core.session where tenant_id = pg_temp.b()
union all select id from core.api_key where tenant_id = pg_temp.b()
union all select id from core.job where tenant_id = pg_temp.b()
union all select id from core.call where tenant_id = pg_temp.b();

-- Calls api.<name> as tenant a's owner with an id; the outcome: a SQLSTATE
-- or the status.  Whatever it does is undone.
create function pg_temp.try(p_name text, p_id uuid) returns text
language plpgsql as $$
declare
    v_status  int;
    v_user    uuid := (select s.user_id from core.session s
                        where s.tenant_id = pg_temp.a());
    v_session uuid := (select s.id from core.session s
                        where s.tenant_id = pg_temp.a());
begin
    begin
        execute format('select status from api.%I(api.enter($1, $2, ''user'','
                       ' ''owner'', $3, ''r'', null), $4)', p_name)
           into v_status
          using pg_temp.a(), v_user, v_session,
                jsonb_build_object('id', p_id, 'tenant_id', p_id,
                    'display_name', 'x', 'name', 'x',
                    'business_name', 'x', 'is_active', true,
                    'code', 'en-US', 'call_id', 'of ' || pg_temp.b());
        raise exception using errcode = 'VTEST', message = v_status::text;
    exception when sqlstate 'VTEST' then
        return sqlerrm;
    end;
exception when others then
    return sqlstate;
end $$;

-- who follows calls names no thing of ours
select is((select string_agg(distinct f.proname || ': ' || o, ', ')
             from pg_proc f, victim v, pg_temp.try(f.proname, v.id) o
            where f.pronamespace = 'api'::regnamespace
              and f.proname ~ ('^(get|update|delete|cancel|retry|review'
                               || '|stream|process|complete)_')
              and f.proname <> 'stream_supervisor'
              and o not in ('V1404')), null,
          'every operation on one thing answers 404 to another tenant''s id');
select is((select count(*) from core.session s
            where s.tenant_id = pg_temp.b() and s.ended_at is null),
          1::bigint, 'and nothing of it has changed');

select * from finish();
rollback;
