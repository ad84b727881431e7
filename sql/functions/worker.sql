-- The pools of workers, and how they are.

set local role voice_work;

-- Pools that were seen within the last hour.
create or replace function core.workers()
returns table (name text, status text, queues text[], children jsonb,
               active bigint, most bigint, started_at timestamptz,
               beat_at timestamptz)
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return query
    with held as (
        select j.worker, count(*) as n
          from core.job j where j.state = 'running' group by j.worker
    )
    select w.name,
           case when w.beat_at > now() - interval '15 seconds'
                then 'online' else 'offline' end,
           w.queues,
           (select coalesce(jsonb_object_agg(c.queue,
                                             coalesce(c.n, 0)), '{}')
              from unnest(w.queues, w.children) c (queue, n)
             where c.queue is not null),
           coalesce(h.n, 0),
           coalesce((select sum(c.n) from unnest(w.children) c (n)), 0),
           w.started_at, w.beat_at
      from core.worker w
      left join held h on h.worker = w.name
     where w.beat_at > now() - interval '1 hour'
     order by w.name;
end
$$;

-- What is to be looked at: {level, message} each.
create or replace function core.worker_alerts()
returns table (level text, message text)
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return query
    with live as (
        select w.queues from core.worker w
         where w.beat_at > now() - interval '15 seconds'
    ), kind as (
        select k.kind, k.queue, core.oldest_due(k.kind) as oldest,
               k.paused_at is not null or q.paused_at is not null as paused,
               exists (select from live l
                        where k.queue = any (l.queues)) as served
          from core.job_kind k join core.queue q on q.name = k.queue
    )
    select 'critical', 'No pool of workers is online.'
     where not exists (select from live)
    union all
    select 'critical', format('Jobs of the queue %s wait and nobody serves '
                              || 'it.', k.queue)
      from kind k
     where not k.served and not k.paused and k.oldest > 0
       and exists (select from live)
     group by k.queue
    union all
    select 'warning', format('The first job of %s has waited %s seconds.',
                             k.kind, ceil(k.oldest))
      from kind k where k.served and not k.paused and k.oldest > 300
    union all
    select 'warning', format('%s is paused and has jobs that wait.', k.kind)
      from kind k where k.paused and k.oldest > 0
    union all
    select 'warning', format('The pool %s has not been heard of for %s '
               || 'seconds; it holds jobs: %s.', w.name,
               ceil(extract(epoch from now() - w.beat_at)), w.active)
      from core.workers() w where w.status = 'offline' and w.active > 0;
end
$$;

create or replace function api.list_workers(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return core.reply((
        select coalesce(json_agg(json_build_object(
                   'name', w.name, 'status', w.status, 'queues', w.queues,
                   'children', w.children, 'active_tasks', w.active,
                   'max_concurrency', w.most,
                   'started_at', core.iso(w.started_at),
                   'last_seen_at', core.iso(w.beat_at))
                   order by w.name), '[]')
          from core.workers() w
         where args ->> 'status' is null or w.status = args ->> 'status'));
end
$$;

-- A pool that was stopped is offline, which is nobody's fault.
create or replace function api.workers_health(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    v_alerts   json;
    v_level    text;
    v_workers  json;
    v_online   bigint;
    v_all      bigint;
begin
    select coalesce(json_agg(json_build_object('level', a.level,
                                               'message', a.message)), '[]'),
           min(a.level)
      into v_alerts, v_level
      from core.worker_alerts() a;

    select coalesce(json_agg(json_build_object('name', w.name,
                       'status', w.status, 'active_tasks', w.active,
                       'max_concurrency', w.most, 'queues', w.queues)
                       order by w.name), '[]'),
           count(*) filter (where w.status = 'online'), count(*)
      into v_workers, v_online, v_all
      from core.workers() w;

    return core.reply(json_build_object(
        'status', case v_level when 'critical' then 'critical'
                               when 'warning' then 'degraded'
                               else 'healthy' end,
        'totals', json_build_object('workers', v_all, 'online', v_online,
                                    'offline', v_all - v_online),
        'workers', v_workers, 'alerts', v_alerts));
end
$$;

set local role voice_owner;
