-- Who changed what.  Each row holds the hash of the one before it in its
-- tenant, so that a change or a gap shows; rows are never changed.

create table core.audit_log (
    tenant_id      uuid not null references core.tenant,
    seq            bigint not null,
    actor_id       uuid,
    actor_kind     text not null,
    action         text not null,
    resource_type  text not null,
    resource_id    text not null,
    detail         jsonb not null,
    request_id     text not null,
    address        inet,
    created_at     timestamptz not null,
    prev_hash      text not null,
    hash           text not null,
    primary key (tenant_id, seq)
);

create table core.audit_head (
    tenant_id  uuid primary key references core.tenant,
    seq        bigint not null,
    hash       text not null
);

alter table core.audit_log enable row level security;
alter table core.audit_log force row level security;
alter table core.audit_head enable row level security;
alter table core.audit_head force row level security;

create policy tenant_select on core.audit_log for select to voice_owner
    using (tenant_id = core.tenant());
create policy tenant_insert on core.audit_log for insert to voice_owner
    with check (tenant_id = core.tenant());
create policy tenant on core.audit_head to voice_owner
    using (tenant_id = core.tenant());
create policy work on core.audit_log for select to voice_work using (true);
create policy work on core.audit_head for select to voice_work using (true);
