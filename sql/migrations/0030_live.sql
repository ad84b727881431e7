-- Live supervision: tickets, and what the relay tells besides.

-- A ticket opens one stream instead of a token that would stand in a URL.
-- It is deleted by its use.
create table core.stream_ticket (
    tenant_id   uuid not null references core.tenant,
    hash        text not null check (length(hash) = 64),
    operation   text check (length(operation) between 1 and 63),  -- null: any
    actor_id    uuid not null,
    actor_kind  text not null
                check (actor_kind in ('user', 'api_key', 'federated')),
    role        text not null,
    session_id  uuid,
    scopes      text[],         -- of an API key; null: all of its role's
    created_at  timestamptz not null default now(),
    expires_at  timestamptz not null,
    primary key (hash)
);

create index stream_ticket_expiry on core.stream_ticket (expires_at);

alter table core.stream_ticket enable row level security;
alter table core.stream_ticket force row level security;

create policy tenant on core.stream_ticket to voice_owner
    using (tenant_id = core.tenant());
create policy lookup on core.stream_ticket to voice_lookup using (true);
create policy work_select on core.stream_ticket for select to voice_work
    using (expires_at < now());
create policy work_delete on core.stream_ticket for delete to voice_work
    using (expires_at < now());

-- Its result changes; the functions follow the migrations.
drop function if exists work.relay_take(int);
