-- What is made within a millisecond is in order, too: the 12 bits behind the
-- version are the fraction of the millisecond (RFC 9562, 6.2, method 3).
-- 60 bits of time in 1/4096 ms, a microsecond being 4.096 of them; the clock
-- is read once.
create or replace function core.uuid_v7() returns uuid
language sql volatile parallel safe
as $$
    select (overlay(lpad(to_hex((extract(epoch from clock_timestamp())
                                 * 1000000)::bigint * 512 / 125), 15, '0')
                placing '7' from 13 for 0)
            || substr(gen_random_uuid()::text, 20))::uuid
$$;

-- Whether a kind has due jobs is asked by kind: a queue has several, and one
-- that is paused or has a long backlog must not hide the others.
drop index core.job_due;
create index job_due on core.job (kind, run_at) where state = 'queued';

-- Jobs done, as the keeper adds them up: how many up to when.
create table core.job_done (
    kind   text not null,
    until  timestamptz not null,
    value  bigint not null,
    primary key (kind, until)
);
