-- Jobs as their tenant, and the platform's operators, see them.

set local role voice_work;

-- A job for a list.  attempt counts as the kind's max_attempts does.
create or replace function core.job_json(j core.job) returns jsonb
language sql stable set search_path = core, pg_temp
as $$
    select jsonb_build_object(
        'id', j.id, 'tenant_id', j.tenant_id, 'kind', j.kind,
        'queue', j.queue, 'state', j.state, 'priority', j.priority,
        'attempt', greatest(j.attempt - j.lost - j.deferred, 0),
        'max_attempts', (select k.max_attempts from core.job_kind k
                          where k.kind = j.kind),
        'lost', j.lost, 'deferred', j.deferred,
        'progress', j.progress, 'progress_text', j.progress_text,
        'subject_id', j.subject_id, 'unique_key', j.unique_key,
        'group_id', j.group_id, 'run_at', core.iso(j.run_at),
        'created_at', core.iso(j.created_at),
        'claimed_at', core.iso(j.claimed_at),
        'ended_at', core.iso(j.ended_at), 'worker', j.worker,
        'error', j.error, 'trace_id', j.trace_id,
        'traceparent', j.traceparent)
$$;

-- The same with all that there is of it.
create or replace function core.job_detail(j core.job) returns json
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return core.job_json(j) || jsonb_build_object(
        'args', j.args, 'result', j.result,
        'chain', coalesce(j.chain, '[]'),
        'attempts', coalesce((
            select jsonb_agg(jsonb_build_object(
                       'number', a.token, 'worker', a.worker,
                       'started_at', core.iso(a.started_at),
                       'ended_at', core.iso(a.ended_at),
                       'outcome', a.outcome, 'error', a.error)
                       order by a.token)
              from core.job_attempt a where a.job_id = j.id), '[]'));
end
$$;

-- Does a job match the filters of a list?  Put in place of the call.
create or replace function core.job_matches(j core.job, p_args jsonb)
returns boolean
language sql stable
as $$
    select (p_args ->> 'kind' is null or j.kind = p_args ->> 'kind')
       and (p_args ->> 'queue' is null or j.queue = p_args ->> 'queue')
       and (p_args ->> 'subject_id' is null
            or j.subject_id = (p_args ->> 'subject_id')::uuid)
       and (p_args ->> 'group_id' is null
            or j.group_id = (p_args ->> 'group_id')::uuid)
       and (p_args ->> 'trace_id' is null
            or j.trace_id = p_args ->> 'trace_id')
       and (p_args ->> 'created_from' is null
            or j.created_at >= (p_args ->> 'created_from')::timestamptz)
       and (p_args ->> 'created_to' is null
            or j.created_at <= (p_args ->> 'created_to')::timestamptz)
       and (p_args ->> 'older_than_seconds' is null
            or j.ended_at <= now() - make_interval(
                   secs => (p_args ->> 'older_than_seconds')::int))
$$;

-- Jobs of a tenant, or of all (null), by the filters of p_args: of each state
-- ten thousand at most, the last ones of those that ended.
create or replace function core.jobs_of(p_tenant uuid, p_args jsonb)
returns table (id uuid, priority int, created_at timestamptz,
               run_at timestamptz, ended_at timestamptz)
language plpgsql stable security definer set search_path = core, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    v_most   constant int := 10000;
    v_asked  text := p_args ->> 'state';
    v_state  text;
    v_kinds  text[] := array(select k.kind from core.job_kind k);
begin
    -- one by one, since each has an index of its own
    foreach v_state in array array['queued', 'running'] loop
        return query
        select j.id, j.priority, j.created_at, j.run_at, j.ended_at
          from core.job j
         where j.state = v_state and coalesce(v_asked, v_state) = v_state
           and j.kind = any (v_kinds)
           and (p_tenant is null or j.tenant_id = p_tenant)
           and core.job_matches(j, p_args)
         limit v_most;
    end loop;

    foreach v_state in array array['dead', 'done', 'cancelled'] loop
        -- done and cancelled ones stand in one index, and are read once
        continue when coalesce(v_asked, 'dead,done') !~ v_state;

        return query
        select j.id, j.priority, j.created_at, j.run_at, j.ended_at
          from core.job j
         where (j.state = v_state
                or v_asked is null and v_state = 'done'
                   and j.state = 'cancelled')
           and j.ended_at is not null
           and (p_tenant is null or j.tenant_id = p_tenant)
           and core.job_matches(j, p_args)
         order by j.ended_at desc
         limit v_most;
    end loop;
end
$$;

create or replace function core.jobs_json(p_ids uuid[]) returns json
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return (select json_agg(core.job_json(j) order by u.pos)
              from unnest(p_ids) with ordinality u (id, pos)
              join core.job j on j.id = u.id);
end
$$;

-- One of them; a row of nulls where there is none in reach.
create or replace function core.job_of(p_tenant uuid, p_id uuid)
returns core.job
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    j  core.job;
begin
    select * into j from core.job r
     where r.id = p_id and (p_tenant is null or r.tenant_id = p_tenant);

    return j;
end
$$;

set local role voice_owner;

-- Whose jobs are meant: the parameter tenant is the platform's.  Null: all.
create or replace function core.job_scope(ctx api.ctx, args jsonb)
returns uuid
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_tenant  text := args ->> 'tenant';
begin
    if v_tenant is null or lower(v_tenant) = ctx.tenant_id::text then
        return ctx.tenant_id;
    end if;

    if core.role() is distinct from 'platform_admin' then
        perform core.fail('AUTH_INSUFFICIENT_PERMISSIONS',
            'The jobs of other tenants are the platform''s to see.');
    end if;

    return nullif(v_tenant, 'all')::uuid;
end
$$;

-- Puts the transaction under the tenant of a job and locks it.
create or replace function core.job_lock(ctx api.ctx, args jsonb)
returns core.job
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    j  core.job := core.job_of(core.job_scope(ctx, args),
                               (args ->> 'id')::uuid);
begin
    if j.id is null then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    perform core.use_tenant(j.tenant_id);

    select * into j from core.job l
     where l.tenant_id = j.tenant_id and l.id = j.id for update;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    return j;
end
$$;

create or replace function core.job_page(
    p_tenant uuid, args jsonb, p_sort text)
returns api.reply
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    p        core.paging := core.page(args);
    v_total  bigint;
    v_ids    uuid[];
begin
    with hit as materialized (
        select h.* from core.jobs_of(p_tenant, args) h
    )
    select (select count(*) from hit), array(
            select h.id from hit h
             order by
                case p_sort when 'created_at' then h.created_at
                            when 'run_at' then h.run_at
                            when 'ended_at' then h.ended_at end,
                case p_sort when '-created_at' then h.created_at
                            when '-run_at' then h.run_at
                            when '-ended_at' then h.ended_at
                end desc nulls last,
                case p_sort when 'priority' then h.priority
                            when '-priority' then -h.priority end,
                h.id desc
             limit p.page_size offset p.skip)
      into v_total, v_ids;

    return core.reply_list(core.jobs_json(v_ids), args, v_total);
end
$$;

create or replace function api.list_jobs(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return core.job_page(core.job_scope(ctx, args), args,
                         coalesce(args ->> 'sort', '-created_at'));
end
$$;

create or replace function api.list_dead_jobs(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return core.job_page(core.job_scope(ctx, args),
                         args || '{"state": "dead"}', '-ended_at');
end
$$;

create or replace function api.get_job(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    j  core.job := core.job_of(core.job_scope(ctx, args),
                               (args ->> 'id')::uuid);
begin
    if j.id is null then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    return core.reply(core.job_detail(j));
end
$$;
