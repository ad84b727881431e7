-- Calls: which packet is taken, how a call ends, the state machine, re-drives,
-- abandonment, lists.

begin;
\ir setup/tenants.sql
\ir setup/calls.sql
select no_plan();

-- the rule of packets

select is(pg_temp.sent('one', 0), 'accepted/1/0',
    'the first packet of a call begins it');
select is(pg_temp.sent('one', 1), 'accepted/2/0', 'the next one is taken');
select is(pg_temp.sent('one', 1), 'duplicate/2/0',
    'the same once more is a duplicate and counts nothing');
select is(pg_temp.sent('one', 5), 'accepted/3/3', 'a gap is told');
select is(pg_temp.sent('one', 3), 'accepted/4/2', 'a late one is taken');
select is(pg_temp.sent('one', 3), 'duplicate/4/2', 'but once');
select is((pg_temp.stream('one')).missing, '{[2,3),[4,5)}'::int8multirange,
    'a gap is split by what comes late');
select is(pg_temp.sent('one', 2), 'accepted/5/1', 'a gap closes from below');
select is(pg_temp.sent('one', 4), 'accepted/6/0', 'and is gone');
select is(pg_temp.sent('far', 2147483647), 'accepted/1/2147483647',
    'the largest sequence is taken');
select is(pg_temp.sent('far', 7), 'accepted/2/2147483646',
    'and what is missing below it stays takeable');
select is((select s.missing from pg_temp.send('far', 9)
                  s (status text, total bigint, missing_count bigint,
                     missing text, gap bigint, differs boolean, state text)),
          (select string_agg(n::text, ',' order by n)
             from (select n from generate_series(0, 200) n
                    where n not in (7, 9) limit 100) m),
    'a hundred of the missing are listed');
select is((select s.gap from pg_temp.send('one', 10)
                  s (status text, total bigint, missing_count bigint,
                     missing text, gap bigint, differs boolean, state text)),
          6::bigint, 'a new gap is told by its first sequence');
select is((select array_agg(s.differs::text order by s.differs)
             from (select pg_temp.sent('same', 0, 'this')) b,
                  lateral (select * from pg_temp.send('same', 0, 'this')
                      x (status text, total bigint, missing_count bigint,
                         missing text, gap bigint, differs boolean,
                         state text)
                   union all
                   select * from pg_temp.send('same', 0, 'that')
                      x (status text, total bigint, missing_count bigint,
                         missing text, gap bigint, differs boolean,
                         state text)) s), array['false', 'true'],
    'a duplicate with another payload is told from one with the same');
select is((select string_agg(p.data, ',') from core.packet p
            where p.call_id = (pg_temp.stream('same')).call_id), 'this',
    'and overwrites nothing');
select is(pg_temp.sent('gaps', 1, p_gaps => 2), 'accepted/1/1',
    'a gap may be left');
select is(pg_temp.sent('gaps', 3, p_gaps => 2), 'accepted/2/2', 'two, too');
select is(pg_temp.sent('gaps', 5, p_gaps => 2), 'gaps/2/2',
    'one more than may be kept is not');
select is(pg_temp.sent('gaps', 4, p_gaps => 2), 'accepted/3/2',
    'the next in order is taken all the same');
select is(pg_temp.sent('gaps', 0, p_gaps => 2), 'accepted/4/1',
    'and one that closes a gap');
select is(pg_temp.sent('gaps', 6, p_gaps => 2), 'accepted/5/2',
    'after which there is room for another');
select is(pg_temp.batch('[["b1", 0, "a"], ["b1", 2, "b"], ["b1", 0, "a"],
                          ["b2", 1, "c"], ["b2", 0, "d"]]'),
    array['accepted/1/0', 'accepted/2/1', 'duplicate/2/1', 'accepted/1/1',
          'accepted/2/0'],
    'of a batch each packet is told the figures as of itself');

-- completion

select throws_ok($$ select pg_temp.complete('nobody', 3) $$, 'V1404',
    'RESOURCE_NOT_FOUND', 'a call that is not there is not completed');
select throws_ok($$ select api.complete_call(pg_temp.b(),
    '{"call_id": "one", "total_packets": 3}') $$, 'V1404',
    'RESOURCE_NOT_FOUND', 'nor another tenant''s');
select is((select json_build_array(r.status, r.data)::jsonb
             from pg_temp.complete('one', 12) r),
    '[202, {"status": "accepted", "call_id": "one",
            "message": "Call completion signal received",
            "expected_total_packets": 12}]'::jsonb, 'a call is completed');
select is(pg_temp.look('one') ->> 'state', 'COMPLETED', 'its state says so');
select is((pg_temp.look('one') -> 'missing_ranges')::text, '[[6, 9], [11, 11]]',
    'the tail that is missing is listed with the gaps');
select is(pg_temp.look('one') ->> 'missing_count', '5', 'and counted');
select is((select count(*) from core.job j
            where j.subject_id = pg_temp.id('one')
              and j.kind = 'call_processing'
              and j.run_at = (pg_temp.stream('one')).closes_at), 1::bigint,
    'one job is added for the end of the grace period');
select cmp_ok((pg_temp.stream('one')).closes_at, '>',
    clock_timestamp() + interval '1 second', 'which is seconds away');
select is((pg_temp.complete('one', 12)).status, 202,
    'the same total again is no fault');
select is((select r.status || ' ' || (r.data ->> 'processing_state') || ' '
                  || (r.data ->> 'missing_count')
             from pg_temp.complete('one', 12) r), '202 COMPLETED 5',
    'and is answered with the state');
select throws_ok($$ select pg_temp.complete('one', 13) $$, 'V1409',
    'CONFLICT', 'another total is refused');
select is((select count(*) from core.job j
            where j.subject_id = pg_temp.id('one')), 1::bigint,
    'however often it is completed there is one job');
select is((select count(*) from core.event e
            where e.subject_id = pg_temp.id('one')
              and e.payload = '{"call_id": "one", "to_state": "COMPLETED",
                                "from_state": "IN_PROGRESS"}'), 1::bigint,
    'and one event');

-- grace

select is(pg_temp.sent('one', 7), 'accepted/8/3',
    'within the grace period a late packet counts');
select is(pg_temp.sent('one', 11), 'accepted/9/3', 'so does the tail');
select is(pg_temp.sent('one', 12), 'rejected/9/3',
    'a sequence that the total leaves no place for does not');
select is(pg_temp.sent('one', 7), 'duplicate/9/3',
    'what is there already is a duplicate');
select lives_ok($$ select pg_temp.close('one') $$, 'the period ends');
select is(pg_temp.sent('one', 8), 'rejected/9/3', 'then nothing is taken');
select is(pg_temp.sent('one', 7), 'rejected/9/3', 'known or not');
select is((select s.state from pg_temp.send('one', 8)
                  s (status text, total bigint, missing_count bigint,
                     missing text, gap bigint, differs boolean, state text)),
          'COMPLETED', 'and the state of the call is told');
select is(pg_temp.sent('less', 5), 'accepted/1/5', 'a call with six or more');
select is((pg_temp.complete('less', 3)).status, 202,
    'may be completed with a total that is too small');
select is((pg_temp.look('less') -> 'missing_ranges')::text, '[[0, 2]]',
    'of which only what is below is missing');
select lives_ok($$ select pg_temp.set('{"grace_seconds": 0}') $$,
    'a tenant may have no grace period');
select is(pg_temp.sent('none', 0), 'accepted/1/0', 'its call begins');
select is((pg_temp.complete('none', 2)).status, 202, 'ends');
select is(pg_temp.sent('none', 1), 'rejected/1/0', 'and takes no more');
select pg_temp.set('{}');

-- the state machine

create temporary table state_of (state text, path text[]);
insert into state_of values
    ('IN_PROGRESS', '{}'), ('COMPLETED', '{COMPLETED}'),
    ('PROCESSING_AI', '{COMPLETED,PROCESSING_AI}'),
    ('ARCHIVED', '{COMPLETED,PROCESSING_AI,ARCHIVED}'),
    ('FAILED', '{COMPLETED,PROCESSING_AI,FAILED}');

-- Brings a call of its own to a state, then tries a move.
create function pg_temp.try_move(p_from text, p_to text) returns boolean
language plpgsql volatile
as $$
declare
    v_call  text := 'move ' || p_from || ' ' || p_to;
    v_step  text;
begin
    perform pg_temp.sent(v_call, 0);

    foreach v_step in array (select s.path from state_of s
                              where s.state = p_from) loop
        if not pg_temp.move(v_call, v_step) then
            raise exception '% did not reach %', v_call, v_step;
        end if;
    end loop;

    update core.call c set redrive_at = now() where c.external_id = v_call
       and c.redrive_at is not null;

    return pg_temp.move(v_call, p_to);
end
$$;

select is(pg_temp.try_move(f.state, t.state),
          (f.state, t.state) in (('IN_PROGRESS', 'COMPLETED'),
              ('COMPLETED', 'PROCESSING_AI'), ('PROCESSING_AI', 'ARCHIVED'),
              ('PROCESSING_AI', 'FAILED'), ('FAILED', 'PROCESSING_AI')),
          f.state || ' -> ' || t.state)
  from state_of f, state_of t;
select is((select array_agg(m.position || m.to_state || coalesce(m.drive, 0)
                            order by m.position)
             from core.call_move m
            where m.call_id = (pg_temp.stream(
                      'move FAILED PROCESSING_AI')).call_id),
    array['1COMPLETED0', '2PROCESSING_AI1', '3FAILED1', '4PROCESSING_AI2'],
    'every move is kept, and numbered by its drive');
select is((select count(*) from core.event e
            where e.subject_id = (pg_temp.stream(
                      'move FAILED PROCESSING_AI')).call_id
              and e.type = 'call.state_changed'), 4::bigint,
    'each is an event');
select is((select count(*) from core.event e
            where e.subject_id = (pg_temp.stream(
                      'move ARCHIVED PROCESSING_AI')).call_id), 3::bigint,
    'a refused one is none');
select is(core.call_move(core.uuid_v7(), 'COMPLETED'), false,
    'what is not there does not move');

select lives_ok($$ select pg_temp.sent('slow', 0),
    pg_temp.move('slow', 'COMPLETED'), pg_temp.move('slow', 'PROCESSING_AI'),
    pg_temp.move('slow', 'FAILED', 'no answer') $$, 'a call fails');
select is(pg_temp.look('slow') ->> 'failure_reason', 'no answer',
    'its reason is shown');
select is(pg_temp.move('slow', 'PROCESSING_AI'), false,
    'it is not driven again at once');
select is((select c.redrive_at - now() from core.call c
            where c.external_id = 'slow'),
          interval '5 minutes', 'but in five minutes at the earliest');

-- a person's re-drive

create function pg_temp.process(p_call text) returns api.reply
language sql volatile
as $$ select api.process_call(pg_temp.a(), pg_temp.by_id(p_call)) $$;

select throws_ok($$ select pg_temp.process('one') $$, 'V1409',
    'INVALID_STATE', 'only a failed call is driven again');
select throws_ok($$ select api.process_call(pg_temp.b(),
    pg_temp.by_id('slow')) $$, 'V1404', 'RESOURCE_NOT_FOUND',
    'only one''s own');
select is((select r.status || ' ' || (r.data ->> 'runs_at')
             from pg_temp.process('slow') r),
          '202 ' || (pg_temp.look('slow') ->> 'redrive_at'),
    'it is told when it will run');
select is((select count(*) from core.job j
            where j.subject_id = pg_temp.id('slow')), 1::bigint,
    'a job is added where none waits');
update core.job j set run_at = now() + interval '1 day'
 where j.subject_id = pg_temp.id('slow');
select is((pg_temp.process('slow')).status, 202, 'asked again');
select is((select array_agg(j.run_at) from core.job j
            where j.subject_id = pg_temp.id('slow')),
          (select array[c.redrive_at] from core.call c
            where c.id = pg_temp.id('slow')),
    'the job that waits comes forward');
update core.call c set redrive_at = now() - interval '1 second'
 where c.id = pg_temp.id('slow');
select is((select r.status || coalesce(array_to_string(r.wake, ','), '')
             from pg_temp.process('slow') r),
          '202' || (select k.queue from core.job_kind k
                     where k.kind = 'call_processing'),
    'when the time has come a worker is woken');

-- abandonment

select lives_ok($$ select pg_temp.sent('still', 0), pg_temp.sent('live', 0),
    pg_temp.sent('live', 5) $$, 'two calls begin');
update core.call_stream s
   set idle_at = now() - interval '1 second',
       last_at = clock_timestamp()
                 - case s.external_id when 'still' then interval '15 minutes'
                        else interval '14 minutes' end
 where s.external_id in ('still', 'live');
select is(work.abandon_calls(100), 1::bigint,
    'a call without a packet for fifteen minutes is ended');
select is(pg_temp.look('still') ->> 'state', 'COMPLETED', 'it is completed');
select is(pg_temp.look('still') ->> 'disposition', 'abandoned',
    'as abandoned');
select is(pg_temp.look('still') -> 'history' -> 0 ->> 'reason', 'abandoned',
    'which is the reason of its move');
select is(pg_temp.look('still') ->> 'expected_total_packets', null,
    'its total is not known');
select is((select count(*) from core.job j
            where j.subject_id = pg_temp.id('still')), 1::bigint,
    'and it is processed like others');
select is(pg_temp.look('live') ->> 'state', 'IN_PROGRESS',
    'one that was heard of since goes on');
select is((pg_temp.stream('live')).idle_at - (pg_temp.stream('live')).last_at,
    interval '15 minutes', 'and is looked at when its own time is over');
select is(work.abandon_calls(100), 0::bigint, 'there is nothing more to do');
select is((select r.status || ' ' || (r.data ->> 'processing_state') || ' '
                  || (r.data ->> 'disposition') || ' '
                  || (r.data ->> 'missing_count')
             from pg_temp.complete('still', 3) r),
    '202 COMPLETED abandoned 2',
    'a completion that comes later tells the total');
select throws_ok($$ select pg_temp.complete('still', 4) $$, 'V1409',
    'CONFLICT', 'once');
select is((select count(*) from core.job j
            where j.subject_id = pg_temp.id('still')), 1::bigint,
    'and adds no job');
select pg_temp.set('{"abandon_seconds": 60}');
select lives_ok($$ select pg_temp.sent('quick', 0) $$,
    'a tenant''s call begins');
select is((pg_temp.stream('quick')).idle_at
          <= clock_timestamp() + interval '60 seconds', true,
    'it is looked at by the tenant''s own time');
select pg_temp.set('{}');

-- lists

select is((api.list_calls(pg_temp.a(), '{"search": "MOVE", "page_size": 3,
    "state": "ARCHIVED"}')).pagination ->> 'total_items',
    (select count(*)::text from core.call c
      where c.external_id like 'move%' and c.processing_state = 'ARCHIVED'),
    'calls are found by state and part of their id');
select is((select json_agg(x ->> 'call_id') from json_array_elements(
        (api.list_calls(pg_temp.a(), '{"sort": "started_at",
            "page_size": 2}')).data) x)::text,
    (select json_agg(c.external_id)::text
       from (select * from core.call d order by d.started_at, d.id limit 2)
            c), 'from the first one');
select is(json_array_length((api.list_calls(pg_temp.a(), jsonb_build_object(
        'from', now() + interval '1 hour'))).data), 0,
    'none began in the future');
select is(json_array_length((api.list_calls(pg_temp.b(), '{}')).data), 0,
    'another tenant sees none');
select is((api.list_call_events(pg_temp.a(), pg_temp.by_id('slow'))).data
          -> 2 ->> 'reason', 'no answer', 'what happened is listed in order');

select * from finish();
rollback;
