-- Which jobs a worker gets: docs/design.md "Jobs".

-- It takes and returns more than at first.
drop function if exists work.take(text, text, int);
drop function if exists work.take(text, text, int, int);
drop function if exists core.choose_jobs(text, int);

set local role voice_work;

-- When one more may start: the theoretical arrival time less what may come
-- in a burst (GCRA).
create or replace function core.rate_free(
    p_kind core.job_kind, p_tat timestamptz)
returns timestamptz
language sql immutable
as $$
    select p_tat - make_interval(secs => ((p_kind.rate_burst - 1)
                                          / p_kind.rate)::double precision)
$$;

-- Of each kind no more than its prefetch.
create or replace function core.prefetch_jobs(p_ids uuid[]) returns uuid[]
language plpgsql stable set search_path = core, pg_temp
set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
begin
    return (
        select array_agg(r.id order by r.pos)
          from (select u.id, u.pos, k.prefetch,
                       row_number() over (partition by j.kind order by u.pos) as n
                  from unnest(p_ids) with ordinality as u (id, pos)
                  join core.job j on j.id = u.id
                  join core.job_kind k on k.kind = j.kind) r
         where r.n <= r.prefetch);
end
$$;

-- Those of them that may start by the rate of their kind for their tenant and
-- provider; at wake_at there may be one more.
create or replace function core.rate_jobs(p_ids uuid[]) returns uuid[]
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    r      record;
    j      core.job;
    k      core.job_kind;
    v_now  timestamptz := clock_timestamp();
    v_ids  uuid[] := '{}';
begin
    for r in select i as job, t as kind
               from unnest(p_ids) with ordinality as u (id, pos)
               join core.job i on i.id = u.id
               join core.job_kind t on t.kind = i.kind
              order by u.pos
    loop
        j := r.job;
        k := r.kind;

        if k.rate is not null then
            insert into core.job_rate as a (kind, tenant_id, provider, tat)
            values (j.kind, j.tenant_id, j.provider,
                    v_now + make_interval(secs => (1 / k.rate)::float8))
            on conflict (kind, tenant_id, provider) do update
               set tat = greatest(a.tat, v_now)
                         + make_interval(secs => (1 / k.rate)::float8)
             where core.rate_free(k, a.tat) <= v_now;

            continue when not found;

            update core.job_rate a
               set wake_at = greatest(core.rate_free(k, a.tat), v_now)
             where a.kind = j.kind and a.tenant_id = j.tenant_id
               and a.provider = j.provider;
        end if;

        v_ids := v_ids || j.id;
    end loop;

    return v_ids;
end
$$;

-- How many children serve a queue, by the pools that beat; at least one.
create or replace function core.queue_children(p_queue text) returns int
language plpgsql stable set search_path = core, pg_temp
set enable_seqscan = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
begin
    return (
        select greatest(1, coalesce(sum(
                   w.children[array_position(w.queues, p_queue)]), 0))::int
          from core.worker w
         where p_queue = any (w.queues)
           and w.beat_at > now() - interval '15 seconds');
end
$$;

-- Jobs for a child, in the order in which it should run them: its share of
-- what is due, at least p_least.  Claims of a queue follow one another, so
-- that caps, rates and turns are exact.  behind: how many more are due; null
-- where that is not known.
create or replace function core.choose_jobs(
    p_queue text, p_max int, p_least int, out ids uuid[], out behind int)
language plpgsql volatile set search_path = core, pg_temp
set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
declare
    v_children  int := core.queue_children(p_queue);
    v_sweep     timestamptz;
    v_kinds     int;
    v_rates     boolean;
    v_caps      boolean;
    v_limit     int;
    v_most      int;
    v_lanes     int;
    v_turns     int;
    v_found     int;
begin
    select q.sweep_at into v_sweep
      from core.queue q where q.name = p_queue and q.paused_at is null;

    if not found then
        return;
    end if;

    select count(*), max(k.prefetch), bool_or(k.rate is not null),
           bool_or(coalesce(k.running_max, k.tenant_running_max) is not null
                   or exists (select from core.job_share s
                               where s.kind = k.kind
                                 and s.running_max is not null))
      into v_kinds, v_limit, v_rates, v_caps
      from core.job_kind k where k.queue = p_queue;

    -- work.sweep() does it in time where there is a keeper
    if v_sweep < clock_timestamp() - interval '5 seconds' then
        perform core.sweep_lanes(p_queue);
    end if;

    v_limit := least(p_max, v_limit);
    v_most := least(v_limit * v_children, 1000);
    v_lanes := (select count(*)
                  from (select from core.job_kind k
                          join core.job_turn t
                            on t.kind = k.kind and not t.idle
                         where k.queue = p_queue limit v_most) l);

    -- most often lanes have what makes a round of them enough
    v_turns := case when v_lanes < v_most
               then 1 + v_most / greatest(v_lanes, 1) else 1 end;
    ids := case when v_lanes = 0 then '{}'
           else core.round_jobs(p_queue, v_turns, v_most) end;
    v_found := cardinality(ids);

    if v_found between 1 and v_most - 1 and v_lanes > 1 then
        v_turns := v_turns * (2 + v_most / v_found);
        ids := core.round_jobs(p_queue, v_turns, v_most);
    end if;

    if v_found < v_lanes then
        perform core.close_lanes(p_queue);
    end if;

    if v_found = 0 then
        -- a good time for it: nobody waits, as far as is known
        if v_sweep < clock_timestamp() then
            perform core.sweep_lanes(p_queue);
            select * into ids, behind
              from core.choose_jobs(p_queue, p_max, p_least);
        end if;

        return;
    end if;

    v_found := cardinality(ids);

    if v_kinds > 1 then
        ids := core.prefetch_jobs(ids);
    end if;

    ids := ids[1 : least(v_limit, greatest(p_least,
                         ceil(cardinality(ids)::numeric / v_children)))];

    -- What others hold is being cancelled or the like.  By the key: indexes
    -- of queued jobs have the id, too, but behind a long backlog.
    ids := array(
        select h.id
          from (select j.id, u.pos
                  from unnest(ids) with ordinality u (id, pos)
                  join core.job j on j.id = u.id
                 where j.state || '' = 'queued'
                   for update of j skip locked) h
         order by h.pos);

    if v_rates then
        ids := core.rate_jobs(ids);

    elsif v_found < least(v_turns, v_most) and not v_caps then
        -- no lane was left before its end
        behind := v_found - cardinality(ids);
    end if;
end
$$;

-- Claims of a queue follow one another.
create or replace function core.lock_claims(p_queue text) returns void
language sql volatile
as $$ select pg_advisory_xact_lock(1987013986, hashtext(p_queue)) $$;

-- wait_ms: since it was due; defer_left: seconds for which it may still be
-- put off; behind: of core.choose_jobs().  p_least: how many the child does in
-- a moment, so that others need not have a share of them; p_child: which of
-- the worker's processes it is.
create or replace function work.take(
    p_worker text, p_queue text, p_max int, p_least int default 1,
    p_child int default null)
returns table (job_id uuid, tenant_id uuid, kind text, attempt int,
               token bigint, soft_seconds int, hard_seconds int,
               heavy boolean, result_seconds int, trace_id text, args jsonb,
               traceparent text, wait_ms int, defer_left int, behind int)
language plpgsql volatile security definer set search_path = core, pg_temp
set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
declare
    v_ids     uuid[];
    v_behind  int;
    v_now     timestamptz;
begin
    perform core.lock_claims(p_queue);
    v_now := clock_timestamp();

    select c.ids, c.behind into v_ids, v_behind
      from core.choose_jobs(p_queue, least(greatest(p_max, 1), 100),
                            p_least) c;

    if coalesce(v_ids, '{}') = '{}' then
        -- what it wrote of lanes may be lost
        set local synchronous_commit = off;
        return;
    end if;

    perform core.serve_turns(v_ids);

    -- Under a supervisor that beats a claim is good for a short while, so
    -- that the jobs of a pool that died are back soon; else for as long as
    -- the job may take at all.
    return query
    with beaten as (
        select interval '30 seconds' as lease
          from core.worker w
         where w.name = p_worker and w.beat_at > now() - interval '15 seconds'
    ), taken as (
        update core.job j
           set state = 'running', attempt = j.attempt + 1,
               token = j.token + 1, worker = p_worker, child = p_child,
               claimed_at = v_now,
               lease_until = v_now + least((select b.lease from beaten b),
                   make_interval(secs => k.hard_seconds + 75))
          from unnest(v_ids) with ordinality u (id, pos), core.job_kind k
         where j.id = u.id and k.kind = j.kind
        returning u.pos, j.id, j.tenant_id, j.kind, j.attempt, j.token,
                  k.soft_seconds, k.hard_seconds, k.heavy, k.result_seconds,
                  j.trace_id, j.args, j.traceparent,
                  least(2147483647, greatest(0,
                      extract(epoch from v_now - j.run_at) * 1000))::int
                      as wait_ms,
                  greatest(0, k.defer_seconds
                              - extract(epoch from j.deferred_for))::int
                      as defer_left
    )
    select t.id, t.tenant_id, t.kind, t.attempt, t.token, t.soft_seconds,
           t.hard_seconds, t.heavy, t.result_seconds, t.trace_id, t.args,
           t.traceparent, t.wait_ms, t.defer_left, v_behind
      from taken t order by t.pos;
end
$$;

-- Claimed, but not begun: as if never claimed.  How many.
create or replace function work.give_back(p_jobs uuid[], p_tokens bigint[])
returns int
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_count  int;
begin
    with held as (
        select l.id from core.job l
          join unnest(p_jobs, p_tokens) h (id, token)
            on h.id = l.id and h.token = l.token
         where l.state = 'running'
         order by l.id for update of l
    )
    update core.job j
       set state = 'queued', attempt = j.attempt - 1, sent_at = null,
           lease_until = null, worker = null, claimed_at = null
      from held h where j.id = h.id;

    get diagnostics v_count = row_count;
    return v_count;
end
$$;

-- As pools of earlier versions call it.
create or replace function work.claim(p_worker text, p_queue text, p_max int)
returns table (job_id uuid, tenant_id uuid, kind text, attempt int,
               token bigint, soft_seconds int, hard_seconds int,
               trace_id text, args jsonb, traceparent text)
language sql volatile security definer set search_path = core, pg_temp
as $$
    select t.job_id, t.tenant_id, t.kind, t.attempt, t.token, t.soft_seconds,
           t.hard_seconds, t.trace_id, t.args, t.traceparent
      from work.take(p_worker, p_queue, p_max) t
$$;

set local role voice_owner;
