-- Figures of jobs for /metrics, told by the keeper.

create table core.job_figure (
    kind   text not null,
    class  text not null,                       -- of the tenants: their plan
    state  text not null,                       -- queued, due, running, dead
    value  bigint not null,
    primary key (kind, class, state)
);

create index job_attempt_ended on core.job_attempt (ended_at);
