-- The job engine: what a kind may ask for, whose turn it is, what follows
-- from a job.

create table core.queue (
    name       text primary key check (name ~ '^[a-z][a-z0-9_]{0,39}$'),
    paused_at  timestamptz                     -- nothing of it is claimed
);

insert into core.queue (name) select distinct k.queue from core.job_kind k;

alter table core.job_kind
    add foreign key (queue) references core.queue,
    alter column soft_seconds set default 1500,
    alter column hard_seconds set default 1800,
    add column backoff             text not null default 'exponential'
                                   check (backoff in ('exponential', 'linear',
                                                      'fixed')),
    add column max_lost            int not null default 10     -- workers that
                                                      -- died with a job
                                   check (max_lost > 0),
    add column prefetch            int not null default 4      -- a child
                                   check (prefetch between 1 and 100),
    add column running_max         int check (running_max > 0),
    add column tenant_running_max  int check (tenant_running_max > 0),
    add column rate                numeric check (rate > 0),   -- a second for
                                                      -- tenant and provider
    add column rate_burst          int not null default 1
                                   check (rate_burst between 1 and 10000),
    add column heavy               boolean not null default false,
    add column result_seconds      int not null default 3600   -- in Redis
                                   check (result_seconds >= 0),
    add column keep_days           int not null default 90     -- as rows
                                   check (keep_days > 0),
    add column paused_at           timestamptz;

alter table core.job
    add column provider       text not null default '',   -- of the rate
    add column unique_key     text,
    add column group_id       uuid,
    add column chain          jsonb,           -- the steps that follow
    add column result         jsonb,
    add column progress       real check (progress between 0 and 1),
    add column progress_text  text;

-- 1 to 10, bigger is sooner; it was 1 to 200, smaller was sooner.  Pools of
-- earlier versions add jobs by functions that are replaced with this.
-- (Who owns a table sees the rows of all tenants only while that is not
-- forced to be otherwise.)
alter table core.job alter column priority set default 5;
alter table core.job no force row level security;
update core.job j
   set priority = greatest(1, least(10, round((200 - j.priority) / 20.0)))
 where j.state in ('queued', 'running');
update core.job j set priority = 5 where j.priority not between 1 and 10;
alter table core.job force row level security;
alter table core.job
    add constraint job_priority check (priority between 1 and 10);

-- take walks the tenants of a kind, then each one's best jobs
drop index core.job_queued;
create index job_queued
    on core.job (kind, tenant_id, priority, run_at, id)
    where state = 'queued';
-- a lease is prolonged without a new entry of any index
drop index core.job_running;
create index job_running on core.job (kind, tenant_id)
    where state = 'running';
drop index core.job_subject;
create index job_subject on core.job (tenant_id, subject_id)
    where state in ('queued', 'running') and subject_id is not null;
create index job_member on core.job (tenant_id, group_id)
    where group_id is not null;

-- What was tried and did not end well.
create table core.job_attempt (
    tenant_id   uuid not null,
    job_id      uuid not null references core.job on delete cascade,
    token       bigint not null,
    attempt     int not null,
    worker      text,
    started_at  timestamptz,
    ended_at    timestamptz not null default now(),
    outcome     text not null check (outcome in ('retried', 'deferred',
                                        'lost', 'dead', 'cancelled')),
    error       text,
    primary key (job_id, token)
);

-- Who was served last: turns go round.  used are the jobs of the tenant's
-- present turn, of its weight.
create table core.job_turn (
    kind       text not null references core.job_kind on delete cascade,
    tenant_id  uuid not null references core.tenant on delete cascade,
    served     bigint not null,
    used       int not null default 0,
    primary key (kind, tenant_id)
) with (fillfactor = 50);

create sequence core.job_turn_number;

-- Exceptions from one job a turn and from the kind's tenant_running_max.
create table core.job_share (
    tenant_id    uuid not null references core.tenant on delete cascade,
    kind         text not null references core.job_kind on delete cascade,
    weight       int not null default 1 check (weight between 1 and 100),
    running_max  int check (running_max > 0),
    primary key (tenant_id, kind)
);

-- Starts of a kind for a tenant and provider: when, by the rate alone, the
-- last one would have been (GCRA's theoretical arrival time), and when a
-- queue is to be woken since one was refused.
create table core.job_rate (
    kind       text not null references core.job_kind on delete cascade,
    tenant_id  uuid not null references core.tenant on delete cascade,
    provider   text not null,
    tat        timestamptz not null,
    wake_at    timestamptz,
    primary key (kind, tenant_id, provider)
) with (fillfactor = 50);

create index job_rate_wake on core.job_rate (wake_at)
    where wake_at is not null;

-- Members of a group; when the last one has ended and it is closed, the
-- finalizer is added, once.
create table core.job_group (
    id              uuid primary key default core.uuid_v7(),
    tenant_id       uuid not null references core.tenant on delete cascade,
    open            boolean not null default true,
    finalizer_kind  text references core.job_kind,
    finalizer_args  jsonb not null default '{}',
    subject_id      uuid,
    priority        int not null default 5 check (priority between 1 and 10),
    finalizer_id    uuid,                      -- the job that was added
    parent_id       uuid,                      -- whose member this group is
    trace_id        text not null default '',
    traceparent     text not null default '',
    created_at      timestamptz not null default now(),
    ended_at        timestamptz
);

-- Who has a key, also for a while after its job has ended.
create table core.job_unique (
    tenant_id  uuid not null references core.tenant on delete cascade,
    kind       text not null references core.job_kind on delete cascade,
    key        text not null check (length(key) between 1 and 200),
    job_id     uuid not null,
    until      timestamptz not null,
    primary key (tenant_id, kind, key)
);

create index job_unique_until on core.job_unique (until);

alter table core.worker
    add column children  int[] not null default '{}';  -- of its queues


alter table core.job_attempt enable row level security;
alter table core.job_attempt force row level security;
alter table core.job_turn enable row level security;
alter table core.job_turn force row level security;
alter table core.job_share enable row level security;
alter table core.job_share force row level security;
alter table core.job_rate enable row level security;
alter table core.job_rate force row level security;
alter table core.job_group enable row level security;
alter table core.job_group force row level security;
alter table core.job_unique enable row level security;
alter table core.job_unique force row level security;

create policy tenant on core.job_attempt to voice_owner
    using (tenant_id = core.tenant());
create policy tenant on core.job_turn to voice_owner
    using (tenant_id = core.tenant());
create policy tenant on core.job_share to voice_owner
    using (tenant_id = core.tenant());
create policy tenant on core.job_rate to voice_owner
    using (tenant_id = core.tenant());
create policy tenant on core.job_group to voice_owner
    using (tenant_id = core.tenant());
create policy tenant on core.job_unique to voice_owner
    using (tenant_id = core.tenant());

create policy work on core.job_attempt to voice_work using (true);
create policy work on core.job_turn to voice_work using (true);
create policy work on core.job_share to voice_work using (true);
create policy work on core.job_rate to voice_work using (true);
create policy work on core.job_group to voice_work using (true);
create policy work on core.job_unique to voice_work using (true);

-- choose_jobs() stands for them
drop function if exists core.next_jobs(text, int), core.hold_first(uuid[], int),
    core.lease(text, int);
