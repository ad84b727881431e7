-- The kind scheduled_run: makes the run of a suite that a schedule asks for.

-- Makes a run of a suite for a job.  reason: why it cannot be made, in words
-- for its owner; nothing of it stands then.
create or replace function core.run_for_job(
    p_suite uuid, p_args jsonb, p_trigger text, p_metadata jsonb,
    out run_id uuid, out wake text[], out reason text)
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    r          core.test_run;
    v_cases    uuid[];
    v_code     text;
    v_detail   text;
    v_problem  jsonb;
begin
    r.id := core.uuid_v7();
    r.suite_id := p_suite;
    r.name := p_args ->> 'name';
    r.trigger_type := p_trigger;
    r.trigger_metadata := p_metadata;
    r.priority := coalesce((p_args ->> 'priority')::int, 5);

    begin
        r.languages := core.languages(p_args -> 'languages',
                                      '/body/languages');
        v_cases := core.test_run_cases(jsonb_build_object('suite_id',
                                                          p_suite));
        wake := core.test_run_open(r,
                    core.test_run_plan(v_cases, r.languages));
        run_id := r.id;
    exception when others then
        get stacked diagnostics v_code = returned_sqlstate,
            v_detail = pg_exception_detail, v_problem = pg_exception_hint;

        -- only what a rule refuses; the rest is the job's to try again
        if v_code not like 'V%' then
            raise;
        end if;

        reason := coalesce(v_problem #>> '{0,reason}', v_detail);
        wake := '{}';
        return;
    end;

    perform core.audit('test_run.created', 'test_run', r.id,
        jsonb_build_object('suite_id', p_suite, 'trigger', p_trigger));
end
$$;

create or replace function work.finish_scheduled_run(
    p_job uuid, p_token bigint, p_result json)
returns table (accepted boolean, wake text[])
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    j  core.job := core.hold_job(p_job, p_token);
    r  record;
begin
    if j.id is null or j.kind <> 'scheduled_run' then
        return query select false, null::text[];
        return;
    end if;

    r := core.run_for_job((j.args ->> 'suite_id')::uuid, j.args, 'scheduled',
        jsonb_build_object('schedule_id', j.args -> 'schedule_id',
                           'schedule_name', j.args -> 'schedule_name',
                           'occurrence', j.args -> 'occurrence'));

    perform core.schedule_ended(j.args,
        case when r.reason is null then 'done' else 'failed' end,
        array_remove(array[r.run_id], null), r.reason);

    accepted := true;
    wake := r.wake || core.end_job(j.id, jsonb_strip_nulls(
        jsonb_build_object(
            'result', case when r.reason is null then 'scheduled'
                           else 'refused' end,
            'test_run_id', r.run_id, 'reason', r.reason)));

    return next;
end
$$;

-- A job that died, or was cancelled, is an occurrence that failed.
create or replace function core.schedule_job_ended() returns trigger
language plpgsql security definer set search_path = core, pg_temp
as $$
declare
    v_tenant  uuid := core.tenant();
begin
    perform core.use_tenant(new.tenant_id);
    perform core.schedule_ended(new.args, 'failed', '{}', case new.state
        when 'dead' then coalesce(new.error, 'The job died.')
        else 'The job was cancelled.' end, new.state = 'dead');
    perform core.use_tenant(v_tenant);

    return null;
end
$$;

create or replace trigger schedule_job_ended
    after update of state on core.job for each row
    when (new.kind in ('scheduled_run', 'run_regression_suite')
          and new.state in ('dead', 'cancelled')
          and new.state <> old.state
          and new.args ? 'schedule_id')
    execute function core.schedule_job_ended();
