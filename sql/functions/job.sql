-- Jobs as the rules of a tenant see them.

-- Adds jobs of the current tenant, as many as args; their ids, in that order.
-- Bigger priorities come sooner.  Wake the kind's queue: core.wake().
create or replace function core.add_jobs(
    p_kind text, p_args jsonb[], p_subject uuid default null,
    p_priority int default 5, p_run_at timestamptz default now(),
    p_group uuid default null)
returns uuid[]
language plpgsql volatile set search_path = core, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
    v_queue  text;
    v_ids    uuid[];
begin
    select k.queue into strict v_queue
      from core.job_kind k where k.kind = p_kind;

    if p_group is not null then
        perform core.join_group(p_group);
    end if;

    -- of the same microsecond, and yet in order
    v_ids := array(select core.uuid_v7() as id
                     from generate_series(1, cardinality(p_args))
                    order by id);

    -- the edge or the worker sends the entry for what is due at once
    insert into core.job (id, tenant_id, kind, queue, subject_id, priority,
                          run_at, sent_at, trace_id, traceparent, args,
                          group_id)
    select u.id, core.tenant(), p_kind, v_queue, p_subject, p_priority,
           p_run_at, case when p_run_at <= now() then now() end,
           core.trace_id(), core.traceparent(), u.args, p_group
      from unnest(v_ids, p_args) u (id, args);

    return v_ids;
end
$$;

-- One.  subject is what cancel_jobs() finds it by.
create or replace function core.add_job(
    p_kind text, p_args jsonb, p_subject uuid default null,
    p_priority int default 5, p_run_at timestamptz default now())
returns uuid
language sql volatile set search_path = core, pg_temp
as $$
    select (core.add_jobs(p_kind, array[p_args], p_subject, p_priority,
                          p_run_at))[1]
$$;

-- The queues of kinds, for the column wake: one entry a job, so a queue
-- stands as often as p_jobs says.
create or replace function core.wake(p_kind text, p_jobs int default 1)
returns text[]
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return (select array_fill(k.queue, array[least(p_jobs, 100)])
              from core.job_kind k
             where k.kind = p_kind and p_jobs > 0);
end
$$;

-- Cancels what is queued or running for a subject; a running child is told
-- by its supervisor's heartbeat.  Locks all of them first: lock jobs before
-- the rows that their triggers touch.
create or replace function core.cancel_jobs(p_subject uuid) returns int
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_jobs   uuid[];
    v_count  int;
begin
    -- what one that ended meanwhile was followed by is there the next time
    loop
        v_jobs := array(select j.id from core.job j
                         where j.tenant_id = core.tenant()
                           and j.subject_id = p_subject
                           and j.state in ('queued', 'running')
                         order by j.id for update);

        select count(*) into v_count from core.job j
         where j.tenant_id = core.tenant() and j.subject_id = p_subject
           and j.state in ('queued', 'running');

        exit when v_count = cardinality(v_jobs);
    end loop;

    perform core.hold_groups(v_jobs);

    update core.job j
       set state = 'cancelled', ended_at = now(), lease_until = null
     where j.id = any (v_jobs);

    return v_count;
end
$$;

-- The two became one.
drop function if exists core.end_job(uuid), core.end_job(uuid, jsonb);

set local role voice_work;

-- Locks a running job for its holder and puts the transaction under its
-- tenant.  A row of nulls when the token is stale.
create or replace function core.hold_job(p_job uuid, p_token bigint)
returns core.job
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    j  core.job;
begin
    select * into j from core.job l
     where l.id = p_job and l.token = p_token and l.state = 'running'
       for update;

    if found then
        perform core.use_tenant(j.tenant_id, null, 'system', null,
                                j.trace_id);
        perform set_config('voice.trace', j.traceparent, true);
    end if;

    return j;
end
$$;

-- The same for work.start_<kind>: raises INVALID_STATE when stale.
create or replace function core.start_job(p_job uuid, p_token bigint)
returns core.job
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    j  core.job := core.hold_job(p_job, p_token);
begin
    if j.id is null then
        perform core.fail('INVALID_STATE', 'The job is not held any more.');
    end if;

    return j;
end
$$;

-- Ends a job that hold_job() gave; the queues of what follows from it.
create or replace function core.end_job(
    p_job uuid, p_result jsonb default null)
returns text[]
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    update core.job j
       set state = 'done', ended_at = now(), lease_until = null,
           error = null, progress = 1, result = p_result
     where j.id = p_job and j.state = 'running';

    return core.woken();
end
$$;

set local role voice_owner;
