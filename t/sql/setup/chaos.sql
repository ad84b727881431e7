-- Jobs of all sorts whose effects are written down: t/90-fault-jobs.t.  With
-- t/sql/setup/fair.sql, whose log has all moves.

create schema chaos;

-- What a finish did; twice if it did it twice.
create table chaos.effect (
    job_id  uuid not null,
    token   bigint not null,
    name    text not null,
    at      timestamptz not null default clock_timestamp()
);

create table chaos.wave (n int primary key);

-- How a job must end; null: as it likes.
create table chaos.planned (
    wave     int not null,
    job_id   uuid not null,
    what     text not null,
    outcome  text
);

-- Groups and what is unique.
create table chaos.bunch (
    wave      int not null,
    group_id  uuid,
    chain_id  uuid,
    size      int not null
);

grant usage on schema chaos, fair to public;
grant all on all tables in schema chaos to public;

insert into fair.phase values ('chaos');

-- The kinds whose work is done by their finish.
create function chaos.take_effect(j core.job, p_token bigint)
returns table (accepted boolean, wake text[])
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    if j.id is null then
        return query select false, null::text[];
        return;
    end if;

    insert into chaos.effect (job_id, token, name)
    values (j.id, p_token, coalesce(j.args ->> 'name', j.kind));
    perform core.end_job(j.id, '{}'::jsonb);

    return query select true, core.woken();
end $$;

create or replace function work.finish_scheduled_report(
    p_job uuid, p_token bigint, p_result json)
returns table (accepted boolean, wake text[])
language sql volatile security definer set search_path = core, pg_temp
as $$
    select * from chaos.take_effect(core.hold_job(p_job, p_token), p_token)
$$;

create or replace function work.finish_scheduled_run(
    p_job uuid, p_token bigint, p_result json)
returns table (accepted boolean, wake text[])
language sql volatile security definer set search_path = core, pg_temp
as $$
    select * from chaos.take_effect(core.hold_job(p_job, p_token), p_token)
$$;

-- Poison is at work for long enough to be killed, and never comes to an end.
create or replace function work.finish_run_regression_suite(
    p_job uuid, p_token bigint, p_result json)
returns table (accepted boolean, wake text[])
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    if exists (select from core.job j
                where j.id = p_job and j.args ? 'poison')
    then
        perform pg_sleep(5);                   -- sleep is the load
        raise exception 'nobody killed it';
    end if;

    return query
    select * from chaos.take_effect(core.hold_job(p_job, p_token), p_token);
end $$;

-- it looks at a job before it is under its tenant
alter function work.finish_run_regression_suite(uuid, bigint, json)
    owner to postgres;

-- The effect of a probe is its result.
create function chaos.probe_done() returns trigger
language plpgsql security definer
as $$
begin
    insert into chaos.effect (job_id, token, name)
    values (new.id, new.token, 'probe');
    return null;
end $$;

create trigger chaos_probe after update of state on core.job
    for each row when (new.kind = 'probe' and new.state = 'done'
                       and old.state = 'running')
    execute function chaos.probe_done();

-- --- waves of jobs --------------------------------------------------------

create function chaos.plan(p_wave int, p_what text, p_outcome text,
                           p_ids uuid[])
returns void
language sql volatile
as $$
    insert into chaos.planned
    select p_wave, i, p_what, p_outcome from unnest(p_ids) i
$$;

create function chaos.args(p_n int, p_args jsonb) returns jsonb[]
language sql volatile
as $$ select array_agg(p_args) from generate_series(1, p_n) $$;

-- Probes that take different times.
create function chaos.probes(p_n int) returns jsonb[]
language sql volatile
as $$
    select array_agg(jsonb_build_object('work_ms',
               case when random() < 0.5 then 0
                    when random() < 0.9 then floor(random() * 60)
                    else floor(random() * 400) end))
      from generate_series(1, p_n)
$$;

-- A group of rules, probes and a chain; its finalizer is a report.
create function chaos.add_group(p_wave int) returns void
language plpgsql volatile
as $$
declare
    v_group  uuid := core.open_group('scheduled_report',
        jsonb_build_object('name', 'finalizer of ' || p_wave));
begin
    perform chaos.plan(p_wave, 'member', 'done', core.add_jobs(
        'scheduled_run', chaos.args(5, '{}'), null, 5, now(), v_group));
    perform chaos.plan(p_wave, 'member', 'done', core.add_jobs('probe',
        chaos.probes(5), null, 5, now(), v_group));
    perform chaos.plan(p_wave, 'member', 'dead', core.add_jobs('probe',
        array['{"fail": "dead"}'::jsonb], null, 5, now(), v_group));
    perform core.add_chain('[{"kind": "probe"}, {"kind": "scheduled_run"}]',
                           null, 5, v_group);
    perform core.close_group(v_group);
    insert into chaos.bunch values (p_wave, v_group, null, 13);
end $$;

-- About p_n jobs, of one of the tenants, once.
create function chaos.add(p_wave int, p_n int) returns void
language plpgsql volatile
as $$
declare
    v_subject  uuid := core.uuid_v7();
begin
    insert into chaos.wave values (p_wave) on conflict do nothing;

    if not found then
        return;
    end if;

    perform core.use_tenant(t.id, null, 'system', null, 'chaos')
       from core.tenant t order by t.id offset p_wave % 4 limit 1;

    perform chaos.plan(p_wave, 'probe', 'done', core.add_jobs('probe',
        chaos.probes(p_n * 5 / 10), null, 1 + p_wave % 10));
    perform chaos.plan(p_wave, 'report', 'done', core.add_jobs(
        'scheduled_report', chaos.args(p_n / 10, '{}')));
    perform chaos.plan(p_wave, 'suite', 'done', core.add_jobs(
        'run_regression_suite', chaos.args(p_n / 20, '{}')));
    perform chaos.plan(p_wave, 'late', 'done', core.add_jobs('probe',
        chaos.probes(p_n / 10), null, 5,
        now() + interval '3 seconds' * random()));
    perform chaos.plan(p_wave, 'dead', 'dead', core.add_jobs('probe',
        chaos.args(2, '{"fail": "dead"}')));
    perform chaos.plan(p_wave, 'retried', 'dead', core.add_jobs('probe',
        chaos.args(2, '{"fail": "retry"}')));
    perform chaos.plan(p_wave, 'cancelled', null, core.add_jobs('probe',
        chaos.probes(p_n / 20), v_subject));
    perform chaos.plan(p_wave, 'unique', 'done', array[u.job_id])
       from generate_series(1, p_n / 20) n,
            core.add_unique_job('probe', 'key ' || n % 3, null,
                                '{"work_ms": 20}') u
      where u.is_new;
    perform chaos.add_group(p_wave);
    insert into chaos.bunch
    select p_wave, null, core.add_chain('[{"kind": "probe"},
        {"kind": "scheduled_report"}, {"kind": "scheduled_run"},
        {"kind": "probe"}]'), 4;

    perform core.cancel_jobs(v_subject);
end $$;

-- One job, once for a name.
create function chaos.beacon(p_name text) returns void
language plpgsql volatile
as $$
begin
    if exists (select from chaos.planned p where p.what = p_name) then
        return;
    end if;

    perform core.use_tenant(t.id, null, 'system', null, 'chaos')
       from core.tenant t order by t.id limit 1;
    perform chaos.plan(-1, p_name, 'done', array[
        core.add_job('probe', '{}', null, 10)]);
end $$;

create function chaos.suites(p_n int, p_args jsonb) returns void
language plpgsql volatile
as $$
begin
    perform core.use_tenant(t.id, null, 'system', null, 'chaos')
       from core.tenant t order by t.id limit 1;
    perform core.add_jobs('run_regression_suite', chaos.args(p_n, p_args));
end $$;

-- --- afterwards -----------------------------------------------------------

-- Jobs that did not end as planned.
create view chaos.astray as
select p.what, j.state, count(*) as n, min(j.id::text) as id
  from chaos.planned p
  left join core.job j on j.id = p.job_id
 where j.state is distinct from coalesce(p.outcome, j.state)
    or j.state is null or j.state in ('queued', 'running')
 group by p.what, j.state;

-- Jobs and the number of their effects, where that is not right.
create view chaos.effects as
select j.id, j.kind, j.state, count(e.job_id) as effects
  from core.job j
  left join chaos.effect e on e.job_id = j.id
 group by j.id, j.kind, j.state
having count(e.job_id) <> case when j.state = 'done' then 1 else 0 end;

-- What failed by itself is an attempt, what was lost is not.
create view chaos.burnt as
select j.id, j.kind, j.state, j.attempt, j.lost, j.deferred, j.error
  from core.job j
 where j.attempt - j.lost - j.deferred <> case
           when j.state = 'cancelled' then j.attempt - j.lost - j.deferred
           when j.args ->> 'fail' = 'retry' then 3
           else 1 end;

-- Groups without their one finalizer, or one that began too soon.  By the
-- log: a transaction that waited for another has the earlier time.
create view chaos.unfinished as
select b.group_id, count(f.id) as finalizers, m.n as members, m.ended, c.begun,
       e.effects
  from chaos.bunch b
  join core.job_group g on g.id = b.group_id
  left join core.job f on f.id = g.finalizer_id and f.state = 'done'
 cross join lateral (
    select count(distinct m.id) as n, max(l.seq) as ended
      from core.job m
      left join fair.log l
        on l.job_id = m.id and l.op in ('done', 'dead', 'cancelled')
     where m.group_id = b.group_id
       and m.id is distinct from g.finalizer_id) m
 cross join lateral (
    select min(l.seq) as begun from fair.log l
     where l.job_id = g.finalizer_id and l.op = 'claim') c
 cross join lateral (
    select count(*) as effects from chaos.effect e
     where e.name = 'finalizer of ' || b.wave) e
 group by b.group_id, b.size, m.n, m.ended, c.begun, e.effects
having count(f.id) <> 1 or m.n <> b.size or e.effects <> 1
    or c.begun is null or c.begun < m.ended;

-- Two that live at once and have a key in common.
create view chaos.doubles as
select a.id, b.id as other
  from core.job a
  join core.job b
    on b.tenant_id = a.tenant_id and b.kind = a.kind
   and b.unique_key = a.unique_key and b.id > a.id
 where b.created_at < a.ended_at;
