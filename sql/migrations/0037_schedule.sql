-- Schedules: what is due when, and what came of it.

-- A field of a cron expression; names of its values.
create type core.cron_field as (
    name      text,
    low       int,
    high      int,
    names     text[],
    question  boolean,                  -- "?" may stand for it
    weekday   boolean                   -- 7 is 0
);

-- A cron expression: masks with a bit a value.
create type core.cron as (
    seconds        bigint,
    minutes        bigint,
    hours          bigint,
    days           bigint,
    months         bigint,
    weekdays       bigint,
    last_day       boolean,             -- of the month
    last_weekdays  bigint,              -- the month's last of them
    nth_weekdays   bigint,              -- 7 bits for each of 1st to 5th
    any_day        boolean,
    any_weekday    boolean,
    problem        text
);

-- What a tenant wants done, and when.
create table core.schedule (
    tenant_id    uuid not null references core.tenant,
    id           uuid not null default core.uuid_v7(),
    name         text not null check (length(name) between 1 and 255),
    description  text check (length(description) <= 5000),
    expression   text not null check (length(expression) between 1 and 200),
    timezone     text not null default 'UTC' check (length(timezone) <= 64),
    action       jsonb not null check (jsonb_typeof(action) = 'object'),
    enabled      boolean not null default true,
    missed_runs  text not null default 'once'  -- of a time when nobody looked
                 check (missed_runs in ('skip', 'once', 'all')),
    starts_at    timestamptz,
    ends_at      timestamptz,
    next_at      timestamptz,                  -- null: never again
    last_at      timestamptz,                  -- the last one that was due
    error        text,                         -- why that made no job
    version      int not null default 1,
    created_by   uuid,
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now(),
    primary key (tenant_id, id),
    check (ends_at > starts_at),
    check (enabled or next_at is null)
);

create index schedule_due on core.schedule (next_at)
    where next_at is not null;
create index schedule_newest
    on core.schedule (tenant_id, created_at desc, id desc);

-- That an occurrence had its job, made in the same transaction: the proof
-- that it has none yet, however many keepers look.
create table core.schedule_occurrence (
    tenant_id    uuid not null,
    schedule_id  uuid not null,
    occurrence   timestamptz not null,
    by_hand      boolean not null default false,
    state        text not null check (state in ('queued', 'missed', 'done',
                                                'failed')),
    job_id       uuid,
    run_ids      uuid[] not null default '{}',
    error        text,
    fired_at     timestamptz not null default clock_timestamp(),
    primary key (tenant_id, schedule_id, occurrence, by_hand),
    foreign key (tenant_id, schedule_id) references core.schedule
        on delete cascade
);

create index schedule_occurrence_old on core.schedule_occurrence (fired_at);

-- What the system does for itself; the keeper's transaction is the work.
create table core.system_schedule (
    name        text primary key,
    expression  text not null,
    timezone    text not null default 'UTC',
    action      text not null check (action in ('clean_results',
                                                'scale_queues',
                                                'send_reports')),
    enabled     boolean not null default true,
    next_at     timestamptz,                   -- null: not looked at yet
    last_at     timestamptz,
    result      jsonb,                         -- of the last time
    error       text
);

insert into core.system_schedule (name, expression, action)
values ('cleanup-old-results', '0 0 * * *', 'clean_results'),
       ('auto-scale-workers', '*/30 * * * * *', 'scale_queues'),
       ('send-scheduled-reports', '0 7 * * *', 'send_reports');

alter table core.schedule enable row level security;
alter table core.schedule force row level security;
alter table core.schedule_occurrence enable row level security;
alter table core.schedule_occurrence force row level security;

create policy tenant on core.schedule to voice_owner
    using (tenant_id = core.tenant());
create policy tenant on core.schedule_occurrence to voice_owner
    using (tenant_id = core.tenant());

-- which tenants have something due; the rest is done under the tenant
create policy work_select on core.schedule for select to voice_work
    using (next_at is not null);
create policy work_select on core.schedule_occurrence for select
    to voice_work using (fired_at < now() - interval '90 days');
create policy work_delete on core.schedule_occurrence for delete
    to voice_work using (fired_at < now() - interval '90 days');
