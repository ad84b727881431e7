-- When the jobs that wait and run are counted again: later, the longer it
-- takes.

alter table core.job_tally
    add column present_at  timestamptz not null default now(),
    add column counted_at  timestamptz;         -- when they were
