-- The lanes of a queue, one for each tenant and kind: docs/design.md "Jobs".
-- A lane is a row of core.job_turn.

set local role voice_work;

-- From where on jobs of a priority are looked for.  A little before what was
-- taken last: who added jobs may have begun earlier and committed later.
create or replace function core.head_from(
    p_head_at timestamptz[], p_priority int)
returns timestamptz
language sql stable                         -- as it must be to be inlined
as $$
    select coalesce(p_head_at[p_priority] - interval '100 milliseconds',
                    '-infinity'::timestamptz)
$$;

-- Up to where a lane has nothing left: who is passed over for his provider's
-- rate is not yet behind.
create or replace function core.lane_head(
    p_kind core.job_kind, p_head_at timestamptz[])
returns timestamptz[]
language sql immutable
as $$
    select case when p_kind.rate is null then p_head_at else '{}' end
$$;

-- Makes sure that lanes with queued jobs are known and looked at from their
-- beginning, whatever happened.  Walks the index from tenant to tenant, so
-- that a long backlog costs nothing; entries of what is not vacuumed yet do
-- cost, so this is done once a second, and less often where it takes long.
-- The settings keep the plan to that, whatever the statistics say of a table
-- that was empty a moment ago.
create or replace function core.sweep_lanes(p_queue text) returns void
language plpgsql volatile set search_path = core, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
declare
    v_begin  timestamptz := clock_timestamp();
begin
    with recursive lane (kind, tenant_id) as (
        select k.kind, f.tenant_id
          from core.job_kind k
         cross join lateral (
            select j.tenant_id from core.job j
             where j.kind = k.kind and j.state = 'queued'
             order by j.tenant_id limit 1) f
         where k.queue = p_queue
        union all
        select l.kind, n.tenant_id
          from lane l
         cross join lateral (
            select j.tenant_id from core.job j
             where j.kind = l.kind and j.state = 'queued'
               and j.tenant_id > l.tenant_id
             order by j.tenant_id limit 1) n
    ), held as (
        select t.kind, t.tenant_id
          from lane l
          join core.job_turn t
            on t.kind = l.kind and t.tenant_id = l.tenant_id
          join core.tenant n on n.id = t.tenant_id and n.status = 'active'
         where t.idle or t.head_at <> '{}'
           for no key update of t skip locked
    )
    update core.job_turn t set idle = false, head_at = '{}'
      from held h where t.kind = h.kind and t.tenant_id = h.tenant_id;

    update core.queue q
       set sweep_at = clock_timestamp()
                      + greatest(interval '1 second',
                                 (clock_timestamp() - v_begin) * 20)
     where q.name = p_queue;
end
$$;

-- All queues whose sweep is due; one that children take from just now comes
-- next time.
create or replace function work.sweep() returns void
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    q  record;
begin
    -- what it writes may be lost
    set local synchronous_commit = off;

    for q in select i.name from core.queue i
              where i.paused_at is null and i.sweep_at < clock_timestamp()
              order by i.name
    loop
        if pg_try_advisory_xact_lock(1987013986, hashtext(q.name)) then
            perform core.sweep_lanes(q.name);
        end if;
    end loop;
end
$$;

-- The tenants that may have jobs of a queue's kinds that are due, who was
-- served longest ago first; blocked: providers whose rate is used up; free:
-- how many more may run, null for any.
create or replace function core.job_lanes(p_queue text)
returns table (kind text, tenant_id uuid, prefetch int, weight int, used int,
               kind_free int, tenant_free int, blocked text[],
               head_at timestamptz[])
language plpgsql volatile set search_path = core, pg_temp
set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
begin
    return query
    select u.kind, u.tenant_id, k.prefetch, coalesce(s.weight, 1),
           -- of a turn that was longer
           least(u.used, coalesce(s.weight, 1) - 1),
           case when k.running_max is not null then k.running_max
               - (select count(*)::int from core.job r
                   where r.kind = u.kind and r.state = 'running') end,
           case when m.most is not null then m.most
               - (select count(*)::int from core.job r
                   where r.kind = u.kind and r.state = 'running'
                     and r.tenant_id = u.tenant_id) end,
           case when k.rate is not null then array(
               select r.provider from core.job_rate r
                where r.kind = u.kind and r.tenant_id = u.tenant_id
                  and core.rate_free(k, r.tat) > clock_timestamp()) end,
           core.lane_head(k, u.head_at)
      from core.job_kind k
      join core.job_turn u on u.kind = k.kind and not u.idle
      join core.tenant t on t.id = u.tenant_id and t.status = 'active'
      left join core.job_share s
        on s.tenant_id = u.tenant_id and s.kind = u.kind
     cross join lateral (
        select coalesce(s.running_max, k.tenant_running_max) as most) m
     where k.queue = p_queue and k.paused_at is null
     order by u.served, u.tenant_id;
end
$$;

-- Jobs of a lane that are due, the most urgent first.  Priority by priority,
-- so that what is not due yet costs nothing.  By the clock: the transaction
-- may have begun before the job was there.  Without a sort, so that no other
-- index of queued jobs will do.
create or replace function core.lane_jobs(
    p_kind text, p_tenant uuid, p_blocked text[], p_head_at timestamptz[],
    p_limit int)
returns uuid[]
language plpgsql stable set search_path = core, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
declare
    v_now  timestamptz := clock_timestamp();
begin
    return array(
        select j.id
          from generate_series(10, 1, -1) p
         cross join lateral (
            select i.id, i.run_at from core.job i
             where i.kind = p_kind and i.tenant_id = p_tenant
               and i.state = 'queued' and i.priority = p
               and i.run_at >= core.head_from(p_head_at, p)
               and i.run_at <= v_now
               and (p_blocked is null or i.provider <> all (p_blocked))
             order by i.run_at, i.id
             limit p_limit) j
         order by p desc, j.run_at, j.id
         limit p_limit);
end
$$;

-- Lanes without jobs that are due, or of tenants that may not work now, are
-- asked no more until somebody adds some, or a sweep or work.due() finds one;
-- those that somebody adds to just now stay.
create or replace function core.close_lanes(p_queue text) returns void
language plpgsql volatile set search_path = core, pg_temp
set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
declare
    v_kinds    text[];
    v_tenants  uuid[];
begin
    select array_agg(h.kind), array_agg(h.tenant_id)
      into v_kinds, v_tenants
      from (select t.kind, t.tenant_id
              from core.job_kind k
              join core.job_turn t on t.kind = k.kind and not t.idle
             where k.queue = p_queue and k.paused_at is null
               for update of t skip locked) h;

    -- with a snapshot that is younger than the locks
    update core.job_turn t set idle = true
      from unnest(v_kinds, v_tenants) h (kind, tenant_id)
      join core.job_kind k on k.kind = h.kind
      join core.tenant n on n.id = h.tenant_id
     where t.kind = h.kind and t.tenant_id = h.tenant_id
       and (n.status <> 'active'
            or core.lane_jobs(t.kind, t.tenant_id, null,
                              core.lane_head(k, t.head_at), 1) = '{}');
end
$$;

-- The jobs of lanes in the order of turns: each tenant's turn has as many as
-- its weight, and turns go round.  p_turns bounds what is looked for in a
-- lane; one turn ends with the lane that fills p_limit.
create or replace function core.round_jobs(
    p_queue text, p_turns int, p_limit int)
returns uuid[]
language plpgsql volatile set search_path = core, pg_temp
set enable_seqscan = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
begin
    return (
    with found as materialized (
        select l.kind, l.lane, l.weight, l.used, l.kind_free, u.id, u.pos
          from core.job_lanes(p_queue)
               with ordinality as l (kind, tenant_id, prefetch, weight, used,
                                     kind_free, tenant_free, blocked, head_at,
                                     lane)
         cross join lateral unnest(core.lane_jobs(
                   l.kind, l.tenant_id, l.blocked, l.head_at,
                   -- less than none is free where a cap was lowered
                   greatest(0, least(l.weight * p_turns - l.used,
                                     l.tenant_free, l.kind_free, p_limit))))
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
             order by k.turn, k.lane, k.pos limit p_limit) r);
end
$$;

-- The turns of those who are served, and how far their lanes are.  Who ended
-- a turn last is last in the next round; who is within one stays where he is.
create or replace function core.serve_turns(p_ids uuid[]) returns void
language plpgsql volatile set search_path = core, pg_temp
set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
declare
    c  record;
begin
    for c in with served as (
                 select j.kind, j.tenant_id, j.priority, j.run_at, u.pos,
                        coalesce(s.weight, 1) as weight,
                        coalesce(t.used, 0)
                        + row_number() over (partition by j.kind, j.tenant_id
                                             order by u.pos) as used
                   from unnest(p_ids) with ordinality as u (id, pos)
                   join core.job j on j.id = u.id
                   left join core.job_turn t
                     on t.tenant_id = j.tenant_id and t.kind = j.kind
                   left join core.job_share s
                     on s.tenant_id = j.tenant_id and s.kind = j.kind
             )
             select g.kind, g.tenant_id, sum(g.n)::int as n,
                    min(g.weight) as weight,
                    array_agg(g.priority) as priority,
                    array_agg(g.run_at) as head_at
               from (select v.kind, v.tenant_id, v.priority, count(*) as n,
                            max(v.pos) filter (where v.used % v.weight = 0)
                                as turned,
                            max(v.run_at) as run_at, min(v.weight) as weight
                       from served v
                      group by v.kind, v.tenant_id, v.priority) g
              group by g.kind, g.tenant_id
              order by max(g.turned) nulls first
    loop
        insert into core.job_turn as t (kind, tenant_id, served, used,
                                        head_at)
        values (c.kind, c.tenant_id, nextval('core.job_turn_number'),
                c.n % c.weight,
                core.set_heads('{}', c.priority, c.head_at))
        on conflict (kind, tenant_id) do update
           set served = case when t.used + c.n >= c.weight
                             then excluded.served else t.served end,
               used = (t.used + c.n) % c.weight,
               head_at = core.set_heads(t.head_at, c.priority, c.head_at);
    end loop;
end
$$;

create or replace function core.set_heads(
    p_head_at timestamptz[], p_priorities int[], p_at timestamptz[])
returns timestamptz[]
language plpgsql immutable
as $$
begin
    for i in 1 .. cardinality(p_priorities) loop
        p_head_at[p_priorities[i]] := p_at[i];
    end loop;

    return p_head_at;
end
$$;

set local role voice_owner;

-- Who adds jobs says so to the lane.  The lock lets others add at the same
-- time, and waits for a take that is about to call the lane idle, which in
-- turn passes over lanes that somebody adds to.
create or replace function core.open_lanes() returns trigger
language plpgsql volatile set search_path = core, pg_temp
set enable_seqscan = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
declare
    l       record;
    v_turn  core.job_turn;
begin
    for l in select a.kind, a.tenant_id, a.priority, min(a.run_at) as run_at
               from added a where a.state = 'queued'
              group by a.kind, a.tenant_id, a.priority order by 1, 2, 3
    loop
        select * into v_turn from core.job_turn t
         where t.kind = l.kind and t.tenant_id = l.tenant_id
           for key share;

        if not found then
            insert into core.job_turn (kind, tenant_id)
            values (l.kind, l.tenant_id)
            on conflict (kind, tenant_id) do nothing;

        elsif v_turn.idle or l.run_at < core.head_from(v_turn.head_at,
                                                       l.priority)
        then
            update core.job_turn t
               set idle = false,
                   head_at[l.priority] = least(t.head_at[l.priority],
                                               l.run_at)
             where t.kind = l.kind and t.tenant_id = l.tenant_id;
        end if;
    end loop;

    return null;
end
$$;

create or replace trigger job_open_lanes
    after insert on core.job referencing new table as added
    for each statement execute function core.open_lanes();

-- A job that is queued again, or for sooner: its lane may be idle or beyond
-- it.  Where somebody holds the lane, the next sweep finds the job.
create or replace function core.reopen_lane() returns trigger
language plpgsql volatile set search_path = core, pg_temp
set enable_seqscan = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
begin
    perform from core.job_turn t
      where t.kind = new.kind and t.tenant_id = new.tenant_id
        and (t.idle or new.run_at < core.head_from(t.head_at, new.priority))
        for no key update skip locked;

    if found then
        update core.job_turn t
           set idle = false,
               head_at[new.priority] = least(t.head_at[new.priority],
                                             new.run_at)
         where t.kind = new.kind and t.tenant_id = new.tenant_id;
    end if;

    return null;
end
$$;

create or replace trigger job_reopen_lane
    after update of state, run_at on core.job for each row
    when (new.state = 'queued' and (old.state <> 'queued'
                                    or new.run_at < old.run_at))
    execute function core.reopen_lane();
