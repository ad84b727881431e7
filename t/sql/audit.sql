-- The audit log: chain, tampering, append-only.

begin;
select no_plan();

insert into core.tenant (id, business_name)
select ('00000000-0000-7000-8000-00000000000' || n)::uuid, 'T' || n
  from generate_series(1, 2) n;

create function pg_temp.tenant(p_n int) returns uuid
language sql as $$
    select ('00000000-0000-7000-8000-00000000000' || p_n)::uuid
$$;
create function pg_temp.act(p_tenant int, p_action text) returns void
language plpgsql as $$
begin
    perform core.use_tenant(pg_temp.tenant(p_tenant), gen_random_uuid(),
                            'user', 'owner', 'request', '192.0.2.1');
    perform core.audit(p_action, 'thing', gen_random_uuid(),
                       '{"note": "a \"quoted\" word"}');
end $$;
create function pg_temp.tamper(p_sql text) returns text
language plpgsql as $$
declare
    v_result  text;
begin
    -- as one who owns the machine: the trigger is switched off
    set local session_replication_role = replica;
    execute p_sql;
    select v.ok || ' ' || coalesce(v.broken, 0) into v_result
      from work.verify_audit(pg_temp.tenant(1)) v;
    raise exception 'undo: %', v_result;
exception when raise_exception then
    return replace(sqlerrm, 'undo: ', '');
end $$;

select results_eq($$ select * from work.verify_audit(pg_temp.tenant(1)) $$,
                  $$ values (true, 0::bigint, null::bigint) $$,
                  'an empty log is whole');
select pg_temp.act(1 + n % 2, 'a' || n) from generate_series(1, 20) n;
select results_eq($$ select * from work.verify_audit(pg_temp.tenant(1)) $$,
                  $$ values (true, 10::bigint, null::bigint) $$,
                  'a log is whole, each tenant has its own');
select is((select count(*) from core.audit_log l join core.audit_log p
             on p.tenant_id = l.tenant_id and p.seq = l.seq - 1
            where l.prev_hash = p.hash), 18::bigint, 'rows are chained');
select is((select distinct actor_kind || ' ' || request_id || ' '
                           || host(address) from core.audit_log),
          'user request 192.0.2.1', 'a row tells who, by which request');

select is(pg_temp.tamper($$ update core.audit_log set action = 'other'
    where seq = 4 and tenant_id = pg_temp.tenant(1) $$), 'false 4',
    'a changed row is found');
select is(pg_temp.tamper($$ update core.audit_log
    set address = '192.0.2.2'
    where seq = 7 and tenant_id = pg_temp.tenant(1) $$), 'false 7',
    'whichever field');
select is(pg_temp.tamper($$ delete from core.audit_log
    where seq = 5 and tenant_id = pg_temp.tenant(1) $$), 'false 5',
    'a missing row is found');
select is(pg_temp.tamper($$ delete from core.audit_log
    where seq = 10 and tenant_id = pg_temp.tenant(1) $$), 'false 10',
    'also at the end');
select is(pg_temp.tamper($$ update core.audit_log l
    set action = 'x', hash = core.audit_hash(row(l.tenant_id, l.seq,
        l.actor_id, l.actor_kind, 'x', l.resource_type, l.resource_id,
        l.detail, l.request_id, l.address, l.created_at, l.prev_hash,
        l.hash)::core.audit_log)
    where seq = 3 and tenant_id = pg_temp.tenant(1) $$), 'false 4',
    'a row that was hashed anew breaks the next one');

select throws_ok('update core.audit_log set action = action', 'P0001',
                 'the audit log is append-only', 'rows cannot be changed');
select throws_ok('delete from core.audit_log', 'P0001',
                 'the audit log is append-only', 'nor deleted');
select throws_ok('truncate core.audit_log', 'P0001',
                 'the audit log is append-only', 'nor truncated');

select * from finish();
rollback;
