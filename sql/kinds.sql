-- Job kinds.  The table in workers/worker_jobs.c must say the same.

insert into core.job_kind (kind, queue, soft_seconds, hard_seconds,
                           max_attempts, backoff_seconds, backoff_max,
                           jitter, window_seconds, defer_seconds)
values
    ('test_execution', 'test_execution', 120, 150, 3, 2, 60, true, null, 120),
    ('validation', 'validation', 60, 90, 3, 2, 60, true, null, 120),
    ('call_processing', 'call_processing', 3600, 3660, 5, 1, 60, false, 60,
     600)
on conflict (kind) do update set
    queue = excluded.queue,
    soft_seconds = excluded.soft_seconds,
    hard_seconds = excluded.hard_seconds,
    max_attempts = excluded.max_attempts,
    backoff_seconds = excluded.backoff_seconds,
    backoff_max = excluded.backoff_max,
    jitter = excluded.jitter,
    window_seconds = excluded.window_seconds,
    defer_seconds = excluded.defer_seconds;
