-- What operators see of jobs, and what they may do with one.

-- A sentence where a job's end has effects of its own, which queueing the job
-- again, or cancelling it alone, would contradict: the way that there is.
alter table core.job_kind
    add column retry_instead   text,
    add column cancel_instead  text;

-- lists: what waits and runs is found by kind and tenant
create index job_over on core.job (tenant_id, ended_at)
    where ended_at is not null;
create index job_dead on core.job (tenant_id, ended_at) where state = 'dead';
drop index core.job_ended;
create index job_ended on core.job (kind, ended_at)
    where ended_at is not null;

-- whether a group still has members
create index job_group_live on core.job (tenant_id, group_id)
    where group_id is not null and state in ('queued', 'running');
alter table core.job_group
    add column depth  int not null default 0;  -- of groups around it

create index job_group_parent on core.job_group (tenant_id, parent_id)
    where parent_id is not null and ended_at is null;
create index job_group_ended on core.job_group (ended_at)
    where ended_at is not null;

-- Up to when the figures of ended jobs have been added to core.counter.
create table core.job_tally (
    one      boolean primary key default true check (one),
    told_at  timestamptz not null default now()
);

insert into core.job_tally default values;
