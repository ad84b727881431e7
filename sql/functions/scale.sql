-- How many children a queue should have.

set local role voice_work;

-- The formula: one child for each per_worker jobs that wait, the fewest where
-- no more than the threshold wait; within min and max.
create or replace function core.scale_target(
    q core.queue_scale, p_depth bigint)
returns int
language plpgsql immutable set search_path = core, pg_temp
as $$
begin
    return least(q.max, greatest(q.min,
        case when p_depth <= q.threshold then q.min
             else ceil(p_depth::numeric / q.per_worker) end));
end
$$;

-- Children of a queue in pools that live.
create or replace function core.scale_active(p_queue text) returns bigint
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return (select coalesce(sum(w.children[array_position(w.queues,
                                                          p_queue)]), 0)
              from core.worker w
             where w.beat_at > now() - interval '15 seconds'
               and p_queue = any (w.queues));
end
$$;

-- Jobs that are due, counted no further than they matter: past max children
-- more jobs ask for no more.
create or replace function core.scale_depth(q core.queue_scale)
returns bigint
language plpgsql stable set search_path = core, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set jit = off
as $$
begin
    return (select count(*)
              from (select from core.job_kind k
                      join core.job j
                        on j.kind = k.kind and j.state = 'queued'
                       and j.run_at <= now()
                     where k.queue = q.queue
                     limit greatest(q.max * q.per_worker::bigint,
                                    q.threshold) + 1) d);
end
$$;

-- What is decided, and whether it takes effect: not within the cooldown after
-- the last change that did, nor where scaling is off.
create or replace function core.scale_decide(
    q core.queue_scale, p_depth bigint, p_active bigint)
returns core.queue_scale
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_target  int := core.scale_target(q, p_depth);
    v_now     bigint := coalesce(q.target, p_active);
    v_ready   boolean := q.enabled and (q.changed_at is null
        or q.changed_at + make_interval(secs => q.cooldown_seconds) <= now());
    v_scaled  boolean := v_ready and v_target is distinct from q.target;
begin
    q.decision := jsonb_build_object(
        'queue_depth', p_depth, 'active_workers', p_active,
        'target_workers', v_target,
        'scaled', v_scaled and v_target <> v_now,
        'direction', case when v_target > v_now then 'up'
                          when v_target < v_now then 'down'
                          else 'none' end);
    q.decided_at := now();

    if v_scaled then
        q.target := v_target;

        -- a first decision that changes nothing starts no cooldown
        if v_target <> v_now then
            q.changed_at := now();
        end if;
    end if;

    return q;
end
$$;

-- Decides for every queue; those that changed.
create or replace function core.scale_queues() returns jsonb
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    q        core.queue_scale;
    v_moved  jsonb := '{}';
begin
    insert into core.queue_scale (queue) select u.name from core.queue u
    on conflict (queue) do nothing;

    for q in select * from core.queue_scale s order by s.queue for update
    loop
        q := core.scale_decide(q, core.scale_depth(q),
                               core.scale_active(q.queue));

        update core.queue_scale s
           set target = q.target, changed_at = q.changed_at,
               decided_at = q.decided_at, decision = q.decision
         where s.queue = q.queue;

        if (q.decision ->> 'scaled')::boolean then
            v_moved := v_moved || jsonb_build_object(q.queue, q.decision);
        end if;
    end loop;

    return jsonb_build_object('scaled', v_moved);
end
$$;

set local role voice_owner;
