-- Where the queue of a tenant begins.  What was taken leaves entries in the
-- index until it is vacuumed; a take that began before them would cost more
-- with each job that has run since.

alter table core.job_turn
    alter column served set default 0,
    -- nothing of it is due, as far as a take that looked could see
    add column idle     boolean not null default false,
    -- up to here, by priority, jobs were taken
    add column head_at  timestamptz[] not null default '{}';

create index job_turn_lane on core.job_turn (kind, tenant_id) where not idle;

alter table core.job no force row level security;
alter table core.job_turn no force row level security;
insert into core.job_turn (kind, tenant_id)
select distinct j.kind, j.tenant_id from core.job j where j.state = 'queued'
on conflict (kind, tenant_id) do nothing;
alter table core.job force row level security;
alter table core.job_turn force row level security;

-- When its lanes are next to be looked at from their beginning.
alter table core.queue
    add column sweep_at  timestamptz not null default '-infinity';

-- Half of a table's rows change within minutes, and what is dead is in the
-- way of those who look for what is queued.
alter table core.job set (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_cost_delay = 0);

drop function if exists core.job_lanes(text), core.round_jobs(text, int, int),
    core.lane_jobs(text, uuid, text[], int);
