-- Which jobs a worker gets: docs/design.md "Jobs".

-- It returns more than at first.
drop function if exists work.take(text, text, int);

set local role voice_work;

-- The tenants that have queued jobs of a queue's kinds, who was served
-- longest ago first; blocked: providers whose rate is used up; free: how many
-- more may run, null for any.  Walks the index from tenant to tenant, so that
-- a long backlog costs nothing.  The settings keep the plan to that, whatever
-- the statistics say of a table that was empty a moment ago.
create or replace function core.job_lanes(p_queue text)
returns table (kind text, tenant_id uuid, prefetch int, weight int, used int,
               kind_free int, tenant_free int, blocked text[])
language plpgsql volatile set search_path = core, pg_temp
set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
begin
    return query
    with recursive lane (kind, tenant_id) as (
        select k.kind, f.tenant_id
          from core.job_kind k
         cross join lateral (
            select j.tenant_id from core.job j
             where j.kind = k.kind and j.state = 'queued'
             order by j.tenant_id limit 1) f
         where k.queue = p_queue and k.paused_at is null
        union all
        select l.kind, n.tenant_id
          from lane l
         cross join lateral (
            select j.tenant_id from core.job j
             where j.kind = l.kind and j.state = 'queued'
               and j.tenant_id > l.tenant_id
             order by j.tenant_id limit 1) n
    )
    select l.kind, l.tenant_id, k.prefetch, coalesce(s.weight, 1),
           coalesce(u.used, 0),
           case when k.running_max is not null then k.running_max
               - (select count(*)::int from core.job r
                   where r.kind = l.kind and r.state = 'running') end,
           case when m.most is not null then m.most
               - (select count(*)::int from core.job r
                   where r.kind = l.kind and r.state = 'running'
                     and r.tenant_id = l.tenant_id) end,
           case when k.rate is not null then array(
               select r.provider from core.job_rate r
                where r.kind = l.kind and r.tenant_id = l.tenant_id
                  and core.rate_free(k, r.tat) > clock_timestamp()) end
      from lane l
      join core.job_kind k on k.kind = l.kind
      join core.tenant t on t.id = l.tenant_id and t.status = 'active'
      left join core.job_share s
        on s.tenant_id = l.tenant_id and s.kind = l.kind
      left join core.job_turn u
        on u.kind = l.kind and u.tenant_id = l.tenant_id
     cross join lateral (
        select coalesce(s.running_max, k.tenant_running_max) as most) m
     order by u.served nulls first, l.tenant_id;
end
$$;

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

-- Jobs of a lane that are due, the most urgent first.  Priority by priority,
-- so that what is not due yet costs nothing.
create or replace function core.lane_jobs(
    p_kind text, p_tenant uuid, p_blocked text[], p_limit int)
returns uuid[]
language plpgsql stable set search_path = core, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
begin
    return array(
        select j.id
          from generate_series(10, 1, -1) p
         cross join lateral (
            select i.id, i.run_at from core.job i
             where i.kind = p_kind and i.tenant_id = p_tenant
               and i.state = 'queued' and i.priority = p
               and i.run_at <= now()
               and (p_blocked is null or i.provider <> all (p_blocked))
             order by i.run_at, i.id
             limit p_limit) j
         order by p desc, j.run_at, j.id
         limit p_limit);
end
$$;

-- The jobs of lanes in the order of turns: each tenant's turn has as many as
-- its weight, and turns go round.  p_turns bounds what is looked for in a
-- lane; one turn ends with the lane that fills p_limit.
create or replace function core.round_jobs(
    p_queue text, p_turns int, p_limit int)
returns uuid[]
language sql volatile set search_path = core, pg_temp
as $$
    with found as materialized (
        select l.kind, l.lane, l.weight, l.used, l.kind_free, l.prefetch,
               u.id, u.pos
          from core.job_lanes(p_queue)
               with ordinality as l (kind, tenant_id, prefetch, weight, used,
                                     kind_free, tenant_free, blocked, lane)
         cross join lateral unnest(core.lane_jobs(
                   l.kind, l.tenant_id, l.blocked,
                   least(l.weight * p_turns - l.used, l.tenant_free,
                         l.kind_free, p_limit)))
               with ordinality as u (id, pos)
         limit case when p_turns = 1 then p_limit end
    ), ranked as (
        select f.*, (f.used + f.pos - 1) / f.weight as turn,
               row_number() over (partition by f.kind
                   order by (f.used + f.pos - 1) / f.weight, f.lane, f.pos)
                   as of_kind
          from found f
    )
    select coalesce(array_agg(r.id order by r.turn, r.lane, r.pos), '{}')
      from (select k.* from ranked k
             where k.of_kind <= coalesce(k.kind_free, k.of_kind)
             order by k.turn, k.lane, k.pos limit p_limit) r
$$;

-- Of each kind no more than its prefetch.
create or replace function core.prefetch_jobs(p_ids uuid[]) returns uuid[]
language sql stable set search_path = core, pg_temp
as $$
    select array_agg(r.id order by r.pos)
      from (select u.id, u.pos, k.prefetch,
                   row_number() over (partition by j.kind order by u.pos) as n
              from unnest(p_ids) with ordinality as u (id, pos)
              join core.job j on j.id = u.id
              join core.job_kind k on k.kind = j.kind) r
     where r.n <= r.prefetch
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

-- The turns of those who are served.
create or replace function core.serve_turns(p_ids uuid[]) returns void
language plpgsql volatile set search_path = core, pg_temp
set enable_seqscan = off set jit = off
as $$
declare
    c  record;
begin
    for c in select j.kind, j.tenant_id, count(*)::int as n,
                    coalesce(min(s.weight), 1) as weight
               from unnest(p_ids) with ordinality as u (id, pos)
               join core.job j on j.id = u.id
               left join core.job_share s
                 on s.tenant_id = j.tenant_id and s.kind = j.kind
              group by j.kind, j.tenant_id order by min(u.pos)
    loop
        insert into core.job_turn as t (kind, tenant_id, served, used)
        values (c.kind, c.tenant_id, nextval('core.job_turn_number'),
                c.n % c.weight)
        on conflict (kind, tenant_id) do update
           set served = case when t.used + c.n >= c.weight
                             then excluded.served else t.served end,
               used = (t.used + c.n) % c.weight;
    end loop;
end
$$;

-- How many children serve a queue, by the pools that beat; at least one.
create or replace function core.queue_children(p_queue text) returns int
language sql stable set search_path = core, pg_temp
as $$
    select greatest(1, coalesce(sum(
               w.children[array_position(w.queues, p_queue)]), 0))::int
      from core.worker w
     where p_queue = any (w.queues)
       and w.beat_at > now() - interval '15 seconds'
$$;

-- Jobs for a child, in the order in which it should run them.  Claims of a
-- queue follow one another, so that caps, rates and turns are exact.
create or replace function core.choose_jobs(p_queue text, p_max int)
returns uuid[]
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_children  int := core.queue_children(p_queue);
    v_kinds     int;
    v_rates     boolean;
    v_limit     int;
    v_ids       uuid[];
    v_found     int;
begin
    select count(*), max(k.prefetch), bool_or(k.rate is not null)
      into v_kinds, v_limit, v_rates
      from core.job_kind k where k.queue = p_queue;

    v_limit := least(p_max, v_limit);
    v_ids := core.round_jobs(p_queue, 1, least(v_limit * v_children, 1000));
    v_found := cardinality(v_ids);

    if v_found between 1 and v_limit * v_children - 1 then
        v_ids := core.round_jobs(p_queue, 2 + v_limit * v_children / v_found,
                                 least(v_limit * v_children, 1000));
    end if;

    if v_kinds > 1 then
        v_ids := core.prefetch_jobs(v_ids);
    end if;

    v_ids := v_ids[1 : least(v_limit,
                             ceil(cardinality(v_ids)::numeric / v_children))];

    -- what others hold is being cancelled or the like
    v_ids := array(
        select h.id
          from (select j.id from core.job j
                 where j.id = any (v_ids) and j.state = 'queued'
                   for update skip locked) h
         order by array_position(v_ids, h.id));

    return case when v_rates then core.rate_jobs(v_ids) else v_ids end;
end
$$;

-- wait_ms: since it was due; defer_left: seconds for which it may still be
-- put off.
create or replace function work.take(p_worker text, p_queue text, p_max int)
returns table (job_id uuid, tenant_id uuid, kind text, attempt int,
               token bigint, soft_seconds int, hard_seconds int,
               heavy boolean, result_seconds int, trace_id text, args jsonb,
               traceparent text, wait_ms int, defer_left int)
language plpgsql volatile security definer set search_path = core, pg_temp
set enable_seqscan = off set jit = off
as $$
declare
    v_ids    uuid[];
    v_lease  interval;
begin
    perform pg_advisory_xact_lock(1987013986, hashtext(p_queue));

    if exists (select from core.queue q
                where q.name = p_queue and q.paused_at is not null)
    then
        return;
    end if;

    v_ids := core.choose_jobs(p_queue, least(greatest(p_max, 1), 100));

    if cardinality(v_ids) = 0 then
        return;
    end if;

    perform core.serve_turns(v_ids);

    -- Under a supervisor that beats a claim is good for a short while, so
    -- that the jobs of a pool that died are back soon; else for as long as
    -- the job may take at all.
    select interval '30 seconds' into v_lease
      from core.worker w
     where w.name = p_worker and w.beat_at > now() - interval '15 seconds';

    return query
    with taken as (
        update core.job j
           set state = 'running', attempt = j.attempt + 1,
               token = j.token + 1, worker = p_worker, claimed_at = now(),
               lease_until = now() + least(v_lease,
                   make_interval(secs => k.hard_seconds + 75))
          from core.job_kind k
         where j.id = any (v_ids) and k.kind = j.kind
        returning j.id, j.tenant_id, j.kind, j.attempt, j.token,
                  k.soft_seconds, k.hard_seconds, k.heavy, k.result_seconds,
                  j.trace_id, j.args, j.traceparent,
                  least(2147483647, extract(epoch from now() - j.run_at)
                                    * 1000)::int,
                  greatest(0, k.defer_seconds
                              - extract(epoch from j.deferred_for))::int
    )
    select t.* from taken t order by array_position(v_ids, t.id);
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
