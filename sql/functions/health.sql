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

-- How many jobs of a queue the keeper counted last; where it has not for a
-- while they are counted now.
create or replace function core.queue_count(p_queue text, p_states text[])
returns bigint
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    if core.tally_fresh() then
        return (select coalesce(sum(f.value), 0)
                  from core.job_kind k
                  join core.job_figure f on f.kind = k.kind
                 where k.queue = p_queue and f.state = any (p_states));
    end if;

    -- apart, each has an index of its own
    if 'running' = any (p_states) then
        return (select count(*) from core.job j
                 where j.state = 'running' and j.kind in (
                           select k.kind from core.job_kind k
                            where k.queue = p_queue));
    end if;

    return (select count(*) from core.job j
             where j.state = 'queued' and j.kind in (
                       select k.kind from core.job_kind k
                        where k.queue = p_queue));
end
$$;

-- queue_depth: waiting jobs of a queue; jobs_running; oldest_due_seconds:
-- age of the first that waits; workers; what work.tally() told last; and
-- each counter of core.counter by its name and label.
create or replace function api.metrics(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    v_data     jsonb;
    v_counter  jsonb;
    v_jobs     jsonb;
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
                   core.queue_count(k.queue, '{queued,due}') as queued,
                   core.queue_count(k.queue, '{running}') as running,
                   (select max(core.oldest_due(i.kind))
                      from core.job_kind i
                     where i.queue = k.queue) as oldest
              from (select distinct i.queue from core.job_kind i) k) q;

    select jsonb_object_agg(c.name, c.labels) into v_counter
      from (select t.name, jsonb_object_agg(t.label, t.value) as labels
              from (select n.name, n.label, sum(n.value) as value
                      from (select i.name, i.label, i.value
                              from core.counter i
                             where i.name not in ('job_run', 'job_wait')
                            union all
                            -- so that the first one is an increase
                            select z.name, k.kind, 0
                              from core.job_kind k,
                                   unnest(array['jobs_dead', 'jobs_retried',
                                                'jobs_rescued',
                                                'jobs_deferred']) z (name)
                           ) n
                     group by n.name, n.label) t
             group by t.name) c;

    select jsonb_build_object(
               'jobs_present', jsonb_object_agg(
                   concat_ws('/', f.kind, f.class, f.state), f.value),
               'job_run', core.tally_parts('job_run'),
               'job_wait', core.tally_parts('job_wait'))
      into v_jobs from core.job_figure f;

    return core.reply((v_data || coalesce(v_counter, '{}')
                       || jsonb_strip_nulls(v_jobs))::json);
end
$$;

set local role voice_owner;
