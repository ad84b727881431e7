-- The kind run_regression_suite: runs a tenant's regression suites, by a
-- schedule, a CI's hook or by hand.

-- Which suites, each once and in this order: metadata's
-- regression_suite_id, suite_id and regression_suite_ids, then those of the
-- tenant's settings; without any of these all active ones whose category is
-- "regression" or whose name has that word.
create or replace function core.regression_suites(p_metadata jsonb)
returns uuid[]
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_named  uuid[];
begin
    v_named := array_remove(array[
            (p_metadata ->> 'regression_suite_id')::uuid,
            (p_metadata ->> 'suite_id')::uuid], null)
        || core.text_array(p_metadata -> 'regression_suite_ids')::uuid[]
        || core.text_array((
               select t.settings #> '{regression,suite_ids}'
                 from core.tenant t where t.id = core.tenant()))::uuid[];

    if cardinality(v_named) > 0 then
        return array(select n.id
                       from unnest(v_named) with ordinality n (id, place)
                      group by n.id order by min(n.place));
    end if;

    return array(select s.id from core.test_suite s
                  where s.tenant_id = core.tenant() and s.is_active
                    and (lower(s.category) = 'regression'
                         or s.name ilike '%regression%')
                  order by s.created_at, s.name, s.id);
end
$$;

create or replace function core.regression_enabled() returns boolean
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return (select coalesce((t.settings
                             #>> '{regression,enabled}')::boolean, true)
              from core.tenant t where t.id = core.tenant());
end
$$;

-- Makes the runs; what a job of the kind comes to.  A suite that cannot be
-- run does not keep the others from it.
create or replace function core.regression_run(
    p_args jsonb, out result jsonb, out wake text[])
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_suites   uuid[] := core.regression_suites(p_args -> 'metadata');
    v_trigger  text := 'auto:' || coalesce(p_args ->> 'trigger', 'manual');
    v_about    jsonb := coalesce(p_args -> 'metadata', '{}')
                   || jsonb_strip_nulls(jsonb_build_object(
                          'schedule_id', p_args -> 'schedule_id',
                          'schedule_name', p_args -> 'schedule_name',
                          'occurrence', p_args -> 'occurrence'));
    v_runs     jsonb := '[]';
    v_refused  jsonb := '[]';
    v_suite    uuid;
    r          record;
begin
    wake := '{}';

    if not core.regression_enabled() then
        result := '{"result": "disabled"}';
        return;
    elsif cardinality(v_suites) = 0 then
        result := '{"result": "skipped", "reason": "no_regression_suites"}';
        return;
    end if;

    foreach v_suite in array v_suites[:50] loop
        r := core.run_for_job(v_suite, p_args, v_trigger, v_about);
        wake := wake || r.wake;

        if r.reason is null then
            v_runs := v_runs || jsonb_build_object('suite_id', v_suite,
                                                   'test_run_id', r.run_id);
        else
            v_refused := v_refused || jsonb_build_object(
                'suite_id', v_suite, 'reason', r.reason);
        end if;
    end loop;

    foreach v_suite in array coalesce(v_suites[51:], '{}') loop
        v_refused := v_refused || jsonb_build_object('suite_id', v_suite,
            'reason', 'fifty suites run at once, at most');
    end loop;

    result := jsonb_build_object('result', 'scheduled', 'trigger', v_trigger,
                                 'runs', v_runs, 'refused', v_refused);
end
$$;

create or replace function work.finish_run_regression_suite(
    p_job uuid, p_token bigint, p_result json)
returns table (accepted boolean, wake text[])
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    j      core.job := core.hold_job(p_job, p_token);
    r      record;
    v_why  text;
begin
    if j.id is null or j.kind <> 'run_regression_suite' then
        return query select false, null::text[];
        return;
    end if;

    r := core.regression_run(j.args);

    if r.result -> 'runs' = '[]' then
        v_why := r.result #>> '{refused,0,reason}';
    end if;

    perform core.schedule_ended(j.args,
        case when v_why is null then 'done' else 'failed' end,
        array(select (e.run ->> 'test_run_id')::uuid
                from jsonb_array_elements(r.result -> 'runs') e (run)),
        v_why);

    accepted := true;
    wake := r.wake || core.end_job(j.id, r.result);

    return next;
end
$$;

-- By hand, or by a CI with an API key.
create or replace function api.run_regressions(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_job    uuid;
    v_extra  jsonb := '{}';
begin
    if args -> 'languages' is not null then
        v_extra := jsonb_build_object('languages', core.languages(
                       args -> 'languages', '/body/languages'));
    end if;

    v_job := core.add_job('run_regression_suite', jsonb_strip_nulls(
        jsonb_build_object(
            'trigger', coalesce(args ->> 'trigger', 'manual'),
            'metadata', args -> 'metadata', 'name', args -> 'name',
            'priority', args -> 'priority')) || v_extra,
        p_priority => coalesce((args ->> 'priority')::int, 5));

    perform core.audit('regression.requested', 'job', v_job,
        jsonb_build_object('trigger', coalesce(args ->> 'trigger',
                                               'manual')));

    return core.reply(json_build_object(
            'job_id', v_job, 'enabled', core.regression_enabled(),
            'suite_ids', core.regression_suites(args -> 'metadata')), 202,
        p_wake => core.wake('run_regression_suite'));
end
$$;
