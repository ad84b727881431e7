-- The audit log: append-only, hash-chained per tenant.

-- SHA-256 over the previous hash and every field of a row, as one JSON array
-- so that no two rows read alike.
create or replace function core.audit_hash(r core.audit_log) returns text
language sql immutable
as $$
    select encode(sha256(convert_to(jsonb_build_array(
        r.prev_hash, r.tenant_id, r.seq, r.actor_id, r.actor_kind, r.action,
        r.resource_type, r.resource_id, r.detail, r.request_id,
        host(r.address), core.iso(r.created_at))::text, 'UTF8')), 'hex')
$$;

-- Appends a row to the current tenant's log.  Holds the tenant's chain until
-- commit, so it is the last thing that a function does.
create or replace function core.audit(
    p_action text, p_resource_type text, p_resource_id text,
    p_detail jsonb default '{}')
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    r  core.audit_log;
begin
    r.tenant_id := core.tenant();
    r.actor_id := core.actor();
    r.actor_kind := core.actor_kind();
    r.action := p_action;
    r.resource_type := p_resource_type;
    r.resource_id := p_resource_id;
    r.detail := p_detail;
    r.request_id := core.request_id();
    r.address := nullif(current_setting('voice.address', true), '')::inet;

    insert into core.audit_head (tenant_id, seq, hash)
    values (r.tenant_id, 0, repeat('0', 64))
    on conflict (tenant_id) do nothing;

    select h.seq + 1, h.hash into r.seq, r.prev_hash
      from core.audit_head h where h.tenant_id = r.tenant_id for update;

    r.created_at := clock_timestamp();
    r.hash := core.audit_hash(r);

    insert into core.audit_log (tenant_id, seq, actor_id, actor_kind, action,
        resource_type, resource_id, detail, request_id, address, created_at,
        prev_hash, hash)
    values (r.tenant_id, r.seq, r.actor_id, r.actor_kind, r.action,
        r.resource_type, r.resource_id, r.detail, r.request_id, r.address,
        r.created_at, r.prev_hash, r.hash);

    update core.audit_head h set seq = r.seq, hash = r.hash
     where h.tenant_id = r.tenant_id;
end
$$;

create or replace function core.audit(
    p_action text, p_resource_type text, p_resource_id uuid,
    p_detail jsonb default '{}')
returns void
language sql volatile set search_path = core, pg_temp
as $$
    select core.audit(p_action, p_resource_type, p_resource_id::text,
                      p_detail)
$$;

create or replace function core.audit_refuse() returns trigger
language plpgsql set search_path = core, pg_temp
as $$
begin
    raise exception 'the audit log is append-only';
end
$$;

create or replace trigger audit_append_only
    before update or delete or truncate on core.audit_log
    for each statement execute function core.audit_refuse();

set local role voice_work;

-- Checks a tenant's chain from its first row to its head.  broken is the
-- first number whose row is missing, changed or not linked; null: none.
create or replace function work.verify_audit(p_tenant uuid)
returns table (ok boolean, entries bigint, broken bigint)
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    r       core.audit_log;
    v_prev  text := repeat('0', 64);
    v_seq   bigint := 0;
begin
    for r in select * from core.audit_log l
              where l.tenant_id = p_tenant order by l.seq
    loop
        v_seq := v_seq + 1;

        if r.seq <> v_seq or r.prev_hash <> v_prev
           or r.hash <> core.audit_hash(r)
        then
            return query select false, v_seq, v_seq;
            return;
        end if;

        v_prev := r.hash;
    end loop;

    -- rows that were cut off at the end
    if exists (select from core.audit_head h
                where h.tenant_id = p_tenant
                  and (h.seq <> v_seq or h.hash <> v_prev))
    then
        return query select false, v_seq, v_seq + 1;
    else
        return query select true, v_seq, null::bigint;
    end if;
end
$$;

set local role voice_owner;
