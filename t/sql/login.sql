-- Wrong passwords: delays, locks, forgiveness, and that an account which
-- does not exist is like one that does.

begin;
select plan(47);

create temp table made (name text primary key, calls jsonb);
grant all on made to voice_edge;

-- Time goes by: everything that is remembered lies that much further back.
create function pg_temp.elapse(p_seconds int) returns void
language sql volatile security definer
as $$
    update core.login_attempt
       set wait_until = wait_until - make_interval(secs => p_seconds),
           updated_at = updated_at - make_interval(secs => p_seconds),
           pending = array(select p - make_interval(secs => p_seconds)
                             from unnest(pending) p)
$$;
create function pg_temp.forget() returns void
language sql volatile security definer
as $$ delete from core.login_attempt $$;
create function pg_temp.rows_of(p_scope text) returns bigint
language sql stable security definer
as $$ select count(*) from core.login_attempt where scope = p_scope $$;

create function pg_temp.from(p_address inet) returns api.ctx
language sql volatile as $$
    select api.enter(null, null, 'anonymous', null, null, 'r', p_address)
$$;
create function pg_temp.lookup(p_email text, p_address inet default '::9')
returns jsonb
language sql volatile as $$
    select l.data::jsonb || jsonb_build_object('status', l.status)
      from api.login_lookup(pg_temp.from(p_address),
                            jsonb_build_object('email', p_email)) l
$$;
-- A login as the edge does it: its code or "ok", or the seconds to wait.
create function pg_temp.try(
    p_email text, p_good boolean default false,
    p_address inet default '192.0.2.9', p_tenant uuid default null)
returns text
language plpgsql volatile as $$
declare
    v_found  jsonb := pg_temp.lookup(p_email, p_address);
    v_reply  api.reply;
begin
    if (v_found ->> 'status')::int <> 200 then
        return v_found ->> 'retry_after';
    end if;

    v_reply := api.login(pg_temp.from(p_address), jsonb_strip_nulls(v_found
        - 'hash' || jsonb_build_object('email', p_email,
            'password_ok', p_good and v_found ->> 'hash' is not null,
            'tenant_id', p_tenant)));

    return coalesce(v_reply.data ->> 'code', 'ok');
end $$;
-- Five failures, each followed by an attempt that comes too early.
create function pg_temp.five(p_email text, p_address inet default '::9')
returns text[]
language plpgsql volatile as $$
declare
    v_out  text[] := '{}';
begin
    for i in 1 .. 5 loop
        v_out := v_out || pg_temp.try(p_email, false, p_address)
                       || pg_temp.try(p_email, true, p_address);
        perform pg_temp.elapse(8) where i < 5;
    end loop;

    return v_out;
end $$;

select work.bootstrap('owner@acme.example', repeat('h', 60), 'Acme'),
       work.bootstrap('pat@acme.example', repeat('h', 60), 'Acme', 'viewer'),
       work.bootstrap('owner@other.example', repeat('h', 60), 'Other');
create function pg_temp.tenant_named(p_name text) returns uuid
language sql stable security definer
as $$ select t.id from core.tenant t where t.business_name = p_name $$;

set local role voice_edge;

-- delays and the lock
select is(pg_temp.try('pat@acme.example'), 'AUTH_INVALID_CREDENTIALS',
          'a wrong password is refused');
select is(pg_temp.lookup('pat@acme.example') - 'message', jsonb_build_object(
              'status', 429, 'code', 'AUTH_TOO_MANY_ATTEMPTS',
              'retry_after', 1),
          'the next attempt within a second is refused by its name');
select is(pg_temp.lookup('PAT@acme.example') ->> 'hash', null,
          'in any spelling, without a hash to compare with');
select pg_temp.elapse(1);
select is(pg_temp.lookup('pat@acme.example') ->> 'hash', repeat('h', 60),
          'a second later it is compared');

select pg_temp.forget();
select is(pg_temp.five('pat@acme.example'), array[
          'AUTH_INVALID_CREDENTIALS', '1', 'AUTH_INVALID_CREDENTIALS', '2',
          'AUTH_INVALID_CREDENTIALS', '4', 'AUTH_INVALID_CREDENTIALS', '8',
          'AUTH_INVALID_CREDENTIALS', '900'],
          'the wait is 1, 2, 4, 8 seconds, then 15 minutes');
select is(pg_temp.try('pat@acme.example', true, '192.0.2.1'), '900',
          'the account is locked for every address');
select is(pg_temp.try('owner@other.example', true, '::9'), '900',
          'the address for every account');
select pg_temp.elapse(899);
select is(pg_temp.try('pat@acme.example', true, '192.0.2.1'), '1',
          'to the last second');
select pg_temp.elapse(1);
select is(pg_temp.try('pat@acme.example', false, '192.0.2.1'),
          'AUTH_INVALID_CREDENTIALS', 'then it is open');
select is(pg_temp.try('pat@acme.example', true, '192.0.2.1'), '1',
          'and counts from one again');

-- who does not exist
select pg_temp.forget();
insert into made
select 'known', to_jsonb(pg_temp.five('owner@acme.example'));
select pg_temp.forget();
insert into made
select 'unknown', to_jsonb(pg_temp.five('nobody@acme.example'));
select is((select calls from made where name = 'unknown'),
          (select calls from made where name = 'known'),
          'an account that does not exist is delayed and locked alike');
reset role;
select is((select array_agg(distinct key) from core.login_attempt
            where scope = 'account'),
          array[encode(sha256('nobody@acme.example'), 'hex')],
          'its email is kept as a digest only');

-- the work that a refusal takes, by the functions that run
set local track_functions = 'all';
create function pg_temp.calls() returns jsonb
language sql volatile security definer as $$
    select jsonb_object_agg(f.funcid::regprocedure, f.calls)
      from pg_stat_xact_user_functions f
     where f.schemaname in ('core', 'api')
$$;
create function pg_temp.work_of(
    p_name text, p_email text, p_good boolean default false,
    p_tenant uuid default null)
returns void
language plpgsql volatile as $$
declare
    v_before  jsonb;
begin
    perform pg_temp.forget();
    -- the fifth, which locks
    for i in 1 .. 4 loop
        perform pg_temp.try(p_email, p_good, '192.0.2.9', p_tenant);
        perform pg_temp.elapse(8);
    end loop;
    v_before := pg_temp.calls();
    perform pg_temp.try(p_email, p_good, '192.0.2.9', p_tenant);
    insert into made
    select p_name, jsonb_object_agg(c.key, c.value::int
               - coalesce((v_before ->> c.key)::int, 0))
      from jsonb_each_text(pg_temp.calls()) c;
end $$;
set local role voice_edge;
select pg_temp.work_of('w-wrong', 'owner@acme.example'),
       pg_temp.work_of('w-nobody', 'nobody@acme.example', true),
       pg_temp.work_of('w-tenant', 'owner@acme.example', true,
                       pg_temp.tenant_named('Other'));
select cmp_ok((select (calls ->> 'core.login_count(text,text,text,uuid)')::int
                 from made where name = 'w-wrong'), '=', 2,
              'a failure is counted for the account and the address');
select is((select calls from made where name = 'w-nobody'),
          (select calls from made where name = 'w-wrong'),
          'an unknown user takes the same work as a wrong password');
select is((select calls from made where name = 'w-tenant'),
          (select calls from made where name = 'w-wrong'),
          'and so does the right password for another tenant');
reset role;
set local track_functions = 'none';

-- addresses
set local role voice_edge;
select pg_temp.forget();
do $$
begin
    for i in 1 .. 5 loop
        perform pg_temp.try('p' || i || '@acme.example', false,
                            ('2001:db8:1:2::' || i)::inet);
        perform pg_temp.elapse(8) where i < 5;
    end loop;
end $$;
select is(pg_temp.try('owner@acme.example', true, '2001:db8:1:2:ffff::1'),
          '900', 'five failures of a /64 lock all of it');
select is(pg_temp.rows_of('account'), 5::bigint,
          'what it tries then leaves nothing behind');
select is(pg_temp.try('owner@acme.example', true, '2001:db8:1:3::1'), 'ok',
          'its neighbour gets in');
select is(pg_temp.try('p6@acme.example', false, '::ffff:192.0.2.66'),
          'AUTH_INVALID_CREDENTIALS', 'a mapped IPv4 address');
select is(pg_temp.try('owner@acme.example', true, '192.0.2.66'), '1',
          'is the IPv4 address');
select is(pg_temp.try('owner@acme.example', true, '::ffff:192.0.2.67'), 'ok',
          'and not the whole of IPv4');
select is(pg_temp.try('owner@acme.example', true, null), 'ok',
          'without an address only the account counts');

-- forgiveness
select pg_temp.forget();
create function pg_temp.wrong(p_email text, p_n int) returns void
language plpgsql volatile as $$
begin
    for i in 1 .. p_n loop
        perform pg_temp.try(p_email);
        perform pg_temp.elapse(8);
    end loop;
end $$;
select pg_temp.wrong('pat@acme.example', 4);
select is(pg_temp.try('pat@acme.example', true), 'ok',
          'the right password in time gets in');
select is(pg_temp.rows_of('account'), 0::bigint,
          'and leaves no more than an unknown account has');
select pg_temp.wrong('pat@acme.example', 4);
select is(pg_temp.try('pat@acme.example', true), 'ok',
          'and ends the count of the account and of its address');
select pg_temp.wrong('owner@other.example', 3);
select is(pg_temp.try('pat@acme.example', true), 'ok',
          'another behind the same address gets in');
select pg_temp.wrong('nobody@acme.example', 2);
select is(pg_temp.try('pat@acme.example', true), '892',
          'but takes nothing off what the others did');
select pg_temp.elapse(900);
select pg_temp.wrong('pat@acme.example', 4), pg_temp.elapse(900 - 8);
select is(pg_temp.try('pat@acme.example'), 'AUTH_INVALID_CREDENTIALS',
          'failures of 15 minutes ago are forgotten');
select is(pg_temp.try('pat@acme.example', true), '1', 'without a lock');

-- at the same time
select pg_temp.forget();
select is((select array_agg(pg_temp.lookup('pat@acme.example',
                   ('192.0.2.' || n)::inet) ->> 'status' order by n)
             from generate_series(1, 7) n),
          array['200', '200', '200', '200', '200', '429', '429'],
          'five comparisons of an account run at once');
select is(pg_temp.lookup('pat@acme.example') ->> 'retry_after', '1',
          'one more may come in a second');
select pg_temp.elapse(31);
select is(pg_temp.lookup('pat@acme.example') ->> 'status', '200',
          'an outcome that was never told holds its place for 30 seconds');
select pg_temp.forget();
select pg_temp.wrong('pat@acme.example', 3);
select is((select array_agg(pg_temp.lookup('pat@acme.example',
                   ('192.0.2.' || n)::inet) ->> 'status' order by n)
             from generate_series(1, 3) n), array['200', '200', '429'],
          'after three failures two are left');
select pg_temp.forget();
select is((select count(*) from generate_series(1, 50) n
            where pg_temp.lookup('u' || n || '@acme.example', '192.0.2.1')
                  ->> 'status' = '200'), 20::bigint,
          'of an address twenty');
select is(pg_temp.rows_of('account'), 20::bigint,
          'and only those leave a row');

-- the password of one's own
reset role;
create function pg_temp.me() returns api.ctx
language sql volatile as $$
    select api.enter(s.tenant_id, s.user_id, 'user', m.role, s.id, 'r', '::9')
      from core.session s
      join core.membership m using (tenant_id, user_id)
      join core.app_user u on u.id = s.user_id
     where u.email = 'owner@acme.example' and s.ended_at is null
     order by s.created_at limit 1
$$;
select pg_temp.forget();
select is((select data ->> 'code' from api.change_password(pg_temp.me(),
           '{"current_password_ok": false, "new_password_hash": "x"}')),
          'AUTH_INVALID_CREDENTIALS', 'a wrong current password is refused');
select is((select data ->> 'code' from api.password_lookup(pg_temp.me(),
           '{}')), 'AUTH_TOO_MANY_ATTEMPTS', 'and counted');
select is(pg_temp.try('owner@acme.example', true), '1',
          'for logins, too');

-- what administrators see and do
select pg_temp.forget();
select pg_temp.five('pat@acme.example'), pg_temp.elapse(8),
       pg_temp.five('nobody@acme.example', '192.0.2.77');
select is(work.report_locks(), 1, 'a lock of a user is reported');
select is(work.report_locks(), 0, 'once, and none of nobody');
select results_eq(
    $$ select a.action, u.email, a.detail -> 'networks' ->> 4
         from core.audit_log a join core.app_user u
           on u.id = a.resource_id::uuid
        where a.action like 'user.%' order by a.created_at desc limit 1 $$,
    $$ values ('user.locked', 'pat@acme.example', '::/64') $$,
    'in the audit log of his tenant');
select is((select data ->> 'unlocked' from api.unlock_user(pg_temp.me(),
           jsonb_build_object('id', (select id from core.app_user
               where email = 'pat@acme.example')))), 'true',
          'an administrator ends it');
select is(pg_temp.try('pat@acme.example', true, '::9'), 'ok',
          'then he gets in, from where he failed');
select throws_ok(
    $$ select api.unlock_user(pg_temp.me(), jsonb_build_object('id',
           (select id from core.app_user
             where email = 'owner@other.example'))) $$,
    'V1404', 'RESOURCE_NOT_FOUND', 'another tenant''s user is not there');

-- figures and the end
select pg_temp.forget();
set local voice.login_address_failures = 20;
select pg_temp.wrong('nobody@acme.example', 5);
select is(pg_temp.try('pat@acme.example', true), 'ok',
          'an operator may allow addresses more');
select pg_temp.elapse(892), work.purge();
select is(pg_temp.rows_of('account') + pg_temp.rows_of('address'), 2::bigint,
          'what may still count is kept');
select pg_temp.elapse(60), work.purge();
select is(pg_temp.rows_of('account') + pg_temp.rows_of('address'), 0::bigint,
          'what is over is purged');

select * from finish();
rollback;
