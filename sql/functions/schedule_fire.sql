-- What is due: every occurrence becomes one job, in one transaction with the
-- row that proves it.

create or replace function core.schedule_kind(s core.schedule) returns text
language sql immutable
as $$
    select case s.action ->> 'type' when 'run_suite' then 'scheduled_run'
                else 'run_regression_suite' end
$$;

-- Errors of the moment (a deadlock, a server that stops): nothing was wrong
-- with what was done, and it is done again.
create or replace function core.is_passing(p_sqlstate text) returns boolean
language sql immutable
as $$ select p_sqlstate ~ '^(40|53|57)' or p_sqlstate = '55P03' $$;

-- The job of an occurrence; null: it has one already.
create or replace function core.schedule_add(
    s core.schedule, p_at timestamptz, p_by_hand boolean)
returns uuid
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_job  uuid;
begin
    insert into core.schedule_occurrence (tenant_id, schedule_id, occurrence,
        by_hand, state)
    values (s.tenant_id, s.id, p_at, p_by_hand, 'queued')
    on conflict do nothing;

    if not found then
        return null;
    end if;

    v_job := core.add_job(core.schedule_kind(s), s.action - 'type'
        || jsonb_build_object('schedule_id', s.id, 'schedule_name', s.name,
               'occurrence', p_at, 'by_hand', p_by_hand,
               'trigger', 'schedule'),
        s.id, coalesce((s.action ->> 'priority')::int, 5));

    update core.schedule_occurrence o set job_id = v_job
     where o.tenant_id = s.tenant_id and o.schedule_id = s.id
       and o.occurrence = p_at and o.by_hand = p_by_hand;

    return v_job;
end
$$;

-- The occurrences that are to run now, of those that are due.  What is late
-- by more than a minute was missed: none of it (skip), one for all (once), or
-- each, the oldest first and a hundred at most (all).
create or replace function core.schedule_due(
    s core.schedule, c core.cron, p_now timestamptz)
returns timestamptz[]
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_late  timestamptz := p_now - interval '1 minute';
    v_at    timestamptz := s.next_at;
    v_due   timestamptz[] := '{}';
begin
    if s.missed_runs = 'once' and s.next_at < v_late then
        return array[s.next_at];
    elsif s.missed_runs = 'skip' and s.next_at < v_late then
        v_at := core.schedule_next(s, c, v_late);
    end if;

    while v_at <= p_now and cardinality(v_due) < 100 loop
        v_due := v_due || v_at;
        v_at := core.schedule_next(s, c, v_at);
    end loop;

    return v_due;
end
$$;

-- Makes the jobs of one schedule that are due and sets when it is due next;
-- their queues.  Nothing where another keeper has it.
create or replace function core.schedule_fire(
    p_tenant uuid, p_id uuid, p_now timestamptz)
returns text[]
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    s        core.schedule;
    c        core.cron;
    v_due    timestamptz[];
    v_next   timestamptz;
    v_wake   text[] := '{}';
    v_at     timestamptz;
    v_error  text;
begin
    perform core.use_tenant(p_tenant, null, 'system', null, p_id::text);

    select * into s from core.schedule t
     where t.tenant_id = p_tenant and t.id = p_id and t.next_at <= p_now
       for update skip locked;

    if not found then
        return null;
    end if;

    -- a schedule that makes no job must not hold up all others; one that can
    -- be read no more (its zone has left the server's tables) is not due again
    begin
        c := core.cron_parse(s.expression);
        v_next := core.schedule_next(s, c, p_now);
        v_due := core.schedule_due(s, c, p_now);

        foreach v_at in array v_due loop
            if core.schedule_add(s, v_at, false) is not null then
                v_wake := v_wake || core.wake(core.schedule_kind(s));
            end if;
        end loop;
    exception when others then
        if core.is_passing(sqlstate) then
            raise;
        end if;

        v_error := left(sqlerrm, 500);
        v_wake := '{}';
        raise warning 'schedule % makes no job: %', s.id, sqlerrm;
    end;

    if s.next_at <> all (v_due) then
        insert into core.schedule_occurrence (tenant_id, schedule_id,
            occurrence, state)
        values (s.tenant_id, s.id, s.next_at, 'missed')
        on conflict do nothing;
    end if;

    update core.schedule t
       set last_at = coalesce(v_due[cardinality(v_due)], s.last_at),
           next_at = v_next, error = v_error
     where t.tenant_id = s.tenant_id and t.id = s.id;

    return v_wake;
end
$$;

-- How it went, for the schedule that asked; nothing for jobs by hand or hook.
-- What somebody cancelled is not told again by an event (p_tell).
create or replace function core.schedule_ended(
    p_args jsonb, p_state text, p_runs uuid[], p_error text,
    p_tell boolean default true)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    update core.schedule_occurrence o
       set state = p_state, run_ids = p_runs, error = left(p_error, 500)
     where o.tenant_id = core.tenant()
       and o.schedule_id = (p_args ->> 'schedule_id')::uuid
       and o.occurrence = (p_args ->> 'occurrence')::timestamptz
       and o.by_hand = (p_args ->> 'by_hand')::boolean;

    if found and p_tell and p_state = 'failed' then
        perform core.emit('schedule.failed', 'schedule',
            (p_args ->> 'schedule_id')::uuid, jsonb_build_object(
                'schedule_id', p_args ->> 'schedule_id',
                'schedule_name', p_args ->> 'schedule_name',
                'occurrence', core.iso(
                    (p_args ->> 'occurrence')::timestamptz),
                'error', left(p_error, 500)));
    end if;
end
$$;

set local role voice_work;

-- One of the system's own.  No name becomes code: an action is a row here.
create or replace function core.system_act(p_action text, p_at timestamptz)
returns jsonb
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    return case p_action
        when 'clean_results' then core.clean_results()
        when 'scale_queues' then core.scale_queues()
        when 'send_reports' then core.send_reports(p_at) end;
end
$$;

-- Does what is due of the system's own; their queues.  However long nobody
-- looked, once.
create or replace function core.system_fire(p_now timestamptz)
returns text[]
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    s         core.system_schedule;
    v_next    timestamptz;
    v_result  jsonb;
    v_error   text;
    v_wake    text[] := '{}';
begin
    for s in select * from core.system_schedule t
              where t.enabled and coalesce(t.next_at, p_now) <= p_now
              order by t.name for update skip locked
    loop
        v_next := p_now + interval '1 hour';       -- of one that is not read
        v_result := null;
        v_error := null;

        begin
            v_next := core.cron_next(s.expression, s.timezone, p_now);

            -- one that was never looked at is due at its next time
            if s.next_at is not null then
                v_result := core.system_act(s.action, s.next_at);
                v_wake := v_wake || core.text_array(v_result -> 'wake');
            end if;
        exception when others then
            if core.is_passing(sqlstate) then
                raise;
            end if;

            v_error := left(sqlerrm, 500);
            raise warning 'schedule "%" failed: %', s.name, sqlerrm;
        end;

        update core.system_schedule t
           set next_at = v_next,
               last_at = coalesce(s.next_at, t.last_at),
               result = coalesce(v_result - 'wake', t.result),
               error = v_error
         where t.name = s.name;
    end loop;

    return v_wake;
end
$$;

-- The keeper's: makes what is due, p_max schedules of tenants at most.  The
-- queues to wake, and in how many milliseconds to look again; null: nothing
-- will be due.
create or replace function work.schedule_fire(
    p_max int, p_now timestamptz default clock_timestamp())
returns table (fired int, wake text[], next_ms int)
language plpgsql volatile security definer set search_path = core, pg_temp
set enable_seqscan = off set jit = off
as $$
declare
    s       record;
    v_wake  text[];
begin
    fired := 0;
    wake := core.system_fire(p_now);

    for s in select l.tenant_id, l.id
               from core.schedule l
               join core.tenant t on t.id = l.tenant_id
              where l.next_at <= p_now and t.status = 'active'
              order by l.next_at limit p_max
    loop
        v_wake := core.schedule_fire(s.tenant_id, s.id, p_now);

        if v_wake is not null then
            fired := fired + 1;
            wake := wake || v_wake;
        end if;
    end loop;

    perform core.use_tenant(null, null, null, null, null);

    select ceil(extract(epoch from greatest(interval '0', least(
               interval '1 day', n.next_at - p_now))) * 1000)::int
      into next_ms
      from ((select l.next_at from core.schedule l
               join core.tenant t on t.id = l.tenant_id
              where l.next_at is not null and t.status = 'active'
              order by l.next_at limit 1)
            union all
            (select t.next_at from core.system_schedule t
              where t.enabled)) n
     order by n.next_at limit 1;

    return next;
end
$$;

-- Occurrences of long ago, p_max at most; how many.
create or replace function core.purge_occurrences(p_max int) returns bigint
language plpgsql volatile set search_path = core, pg_temp
set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
declare
    v_some  bigint;
begin
    delete from core.schedule_occurrence o
     where (o.tenant_id, o.schedule_id, o.occurrence, o.by_hand) in (
               select p.tenant_id, p.schedule_id, p.occurrence, p.by_hand
                 from core.schedule_occurrence p
                where p.fired_at < now() - interval '90 days'
                order by p.fired_at limit p_max);

    get diagnostics v_some = row_count;
    return v_some;
end
$$;

-- Results that are past their kind's days; what is more than 50,000 of them,
-- or takes longer than two seconds (the schedules of tenants wait),
-- work.purge() removes within the hours that follow.
create or replace function core.clean_results() returns jsonb
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_begin  timestamptz := clock_timestamp();
    v_some   bigint;
    v_old    bigint;
    v_jobs   bigint := 0;
    v_fired  bigint := 0;
begin
    for v_round in 1 .. 10 loop
        v_some := core.purge_jobs(5000);
        v_old := core.purge_occurrences(5000);
        v_jobs := v_jobs + v_some;
        v_fired := v_fired + v_old;
        exit when greatest(v_some, v_old) < 5000
                  or clock_timestamp() > v_begin + interval '2 seconds';
    end loop;

    return jsonb_build_object('jobs', v_jobs, 'occurrences', v_fired);
end
$$;

set local role voice_owner;
