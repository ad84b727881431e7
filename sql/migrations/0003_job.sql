-- The queue's truth: kinds, jobs, the pools that work on them.

create table core.job_kind (
    kind             text primary key,
    queue            text not null,
    soft_seconds     int not null check (soft_seconds > 0),
    hard_seconds     int not null check (hard_seconds > soft_seconds),
    max_attempts     int not null check (max_attempts > 0),
    backoff_seconds  int not null check (backoff_seconds > 0),
    backoff_max      int not null check (backoff_max >= backoff_seconds)
);

create table core.job (
    id           uuid primary key default core.uuid_v7(),
    tenant_id    uuid not null references core.tenant,
    kind         text not null references core.job_kind,
    queue        text not null,
    subject_id   uuid,                  -- what it belongs to, for cancelling
    priority     int not null default 100,             -- smaller is sooner
    state        text not null default 'queued'
                 check (state in ('queued', 'running', 'done', 'dead',
                                  'cancelled')),
    run_at       timestamptz not null default now(),
    sent_at      timestamptz,           -- when an entry was last asked for
    attempt      int not null default 0,
    token        bigint not null default 0,
    worker       text,
    claimed_at   timestamptz,
    lease_until  timestamptz,
    ended_at     timestamptz,
    trace_id     text not null default '',
    error        text,
    args         jsonb not null default '{}',
    created_at   timestamptz not null default now(),
    check ((state = 'running') = (lease_until is not null))
);

-- claim walks the tenants of a queue, then each tenant's best job
create index job_queued on core.job (queue, tenant_id, priority, run_at, id)
    where state = 'queued';
-- due takes a queue's oldest
create index job_due on core.job (queue, run_at) where state = 'queued';
create index job_running on core.job (queue, tenant_id, lease_until)
    where state = 'running';
create index job_subject on core.job (tenant_id, subject_id)
    where state in ('queued', 'running');
create index job_ended on core.job (ended_at) where ended_at is not null;

create table core.worker (
    name        text primary key,
    queues      text[] not null,
    started_at  timestamptz not null default now(),
    beat_at     timestamptz not null default now()
);

alter table core.job enable row level security;
alter table core.job force row level security;

create policy tenant on core.job to voice_owner
    using (tenant_id = core.tenant());
create policy work on core.job to voice_work using (true);
