-- The kind call_processing: drives, tries, what a call keeps of them.

begin;
\ir setup/tenants.sql
select no_plan();

create temporary table held (job_id uuid, token bigint,
                             n int generated always as identity);

-- A call of tenant a with packets, completed, its grace period over.
create function pg_temp.call(p_name text, p_packets text[]) returns void
language plpgsql volatile
as $$
begin
    perform api.ingest_packet(pg_temp.a(),
        array(select p_name from unnest(p_packets)),
        array(select generate_series(0, cardinality(p_packets) - 1)::bigint),
        array(select 100.0 + n from generate_series(1,
              cardinality(p_packets)) n)::float8[],
        array(select null::text from unnest(p_packets)), p_packets, 100);
    perform api.complete_call(pg_temp.a(), jsonb_build_object(
        'call_id', p_name, 'total_packets', cardinality(p_packets) + 2));
    update core.call_stream s set closes_at = now() - interval '1 second'
     where s.external_id = p_name;
end $$;

create function pg_temp.of(p_name text) returns core.call
language sql stable
as $$ select c from core.call c where c.external_id = p_name $$;

create function pg_temp.job(p_name text) returns core.job
language sql stable
as $$
    select j from core.job j
     where j.subject_id = (pg_temp.of(p_name)).id
       and j.state in ('queued', 'running')
$$;

-- Claims the call's job, whenever it is due, and starts it.
create function pg_temp.begin(p_name text) returns jsonb
language plpgsql volatile
as $$
begin
    update core.job j set run_at = now() - interval '1 hour'
     where j.subject_id = (pg_temp.of(p_name)).id and j.state = 'queued';
    update core.call c set redrive_at = now() - interval '1 second'
     where c.external_id = p_name and c.redrive_at is not null;
    insert into held (job_id, token)
    select w.job_id, w.token from work.claim('w', 'call_processing', 1) w;

    return (select work.start_call_processing(h.job_id, h.token)
              from held h order by h.n desc limit 1);
end $$;

create function pg_temp.last() returns held
language sql stable as $$ select h from held h order by h.n desc limit 1 $$;

create function pg_temp.fail(p_retry boolean default true,
    p_after int default 0, p_error text default 'no answer')
returns text language sql volatile
as $$
    select f.state from work.fail((pg_temp.last()).job_id,
        (pg_temp.last()).token, p_error, p_retry, p_after) f
$$;

create function pg_temp.finish(p_result json) returns boolean
language sql volatile
as $$
    select f.accepted
      from work.finish_call_processing((pg_temp.last()).job_id,
                                       (pg_temp.last()).token, p_result) f
$$;

create function pg_temp.tries(p_name text) returns text language sql stable
as $$
    select string_agg(t.drive || '.' || t.try || ' '
                      || coalesce(t.outcome, '-'), ', '
                      order by t.drive, t.try)
      from core.call_try t where t.call_id = (pg_temp.of(p_name)).id
$$;

create function pg_temp.moves(p_name text) returns text language sql stable
as $$
    select string_agg(m.to_state || coalesce(' ' || m.drive, ''), ', '
                      order by m.position)
      from core.call_move m where m.call_id = (pg_temp.of(p_name)).id
$$;

create function pg_temp.events(p_name text) returns text language sql stable
as $$
    select string_agg(e.type || coalesce(' ' || (e.payload ->> 'to_state'),
                                         ''), ', ' order by e.position)
      from core.event e where e.subject_id = (pg_temp.of(p_name)).id
$$;

create function pg_temp.set(p_calls jsonb) returns void language sql volatile
as $$
    update core.tenant t set settings = jsonb_build_object('calls', p_calls)
     where t.id = '00000000-0000-7000-8000-00000000000a'
$$;

-- a call that is processed at once

select pg_temp.call('good', array['one', 'two', 'three']);
select pg_temp.set('{"analysis": "deep", "language": "de"}');
select is(pg_temp.begin('good') - 'id',
    '{"call_id": "good", "expected": 5, "media": "text", "sample_rate": 8000,
      "language": "de", "analysis": "deep", "missing": 2, "drive": 1,
      "try": 1}',
    'the worker learns what it needs');
select is((pg_temp.of('good')).processing_state, 'PROCESSING_AI',
    'the call is being processed');
select is((select s.closed from core.call_stream s
            where s.external_id = 'good'), true, 'its stream is closed');
select results_eq($$ select p.sequence, p.sent_at, p.data
      from work.call_packets((pg_temp.last()).job_id,
                             (pg_temp.last()).token, -1, 2) p $$,
    $$ values (0, 101.0::float8, 'one'), (1, 102.0::float8, 'two') $$,
    'packets come in their order, by pages');
select results_eq($$ select p.sequence, p.data
      from work.call_packets((pg_temp.last()).job_id,
                             (pg_temp.last()).token, 1, 2) p $$,
    $$ values (2, 'three') $$, 'the last page is shorter');
select is((select count(*) from work.call_packets((pg_temp.last()).job_id,
    (pg_temp.last()).token, 2, 2)), 0::bigint, 'then there are none');
select throws_ok($$ select work.call_packets((pg_temp.last()).job_id, 99, -1,
    2) $$, 'V1409', 'INVALID_STATE', 'nobody reads them who lost the job');
select is(pg_temp.finish('{"provider": "deep", "transcription": "one two",
    "sentiment": "negative", "sentiment_detail": {"score": -0.5},
    "summary": "Numbers.", "language": "en", "duration_ms": 2000,
    "notes": []}'), true, 'the result is taken');
select results_eq($$ select (c).processing_state, (c).transcription,
        (c).sentiment, (c).sentiment_detail, (c).summary, (c).language_code,
        (c).duration_ms, (c).processed_at is not null
      from (select pg_temp.of('good') as c) s $$,
    $$ values ('ARCHIVED', 'one two', 'negative', '{"score": -0.5}'::jsonb,
               'Numbers.', 'en', 2000::bigint, true) $$, 'and kept');
select is(pg_temp.moves('good'), 'COMPLETED, PROCESSING_AI 1, ARCHIVED 1',
    'by the moves that there are');
select is(pg_temp.events('good'), 'call.state_changed COMPLETED, '
    || 'call.state_changed PROCESSING_AI, call.state_changed ARCHIVED, '
    || 'call.ai_completed', 'the state is told before the result');
select is((select e.payload from core.event e
            where e.type = 'call.ai_completed'),
    '{"call_id": "good", "transcription": "one two",
      "sentiment": "negative"}', 'which holds transcription and sentiment');
select is(pg_temp.tries('good'), '1.1 done', 'it took one try');
select is((pg_temp.job('good')).id, null, 'there is no job any more');
select is(pg_temp.finish('{"transcription": "other"}'), false,
    'a second result is refused');
select is((pg_temp.of('good')).transcription, 'one two',
    'and changes nothing');

-- a long transcription

select pg_temp.call('long', array['x']);
select isnt(pg_temp.begin('long'), null, 'a long call is processed');
select is(pg_temp.finish(json_build_object('transcription',
    repeat('x', 8001), 'sentiment', 'neutral')), true, 'and has a result');
select is((select length(e.payload ->> 'transcription')
                  || (e.payload ->> 'truncated') from core.event e
            where e.type = 'call.ai_completed'
              and e.payload ->> 'call_id' = 'long'), '8000true',
    'of which an event holds the beginning');
select is(length((pg_temp.of('long')).transcription), 8001,
    'the call has all of it');

-- one job a call

select pg_temp.call('twice', array['x']);
select throws_ok($$ select core.add_job('call_processing', '{}',
        (pg_temp.of('twice')).id) $$, '23505', null,
    'a call has one job that waits or runs');
update core.job j set state = 'cancelled', ended_at = now()
 where j.subject_id = (pg_temp.of('twice')).id;

-- tries

select pg_temp.call('hard', array['x']);
select pg_temp.set('{}');
select is((pg_temp.begin('hard')) ->> 'language', null,
    'without a language it is to be detected');
select is(pg_temp.fail(), 'queued', 'a try fails');
select is(pg_temp.begin('hard') ->> 'try', '2', 'the second one');
select is((select f.state from work.release((pg_temp.last()).job_id,
    (pg_temp.last()).token, 'killed') f), 'queued', 'loses its worker');
select is(pg_temp.begin('hard') ->> 'try', '3', 'the third one');
select is((select f.state from work.defer((pg_temp.last()).job_id,
    (pg_temp.last()).token, 'open', 60) f), 'queued', 'asks nobody');
select is(pg_temp.tries('hard'), '1.1 failed, 1.2 -',
    'the killed try has no outcome, the one that was put off is none');
select is(pg_temp.begin('hard') ->> 'try', '3', 'it goes on where it was');
select is(pg_temp.fail(), 'queued', 'that is the second failure');
select is(extract(epoch from (pg_temp.job('hard')).run_at - now())::int, 2,
    'which waits two seconds');
select is(pg_temp.begin('hard') ->> 'drive', '1', 'in the same drive');
select is(pg_temp.fail(), 'queued', 'the third failure');
select isnt(pg_temp.begin('hard'), null, 'the fourth try');
select is(pg_temp.fail(), 'queued', 'fails');
select isnt(pg_temp.begin('hard'), null, 'the fifth try');
select is(pg_temp.fail(), 'dead', 'is the last of the drive');
select results_eq($$ select (c).processing_state, (c).failure_reason, (c).drive
      from (select pg_temp.of('hard') as c) s $$,
    $$ values ('FAILED', 'AI service failed after maximum retries: no answer',
               1) $$, 'the call has failed, with the reason');
select is((select e.payload from core.event e
            where e.type = 'call.ai_failed'), '{"call_id": "hard",
    "reason": "AI service failed after maximum retries",
    "detail": "no answer"}', 'which an event tells');
select is(pg_temp.tries('hard'),
    '1.1 failed, 1.2 -, 1.3 failed, 1.4 failed, 1.5 failed, 1.6 failed',
    'each try is there');

-- re-drives

select is((pg_temp.job('hard')).run_at, now() + interval '300 seconds',
    'the next drive waits 300 seconds');
select is((pg_temp.job('hard')).attempt, 0, 'and is a job of its own');
select is(pg_temp.begin('hard') ->> 'drive', '2', 'it is the second one');
select is((pg_temp.of('hard')).failure_reason, null,
    'the reason of the first is gone');
select is(pg_temp.fail(false, 0, 'status 401'), 'dead',
    'a fault that stays ends it at once');
select is((pg_temp.of('hard')).failure_reason,
    'AI service failed: status 401', 'which the reason shows');
select is((pg_temp.job('hard')).run_at, now() + interval '600 seconds',
    'the third one waits twice as long');
select isnt(pg_temp.begin('hard'), null, 'it comes');
select is(pg_temp.fail(true, 7200), 'dead', 'and is told to come later');
select is((pg_temp.job('hard')).run_at, now() + interval '2 hours',
    'later than its own wait: that is kept');
update core.call c set drive = 30 where c.external_id = 'hard';
select isnt(pg_temp.begin('hard'), null, 'far on');
select is(pg_temp.fail(false), 'dead', 'it fails again');
select is((pg_temp.job('hard')).run_at, now() + interval '1 day',
    'a day is the longest wait');
select pg_temp.set('{"redrive_seconds": 1}');
update core.call c set drive = 1 where c.external_id = 'hard';
select isnt(pg_temp.begin('hard'), null, 'with a setting of the tenant');
select is(pg_temp.fail(false), 'dead', 'it fails');
select is((pg_temp.job('hard')).run_at, now() + interval '2 seconds',
    'the wait is the tenant''s');
select isnt(pg_temp.begin('hard'), null, 'one more drive');
select is(pg_temp.finish('{"transcription": "x", "sentiment": "neutral"}'),
    true, 'works');
select is((pg_temp.of('hard')).processing_state, 'ARCHIVED',
    'so that the call is archived without a person');
select is((pg_temp.job('hard')).id, null, 'and driven no more');

-- what ends quietly

select pg_temp.call('erased', array['x']);
select isnt(pg_temp.begin('erased'), null, 'a call is being processed');
delete from core.call c where c.external_id = 'erased';
select is(work.start_call_processing((pg_temp.last()).job_id,
    (pg_temp.last()).token)::text, null, 'of one that is gone nothing is told');
select is(pg_temp.finish('{"transcription": "secret"}'), true,
    'its result is taken');
select is((select count(*) from core.call c
            where c.transcription = 'secret'), 0::bigint, 'and kept nowhere');
select is((select j.state from core.job j
            where j.id = (pg_temp.last()).job_id), 'done', 'the job ends');

select pg_temp.call('lost', array['x']);
select isnt(pg_temp.begin('lost'), null, 'a worker has a call');
delete from core.call c where c.external_id = 'lost';
select is(pg_temp.fail(false), 'dead', 'its failure ends the job');

-- a pool that is killed ten times

select pg_temp.call('deadly', array['x']);
select isnt(pg_temp.begin('deadly'), null, 'a call kills its workers');
update core.job j set lost = 9, lease_until = now() - interval '1 microsecond'
 where j.id = (pg_temp.last()).job_id;
select isnt(work.rescue(), null, 'for the tenth time');
select is((pg_temp.of('deadly')).processing_state, 'FAILED',
    'the call has failed');
select is((pg_temp.job('deadly')).state, 'queued',
    'and will be driven again');

-- a job that fails before the call is processed

select pg_temp.call('early', array['x']);
update core.job j set run_at = now() - interval '1 hour'
 where j.subject_id = (pg_temp.of('early')).id;
insert into held (job_id, token)
select w.job_id, w.token from work.claim('w', 'call_processing', 1) w;
select is(pg_temp.fail(false), 'dead', 'it dies');
select is((pg_temp.of('early')).processing_state, 'COMPLETED',
    'the call is as it was');
select is((pg_temp.job('early')).state, 'queued', 'and tried again later');

select * from finish();
rollback;
