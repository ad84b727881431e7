-- The kind scheduled_report: what a tenant's runs of a week or month came to.
-- On Mondays of the seven days before, on the first of a month of the thirty.

-- The numbers of a period.
create or replace function core.report_numbers(
    p_from timestamptz, p_to timestamptz)
returns jsonb
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return (
        with run as (
            select r.id, r.suite_id, r.status from core.test_run r
             where r.tenant_id = core.tenant()
               and r.created_at >= p_from and r.created_at < p_to
        ), execution as (
            select run.suite_id, e.status, e.review_status
              from run join core.voice_test_execution e
                on e.tenant_id = core.tenant() and e.test_run_id = run.id
        ), suite as (
            select x.suite_id, s.name, count(*) as total,
                   count(*) filter (where x.status = 'passed') as passed,
                   count(*) filter (where x.status in ('failed', 'error'))
                   as failed
              from execution x
              join core.test_suite s
                on s.tenant_id = core.tenant() and s.id = x.suite_id
             group by x.suite_id, s.name
             order by failed desc, s.name limit 20
        )
        select jsonb_build_object(
            'runs', (select jsonb_build_object('total', count(*),
                'completed', count(*) filter (where status = 'completed'),
                'failed', count(*) filter (where status = 'failed'),
                'cancelled', count(*) filter (where status = 'cancelled'),
                'under_way', count(*) filter (where status in
                                             ('pending', 'running')))
                from run),
            'executions', (select jsonb_build_object('total', count(*),
                'passed', count(*) filter (where status = 'passed'),
                'failed', count(*) filter (where status = 'failed'),
                'error', count(*) filter (where status = 'error'),
                'skipped', count(*) filter (where status = 'skipped'),
                'pending_validation', count(*) filter (
                    where status = 'pending' and review_status is not null),
                'pass_rate', round(100.0
                    * count(*) filter (where status = 'passed')
                    / nullif(count(*) filter (where status in
                          ('passed', 'failed', 'error')), 0), 1))
                from execution),
            'suites', (select coalesce(jsonb_agg(jsonb_build_object(
                'suite_id', suite_id, 'name', name, 'total', total,
                'passed', passed, 'failed', failed)), '[]')
                from suite)));
end
$$;

create or replace function work.finish_scheduled_report(
    p_job uuid, p_token bigint, p_result json)
returns table (accepted boolean, wake text[])
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    j         core.job := core.hold_job(p_job, p_token);
    v_from    timestamptz := (j.args ->> 'from')::timestamptz;
    v_to      timestamptz := (j.args ->> 'to')::timestamptz;
    v_report  jsonb;
begin
    if j.id is null or j.kind <> 'scheduled_report' then
        return query select false, null::text[];
        return;
    end if;

    v_report := jsonb_build_object('period', j.args -> 'period',
        'from', core.iso(v_from), 'to', core.iso(v_to))
        || core.report_numbers(v_from, v_to);

    perform core.emit('report.ready', 'job', j.id,
        v_report || jsonb_build_object('job_id', j.id));

    return query select true, core.end_job(j.id, v_report);
end
$$;

-- A tenant's job for a period, where it had runs then.
create or replace function core.report_add(
    p_tenant uuid, p_period text, p_from timestamptz, p_to timestamptz)
returns boolean
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    perform core.use_tenant(p_tenant, null, 'system', null, 'report');

    if not exists (select from core.test_run r
                    where r.tenant_id = p_tenant
                      and r.created_at >= p_from and r.created_at < p_to)
    then
        return false;
    end if;

    perform core.add_job('scheduled_report', jsonb_build_object(
        'period', p_period, 'from', p_from, 'to', p_to));

    return true;
end
$$;

set local role voice_work;

-- The jobs of the day's reports, up to the midnight (UTC) before p_at.
create or replace function core.send_reports(p_at timestamptz) returns jsonb
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_day    timestamp := date_trunc('day', p_at at time zone 'UTC');
    v_jobs   int := 0;
    p        record;
    t        record;
begin
    for p in select * from (values
                 ('week', 7, extract(isodow from v_day) = 1),
                 ('month', 30, extract(day from v_day) = 1))
                 v (period, days, due)
              where v.due
    loop
        for t in select n.id from core.tenant n where n.status = 'active'
        loop
            if core.report_add(t.id, p.period,
                   (v_day - make_interval(days => p.days))
                       at time zone 'UTC',
                   v_day at time zone 'UTC')
            then
                v_jobs := v_jobs + 1;
            end if;
        end loop;
    end loop;

    return jsonb_build_object('reports', v_jobs, 'wake',
        coalesce(to_jsonb(core.wake('scheduled_report', v_jobs)), '[]'));
end
$$;

set local role voice_owner;
