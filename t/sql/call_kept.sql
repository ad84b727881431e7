-- Calls: what a processed one has, packets in pages, erasure, recordings, who
-- watches, the partitions of packets.

begin;
\ir setup/tenants.sql
\ir setup/calls.sql
select no_plan();

-- what a processed call has

select lives_ok($$ select pg_temp.sent('slow', 0),
    pg_temp.move('slow', 'COMPLETED'), pg_temp.move('slow', 'PROCESSING_AI'),
    pg_temp.move('slow', 'FAILED', 'no answer') $$, 'a call fails');
select is(pg_temp.look('slow') ->> 'state', 'FAILED', 'and says so');
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
select lives_ok($$ select pg_temp.sent('last', 2147483647) $$,
    'the largest sequence is taken');
select lives_ok($$ select pg_temp.look('last') $$, 'of a third');
select is(pg_temp.page('last') ->> 'lines' like '{"gap":{"from":0,'
    '"to":2147483646}}' || E'\n' || '{"sequence":2147483647,%', true,
    'and is on a page');

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
select is((select string_agg(distinct c, ' ')
             from work.relay_take(1000) r, unnest(r.flat_channels) c
            where r.flat_body like '%"erased":true%'
              and coalesce(c not like '%.calls%', true)), null,
    'what is told of it yet names no call');
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
select lives_ok($$ select pg_temp.sent('still', 0),
    pg_temp.complete('still', 2) $$, 'another one ends');
select is(pg_temp.look('still') ->> 'state', 'COMPLETED', 'and waits');
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

create function pg_temp.process(p_call text) returns api.reply
language sql volatile
as $$ select api.process_call(pg_temp.a(), pg_temp.by_id(p_call)) $$;

select is(pg_temp.sent('live', 0), 'accepted/1/0', 'a call is under way');

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
update core.call c
   set day = (now() at time zone 'UTC')::date - 41,
       processing_state = 'PROCESSING_AI'
 where c.external_id = 'live';
select is((select p::text from work.packet_days(39) p), '(0,0)',
    'or waits for its processing');
update core.call c
   set day = (now() at time zone 'UTC')::date,
       processing_state = 'IN_PROGRESS'
 where c.external_id = 'live';
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
