-- The settings of kinds: what operators change, what releases bring, and what
-- becomes of both.

begin;
select no_plan();

\ir setup/tenants.sql

create temp table before as
    select to_jsonb(k) as row from core.job_kind k where k.kind = 'probe';

create function pg_temp.put(p_settings jsonb) returns jsonb
language sql volatile as $$
    select data::jsonb from api.update_job_kind(pg_temp.a(),
        p_settings || '{"kind": "probe"}')
$$;
create function pg_temp.now_is(p_name text) returns text
language sql volatile as $$
    select to_jsonb(k) ->> p_name from core.job_kind k where k.kind = 'probe'
$$;
-- Why settings are refused: path and reason.
create function pg_temp.refused(p_settings jsonb) returns text
language plpgsql volatile as $$
declare
    v_problem  jsonb;
begin
    perform pg_temp.put(p_settings);
    return 'accepted';
exception when others then
    get stacked diagnostics v_problem = pg_exception_hint;
    return (v_problem #>> '{0,path}') || ': ' || (v_problem #>> '{0,reason}');
end $$;
-- A release: other values of settings, as sql/kinds.sql writes them.
create function pg_temp.release(p_settings jsonb) returns void
language plpgsql volatile as $$
begin
    perform core.release_kinds();
    perform core.set_kind(jsonb_populate_record(k, p_settings))
       from core.job_kind k where k.kind = 'probe';
    perform core.keep_kinds();
end $$;

-- what is a setting
select is(string_agg(c.name, ' ' order by c.name),
          'cancel_instead kind paused_at queue retry_instead',
          'every other column of a kind is a setting')
  from (select jsonb_object_keys(row) from before
        except
        select json_object_keys(core.kind_settings(k))
          from core.job_kind k where k.kind = 'probe') c (name);

-- an operator
create temp table other as select '{
    "soft_seconds": 41, "hard_seconds": 142, "max_attempts": 4,
    "max_lost": 5, "backoff": "linear", "backoff_seconds": 6,
    "backoff_max": 77, "jitter": false, "window_seconds": 8,
    "defer_seconds": 9, "prefetch": 11, "running_max": 12,
    "tenant_running_max": 13, "rate": 1.4, "rate_burst": 15, "heavy": true,
    "result_seconds": 16, "keep_days": 17}'::jsonb as settings;

select is((pg_temp.put(settings) ->> 'version')::int, 2,
          'all settings are changed') from other;
select is(core.kind_settings(k)::jsonb, settings, 'each of them')
  from core.job_kind k, other where k.kind = 'probe';
select is(core.kind_detail(k, c) -> 'defaults' ->> 'prefetch',
          row ->> 'prefetch', 'what the release has is known')
  from before, core.job_kind k join core.job_kind_change c using (kind)
 where k.kind = 'probe';
select is(pg_temp.put('{"jitter": null, "rate": null}')
              -> 'settings' ->> 'prefetch', '11',
          'what is not sent stays');
select is(pg_temp.now_is('jitter') || coalesce(pg_temp.now_is('rate'), ''),
          'true', 'null goes back, also to no limit');
select is((select own from core.job_kind_change where kind = 'probe'),
          settings - array['jitter', 'rate'], 'and is no change any more')
  from other;
select pg_temp.put((select jsonb_object_agg(s.name, null)
                      from other, jsonb_object_keys(settings) s (name)));
select is((select to_jsonb(k) from core.job_kind k where k.kind = 'probe'),
          row, 'all are taken back') from before;
select is((select usual::text from core.job_kind_change
            where kind = 'probe'), '{}', 'without a trace');

-- a release
select is((select max(version) - min(version) from core.job_kind_change
            where kind <> 'probe'), 0, 'kinds have versions of their own');
select version from core.job_kind_change where kind = 'validation' \gset
select pg_temp.release('{}');
select is((select version from core.job_kind_change
            where kind = 'validation'), :version + 1,
          'which a release changes, for its defaults may be others');
select pg_temp.put('{"max_attempts": 7, "rate": 5}');
select pg_temp.release('{"max_attempts": 4, "prefetch": 3}');
select is(pg_temp.now_is('max_attempts') || ' ' || pg_temp.now_is('rate'),
          '7 5', 'a release keeps what an operator changed');
select is(pg_temp.now_is('prefetch'), '3', 'and brings what he did not');
select pg_temp.release('{}');
select is(pg_temp.now_is('max_attempts'), '7', 'so does the next one');
select is(pg_temp.put('{"max_attempts": null}')
              -> 'settings' ->> 'max_attempts', '4',
          'the default is that of the last release');

-- limits of both that do not go together
select pg_temp.put('{"soft_seconds": 50}');
set local client_min_messages = error;
select pg_temp.release('{"soft_seconds": 20, "hard_seconds": 40}');
set local client_min_messages = warning;
select is(pg_temp.now_is('soft_seconds') || ' ' || pg_temp.now_is('rate'),
          '20 5', 'limits that contradict a release give way, they alone');
select is(pg_temp.put('{"rate": 6}') -> 'settings' ->> 'soft_seconds', '20',
          'for good');

-- what does not go together
select is(pg_temp.refused('{"soft_seconds": 40}'),
          '/body/soft_seconds: hard_seconds must be more than soft_seconds',
          'a job has time to end');
select is(pg_temp.refused('{"soft_seconds": 4, "hard_seconds": 4}'),
          '/body/hard_seconds: hard_seconds must be more than soft_seconds',
          'by whatever is sent');
select is(pg_temp.refused('{"backoff_seconds": 61}'),
          '/body/backoff_seconds: backoff_max must not be less than'
          || ' backoff_seconds', 'the longest wait is not the shortest');
select is(pg_temp.refused('{"backoff_max": null, "backoff_seconds": 61}'),
          '/body/backoff_max: backoff_max must not be less than'
          || ' backoff_seconds', 'also as the release has it');

-- leases of jobs that run
select core.add_job('probe', '{}') as job from pg_temp.a() \gset
select pg_temp.put('{"rate": null, "hard_seconds": 3600}');
select count(*) from work.take('w', 'probe', 1);
select throws_ok($$ select pg_temp.put('{"hard_seconds": 3599}') $$, 'V1409',
                 null, 'no limit is lowered under a job that runs');
select throws_ok($$ select pg_temp.put('{"hard_seconds": null}') $$, 'V1409',
                 null, 'nor taken back');
select lives_ok($$ select pg_temp.put('{"hard_seconds": 3601}') $$,
                'one is raised');
update core.job set state = 'done', lease_until = null, ended_at = now()
 where id = :'job';
select lives_ok($$ select pg_temp.put('{"hard_seconds": null}') $$,
                'when it has ended it may be lowered');

-- starts that wait by a slow rate
select pg_temp.put('{"rate": 0.001, "rate_burst": 1}');
select core.add_job('probe', '{}'), core.add_job('probe', '{}')
  from pg_temp.a();
select is((select count(*) from work.take('w', 'probe', 10)), 1::bigint,
          'a slow rate lets one start');
select pg_temp.put('{"rate": 100}');
select ok(bool_and(tat <= now() + interval '10 ms'
                   and wake_at <= now() + interval '10 ms'),
          'at a faster one nobody waits for the slow one')
  from core.job_rate;
select pg_temp.put('{"rate": null}');
select is((select count(*) from work.take('w', 'probe', 10)), 1::bigint,
          'without a rate nobody waits');

select is((select count(*) from core.audit_log
            where action = 'job_kind.updated' and resource_id = 'probe'
              and detail = '{"rate": 100}'), 1::bigint,
          'the log has who changed what');

select * from finish();
rollback;
