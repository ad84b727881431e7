-- Durable events: written in the transaction of their cause, numbered by the
-- relay as it publishes them.

create table core.event (
    position      bigint generated always as identity primary key,
    tenant_id     uuid not null references core.tenant,
    seq           bigint,
    type          text not null check (type ~ '^[a-z_]+\.[a-z_]+$'),
    subject_type  text not null check (subject_type ~ '^[a-z_]+$'),
    subject_id    uuid not null,
    payload       jsonb not null,
    trace_id      text not null default '',
    created_at    timestamptz not null default now(),
    published_at  timestamptz
);

create unique index event_seq on core.event (tenant_id, seq);
create index event_unpublished on core.event (position)
    where published_at is null;
create index event_published on core.event (published_at)
    where published_at is not null;

create table core.event_head (
    tenant_id  uuid primary key references core.tenant,
    seq        bigint not null
);

alter table core.event enable row level security;
alter table core.event force row level security;
alter table core.event_head enable row level security;
alter table core.event_head force row level security;

create policy tenant on core.event to voice_owner
    using (tenant_id = core.tenant());
create policy tenant on core.event_head for select to voice_owner
    using (tenant_id = core.tenant());
create policy work on core.event to voice_work using (true);
create policy work on core.event_head to voice_work using (true);
