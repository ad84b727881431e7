-- Test runs: how one is planned, made, settled, cancelled and retried.
--
-- Order of locks: job, run, execution.  Whoever changes an execution holds
-- its run's row, so that counters, events and the end follow one another.

-- plpgsql keeps the plan for a session's next call.
create or replace function core.test_run_counts(p_run uuid)
returns core.test_run_count
language plpgsql stable set search_path = core, pg_temp
set plan_cache_mode = auto
as $$
declare
    n  core.test_run_count;
begin
    select count(*),
           count(*) filter (where e.status = 'passed'),
           count(*) filter (where e.status in ('failed', 'error')),
           count(*) filter (where e.status = 'error'),
           count(*) filter (where e.status = 'skipped'),
           count(*) filter (where e.status = 'pending'
                              and e.review_status is not null),
           count(*) filter (where e.status = 'running'
                              or (e.status = 'pending'
                                  and e.review_status is null))
      into n
      from core.voice_test_execution e
     where e.tenant_id = core.tenant() and e.test_run_id = p_run;

    return n;
end
$$;

-- How much of a run is over, 0..100; a human's verdict is not waited for.
create or replace function core.test_run_progress(n core.test_run_count)
returns numeric
language sql immutable
as $$
    select case when n.total = 0 then 0
                else trunc(100.0 * (n.total - n.in_progress) / n.total, 1)
           end
$$;

create or replace function core.test_run_json(r core.test_run)
returns json
language plpgsql stable set search_path = core, pg_temp
set plan_cache_mode = auto
as $$
begin
    return (select json_build_object(
            'id', r.id, 'name', r.name, 'suite_id', r.suite_id,
            'retry_of', r.retry_of, 'status', r.status,
            'languages', r.languages, 'trigger_type', r.trigger_type,
            'trigger_metadata', r.trigger_metadata, 'priority', r.priority,
            'total_tests', n.total, 'passed_tests', n.passed,
            'failed_tests', n.failed, 'error_tests', n.error,
            'skipped_tests', n.skipped,
            'pending_validation', n.pending_validation,
            'in_progress', n.in_progress,
            'progress_percentage', core.test_run_progress(n),
            'created_by', r.created_by, 'created_at', core.iso(r.created_at),
            'started_at', core.iso(r.started_at),
            'completed_at', core.iso(r.completed_at))
          from core.test_run_counts(r.id) n);
end
$$;

create or replace function core.test_run_emit(p_run uuid, p_event text)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    perform core.emit('test_run.' || p_event, 'test_run', r.id,
               jsonb_build_object(
                   'test_run_id', r.id, 'status', r.status,
                   'total_tests', n.total, 'passed_tests', n.passed,
                   'failed_tests', n.failed, 'skipped_tests', n.skipped,
                   'pending_validation', n.pending_validation,
                   'progress_percentage', core.test_run_progress(n)))
      from core.test_run r, core.test_run_counts(r.id) n
     where r.tenant_id = core.tenant() and r.id = p_run;
end
$$;

create or replace function core.test_run_get(p_id uuid)
returns core.test_run
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    r  core.test_run;
begin
    select * into r from core.test_run t
     where t.tenant_id = core.tenant() and t.id = p_id;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND', 'There is no such run.');
    end if;

    return r;
end
$$;

create or replace function core.test_run_lock(p_id uuid)
returns core.test_run
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    r  core.test_run;
begin
    select * into r from core.test_run t
     where t.tenant_id = core.tenant() and t.id = p_id for update;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND', 'There is no such run.');
    end if;

    return r;
end
$$;

-- The only place where a run's state changes; the caller holds the row.
-- completed and failed change into each other when a human overrules a
-- verdict.  False: the run may not go there.
create or replace function core.test_run_set_state(
    p_run uuid, p_status text)
returns boolean
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    update core.test_run r
       set status = p_status,
           started_at = case when p_status <> 'cancelled'
                             then coalesce(r.started_at, now())
                             else r.started_at end,
           completed_at = case when p_status <> 'running'
                               then coalesce(r.completed_at, now()) end
     where r.tenant_id = core.tenant() and r.id = p_run
       and (r.status, p_status) in (
               ('pending', 'running'), ('pending', 'completed'),
               ('pending', 'failed'), ('pending', 'cancelled'),
               ('running', 'completed'), ('running', 'failed'),
               ('running', 'cancelled'), ('completed', 'failed'),
               ('failed', 'completed'));

    return found;
end
$$;

-- After executions ended: tells the progress, and ends the run when none is
-- left.  The caller holds the run's row, so this happens once.
create or replace function core.test_run_settle(p_run uuid) returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    r       core.test_run := core.test_run_lock(p_run);
    n       core.test_run_count := core.test_run_counts(p_run);
    v_last  boolean := n.in_progress = 0
                       and r.status in ('pending', 'running');
begin
    if n.in_progress = 0 then
        perform core.test_run_set_state(r.id,
            case when n.failed > 0 then 'failed' else 'completed' end);
    end if;

    perform core.test_run_emit(r.id, 'progress');

    if v_last then
        perform core.test_run_emit(r.id,
            case when n.failed > 0 then 'failed' else 'completed' end);
    end if;
end
$$;

-- The plan: which case is spoken in which language.  Languages asked for
-- come before those of the case's suite.
create or replace function core.test_run_plan(
    p_cases uuid[], p_languages text[])
returns core.test_plan_item[]
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return (with wanted as (
            select c.n, c.id, w.m, w.tag,
                   coalesce(s.fallback_behavior, 'skip') as fallback
              from unnest(p_cases) with ordinality c (id, n)
              join core.test_case t
                on t.tenant_id = core.tenant() and t.id = c.id
              left join core.test_suite s
                on s.tenant_id = t.tenant_id and s.id = t.suite_id
             cross join lateral core.test_case_wanted(t.id, p_languages,
                 coalesce(s.language_mode, 'primary'), s.languages)
                 with ordinality w (tag, m)
        ), chosen as (
            select w.n, w.id, w.m, w.fallback,
                   coalesce(core.test_case_speaks(w.id, w.tag,
                                w.fallback = 'smart'), w.tag) as tag,
                   core.test_case_speaks(w.id, w.tag,
                                         w.fallback = 'smart') is not null as ok
              from wanted w
        ), item as (
            select distinct on (c.n, c.tag)
                   c.n, c.m, c.id, c.tag,
                   case when c.ok then 'pending'
                        when c.fallback = 'fail' then 'failed'
                        else 'skipped' end as status,
                   case when c.ok then null
                        when c.tag = 'und' then 'The case has no language.'
                        else 'The case has no input in ' || c.tag || '.'
                   end as reason
              from chosen c
             order by c.n, c.tag, c.m
        )
        select array_agg((i.id, i.tag, i.status, i.reason)::core.test_plan_item
                         order by i.n, i.m)
          from item i);
end
$$;

-- The languages that a run wants of a case; "und" of a case without any.
create or replace function core.test_case_wanted(
    p_case uuid, p_languages text[], p_mode text, p_specific text[])
returns setof text
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return query
    select unnest(case
        when cardinality(p_languages) > 0 then p_languages
        when p_mode = 'specific' then p_specific
        else coalesce((
            select array_agg(l.language_code order by l.position)
              from core.test_case_language l
             where l.tenant_id = core.tenant() and l.test_case_id = p_case
               and (p_mode = 'all' or l.position = 1)), array['und'])
        end);
end
$$;

-- The language of a case that serves a wanted one: itself, or where near
-- ones will do the first with the same primary subtag.  Null: none.
create or replace function core.test_case_speaks(
    p_case uuid, p_tag text, p_near boolean)
returns text
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return (select l.language_code
          from core.test_case_language l
         where l.tenant_id = core.tenant() and l.test_case_id = p_case
           and (l.language_code = p_tag
                or (p_near and split_part(l.language_code, '-', 1)
                               = split_part(p_tag, '-', 1)))
         order by l.language_code <> p_tag, l.position
         limit 1);
end
$$;

-- Makes a run of a plan: the only way to make one.  Its executions, their
-- jobs and its event come with it; a plan without anything to speak ends it
-- at once.  Returns the queues to wake.
create or replace function core.test_run_open(
    r core.test_run, p_plan core.test_plan_item[])
returns text[]
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_jobs  int;
begin
    if coalesce(cardinality(p_plan), 0) = 0 then
        perform core.refuse('/body', 'there is nothing to run');
    elsif cardinality(p_plan) > 2000 then
        perform core.refuse('/body', 'a run has at most 2000 executions');
    end if;

    insert into core.test_run (tenant_id, id, suite_id, retry_of, name,
        languages, trigger_type, trigger_metadata, priority, created_by)
    values (core.tenant(), r.id, r.suite_id, r.retry_of, r.name, r.languages,
        r.trigger_type, r.trigger_metadata, r.priority, core.actor());

    perform core.executions_add(r.id, p_plan);
    perform core.test_run_emit(r.id, 'created');

    select count(core.add_job('test_execution',
               jsonb_build_object('execution_id', e.id), r.id,
               r.priority))
      into v_jobs
      from (select x.id from core.voice_test_execution x
             where x.tenant_id = core.tenant() and x.test_run_id = r.id
               and x.status = 'pending'
             order by x.position) e;

    if v_jobs = 0 then
        perform core.test_run_settle(r.id);
    end if;

    return core.wake('test_execution', v_jobs);
end
$$;

-- The cases that a request names, in its order or the suite's; refuses what
-- cannot be run.
create or replace function core.test_run_cases(args jsonb) returns uuid[]
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_suite   core.test_suite;
    v_wanted  uuid[];
    v_cases   uuid[];
begin
    if (args ->> 'suite_id' is null)
       = (coalesce(jsonb_array_length(args -> 'test_case_ids'), 0) = 0)
    then
        perform core.refuse('/body',
            'needs either suite_id or test_case_ids');
    end if;

    if args ->> 'suite_id' is not null then
        select * into v_suite from core.test_suite s
         where s.tenant_id = core.tenant()
           and s.id = (args ->> 'suite_id')::uuid;

        if not found then
            perform core.fail('RESOURCE_NOT_FOUND',
                              'There is no such suite.');
        elsif not v_suite.is_active then
            perform core.refuse('/body/suite_id', 'is not active');
        end if;

        v_cases := array(select c.id from core.test_case c
                          where c.tenant_id = core.tenant()
                            and c.suite_id = v_suite.id and c.is_active
                          order by c.created_at, c.id);
        if cardinality(v_cases) = 0 then
            perform core.refuse('/body/suite_id',
                                'the suite has no active case');
        elsif cardinality(v_cases) > 2000 then
            perform core.refuse('/body/suite_id',
                                'a run has at most 2000 executions');
        end if;

        return v_cases;
    end if;

    v_wanted := array(select w.id
                        from unnest(core.text_array(args
                                    -> 'test_case_ids')::uuid[])
                             with ordinality w (id, n)
                       group by w.id order by min(w.n));
    v_cases := array(select c.id from core.test_case c
                      where c.tenant_id = core.tenant()
                        and c.id = any (v_wanted) and c.is_active);

    if exists (select from unnest(v_wanted) w (id)
                where not exists (select from core.test_case c
                                   where c.tenant_id = core.tenant()
                                     and c.id = w.id))
    then
        perform core.fail('RESOURCE_NOT_FOUND',
                          'One of the cases does not exist.');
    elsif cardinality(v_cases) <> cardinality(v_wanted) then
        perform core.refuse('/body/test_case_ids',
                            'one of the cases is not active');
    end if;

    return v_wanted;
end
$$;

create or replace function api.create_test_run(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    r        core.test_run;
    v_cases  uuid[] := core.test_run_cases(args);
    v_wake   text[];
begin
    r.id := core.uuid_v7();
    r.suite_id := (args ->> 'suite_id')::uuid;
    r.name := args ->> 'name';
    r.languages := core.languages(args -> 'languages', '/body/languages');
    r.trigger_type := coalesce(args ->> 'trigger_type', 'manual');
    r.trigger_metadata := coalesce(args -> 'trigger_metadata', '{}');
    r.priority := coalesce((args ->> 'priority')::int, 5);

    v_wake := core.test_run_open(r,
                  core.test_run_plan(v_cases, r.languages));
    r := core.test_run_get(r.id);
    perform core.audit('test_run.created', 'test_run', r.id,
                       jsonb_build_object('suite_id', r.suite_id));

    return core.reply_created(core.test_run_json(r),
                              '/api/v1/test-runs/' || r.id,
                              p_wake => v_wake);
end
$$;

create or replace function api.list_test_runs(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    p           core.paging := core.page(args);
    v_sort      text := coalesce(args ->> 'sort', '-created_at');
    v_suite     uuid := (args ->> 'suite_id')::uuid;
    v_status    text := args ->> 'status';
    v_trigger   text := args ->> 'trigger_type';
    v_creator   uuid := (args ->> 'created_by')::uuid;
    v_start     timestamptz := (args ->> 'start_date')::timestamptz;
    v_end       timestamptz := (args ->> 'end_date')::timestamptz;
    v_language  text := core.language(args ->> 'language_code');
    v_like      text := core.pattern(args ->> 'search');
    v_total     bigint;
    v_data      json;
begin
    if v_language is null and args ->> 'language_code' is not null then
        perform core.language(args ->> 'language_code',
                              '/query/language_code');
    end if;

    with hit as not materialized (
        select r.* from core.test_run r
         where r.tenant_id = core.tenant()
           and (v_suite is null or r.suite_id = v_suite)
           and (v_status is null or r.status = v_status)
           and (v_trigger is null or r.trigger_type = v_trigger)
           and (v_creator is null or r.created_by = v_creator)
           and (v_start is null or r.created_at >= v_start)
           and (v_end is null or r.created_at <= v_end)
           and (v_like is null or r.name ilike v_like)
           and (v_language is null or exists (
                select from core.voice_test_execution e
                 where e.tenant_id = r.tenant_id
                   and e.test_run_id = r.id
                   and e.language_code = v_language))
    )
    select (select count(*) from hit),
           (select json_agg(core.test_run_json(row(o.*)::core.test_run))
              from (select h.* from hit h
                     order by
                        case v_sort when 'created_at' then h.created_at end,
                        case v_sort when '-created_at' then h.created_at
                        end desc,
                        case v_sort when 'completed_at' then h.completed_at
                        end,
                        case v_sort when '-completed_at' then h.completed_at
                        end desc nulls last,
                        case v_sort when 'priority' then h.priority end,
                        case v_sort when '-priority' then h.priority
                        end desc,
                        h.id desc
                     limit p.page_size offset p.skip) o)
      into v_total, v_data;

    return core.reply_list(v_data, args, v_total);
end
$$;

create or replace function api.get_test_run(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return core.reply(core.test_run_json(
               core.test_run_get((args ->> 'id')::uuid)));
end
$$;

-- Cancels a run that has not ended.  A job in flight may make the run's next
-- job until its own is locked, so the second call finds what the first could
-- not see; after it no new one can come.
create or replace function api.cancel_test_run(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    r  core.test_run := core.test_run_get((args ->> 'id')::uuid);
begin
    perform core.cancel_jobs(r.id);
    perform core.cancel_jobs(r.id);
    r := core.test_run_lock(r.id);

    if not core.test_run_set_state(r.id, 'cancelled') then
        perform core.fail('INVALID_STATE', 'The run is ' || r.status || '.');
    end if;

    perform core.executions_skip(r.id, 'The run was cancelled.');
    perform core.test_run_emit(r.id, 'cancelled');
    perform core.audit('test_run.cancelled', 'test_run', r.id);

    return core.reply(core.test_run_json(core.test_run_get(r.id)));
end
$$;

-- A new run of what failed or erred in one that ended.
create or replace function api.retry_test_run(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    o       core.test_run := core.test_run_lock((args ->> 'id')::uuid);
    r       core.test_run;
    v_plan  core.test_plan_item[];
    v_wake  text[];
begin
    if o.status in ('pending', 'running') then
        perform core.fail('INVALID_STATE', 'The run has not ended.');
    end if;

    r.id := core.uuid_v7();
    r.suite_id := o.suite_id;
    r.retry_of := o.id;
    r.name := o.name;
    r.languages := o.languages;
    r.trigger_type := 'retry';
    r.priority := o.priority;

    select array_agg((e.test_case_id, e.language_code,
               case when w.reason is null then 'pending' else 'skipped' end,
               w.reason)::core.test_plan_item order by e.position),
           jsonb_build_object('original_test_run_id', o.id,
               'retry_source_execution_ids',
               jsonb_agg(e.id order by e.position))
      into v_plan, r.trigger_metadata
      from core.voice_test_execution e
      join core.test_case c
        on c.tenant_id = e.tenant_id and c.id = e.test_case_id
     cross join lateral (select case
               when not c.is_active then 'The case is not active any more.'
               when core.test_case_speaks(c.id, e.language_code, false)
                    is null
               then 'The case has no input in ' || e.language_code || '.'
               end as reason) w
     where e.tenant_id = o.tenant_id and e.test_run_id = o.id
       and e.status in ('failed', 'error');

    if v_plan is null then
        perform core.fail('INVALID_STATE',
                          'No execution of the run failed or erred.');
    end if;

    v_wake := core.test_run_open(r, v_plan);
    perform core.audit('test_run.created', 'test_run', r.id,
                       jsonb_build_object('retry_of', o.id));

    return core.reply_created(core.test_run_json(core.test_run_get(r.id)),
                              '/api/v1/test-runs/' || r.id,
                              p_wake => v_wake);
end
$$;

-- The channel of a run's live events.
create or replace function api.stream_test_run(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return core.reply(json_build_object('channel', 'test_run.'
               || (core.test_run_get((args ->> 'id')::uuid)).id));
end
$$;
