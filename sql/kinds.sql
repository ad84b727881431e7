-- Queues and job kinds.  The table in workers/worker_jobs.c must say the
-- same.  A kind whose jobs take seconds is not prefetched: what a child holds
-- behind a long job waits for nothing.  What operators have changed stays.

select core.release_kinds() \g /dev/null

insert into core.queue (name)
values ('test_execution'), ('validation'), ('call_processing'), ('schedule'),
       ('probe')
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
    ('scheduled_run', 'schedule', 60, 90, 3, 2, 60, true, null, 120, 4,
     false),
    ('run_regression_suite', 'schedule', 240, 300, 3, 2, 60, true, null, 120,
     1, false),
    ('scheduled_report', 'schedule', 60, 90, 2, 60, 60, false, null, 120, 4,
     false),
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

-- What a kind's end has done by itself, and who undoes it.
update core.job_kind k
   set retry_instead = i.retry, cancel_instead = i.cancel
  from (values
    ('test_execution',
     'Its execution has ended with it; what failed of a run is repeated by'
     || ' POST /api/v1/test-runs/{subject}/retry.',
     'It is a part of a run, which is cancelled by'
     || ' POST /api/v1/test-runs/{subject}/cancel.'),
    ('validation',
     'Its execution has ended with it; what failed of a run is repeated by'
     || ' POST /api/v1/test-runs/{subject}/retry.',
     'It is a part of a run, which is cancelled by'
     || ' POST /api/v1/test-runs/{subject}/cancel.'),
    ('call_processing',
     'A call is processed again by a job of its own; see'
     || ' GET /api/v1/jobs?subject_id={subject}.',
     'A call cannot be left half done; it is erased by'
     || ' DELETE /api/v1/calls/{subject}.')) i (kind, retry, cancel)
 where k.kind = i.kind;

update core.job_kind set backoff = 'fixed' where kind = 'scheduled_report';

select core.keep_kinds() \g /dev/null
