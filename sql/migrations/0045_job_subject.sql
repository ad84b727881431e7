-- What has come of a subject's jobs is asked for as long as they are kept.
create index job_subject_over on core.job (tenant_id, subject_id, ended_at)
    where subject_id is not null and ended_at is not null;
