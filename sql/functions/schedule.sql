-- Schedules of tenants, as the API shows and changes them.

-- A time as a clock in a zone shows it, with its offset: ISO 8601.
create or replace function core.iso_in(p_time timestamptz, p_zone text)
returns text
language plpgsql immutable set search_path = core, pg_temp
as $$
declare
    v_seconds  int := extract(epoch from (p_time at time zone p_zone)
                                         - (p_time at time zone 'UTC'));
begin
    return to_char(p_time at time zone p_zone, 'YYYY-MM-DD"T"HH24:MI:SS')
        || case when v_seconds < 0 then '-' else '+' end
        || to_char(make_interval(secs => abs(v_seconds)), 'HH24:MI');
end
$$;

-- The first time after p_after at which a schedule is due; null: never.  c is
-- what its expression says.
create or replace function core.schedule_next(
    s core.schedule, c core.cron, p_after timestamptz)
returns timestamptz
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_next  timestamptz;
begin
    if not s.enabled then
        return null;
    end if;

    -- one that begins with a due second has it
    v_next := core.cron_after(c, s.timezone,
                  greatest(p_after, s.starts_at - interval '1 microsecond'));

    return case when s.ends_at is null or v_next <= s.ends_at
                then v_next end;
end
$$;

create or replace function core.schedule_json(s core.schedule) returns json
language plpgsql stable set search_path = core, pg_temp
set plan_cache_mode = auto
as $$
begin
    return (select json_build_object(
            'id', s.id, 'name', s.name, 'description', s.description,
            'expression', s.expression, 'timezone', s.timezone,
            'action', s.action, 'enabled', s.enabled,
            'missed_runs', s.missed_runs,
            'starts_at', core.iso(s.starts_at),
            'ends_at', core.iso(s.ends_at),
            'next_at', core.iso(s.next_at), 'last_at', core.iso(s.last_at),
            'last_error', s.error,
            'last_occurrence', (
                select json_build_object(
                       'occurrence', core.iso(o.occurrence),
                       'by_hand', o.by_hand, 'state', o.state,
                       'job_id', o.job_id, 'run_ids', o.run_ids,
                       'error', o.error, 'fired_at', core.iso(o.fired_at))
                  from core.schedule_occurrence o
                 where o.tenant_id = s.tenant_id and o.schedule_id = s.id
                 order by o.fired_at desc limit 1),
            'version', s.version, 'created_by', s.created_by,
            'created_at', core.iso(s.created_at),
            'updated_at', core.iso(s.updated_at)));
end
$$;

create or replace function core.schedule_lock(p_id uuid)
returns core.schedule
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    s  core.schedule;
begin
    select * into s from core.schedule t
     where t.tenant_id = core.tenant() and t.id = p_id for update;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND', 'There is no such schedule.');
    end if;

    return s;
end
$$;

-- Refuses an action that says too little or too much for its type.
create or replace function core.schedule_action(p_action jsonb)
returns jsonb
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_suite  uuid := (p_action ->> 'suite_id')::uuid;
begin
    if p_action ->> 'type' = 'run_suite' then
        if v_suite is null then
            perform core.refuse('/body/action/suite_id', 'is required');
        elsif p_action ? 'metadata' then
            perform core.refuse('/body/action/metadata',
                                'is for run_regression_suite only');
        elsif not exists (select from core.test_suite t
                           where t.tenant_id = core.tenant()
                             and t.id = v_suite and t.is_active) then
            perform core.refuse('/body/action/suite_id',
                                'there is no such active suite');
        end if;
    elsif v_suite is not null then
        perform core.refuse('/body/action/suite_id',
            'run_regression_suite takes it as metadata.suite_id');
    end if;

    if p_action -> 'languages' is not null then
        p_action := jsonb_set(p_action, '{languages}', to_jsonb(
            core.languages(p_action -> 'languages',
                           '/body/action/languages')));
    end if;

    return p_action;
end
$$;

create or replace function core.require_cron(p_expression text, p_zone text)
returns void
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_problem  text := (core.cron_parse(p_expression)).problem;
begin
    if v_problem is not null then
        perform core.refuse('/body/expression', v_problem);
    elsif not core.timezone_known(p_zone) then
        perform core.refuse('/body/timezone',
            'is no time zone of IANA, such as Europe/Berlin or UTC');
    end if;
end
$$;

-- The row with the members of the body that were sent.
create or replace function core.schedule_apply(s core.schedule, args jsonb)
returns core.schedule
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    o  core.schedule := s;
begin
    if args ? 'name' then s.name := args ->> 'name'; end if;
    if args ? 'description' then
        s.description := args ->> 'description';
    end if;
    if args ? 'expression' then s.expression := args ->> 'expression'; end if;
    if args ? 'timezone' then s.timezone := args ->> 'timezone'; end if;
    if args ? 'enabled' then
        s.enabled := (args ->> 'enabled')::boolean;
    end if;
    if args ? 'missed_runs' then
        s.missed_runs := args ->> 'missed_runs';
    end if;
    if args ? 'starts_at' then
        s.starts_at := (args ->> 'starts_at')::timestamptz;
    end if;
    if args ? 'ends_at' then
        s.ends_at := (args ->> 'ends_at')::timestamptz;
    end if;
    if args ? 'action' then
        s.action := core.schedule_action(args -> 'action');
    end if;

    perform core.require_cron(s.expression, s.timezone);

    if s.ends_at <= s.starts_at then
        perform core.refuse('/body/ends_at', 'must be later than starts_at');
    end if;

    -- what is due and has no job yet keeps it, unless the times change
    if (s.expression, s.timezone, s.enabled, s.starts_at, s.ends_at)
       is not distinct from
       (o.expression, o.timezone, o.enabled, o.starts_at, o.ends_at)
    then
        return s;
    end if;

    -- what was due once is not due again, wherever the clock was set
    s.next_at := core.schedule_next(s, core.cron_parse(s.expression),
                                    greatest(now(), s.last_at));

    if s.enabled and s.next_at is null then
        perform core.refuse(
            case when core.cron_next(s.expression, s.timezone, now()) is null
                 then '/body/expression' else '/body/ends_at' end,
            'it would never be due');
    end if;

    return s;
end
$$;

create or replace function api.list_schedules(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    p          core.paging := core.page(args);
    v_sort     text := coalesce(args ->> 'sort', '-created_at');
    v_enabled  boolean := (args ->> 'enabled')::boolean;
    v_like     text := core.pattern(args ->> 'search');
    v_total    bigint;
    v_data     json;
begin
    with hit as not materialized (
        select s.* from core.schedule s
         where s.tenant_id = core.tenant()
           and (v_enabled is null or s.enabled = v_enabled)
           and (v_like is null or s.name ilike v_like
                or s.description ilike v_like)
    )
    select (select count(*) from hit),
           (select json_agg(core.schedule_json(row(o.*)::core.schedule))
              from (select h.* from hit h
                     order by
                        case v_sort when 'created_at' then h.created_at end,
                        case v_sort when '-created_at' then h.created_at
                        end desc,
                        case v_sort when 'next_at' then h.next_at end,
                        case v_sort when '-next_at' then h.next_at
                        end desc nulls last,
                        case v_sort when 'name' then lower(h.name) end,
                        case v_sort when '-name' then lower(h.name) end desc,
                        h.id desc
                     limit p.page_size offset p.skip) o)
      into v_total, v_data;

    return core.reply_list(v_data, args, v_total);
end
$$;

create or replace function api.create_schedule(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    s  core.schedule;
begin
    s.timezone := 'UTC';
    s.enabled := true;
    s.missed_runs := 'once';
    s := core.schedule_apply(s, args);

    if (select count(*) from core.schedule t
         where t.tenant_id = core.tenant()) >= 1000
    then
        perform core.fail('CONFLICT', 'There may be 1000 schedules.');
    end if;

    insert into core.schedule (tenant_id, name, description, expression,
        timezone, action, enabled, missed_runs, starts_at, ends_at, next_at,
        created_by)
    values (core.tenant(), s.name, s.description, s.expression, s.timezone,
        s.action, s.enabled, s.missed_runs, s.starts_at, s.ends_at,
        s.next_at, ctx.actor_id)
    returning * into s;

    perform core.audit('schedule.created', 'schedule', s.id,
        jsonb_build_object('name', s.name, 'expression', s.expression));

    return core.reply_created(core.schedule_json(s),
                              '/api/v1/schedules/' || s.id, s.version);
end
$$;

create or replace function api.get_schedule(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    s  core.schedule;
begin
    select * into s from core.schedule t
     where t.tenant_id = core.tenant() and t.id = (args ->> 'id')::uuid;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND', 'There is no such schedule.');
    end if;

    return core.reply_version(core.schedule_json(s), s.version);
end
$$;

create or replace function api.update_schedule(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    s  core.schedule := core.schedule_lock((args ->> 'id')::uuid);
begin
    perform core.check_version(args, s.version);
    s := core.schedule_apply(s, args);

    update core.schedule t
       set name = s.name, description = s.description,
           expression = s.expression, timezone = s.timezone,
           action = s.action, enabled = s.enabled,
           missed_runs = s.missed_runs, starts_at = s.starts_at,
           ends_at = s.ends_at, next_at = s.next_at,
           version = t.version + 1, updated_at = now()
     where t.tenant_id = s.tenant_id and t.id = s.id
    returning * into s;

    perform core.audit('schedule.updated', 'schedule', s.id,
                       jsonb_build_object('version', s.version));

    return core.reply_version(core.schedule_json(s), s.version);
end
$$;

-- With its history; jobs of it that have not ended are cancelled, runs that
-- it made stay.
create or replace function api.delete_schedule(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    s  core.schedule;
begin
    s := core.schedule_lock((args ->> 'id')::uuid);
    perform core.check_version(args, s.version);
    -- under its lock no new one can come; their end locks no schedule
    perform core.cancel_jobs(s.id);

    delete from core.schedule t
     where t.tenant_id = s.tenant_id and t.id = s.id;

    perform core.audit('schedule.deleted', 'schedule', s.id,
                       jsonb_build_object('name', s.name));

    return core.reply(null, 204);
end
$$;

create or replace function api.run_schedule(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    s      core.schedule := core.schedule_lock((args ->> 'id')::uuid);
    v_job  uuid := core.schedule_add(s, clock_timestamp(), true);
begin
    perform core.audit('schedule.run', 'schedule', s.id,
                       jsonb_build_object('job_id', v_job));

    return core.reply(json_build_object('schedule_id', s.id,
                                        'job_id', v_job), 202,
                      p_wake => core.wake(core.schedule_kind(s)));
end
$$;

-- When an expression will be due.
create or replace function api.preview_schedule(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    v_zone   text := coalesce(args ->> 'timezone', 'UTC');
    v_text   text := args ->> 'expression';
    v_count  int := coalesce((args ->> 'count')::int, 10);
    v_at     timestamptz := coalesce((args ->> 'after')::timestamptz, now());
    v_times  json[] := '{}';
begin
    perform core.require_cron(v_text, v_zone);

    for v_n in 1 .. v_count loop
        v_at := core.cron_next(v_text, v_zone, v_at);
        exit when v_at is null;
        v_times := v_times || json_build_object('at', core.iso(v_at),
            'local', core.iso_in(v_at, v_zone));
    end loop;

    return core.reply(json_build_object('expression', v_text,
        'timezone', v_zone, 'times', array_to_json(v_times)));
end
$$;
