-- How many children a queue should have: the source's formula by hand.

begin;
select no_plan();

-- Settings as they are unless said otherwise.
create function pg_temp.q(p_more jsonb default '{}') returns core.queue_scale
language sql
as $$
    select jsonb_populate_record(null::core.queue_scale, '{"queue": "probe",
        "enabled": true, "min": 1, "max": 10, "per_worker": 10,
        "threshold": 0, "cooldown_seconds": 30}'::jsonb || p_more)
$$;

create function pg_temp.decide(p_more jsonb, p_depth int, p_active int)
returns text
language sql
as $$
    select coalesce(d.target::text, '-') || ' '
           || (d.decision ->> 'target_workers') || ' '
           || (d.decision ->> 'scaled') || ' '
           || (d.decision ->> 'direction')
      from core.scale_decide(pg_temp.q(p_more), p_depth, p_active) d
$$;

select is(core.scale_target(pg_temp.q(), d), t, d || ' jobs want ' || t)
  from (values (0, 1), (1, 1), (10, 1), (11, 2), (20, 2), (21, 3), (95, 10),
               (100, 10), (101, 10), (1000000, 10)) v (d, t);
select is(core.scale_target(pg_temp.q(m), d), t, m::text || ': ' || d)
  from (values ('{"threshold": 15}'::jsonb, 15, 1),
               ('{"threshold": 15}', 16, 2),
               ('{"min": 3}', 0, 3), ('{"min": 3}', 11, 3),
               ('{"min": 0}', 0, 0), ('{"min": 0}', 1, 1),
               ('{"max": 4}', 100, 4), ('{"per_worker": 3}', 10, 4),
               ('{"min": 2, "max": 2}', 100, 2)) v (m, d, t);

select is(pg_temp.decide('{}', 35, 1), '4 4 true up', 'more are wanted');
select is(pg_temp.decide('{}', 0, 4), '1 1 true down', 'fewer are wanted');
select is(pg_temp.decide('{}', 35, 4), '4 4 false none',
          'as many as there are is no change');
select is(pg_temp.decide('{"target": 4}', 35, 2), '4 4 false none',
          'what was decided before is not decided again');
select is(pg_temp.decide('{"enabled": false}', 35, 1), '- 4 false up',
          'it takes no effect where scaling is off');
select is(pg_temp.decide(jsonb_build_object('target', 1, 'changed_at',
    now() - interval '29 seconds'), 35, 1), '1 4 false up',
    'nor soon after the last change');
select is(pg_temp.decide(jsonb_build_object('target', 1, 'changed_at',
    now() - interval '30 seconds'), 35, 1), '4 4 true up',
    'it does when the cooldown is over');
select is((core.scale_decide(pg_temp.q(), 35, 4)).changed_at, null,
          'what changes nothing begins no cooldown');
select is((core.scale_decide(pg_temp.q(), 35, 1)).changed_at, now(),
          'what changes something does');
select is((core.scale_decide(pg_temp.q(), 35, 1)).decision,
    '{"queue_depth": 35, "active_workers": 1, "target_workers": 4,
      "scaled": true, "direction": "up"}'::jsonb, 'a decision is kept whole');

-- Depth and children as they are.

insert into core.tenant (id, business_name)
values ('00000000-0000-7000-8000-00000000000a', 'Acme');
select core.use_tenant('00000000-0000-7000-8000-00000000000a', null,
                       'system', null, 'r');
select count(core.add_job('probe', '{}')) from generate_series(1, 35);
select core.add_job('probe', '{}', p_run_at => now() + interval '1 hour');

insert into core.worker (name, queues, children, beat_at)
values ('a', '{validation,probe}', '{7,1}', now()),
       ('b', '{probe}', '{1}', now() - interval '10 seconds'),
       ('dead', '{probe}', '{9}', now() - interval '20 seconds'),
       ('old', '{probe}', '{}', now());

select is(core.scale_depth(pg_temp.q()), 35::bigint,
          'jobs that are due wait');
select is(core.scale_depth(pg_temp.q('{"max": 2}')), 21::bigint,
          'they are counted as far as they matter');
select is(core.scale_active('probe'), 2::bigint,
          'children of pools that live are counted');
select is(core.scale_active('call_processing'), 0::bigint,
          'a queue that nobody serves has none');

select is(core.scale_queues() #>> '{scaled,probe,direction}', 'up',
          'every queue is decided on');
select is((select target from core.queue_scale where queue = 'probe'), 4,
          'the table has the target');
select is(core.scale_queues() -> 'scaled', '{}', 'and keeps it');
delete from core.job;
select core.scale_queues();
select is((select target || ' ' || (decision ->> 'direction')
             from core.queue_scale where queue = 'probe'), '4 down',
          'within the cooldown the wish is told, the target stays');
update core.queue_scale set changed_at = now() - interval '1 minute';
select core.scale_queues();
select is((select target from core.queue_scale where queue = 'probe'), 1,
          'then it follows');

select * from finish();
rollback;
