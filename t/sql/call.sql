-- Calls: which packet is taken, how a call ends, the state machine, erasure,
-- the partitions of packets.

begin;
\ir setup/tenants.sql
select no_plan();

-- One packet of tenant a.
create function pg_temp.send(p_call text, p_sequence bigint,
    p_data text default 'x', p_gaps int default 100)
returns setof record language sql volatile
as $$
    select r.status, r.total, r.missing_count, r.missing, r.gap, r.differs,
           r.state
      from api.ingest_packet(pg_temp.a(), array[p_call], array[p_sequence],
                             array[1.5], array[null::text], array[p_data],
                             p_gaps) r
$$;

-- What it said, in short: status/total/missing_count.
create function pg_temp.sent(p_call text, p_sequence bigint,
    p_data text default 'x', p_gaps int default 100)
returns text language sql volatile
as $$
    select s.status || '/' || s.total || '/' || s.missing_count
      from pg_temp.send(p_call, p_sequence, p_data, p_gaps)
           s (status text, total bigint, missing_count bigint, missing text,
              gap bigint, differs boolean, state text)
$$;

-- Several packets of tenant a in one batch: {call, sequence, data} each; the
-- calls must be sorted.
create function pg_temp.batch(p_packets jsonb) returns text[]
language sql volatile
as $$
    select array_agg(r.status || '/' || r.total || '/' || r.missing_count)
      from (select array_agg(p.v ->> 0 order by p.n) as calls,
                   array_agg((p.v ->> 1)::bigint order by p.n) as sequences,
                   array_agg(1.5::float8) as sent,
                   array_agg(null::text) as media,
                   array_agg(p.v ->> 2 order by p.n) as data
              from jsonb_array_elements(p_packets) with ordinality p (v, n)) b,
           api.ingest_packet(pg_temp.a(), b.calls, b.sequences, b.sent,
                             b.media, b.data, 100) r
$$;

create function pg_temp.complete(p_call text, p_total int)
returns api.reply language sql volatile
as $$
    select api.complete_call(pg_temp.a(), jsonb_build_object(
        'call_id', p_call, 'total_packets', p_total))
$$;

-- A call as the API shows it, noted under its name.
create function pg_temp.look(p_call text) returns json language sql volatile
as $$
    select (pg_temp.note(p_call, api.get_named_call(pg_temp.a(),
        jsonb_build_object('call_id', p_call)))).data
$$;

create function pg_temp.stream(p_call text) returns core.call_stream
language sql stable
as $$
    select s from core.call_stream s
     where s.tenant_id = '00000000-0000-7000-8000-00000000000a'
       and s.external_id = p_call
$$;

create function pg_temp.set(p_calls jsonb) returns void language sql volatile
as $$
    update core.tenant t set settings = jsonb_build_object('calls', p_calls)
     where t.id = '00000000-0000-7000-8000-00000000000a'
$$;

-- Lets a call's grace period be over.
create function pg_temp.close(p_call text) returns void
language sql volatile
as $$
    update core.call_stream s
       set closes_at = clock_timestamp() - interval '1 second'
     where s.external_id = p_call
$$;

create function pg_temp.move(p_call text, p_to text, p_reason text
    default null)
returns boolean language sql volatile
as $$
    select core.call_move((pg_temp.stream(p_call)).call_id, p_to, p_reason)
      from pg_temp.a()
$$;

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

-- what a processed call has

select throws_ok($$ select api.get_call_transcript(pg_temp.a(),
    pg_temp.by_id('slow')) $$, 'V1409', 'INVALID_STATE',
    'a call that is not archived has no transcript yet');
select throws_ok($$ select api.get_call_recording(pg_temp.a(),
    pg_temp.by_id('slow')) $$, 'V1404', 'RESOURCE_NOT_FOUND',
    'text has no recording');
select lives_ok($$ select pg_temp.sent('whole', 0, 'hello'),
    pg_temp.sent('whole', 3, 'world'), pg_temp.complete('whole', 6),
    pg_temp.move('whole', 'PROCESSING_AI') $$, 'a call is processed');
select is(pg_temp.look('whole') ->> 'state', 'PROCESSING_AI',
    'and says so');
update core.call c
   set transcription = 'hello world', sentiment = 'positive', media = 'pcm'
 where c.id = pg_temp.id('whole');
select throws_ok($$ select api.get_call_recording(pg_temp.a(),
    pg_temp.by_id('whole')) $$, 'V1409', 'INVALID_STATE',
    'there is no recording before it is archived');
update core.call c
   set recording_key = 'ab/' || repeat('ab', 32) || '.wav'
 where c.id = pg_temp.id('whole');
select is(pg_temp.move('whole', 'ARCHIVED'), true, 'it is archived');
select is((api.get_call_transcript(pg_temp.a(), pg_temp.by_id('whole'))).data
          ->> 'transcription', 'hello world', 'its transcript is shown');
select is((api.get_call_recording(pg_temp.a(), pg_temp.by_id('whole')))
          .headers ->> 'X-Accel-Redirect',
    '/objects/ab/' || repeat('ab', 32) || '.wav',
    'its recording is an object of the store');

-- packets

create function pg_temp.page(p_call text, p_cursor text default null)
returns json language sql volatile
as $$
    select (api.list_call_packets(pg_temp.a(), pg_temp.by_id(p_call,
        jsonb_strip_nulls(jsonb_build_object('cursor', p_cursor))))).data
$$;

select is(regexp_replace(pg_temp.page('whole') ->> 'lines',
                         '"received_at":"[^"]+",', '', 'g'),
    '{"sequence":0,"timestamp":1.5,"data":"hello"}' || E'\n'
    || '{"gap":{"from":1,"to":2}}' || E'\n'
    || '{"sequence":3,"timestamp":1.5,"data":"world"}' || E'\n'
    || '{"gap":{"from":4,"to":5}}' || E'\n',
    'packets come in order, gaps between them');
select is(pg_temp.page('whole') ->> 'next', null, 'on one page');
select lives_ok($$ select pg_temp.sent('long', n)
    from generate_series(0, 1000) n $$, 'a call of a thousand packets');
select lives_ok($$ select pg_temp.look('long') $$, 'is there');
select is(pg_temp.page('long') ->> 'next', '500', 'a page has 500');
select is(pg_temp.page('long', '1000') ->> 'next', null, 'the last no next');
select is((with recursive page (cursor, lines) as (
               select p ->> 'next', p ->> 'lines' from pg_temp.page('long') p
               union all
               select n ->> 'next', n ->> 'lines'
                 from page, pg_temp.page('long', page.cursor) n
                where page.cursor is not null)
           select array_agg((l::json ->> 'sequence')::int)
             from page, string_to_table(rtrim(lines, E'\n'), E'\n') l),
          (select array_agg(n) from generate_series(0, 1000) n),
    'all pages together have each packet once');
select lives_ok($$ select pg_temp.sent('fat', n, repeat('x', 49152))
    from generate_series(0, 9) n $$, 'large packets');
select lives_ok($$ select pg_temp.look('fat') $$, 'of another');
select cmp_ok(length(pg_temp.page('fat') ->> 'lines'), '<=', 262144,
    'a page is bounded by its bytes');
select is(pg_temp.page('fat') ->> 'next', '5', 'and goes on');

-- erasure

create function pg_temp.traces(p_id uuid) returns bigint language sql stable
as $$
    select (select count(*) from core.call where id = p_id)
         + (select count(*) from core.call_stream where call_id = p_id)
         + (select count(*) from core.packet where call_id = p_id)
         + (select count(*) from core.call_move where call_id = p_id)
         + (select count(*) from core.call_try where call_id = p_id)
         + (select count(*) from core.job
             where subject_id = p_id and state in ('queued', 'running'))
         + (select count(*) from core.event
             where subject_id = p_id and payload <> '{"erased": true}')
$$;

insert into core.call_try (tenant_id, call_id, drive, try)
values ('00000000-0000-7000-8000-00000000000a', pg_temp.id('whole'), 1, 1);
select lives_ok($$ select core.emit('call.ai_completed', 'call',
    pg_temp.id('whole'), '{"transcription": "hello world"}')
    from pg_temp.a() $$, 'its transcript was published');
select throws_ok($$ select api.delete_call(pg_temp.b(),
    pg_temp.by_id('whole')) $$, 'V1404', 'RESOURCE_NOT_FOUND',
    'another tenant''s call is not erased');
select is((api.delete_call(pg_temp.a(), pg_temp.by_id('whole'))).status, 204,
    'a call is erased');
select is(pg_temp.traces(pg_temp.id('whole')), 0::bigint,
    'and nothing stays of it');
select is((select array_agg(k.key) from work.objects_to_erase(10) k),
    array['ab/' || repeat('ab', 32) || '.wav'],
    'its recording waits to be deleted');
select lives_ok($$ select work.object_erased(
    'ab/' || repeat('ab', 32) || '.wav') $$, 'it is');
select is((select count(*) from work.objects_to_erase(10)), 0::bigint,
    'and waits no more');
select is((select l.detail from core.audit_log l
            where l.action = 'call.erased'),
    '{"packets": 2, "recording": true}', 'the erasure is in the audit log');
select throws_ok($$ select api.delete_call(pg_temp.a(),
    pg_temp.by_id('whole')) $$, 'V1404', 'RESOURCE_NOT_FOUND',
    'an erased call is not there');
select is((api.delete_named_call(pg_temp.a(), '{"call_id": "still"}')).status,
    204, 'a call is erased by its caller''s id');
select is(pg_temp.traces(pg_temp.id('still')), 0::bigint,
    'with the job that waited');
select is(pg_temp.sent('still', 0), 'accepted/1/0',
    'the id may then be another call''s');

-- a recording that is announced before it is stored

select lives_ok($$ select pg_temp.set('{"grace_seconds": 0}'),
    pg_temp.sent('sound', 0), pg_temp.complete('sound', 1) $$,
    'a call waits to be processed');
delete from core.job j
 where j.subject_id is distinct from (pg_temp.stream('sound')).call_id;
update core.job j set run_at = now();
insert into note (name, reply) values
    ('job', pg_temp.claim('call_processing')::json);
create function pg_temp.expect(p_key text, p_stale int default 0)
returns boolean language sql volatile
as $$
    select work.expect_object((n.reply ->> 'job_id')::uuid,
                              (n.reply ->> 'token')::bigint + p_stale, p_key)
      from note n where n.name = 'job'
$$;

select is(pg_temp.expect('stale', 1), false,
    'a job that is not held stores nothing');
select is(pg_temp.expect('early'), true, 'one that is may');
select is(pg_temp.expect('kept'), true, 'store two');
select is((select count(*) from work.objects_to_erase(10)), 0::bigint,
    'neither goes while it is under way');
select lives_ok($$ select core.object_kept('kept') $$, 'one becomes a call''s');
update core.object_erasure o set asked_at = o.asked_at - interval '1 hour';
select is((select array_agg(k.key) from work.objects_to_erase(10) k),
    array['early'], 'the other one goes later');
select is(pg_temp.expect('early'), true, 'unless it is stored again');
select is((select count(*) from work.objects_to_erase(10)), 0::bigint,
    'by the next try');
select pg_temp.set('{}');

-- who watches

create function pg_temp.watch(p_args jsonb) returns text
language sql volatile
as $$
    select replace(r.data::text, r.ctx, 'T')
      from (select (api.stream_supervisor(pg_temp.a(), p_args)).data,
                   '00000000-0000-7000-8000-00000000000a' as ctx) r
$$;

select is(pg_temp.watch(a::jsonb)::jsonb, jsonb_build_object('channel', c,
        'watch', w), 'channels of ' || a)
  from (values
      ('{}', 'T.calls,T.packets', array['T.packets']),
      ('{"rate": "raw"}', 'T.calls,T.raw', array['T.raw']),
      ('{"event_types": "state_changed,ai_failed"}',
       'T.calls.ai_failed,T.calls.state_changed', '{}'),
      ('{"event_types": "packet_received"}', 'T.packets.packet_received',
       array['T.packets.packet_received']),
      ('{"call_id": "x"}', 'T.call.' || md5('x') || ',T.packet.' || md5('x'),
       array['T.packet.' || md5('x')]),
      ('{"call_id": "x", "rate": "raw",
         "event_types": "packet_rejected,ai_completed,packet_rejected"}',
       'T.call.' || md5('x') || '.ai_completed,T.rawcall.' || md5('x')
       || '.packet_rejected',
       array['T.rawcall.' || md5('x') || '.packet_rejected']))
       v (a, c, w);

-- partitions

select is((select count(*) from pg_inherits i
            where i.inhparent = 'core.packet'::regclass), 9::bigint,
    'there are partitions for yesterday, today and a week');
select is((select p::text from work.packet_days(30) p), '(0,0)',
    'a second look makes none');
select core.make_packet_day(((now() at time zone 'UTC')::date - 40));
select core.make_packet_day(((now() at time zone 'UTC')::date - 41));
select is((select array_agg(c.relname::text) from pg_inherits i
             join pg_class c on c.oid = i.inhrelid
            where i.inhparent = 'core.packet'::regclass
              and not (c.relrowsecurity and c.relforcerowsecurity)), null,
    'row security is forced on each');
update core.call_stream s set day = (now() at time zone 'UTC')::date - 41
 where s.external_id = 'live';
select is((select p::text from work.packet_days(40) p), '(0,0)',
    'packets are kept as long as is asked for');
select is((select p::text from work.packet_days(39) p), '(0,1)',
    'then they go, but those of a call that is not over');
update core.call_stream s set day = (now() at time zone 'UTC')::date
 where s.external_id = 'live';
select is((select p::text from work.packet_days(39) p), '(0,1)',
    'which go when it is');
update core.call c set day = (now() at time zone 'UTC')::date - 41
 where c.id = pg_temp.id('slow');
select throws_ok($$ select pg_temp.page('slow') $$, 'V1404',
    'RESOURCE_NOT_FOUND', 'packets that are gone are not there');
select throws_ok($$ select pg_temp.process('slow') $$, 'V1409',
    'INVALID_STATE', 'and nothing is made of them');

do $$ begin
    execute format('drop table core.%I',
                   core.packet_day((now() at time zone 'UTC')::date));
end $$;
select throws_ok($$ select pg_temp.sent('new', 0) $$, 'V0503',
    'SERVICE_UNAVAILABLE', 'without a place for it no packet is taken');
select is((select p::text from work.packet_days(null) p), '(1,0)',
    'until there is one');
select is(pg_temp.sent('new', 0), 'accepted/1/0', 'then it is');

select * from finish();
rollback;
