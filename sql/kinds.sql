-- Queues and job kinds.  The table in workers/worker_jobs.c must say the
-- same.  A kind whose jobs take seconds is not prefetched: what a child holds
-- behind a long job waits for nothing.

insert into core.queue (name)
values ('test_execution'), ('validation'), ('call_processing'), ('probe')
on conflict (name) do nothing;

insert into core.job_kind (kind, queue, soft_seconds, hard_seconds,
                           max_attempts, backoff_seconds, backoff_max,
                           jitter, window_seconds, defer_seconds, prefetch,
                           heavy)
values
    ('test_execution', 'test_execution', 120, 150, 3, 2, 60, true, null, 600,
     1, true),
    ('validation', 'validation', 60, 90, 3, 2, 60, true, null, 120, 1, false),
    ('call_processing', 'call_processing', 3600, 3660, 5, 1, 60, false, 60,
     600, 1, false),
    ('probe', 'probe', 30, 60, 3, 1, 60, true, null, 120, 100, false)
on conflict (kind) do update set
    queue = excluded.queue,
    soft_seconds = excluded.soft_seconds,
    hard_seconds = excluded.hard_seconds,
    max_attempts = excluded.max_attempts,
    backoff_seconds = excluded.backoff_seconds,
    backoff_max = excluded.backoff_max,
    jitter = excluded.jitter,
    window_seconds = excluded.window_seconds,
    defer_seconds = excluded.defer_seconds,
    prefetch = excluded.prefetch,
    heavy = excluded.heavy;
