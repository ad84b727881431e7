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

-- All that pools want to know of kinds.
create or replace function work.job_kinds() returns setof core.job_kind
language sql stable security definer set search_path = core, pg_temp
as $$
    select k from core.job_kind k order by k.kind
$$;

-- How long to wait before the next attempt: doubled each time, or as often
-- its first as attempts have failed, or always the same; with a quarter of
-- jitter where the kind wants it.
create or replace function core.backoff(p_kind core.job_kind, p_failed int)
returns interval
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    return make_interval(secs =>
        case when p_kind.jitter then 0.75 + random() / 2 else 1 end
        * least(p_kind.backoff_max, p_kind.backoff_seconds
                * case p_kind.backoff
                  when 'exponential' then 2.0 ^ least(p_failed - 1, 20)
                  when 'linear' then p_failed
                  else 1 end));
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
        return query select true, 'dead', core.woken();
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

-- Prolongs what a pool holds.  A row that is locked just now is at its end or
-- has time until the next beat; to wait for it would cost all others theirs.
create or replace function core.prolong(p_jobs uuid[], p_tokens bigint[])
returns void
language sql volatile set search_path = core, pg_temp
as $$
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
                                                          + 75)))
      from held h, core.job_kind k
     where j.id = h.id and k.kind = j.kind
$$;

-- How many children a pool should have of its queues: what was decided for
-- each, shared evenly by the pools that live, the first by name have the
-- rest.
create or replace function core.pool_targets(
    p_worker text, p_queues text[], out queue text, out target int)
returns setof record
language sql stable set search_path = core, pg_temp
as $$
    select s.queue, (s.target / p.n + (p.before < s.target % p.n)::int)::int
      from core.queue_scale s
     cross join lateral (
        select count(*) as n, count(*) filter (where w.name < p_worker)
                                  as before
          from core.worker w
         where s.queue = any (w.queues)
           and w.beat_at > now() - interval '15 seconds') p
     where s.queue = any (p_queues) and s.enabled and s.target is not null
       and p.n > 0
$$;

-- The supervisor lives and so do these children, so many of each queue.
-- Rows of action cancel: its child is asked to end the job; lost: the job is
-- not held any more, its child is killed; scale: so many children the queue
-- should have here.
create or replace function work.heartbeat(
    p_worker text, p_queues text[], p_children int[], p_jobs uuid[],
    p_tokens bigint[])
returns table (action text, job_id uuid, queue text, target int)
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    insert into core.worker as w (name, queues, children)
    values (p_worker, p_queues, p_children)
    on conflict (name) do update set queues = excluded.queues,
                                     children = excluded.children,
                                     beat_at = now();

    perform core.prolong(p_jobs, p_tokens);

    return query
    select case when j.state = 'cancelled' and j.token = h.token
                     and j.ended_at > now() - interval '10 seconds'
                then 'cancel' else 'lost' end,
           h.id, null::text, null::int
      from unnest(p_jobs, p_tokens) h (id, token)
      left join core.job j on j.id = h.id
     where j.id is null or j.token <> h.token or j.state <> 'running'
    union all
    select 'scale', null::uuid, t.queue, t.target
      from core.pool_targets(p_worker, p_queues) t;
end
$$;

-- A pool that has stopped in good order is offline at once.
create or replace function work.leave(p_worker text) returns void
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    update core.worker w
       set beat_at = least(w.beat_at, now() - interval '15 seconds')
     where w.name = p_worker;
end
$$;

-- As pools of earlier versions call it: the jobs that they hold no more.
create or replace function work.beat(
    p_worker text, p_queues text[], p_jobs uuid[], p_tokens bigint[])
returns setof uuid
language sql volatile security definer set search_path = core, pg_temp
as $$
    select h.job_id
      from work.heartbeat(p_worker, p_queues,
                          array_fill(1, array[cardinality(p_queues)]),
                          p_jobs, p_tokens) h
     where h.action in ('cancel', 'lost')
$$;

-- How far a job is; is it still held?
create or replace function work.progress(
    p_job uuid, p_token bigint, p_fraction real, p_text text)
returns boolean
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    update core.job j
       set progress = greatest(0, least(1, p_fraction)),
           progress_text = left(p_text, 200)
     where j.id = p_job and j.token = p_token and j.state = 'running';

    return found;
end
$$;

-- Ends jobs whose result is their own.  The queues of what follows from them
-- stand with the first.
create or replace function work.finish(
    p_jobs uuid[], p_tokens bigint[], p_results jsonb[])
returns table (job_id uuid, accepted boolean, wake text[])
language plpgsql volatile security definer set search_path = core, pg_temp
set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
declare
    v_groups  uuid[];
    v_done    uuid[];
    v_wake    text[];
begin
    select array_agg(h.id) into v_groups
      from (select l.id
              from unnest(p_jobs, p_tokens) h (id, token)
              join core.job l on l.id = h.id and l.token = h.token
             where l.group_id is not null and l.state || '' = 'running'
             order by l.id for update of l) h;

    if v_groups is not null then
        perform core.hold_groups(v_groups);
    end if;

    -- in the order of ids, as all who lock several; by the key
    with done as (
        update core.job j
           set state = 'done', ended_at = now(), lease_until = null,
               error = null, progress = 1, result = h.result
          from (select u.* from unnest(p_jobs, p_tokens, p_results)
                       u (id, token, result)
                 order by u.id) h
         where j.id = h.id and j.token = h.token
           and j.state || '' = 'running'
        returning j.id
    )
    select coalesce(array_agg(d.id), '{}') into v_done from done d;

    v_wake := core.woken();

    return query
    select h.id, h.id = any (v_done), case when h.place = 1 then v_wake end
      from unnest(p_jobs) with ordinality h (id, place);
end
$$;

-- Takes back what nobody holds any more.  A lease that ran out while
-- PostgreSQL was down gets 30 seconds in which its holder may beat.  Gone as
-- often as its kind allows, a job is what kills its pools.
create or replace function core.state_of_lost(p_job core.job) returns text
language sql stable set search_path = core, pg_temp
as $$
    select case when p_job.lost + 1 < k.max_lost then 'queued'
                else 'dead' end
      from core.job_kind k where k.kind = p_job.kind
$$;

create or replace function core.count_lost(p_kind text, p_state text)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    perform core.count('jobs_rescued', p_kind);

    if p_state = 'dead' then
        perform core.count('jobs_dead', p_kind);
    end if;
end
$$;

create or replace function work.rescue() returns text[]
language plpgsql volatile security definer set search_path = core, pg_temp
set enable_seqscan = off set jit = off
as $$
declare
    j         core.job;
    v_wake    text[] := '{}';
    v_state   text;
    v_kinds   text[] := '{}';
    v_states  text[] := '{}';
    v_up      timestamptz := pg_postmaster_start_time();
begin
    for j in select l.*
               from core.job l
              where l.state = 'running' and l.lease_until < now()
                and (l.lease_until > v_up
                     or now() > v_up + interval '30 seconds')
              -- not by the key's index, which has all that ever ran
              order by l.id::text limit 1000
                for update skip locked
    loop
        v_state := core.state_of_lost(j);

        -- one job whose triggers fail must not hold up all others
        begin
            update core.job r
               set state = v_state,
                   ended_at = case when v_state = 'dead' then now() end,
                   run_at = now(), sent_at = now(), lost = j.lost + 1,
                   lease_until = null, worker = null,
                   error = 'The worker that ran the job died.'
             where r.id = j.id;
        exception when others then
            raise warning 'job % is not rescued: %', j.id, sqlerrm;
            continue;
        end;

        v_kinds := v_kinds || j.kind;
        v_states := v_states || v_state;
        v_wake := v_wake || case when v_state = 'queued' then array[j.queue]
                                 else core.woken() end;
    end loop;

    perform core.count_lost(l.kind, l.state)
       from unnest(v_kinds, v_states) l (kind, state);

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
    v_state  text;
begin
    if j.id is null then
        return query select false, null::text, '{}'::text[];
        return;
    end if;

    v_state := core.state_of_lost(j);

    -- the row of a counter is locked last, after what the triggers lock
    update core.job r
       set state = v_state,
           ended_at = case when v_state = 'dead' then now() end,
           run_at = now(), sent_at = null, lost = j.lost + 1,
           lease_until = null, worker = null, error = left(p_error, 500)
     where r.id = j.id;
    perform core.count_lost(j.kind, v_state);

    return query select true, v_state, core.woken();
end
$$;

-- What a process of a pool that is gone still holds, whatever its supervisor
-- knew of; how many.
create or replace function work.release_child(
    p_worker text, p_child int, p_error text)
returns bigint
language plpgsql volatile security definer set search_path = core, pg_temp
set enable_seqscan = off set jit = off
as $$
begin
    return (
        select count(*)
          from (select l.id, l.token from core.job l
                 where l.state = 'running' and l.worker = p_worker
                   and l.child = p_child
                 -- not by the key's index, which has all that ever ran
                 order by l.id::text) h
         cross join lateral work.release(h.id, h.token, p_error) r
         where r.accepted);
end
$$;

-- Has the holder of a token ended its job?  For one that had no answer.
create or replace function work.ended(p_job uuid, p_token bigint)
returns boolean
language sql stable security definer set search_path = core, pg_temp
as $$
    select exists (select from core.job j
                    where j.id = p_job and j.token = p_token
                      and j.state = 'done')
        or exists (select from core.job_attempt a
                    where a.job_id = p_job and a.token = p_token
                      and a.outcome in ('retried', 'deferred', 'dead'))
$$;

-- Queues that have due jobs which no entry was sent for within 30 seconds:
-- retries whose time has come, what a rate held back, and what Redis lost.
-- Entries bring a worker to take and carry no job, so the oldest max jobs of
-- a kind speak for all behind them.  Nobody is brought to jobs of a
-- suspended or deleted tenant, nor to what is paused.  A last row
-- without a queue tells in how many milliseconds to look again at the
-- latest; null: nothing is known to come.
create or replace function work.due(p_max int)
returns table (queue text, n bigint, next_ms int)
language sql volatile security definer set search_path = core, pg_temp
set enable_seqscan = off set enable_hashjoin = off
set enable_mergejoin = off set enable_sort = off set jit = off
as $$
    with kind as (
        select k.kind
          from core.job_kind k
          join core.queue q on q.name = k.queue
         where k.paused_at is null and q.paused_at is null
    ), head as materialized (
        select h.id
          from kind k
         cross join lateral (
            select j.id, j.sent_at from core.job j
              join core.tenant t on t.id = j.tenant_id
             where j.kind = k.kind and j.state = 'queued'
               and j.run_at <= now() and t.status = 'active'
             order by j.run_at limit p_max) h
         where h.sent_at is null or h.sent_at < now() - interval '30 seconds'
    ), held as (
        -- by the key, not by an index that has all that is queued
        select j.id from core.job j
         where j.id = any (array(select h.id from head h))
           and j.state || '' = 'queued'
           for update skip locked
    ), sent as (
        update core.job j set sent_at = now()
          from held h, core.job_kind k
         where j.id = h.id and k.kind = j.kind
        returning k.queue, j.kind, j.tenant_id
    ), opened as (
        update core.job_turn t set idle = false
          from (select distinct s.kind, s.tenant_id from sent s
                 order by 1, 2) l
         where t.kind = l.kind and t.tenant_id = l.tenant_id and t.idle
    ), freed as (
        update core.job_rate r set wake_at = null
          from (select l.kind, l.tenant_id, l.provider from core.job_rate l
                 where l.wake_at <= now() for update skip locked) f
          join core.job_kind k on k.kind = f.kind
         where r.kind = f.kind and r.tenant_id = f.tenant_id
           and r.provider = f.provider
        returning k.queue
    ), woken as (
        select s.queue from sent s union all select f.queue from freed f
    )
    select w.queue, count(*), null::int from woken w group by w.queue
    union all
    select null, 0, ceil(extract(epoch from least(
               min(l.at) - now(), interval '1 hour')) * 1000)::int
      from (select (select j.run_at from core.job j
                     where j.kind = k.kind and j.state = 'queued'
                       and j.run_at > now()
                     order by j.run_at limit 1) as at
              from kind k
            union all
            (select r.wake_at from core.job_rate r
              where r.wake_at > now() order by r.wake_at limit 1)) l
    having min(l.at) is not null
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

    v_total := v_total + core.purge_jobs(5000)
               + core.purge_occurrences(5000);

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
