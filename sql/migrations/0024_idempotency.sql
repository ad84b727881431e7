-- Replies that are given again to whoever repeats a request by its
-- Idempotency-Key.  The key itself is nowhere: its digest finds the row, the
-- reply is encrypted with what only the key gives.

reset role;
create extension if not exists pgcrypto with schema core;
set local role voice_owner;

create table core.idempotency (
    tenant_id    uuid not null references core.tenant,
    actor_id     uuid not null,
    key_hash     text not null check (length(key_hash) = 64),
    fingerprint  text not null check (length(fingerprint) = 64),
    reply        bytea not null,
    position     bigint not null generated always as identity,
    created_at   timestamptz not null default now(),
    primary key (tenant_id, actor_id, key_hash)
);

create index idempotency_age on core.idempotency (created_at);
create index idempotency_position on core.idempotency (tenant_id, position);

alter table core.idempotency enable row level security;
alter table core.idempotency force row level security;

create policy tenant on core.idempotency to voice_owner
    using (tenant_id = core.tenant());

create policy work_select on core.idempotency for select to voice_work
    using (true);
create policy work_delete on core.idempotency for delete to voice_work
    using (created_at < now() - interval '24 hours');
