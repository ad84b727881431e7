-- How the attempts of a kind follow one another, and jobs that were put off
-- because nobody could be asked: not an attempt, so counted like lost ones.

alter table core.job_kind
    add column jitter          boolean not null default true,
    add column window_seconds  int check (window_seconds > 0),  -- all waits
                                        -- of a job together; null: any
    add column defer_seconds   int not null default 120         -- what a job
                                        -- is put off for, all in all
                               check (defer_seconds >= 0);

alter table core.job
    add column waited        interval not null default '0',   -- of the window
    add column deferred      int not null default 0,          -- how often
    add column deferred_for  interval not null default '0';

-- it tells more columns now
drop function if exists work.due(int);

-- One job a call that waits or runs, whoever asks for it.
create unique index job_call on core.job (tenant_id, subject_id)
    where kind = 'call_processing' and state in ('queued', 'running');
