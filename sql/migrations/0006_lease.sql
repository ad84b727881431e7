-- How often a job was taken from a pool that died with it: not the job's
-- fault, so not counted among its attempts.

alter table core.job add column lost int not null default 0;

-- A busy queue turns over its rows: vacuum early.
alter table core.job set (fillfactor = 80,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.05);
