-- What operators do with jobs: retry, cancel, dead letters, the self test.

-- Who did what to whose job, or to dead letters, in the log of his own tenant.
create or replace function core.job_audit(
    ctx api.ctx, p_action text, p_id uuid, p_detail jsonb)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    perform core.use_tenant(ctx.tenant_id);
    perform core.audit(p_action, 'job', coalesce(p_id::text, 'dead'),
                       p_detail);
end
$$;

-- Queues a job that has died or was cancelled again, as if it were new.  Who
-- has its key now, keeps it.
create or replace function core.job_again(p_id uuid) returns core.job
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    j  core.job;
begin
    update core.job u
       set state = 'queued', run_at = now(), sent_at = now(), attempt = 0,
           lost = 0, deferred = 0, waited = '0', deferred_for = '0',
           ended_at = null, lease_until = null, worker = null,
           claimed_at = null, progress = null, progress_text = null,
           result = null
     where u.id = p_id
    returning * into j;

    return j;
end
$$;

-- The job, locked, if it is in one of these states and its kind has no other
-- way (a column of core.job_kind) for what is wanted.
create or replace function core.job_ask(
    ctx api.ctx, args jsonb, p_states text[], p_instead text)
returns core.job
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    j      core.job := core.job_lock(ctx, args);
    v_way  text;
begin
    if j.state <> all (p_states) then
        perform core.fail('INVALID_STATE', 'The job is ' || j.state || '.');
    end if;

    select replace(to_jsonb(k) ->> p_instead, '{subject}',
                   coalesce(j.subject_id::text, '-'))
      into v_way from core.job_kind k where k.kind = j.kind;

    if v_way is not null then
        perform core.fail('INVALID_STATE', v_way);
    end if;

    return j;
end
$$;

-- What was done with it, in the log and for the reply.
create or replace function core.job_asked(
    ctx api.ctx, p_action text, j core.job, p_wake text[])
returns api.reply
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    perform core.job_audit(ctx, p_action, j.id, jsonb_build_object(
        'kind', j.kind, 'tenant_id', j.tenant_id));

    return core.reply(core.job_detail(j), p_wake => p_wake);
end
$$;

create or replace function api.retry_job(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    j  core.job := core.job_ask(ctx, args, '{dead,cancelled}',
                                'retry_instead');
begin
    if not core.unique_again(j) then
        perform core.fail('CONFLICT',
            'Another job with the same unique key waits or runs.');
    end if;

    j := core.job_again(j.id);

    return core.job_asked(ctx, 'job.retried', j, array[j.queue]);
end
$$;

-- The process that runs it learns of it by its supervisor's heartbeat.
create or replace function api.cancel_job(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    j  core.job := core.job_ask(ctx, args, '{queued,running}',
                                'cancel_instead');
begin
    update core.job u
       set state = 'cancelled', ended_at = now(), lease_until = null
     where u.id = j.id
    returning * into j;

    return core.job_asked(ctx, 'job.cancelled', j, core.woken());
end
$$;

set local role voice_work;

-- Dead jobs, those that died first, locked: at most limit, and none that
-- others have locked just now.  p_again: such as may be queued again; else
-- none that a group has still to be told of.
create or replace function core.dead_lock(
    p_tenant uuid, p_args jsonb, p_again boolean)
returns setof core.job
language plpgsql volatile security definer set search_path = core, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    v_kind    text := p_args ->> 'kind';
    v_before  timestamptz := now() - make_interval(
                  secs => coalesce((p_args ->> 'older_than_seconds')::int, 0));
    v_ids     uuid[] := array(
        select e.v::uuid
          from jsonb_array_elements_text(
                   coalesce(p_args -> 'ids', '[]')) e (v));
begin
    return query
    select d.* from core.job d
      join core.job_kind k on k.kind = d.kind
     where d.state = 'dead' and d.ended_at <= v_before
       and case when p_again then k.retry_instead is null
           else not exists (select from core.job_group g
                             where g.tenant_id = d.tenant_id
                               and g.id = d.group_id
                               and g.ended_at is null) end
       and (p_tenant is null or d.tenant_id = p_tenant)
       and (v_kind is null or d.kind = v_kind)
       and (not p_args ? 'ids' or d.id = any (v_ids))
     order by d.ended_at
     limit coalesce((p_args ->> 'limit')::int, 1000)
       for update of d skip locked;
end
$$;

-- How many may not.
create or replace function core.dead_final(p_tenant uuid, p_args jsonb)
returns bigint
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return (select count(*)
              from core.jobs_of(p_tenant, p_args - 'limit'
                                          || '{"state": "dead"}') d
              join core.job j on j.id = d.id
              join core.job_kind k on k.kind = j.kind
             where k.retry_instead is not null
               and (not p_args ? 'ids'
                    or p_args -> 'ids' @> to_jsonb(d.id::text)));
end
$$;

create or replace function core.dead_purge(p_tenant uuid, p_args jsonb)
returns bigint
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_count  bigint;
begin
    delete from core.job j
     where j.id in (select d.id from core.dead_lock(p_tenant, p_args,
                                                  false) d);

    get diagnostics v_count = row_count;
    return v_count;
end
$$;

set local role voice_owner;

create or replace function api.requeue_dead_jobs(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_scope    uuid := core.job_scope(ctx, args);
    j          core.job;
    v_queues   text[] := '{}';
    v_skipped  bigint := core.dead_final(v_scope, args);
begin
    for j in select * from core.dead_lock(v_scope, args, true) loop
        perform core.use_tenant(j.tenant_id);

        if not core.unique_again(j) then
            v_skipped := v_skipped + 1;
            continue;
        end if;

        j := core.job_again(j.id);
        v_queues := v_queues || j.queue;
    end loop;

    perform core.job_audit(ctx, 'jobs.requeued', null,
        args || jsonb_build_object('requeued', cardinality(v_queues)));

    -- some bring workers enough: those take until nothing is left
    return core.reply(json_build_object(
            'requeued', cardinality(v_queues), 'skipped', v_skipped),
        p_wake => v_queues[1:100]);
end
$$;

create or replace function api.purge_dead_jobs(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_count  bigint := core.dead_purge(core.job_scope(ctx, args), args);
begin
    perform core.job_audit(ctx, 'jobs.purged', null,
        args || jsonb_build_object('purged', v_count));

    return core.reply(json_build_object('purged', v_count));
end
$$;

create or replace function api.probe_jobs(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_id  uuid;
begin
    v_id := core.add_job('probe',
        jsonb_strip_nulls(jsonb_build_object('work_ms', args -> 'work_ms',
                                             'fail', args -> 'fail')),
        p_priority => coalesce((args ->> 'priority')::int, 5),
        p_run_at => now() + make_interval(
            secs => coalesce((args ->> 'delay_seconds')::int, 0)));

    perform core.job_audit(ctx, 'job.probed', v_id, args);

    return core.reply_created(
        core.job_detail(core.job_of(ctx.tenant_id, v_id)),
        '/api/v1/jobs/' || v_id, p_wake => core.wake('probe'));
end
$$;
