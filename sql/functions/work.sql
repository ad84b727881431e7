-- The queue as the workers see it: docs/design.md "Jobs".

set local role voice_work;

create or replace function work.kinds()
returns table (kind text, queue text, soft_seconds int, hard_seconds int,
               max_attempts int)
language sql stable security definer set search_path = core, pg_temp
as $$
    select k.kind, k.queue, k.soft_seconds, k.hard_seconds, k.max_attempts
      from core.job_kind k order by k.kind
$$;

-- Due jobs of a queue in the order in which they should run: by priority,
-- then the tenant that has the fewest running ones, then age.  Those of a
-- suspended or deleted tenant stay where they are.  Walks the
-- (tenant, priority) pairs by index, so a long queue costs nothing.  The
-- settings keep the plan to that, whatever the statistics say of a table
-- that was empty a moment ago.
create or replace function core.next_jobs(p_queue text, p_limit int)
returns uuid[]
language plpgsql stable set search_path = core, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
begin
    return array(
        with recursive lane (tenant_id, priority) as (
            (select j.tenant_id, j.priority
               from core.job j
              where j.queue = p_queue and j.state = 'queued'
              order by j.tenant_id, j.priority limit 1)
            union all
            select n.tenant_id, n.priority
              from lane l
             cross join lateral (
                select j.tenant_id, j.priority
                  from core.job j
                 where j.queue = p_queue and j.state = 'queued'
                   and (j.tenant_id, j.priority)
                       > (l.tenant_id, l.priority)
                 order by j.tenant_id, j.priority limit 1) n
        ), running as (
            select j.tenant_id, count(*) as n
              from core.job j
             where j.queue = p_queue and j.state = 'running'
             group by j.tenant_id
        )
        select c.id
          from lane l
          join core.tenant t on t.id = l.tenant_id and t.status = 'active'
          left join running r on r.tenant_id = l.tenant_id
         cross join lateral (
            select j.id, j.run_at,
                   row_number() over (order by j.run_at, j.id) as turn
              from core.job j
             where j.queue = p_queue and j.state = 'queued'
               and j.tenant_id = l.tenant_id and j.priority = l.priority
               and j.run_at <= now()
             order by j.run_at, j.id
             limit p_limit) c
         order by l.priority, coalesce(r.n, 0) + c.turn, c.run_at, c.id
         limit p_limit);
end
$$;

-- Locks up to p_max of them; passes over those that others hold.
create or replace function core.hold_first(p_ids uuid[], p_max int)
returns uuid[]
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_id    uuid;
    v_held  uuid[] := '{}';
begin
    foreach v_id in array p_ids loop
        perform from core.job j
          where j.id = v_id and j.state = 'queued'
            for update skip locked;

        if found then
            v_held := v_held || v_id;
        end if;

        exit when cardinality(v_held) >= p_max;
    end loop;

    return v_held;
end
$$;

-- How long a claim is good without a beat.  Under a supervisor that beats,
-- a short while, so that the jobs of a pool that died are back soon; else as
-- long as the job may take at all.
create or replace function core.lease(p_worker text, p_hard int)
returns interval
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return least(make_interval(secs => p_hard + 15),
                 case when exists (
                     select from core.worker w
                      where w.name = p_worker
                        and w.beat_at > now() - interval '15 seconds')
                 then interval '30 seconds' end);
end
$$;

create or replace function work.claim(p_worker text, p_queue text, p_max int)
returns table (job_id uuid, tenant_id uuid, kind text, attempt int,
               token bigint, soft_seconds int, hard_seconds int,
               trace_id text, args jsonb, traceparent text)
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_some   uuid[];
    v_ids    uuid[];
    v_limit  int := least(greatest(p_max, 1), 100) + 16;
begin
    -- Others may hold the first candidates: then look at more of them.
    loop
        v_some := core.next_jobs(p_queue, v_limit);
        v_ids := core.hold_first(v_some, least(greatest(p_max, 1), 100));

        exit when cardinality(v_ids) > 0 or cardinality(v_some) < v_limit
               or v_limit > 4000;
        v_limit := v_limit * 4;
    end loop;

    return query
    with taken as (
        update core.job j
           set state = 'running', attempt = j.attempt + 1,
               token = j.token + 1, worker = p_worker, claimed_at = now(),
               lease_until = now() + core.lease(p_worker, k.hard_seconds)
          from core.job_kind k
         where j.id = any (v_ids) and k.kind = j.kind
        returning j.id, j.tenant_id, j.kind, j.attempt, j.token,
                  k.soft_seconds, k.hard_seconds, j.trace_id, j.args,
                  j.traceparent
    )
    select t.* from taken t order by array_position(v_ids, t.id);
end
$$;

-- Seconds to wait before the next attempt: exponential, with a quarter of
-- jitter where the kind wants it.
create or replace function core.backoff(p_kind core.job_kind, p_failed int)
returns interval
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    return make_interval(secs =>
        case when p_kind.jitter then 0.75 + random() / 2 else 1 end
        * least(p_kind.backoff_max,
                p_kind.backoff_seconds * 2.0 ^ least(p_failed - 1, 20)));
end
$$;

-- A job that did not work: again after the backoff, or after p_retry_after
-- seconds if that is more, or dead. The window bounds the sum of the waits;
-- how long the attempts took does not count.
create or replace function work.fail(
    p_job uuid, p_token bigint, p_error text, p_retry boolean,
    p_retry_after int)
returns table (accepted boolean, state text, wake text[])
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    j         core.job := core.hold_job(p_job, p_token);
    k         core.job_kind;
    v_failed  int;
    v_asked   interval
              := make_interval(secs => least(greatest(p_retry_after, 0),
                                             86400));
    v_wait    interval;
begin
    if j.id is null then
        return query select false, null::text, '{}'::text[];
        return;
    end if;

    select * into k from core.job_kind i where i.kind = j.kind;

    v_failed := j.attempt - j.lost - j.deferred;
    v_wait := greatest(core.backoff(k, v_failed), v_asked);

    if not p_retry or v_failed >= k.max_attempts
       or j.waited + v_wait >= make_interval(secs => k.window_seconds)
    then
        -- run_at tells what follows when it may be tried again
        update core.job d
           set state = 'dead', ended_at = now(), lease_until = null,
               run_at = now() + v_asked, error = left(p_error, 500)
         where d.id = j.id;
        perform core.count('jobs_dead', j.kind);
        return query select true, 'dead', '{}'::text[];
        return;
    end if;

    -- the row of a counter is locked last, after what the triggers lock
    update core.job q
       set state = 'queued', run_at = now() + v_wait, sent_at = null,
           waited = j.waited + v_wait, lease_until = null, worker = null,
           error = left(p_error, 500)
     where q.id = j.id;
    perform core.count('jobs_retried', j.kind);

    -- nothing to wake yet: work.due() sends the entry when it is time
    return query select true, 'queued', '{}'::text[];
end
$$;

-- A job that could not even be tried, since whom it needs is left alone for
-- a while: again after p_after seconds, and not an attempt. What a kind
-- allows of that is bounded; past it, it has failed.
create or replace function work.defer(
    p_job uuid, p_token bigint, p_error text, p_after int)
returns table (accepted boolean, state text, wake text[])
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    j       core.job := core.hold_job(p_job, p_token);
    v_wait  interval
            := make_interval(secs => least(greatest(p_after, 1), 3600));
    v_most  interval;
begin
    if j.id is null then
        return query select false, null::text, '{}'::text[];
        return;
    end if;

    select make_interval(secs => k.defer_seconds) into v_most
      from core.job_kind k where k.kind = j.kind;

    if j.deferred_for + v_wait > v_most then
        return query select f.accepted, f.state, f.wake
                       from work.fail(p_job, p_token, p_error, true,
                                      p_after) f;
        return;
    end if;

    update core.job q
       set state = 'queued', run_at = now() + v_wait, sent_at = null,
           deferred = j.deferred + 1, deferred_for = j.deferred_for + v_wait,
           lease_until = null, worker = null, error = left(p_error, 500)
     where q.id = j.id;
    perform core.count('jobs_deferred', j.kind);

    return query select true, 'queued', '{}'::text[];
end
$$;

-- The supervisor lives and so do these children.  Returns the jobs that it
-- does not hold any more.
create or replace function work.beat(
    p_worker text, p_queues text[], p_jobs uuid[], p_tokens bigint[])
returns setof uuid
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    insert into core.worker (name, queues) values (p_worker, p_queues)
    on conflict (name) do update set queues = excluded.queues,
                                     beat_at = now();

    -- A row that is locked just now is at its end or has time until the next
    -- beat; to wait for it would cost all others theirs.
    with held as (
        select l.id from core.job l
          join unnest(p_jobs, p_tokens) h (id, token)
            on h.id = l.id and h.token = l.token
         where l.state = 'running'
           for update of l skip locked
    )
    update core.job j
       set lease_until = greatest(j.lease_until,
               least(now() + interval '30 seconds',
                     j.claimed_at + make_interval(secs => k.hard_seconds
                                                          + 15)))
      from held h, core.job_kind k
     where j.id = h.id and k.kind = j.kind;

    return query
    select h.id from unnest(p_jobs, p_tokens) h (id, token)
     where not exists (select from core.job j
                        where j.id = h.id and j.token = h.token
                          and j.state = 'running');
end
$$;

-- Takes back what nobody holds any more.  A lease that ran out while
-- PostgreSQL was down gets 30 seconds in which its holder may beat.  Gone
-- ten times, a job is what kills its pools.
create or replace function work.rescue() returns text[]
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    j       record;
    v_wake  text[] := '{}';
    v_up    timestamptz := pg_postmaster_start_time();
begin
    for j in select l.id, l.queue, l.kind, l.lost
               from core.job l
              where l.state = 'running' and l.lease_until < now()
                and (l.lease_until > v_up
                     or now() > v_up + interval '30 seconds')
              order by l.id limit 1000
                for update skip locked
    loop
        -- one job whose triggers fail must not hold up all others
        begin
            update core.job r
               set state = case when j.lost < 9 then 'queued' else 'dead' end,
                   ended_at = case when j.lost < 9 then null else now() end,
                   run_at = now(), sent_at = now(), lost = j.lost + 1,
                   lease_until = null, worker = null,
                   error = 'The worker that ran the job died.'
             where r.id = j.id;
        exception when others then
            raise warning 'job % is not rescued: %', j.id, sqlerrm;
            continue;
        end;

        perform core.count('jobs_rescued', j.kind);
        v_wake := v_wake || case when j.lost < 9 then array[j.queue]
                                 else '{}'::text[] end;
    end loop;

    return v_wake;
end
$$;

-- A child that was killed, or a pool that stops, gives a job back before its
-- lease is over.  Not the job's fault, so counted like rescue() does.
create or replace function work.release(
    p_job uuid, p_token bigint, p_error text)
returns table (accepted boolean, state text, wake text[])
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    j        core.job := core.hold_job(p_job, p_token);
    v_state  text := case when j.lost < 9 then 'queued' else 'dead' end;
begin
    if j.id is null then
        return query select false, null::text, '{}'::text[];
        return;
    end if;

    -- the row of a counter is locked last, after what the triggers lock
    update core.job r
       set state = v_state,
           ended_at = case when v_state = 'dead' then now() end,
           run_at = now(), sent_at = null, lost = j.lost + 1,
           lease_until = null, worker = null, error = left(p_error, 500)
     where r.id = j.id;
    perform core.count('jobs_rescued', j.kind);

    return query select true, v_state, '{}'::text[];
end
$$;

-- Queues that have due jobs which no entry was sent for within 30 seconds:
-- retries whose time has come, and what Redis lost.  Entries bring a worker
-- to claim and carry no job, so the oldest max jobs of a queue speak for all
-- behind them.  Nobody is brought to jobs of a suspended or deleted tenant.
-- A last row without a queue tells in how many milliseconds the next job
-- will be due; null: there is none.
create or replace function work.due(p_max int)
returns table (queue text, n bigint, next_ms int)
language sql volatile security definer set search_path = core, pg_temp
set enable_seqscan = off set enable_hashjoin = off set jit = off
as $$
    with queue as (
        select distinct k.queue from core.job_kind k
    ), head as (
        select h.id
          from queue q
         cross join lateral (
            select j.id, j.sent_at from core.job j
              join core.tenant t on t.id = j.tenant_id
             where j.queue = q.queue and j.state = 'queued'
               and j.run_at <= now() and t.status = 'active'
             order by j.run_at limit p_max) h
         where h.sent_at is null or h.sent_at < now() - interval '30 seconds'
    ), held as (
        select j.id from core.job j
         where j.id in (select h.id from head h) and j.state = 'queued'
           for update skip locked
    ), sent as (
        update core.job j set sent_at = now()
          from held h where j.id = h.id
        returning j.queue
    )
    select s.queue, count(*), null::int from sent s group by s.queue
    union all
    select null, 0, ceil(extract(epoch from least(min(l.run_at) - now(),
                                                  min(l.most))) * 1000)::int
      from queue q
     cross join lateral (
        select j.run_at, interval '1 hour' as most from core.job j
         where j.queue = q.queue and j.state = 'queued'
           and j.run_at > now()
         order by j.run_at limit 1) l
$$;

-- Retention, a bounded number of rows a call; how many were removed.
create or replace function work.purge() returns bigint
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_some   bigint;
    v_total  bigint := 0;
begin
    delete from core.event e
     where e.position in (select p.position from core.event p
                           where p.published_at < now() - interval '7 days'
                           limit 5000);
    get diagnostics v_some = row_count;
    v_total := v_total + v_some;

    delete from core.job j
     where j.id in (select p.id from core.job p
                     where p.ended_at < now() - interval '7 days'
                       and (p.state <> 'dead'
                            or p.ended_at < now() - interval '30 days')
                     limit 5000);
    get diagnostics v_some = row_count;
    v_total := v_total + v_some;

    delete from core.session s
     where (s.tenant_id, s.id) in (
               select p.tenant_id, p.id from core.session p
                where p.expires_at < now() - interval '30 days'
                limit 5000);
    get diagnostics v_some = row_count;
    v_total := v_total + v_some;

    -- by then nobody learns from its second use that it was stolen
    delete from core.refresh_token t
     where t.hash in (
               select p.hash from core.refresh_token p
                where p.used_at < now() - interval '30 days'
                limit 5000);
    get diagnostics v_some = row_count;
    v_total := v_total + v_some;

    delete from core.stream_ticket k where k.expires_at < now();
    get diagnostics v_some = row_count;
    v_total := v_total + v_some;

    -- an edge that has not asked for so long drops all that it knows
    delete from core.edge_change c
     where c.changed_at < now() - interval '10 minutes';
    get diagnostics v_some = row_count;
    v_total := v_total + v_some;

    -- a count is over by then, whatever it was: core.login_row()
    delete from core.login_attempt a
     where (a.scope, a.key) in (
               select p.scope, p.key from core.login_attempt p
                where p.updated_at < now() - interval '15 minutes'
                limit 50000);
    get diagnostics v_some = row_count;
    v_total := v_total + v_some;

    delete from core.idempotency i
     where (i.tenant_id, i.actor_id, i.key_hash) in (
               select p.tenant_id, p.actor_id, p.key_hash
                 from core.idempotency p
                where p.created_at < now() - core.idempotency_age()
                limit 5000);
    get diagnostics v_some = row_count;
    v_total := v_total + v_some;

    delete from core.worker w where w.beat_at < now() - interval '1 day';
    get diagnostics v_some = row_count;

    return v_total + v_some;
end
$$;

set local role voice_owner;
