-- Figures of jobs for /metrics, by kind and class of tenants (their plan).
-- The keeper adds up what has ended since it did so last, so that the end of
-- a job counts nothing, and counts what is there, so that a scrape does not,
-- however much it is.  Ends that take longer than ten seconds to commit are
-- not added.

set local role voice_work;

-- The bucket of a duration in seconds; ngx_voice_metrics.c adds them up.
drop function if exists core.bucket(numeric), core.tally_jobs();

create or replace function core.bucket(p_seconds float8) returns text
language sql immutable
as $$
    select case when p_seconds <= 0.01 then '0.01'
                when p_seconds <= 0.1 then '0.1'
                when p_seconds <= 1 then '1'
                when p_seconds <= 10 then '10'
                when p_seconds <= 60 then '60'
                when p_seconds <= 300 then '300'
                when p_seconds <= 1800 then '1800'
                else '+Inf' end
$$;

-- Durations of jobs that ended after p_from and until p_to: job_run of their
-- last attempt, job_wait of the time from when it was due.  Sums in
-- milliseconds.
create or replace function core.tally_ended(
    p_from timestamptz, p_to timestamptz)
returns table (name text, label text, value bigint)
language plpgsql stable set search_path = core, pg_temp
set enable_seqscan = off set jit = off
set plan_cache_mode = force_custom_plan
as $$
begin
    return query
    with ended as (
        -- date_part(): a float, which takes a fifth of numeric's time
        select k.kind || '/' || t.plan as class, j.state,
               date_part('epoch', j.ended_at - j.claimed_at) as run,
               greatest(0, date_part('epoch', j.claimed_at - j.run_at))
                   as wait
          from core.job_kind k
          join core.job j on j.kind = k.kind and j.ended_at > p_from
                         and j.ended_at <= p_to
          join core.tenant t on t.id = j.tenant_id
         where j.state in ('done', 'dead') and j.claimed_at is not null
    ), sums as materialized (
        select e.class, e.state, core.bucket(e.run) as run_bucket,
               core.bucket(e.wait) as wait_bucket, count(*) as n,
               sum(e.run) as run, sum(e.wait) as wait
          from ended e group by 1, 2, 3, 4
    ), took as (
        select 'job_run' as name, s.class, s.run_bucket as bucket, s.n,
               s.run as seconds
          from sums s
        union all
        select 'job_wait', s.class, s.wait_bucket, s.n, s.wait
          from sums s where s.state = 'done'
    )
    select o.name, o.class || '/' || o.bucket, sum(o.n)::bigint
      from took o group by 1, 2
    union all
    select o.name, o.class || '/sum', round(sum(o.seconds) * 1000)::bigint
      from took o group by 1, 2
    union all
    select 'job_attempts', s.class || '/done', sum(s.n)::bigint
      from sums s where s.state = 'done' group by 2
    union all
    select 'job_attempts', j.kind || '/' || t.plan || '/' || a.outcome,
           count(*)
      from core.job_attempt a
      join core.job j on j.id = a.job_id
      join core.tenant t on t.id = a.tenant_id
     where a.ended_at > p_from and a.ended_at <= p_to
     group by 2;
end
$$;

create or replace function core.tally_present() returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    delete from core.job_figure;

    insert into core.job_figure (kind, class, state, value)
    with present as (
        select j.kind, j.tenant_id, j.state, count(*) as n,
               count(*) filter (where j.run_at <= now()) as due
          from core.job j where j.state = 'queued' group by 1, 2, 3
        union all
        select j.kind, j.tenant_id, j.state, count(*), 0
          from core.job j where j.state = 'running' group by 1, 2, 3
        union all
        select j.kind, j.tenant_id, j.state, count(*), 0
          from core.job j where j.state = 'dead' group by 1, 2, 3
    )
    select p.kind, t.plan, s.state, sum(s.n)
      from present p
      join core.tenant t on t.id = p.tenant_id
     cross join lateral (
        values (p.state, p.n - p.due),
               (case when p.state = 'queued' then 'due' end, p.due)
           ) s (state, n)
     where s.state is not null
     group by 1, 2, 3;
end
$$;

-- The next fifteen seconds of ends, once they are ten seconds old; what a
-- long pause of all keepers has left is not caught up with.
create or replace function core.tally_next() returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_from  timestamptz;
    v_to    timestamptz;
begin
    select greatest(a.told_at, now() - interval '1 hour') into v_from
      from core.job_tally a
     where a.told_at <= now() - interval '25 seconds';

    if not found then
        return;
    end if;

    v_to := v_from + interval '15 seconds';
    update core.job_tally set told_at = v_to;
    delete from core.job_done d where d.until < now() - interval '1 hour';

    with n as materialized (
        select * from core.tally_ended(v_from, v_to)
    ), done as (
        insert into core.job_done (kind, until, value)
        select split_part(n.label, '/', 1), v_to, sum(n.value)
          from n
         where n.name = 'job_attempts' and n.label like '%/done'
         group by 1
        on conflict (kind, until) do update set value = excluded.value
    )
    insert into core.counter as c (name, label, slot, value)
    select n.name, n.label, 0, n.value from n
    on conflict (name, label, slot)
        do update set value = c.value + excluded.value;
end
$$;

-- Has the keeper counted lately?
create or replace function core.tally_fresh() returns boolean
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return exists (select from core.job_tally a
                    where a.counted_at > now() - interval '2 minutes'
                      and a.present_at > now() - interval '15 seconds');
end
$$;

-- What the keeper counted last of a kind: jobs that are queued (due ones
-- among them), due, running or dead now, or were done within the last hour.
create or replace function core.tally_kept(p_kind text, p_state text)
returns bigint
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    if p_state = 'done' then
        return (select sum(d.value) from core.job_done d
                 where d.kind = p_kind
                   and d.until > now() - interval '1 hour');
    end if;

    return (select sum(f.value) from core.job_figure f
             where f.kind = p_kind
               and (f.state = p_state
                    or p_state = 'queued' and f.state = 'due'));
end
$$;

-- The same as it is now, to ten thousand; of more what the keeper counted,
-- or, where it has not, up to a million.
create or replace function core.tally_kind(p_kind text, p_state text)
returns bigint
language plpgsql stable set search_path = core, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set jit = off
set plan_cache_mode = force_custom_plan
as $$
declare
    v_state  text := case p_state when 'due' then 'queued' else p_state end;
    v_count  bigint;
    v_kept   bigint;
    v_most   int;
begin
    foreach v_most in array array[10000, 1000000] loop
        select count(*) into v_count
          from (select from core.job j
                 where j.kind = p_kind and j.state = v_state
                   and (p_state <> 'due' or j.run_at <= now())
                   and (p_state <> 'done'
                        or j.ended_at > now() - interval '1 hour')
                 limit v_most) c;

        exit when v_count < v_most;

        v_kept := case when core.tally_fresh()
                  then core.tally_kept(p_kind, p_state) end;

        if v_kept >= v_count then
            return v_kept;
        end if;
    end loop;

    return v_count;
end
$$;

-- For the keeper, which asks each second.  What is there is counted every
-- fifteen seconds, or for a fiftieth of the time, should that take longer.
create or replace function work.tally() returns void
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_next  timestamptz;
begin
    select a.present_at into v_next from core.job_tally a
       for update skip locked;

    if not found then
        return;
    end if;

    perform core.tally_next();

    if v_next <= now() then
        perform core.tally_present();
        update core.job_tally
           set counted_at = now(),
               present_at = now() + greatest(interval '15 seconds',
                   50 * (clock_timestamp() - statement_timestamp()));
    end if;
end
$$;

-- What core.counter has of a name, {class: {part: value}}.
create or replace function core.tally_parts(p_name text) returns jsonb
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return (
        select jsonb_object_agg(s.class, s.parts)
          from (select substring(c.label from '^(.*)/') as class,
                       jsonb_object_agg(substring(c.label from '[^/]*$'),
                           case when c.label like '%/sum'
                                then c.value / 1000.0 else c.value end)
                           as parts
                  from core.counter c
                 where c.name = p_name and c.slot = 0
                 group by 1) s);
end
$$;

set local role voice_owner;
