-- Readiness and figures of the whole service; no tenant.

set local role voice_work;

-- The edge adds what it knows itself (redis).
create or replace function api.ready(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return core.reply(json_build_object(
        'database', 'ok',
        'workers', case when exists (
            select from core.worker w
             where w.beat_at > now() - interval '15 seconds')
            then 'ok' else 'degraded' end));
end
$$;

-- queue_depth: waiting jobs of a queue; jobs_running; oldest_due_seconds:
-- age of the first that waits; workers; and each counter of core.counter by
-- its name and label.
create or replace function api.metrics(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    v_data     jsonb;
    v_counter  jsonb;
begin
    select jsonb_build_object(
               'queue_depth', jsonb_object_agg(q.queue, q.queued),
               'jobs_running', jsonb_object_agg(q.queue, q.running),
               'oldest_due_seconds', jsonb_object_agg(q.queue, q.oldest),
               'workers', (select count(*) from core.worker w
                            where w.beat_at > now()
                                  - interval '15 seconds'))
      into v_data
      from (select k.queue,
                   (select count(*) from core.job j
                     where j.queue = k.queue
                       and j.state = 'queued') as queued,
                   (select count(*) from core.job j
                     where j.queue = k.queue
                       and j.state = 'running') as running,
                   coalesce((select greatest(0, extract(epoch from
                                        now() - min(j.run_at)))
                      from core.job j
                     where j.queue = k.queue
                       and j.state = 'queued'), 0) as oldest
              from (select distinct i.queue from core.job_kind i) k) q;

    select jsonb_object_agg(c.name, c.labels) into v_counter
      from (select t.name, jsonb_object_agg(t.label, t.value) as labels
              from (select n.name, n.label, sum(n.value) as value
                      from core.counter n group by n.name, n.label) t
             group by t.name) c;

    return core.reply((v_data || coalesce(v_counter, '{}'))::json);
end
$$;

set local role voice_owner;
