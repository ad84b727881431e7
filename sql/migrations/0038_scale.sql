-- How many children a queue should have: settings, and what was decided last.
-- core.scale_decide() writes it every 30 seconds (the schedule
-- auto-scale-workers); supervisors read target and share it among the pools
-- that live.

create table core.queue_scale (
    queue             text primary key,
    enabled           boolean not null default true,
    min               int not null default 1 check (min between 0 and 1000),
    max               int not null default 10 check (max between 1 and 1000),
    per_worker        int not null default 10 check (per_worker > 0),
    threshold         int not null default 0 check (threshold >= 0),
    cooldown_seconds  int not null default 30 check (cooldown_seconds >= 0),
    target            int,              -- of all pools; null: not decided yet
    changed_at        timestamptz,      -- when target last changed
    decided_at        timestamptz,
    decision          jsonb,            -- {queue_depth, active_workers,
                                        --  target_workers, scaled, direction}
    check (max >= min)
);
