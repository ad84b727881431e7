-- What operators have changed of kinds of jobs.  core.job_kind has what is in
-- force; a release that brings other values keeps what stands here.

create table core.job_kind_change (
    kind        text primary key references core.job_kind on delete cascade,
    own         jsonb not null default '{}',   -- settings of an operator
    usual       jsonb not null default '{}',   -- the release's of the same
    version     int not null default 1,
    updated_at  timestamptz                    -- by an operator
);
