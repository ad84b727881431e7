-- Events: numbering by the relay, order, bodies, the list, channels.

begin;
select no_plan();

insert into core.tenant (id, business_name)
select ('00000000-0000-7000-8000-00000000000' || n)::uuid, 'T' || n
  from generate_series(1, 2) n;

create function pg_temp.tenant(p_n int) returns uuid
language sql as $$
    select ('00000000-0000-7000-8000-00000000000' || p_n)::uuid
$$;
create function pg_temp.emit(p_tenant int, p_type text) returns void
language plpgsql as $$
begin
    perform core.use_tenant(pg_temp.tenant(p_tenant), null, 'system', null,
                            'trace');
    perform core.emit(p_type, 'test_run', pg_temp.tenant(9), '{"a": 1}');
end $$;
create function pg_temp.list(p_args jsonb) returns text
language sql as $$
    select coalesce(string_agg(e ->> 'id', ' '), '')
      from api.list_events(null, p_args) r, json_array_elements(r.data) e
$$;

select pg_temp.emit(1, 'test_run.created');
select pg_temp.emit(2, 'test_run.created');
select pg_temp.emit(1, 'test_run.started');

set local role voice_owner;
select core.use_tenant(pg_temp.tenant(1));
select is(pg_temp.list('{}'), '', 'an event that has no number is not listed');
reset role;

select results_eq(
    $$ select right(tenant_id::text, 1), seq, type
         from work.relay_take(10) $$,
    $$ values ('1', 1::bigint, 'test_run.created'),
              ('1', 2, 'test_run.started'),
              ('2', 1, 'test_run.created') $$,
    'the relay numbers each tenant''s events in order');
select results_eq(
    $$ select channels from work.relay_take(1) $$,
    $$ values (array['00000000-0000-7000-8000-000000000001.all',
        '00000000-0000-7000-8000-000000000001.test_run.created',
        'test_run.00000000-0000-7000-8000-000000000009']) $$,
    'an event goes to its tenant, its type and its subject');
select is(
    (select body::jsonb - 'timestamp' from work.relay_take(1)),
    '{"id": 1, "event_type": "test_run.created", "schema_version": "1.0",
      "tenant_id": "00000000-0000-7000-8000-000000000001",
      "payload": {"a": 1}, "metadata": {"trace_id": "trace",
                                        "source_service": "voicegate"}}',
    'the body is the documented one');
select matches(
    (select body ->> 'timestamp' from work.relay_take(1)),
    '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$', 'times are ISO 8601 in UTC');

select pg_temp.emit(1, 'test_run.completed');
select is((select count(*) from work.relay_take(2)), 2::bigint,
          'what is not published yet comes again');
select is((select count(*) from core.event where seq is null), 1::bigint,
          'and nothing new is numbered before it');
select work.relay_done(array[pg_temp.tenant(1), pg_temp.tenant(1),
                             pg_temp.tenant(2)], array[1, 2, 1]::bigint[]);
select results_eq(
    $$ select right(tenant_id::text, 1), seq from work.relay_take(10) $$,
    $$ values ('1', 3::bigint) $$, 'then the next one, without a hole');
select work.relay_done(array[pg_temp.tenant(1)], array[3]::bigint[]);
select is((select count(*) from work.relay_take(10)), 0::bigint,
          'what is published does not come again');

set local role voice_owner;
select core.use_tenant(pg_temp.tenant(1));
select is(pg_temp.list('{}'), '1 2 3', 'the list has them by id');
select is(pg_temp.list('{"after": 1}'), '2 3', 'after an id');
select is(pg_temp.list('{"after": 1, "limit": 1}'), '2', 'so many');
select is(pg_temp.list('{"types": "test_run.created,test_run.completed"}'),
          '1 3', 'of some types');
select is((select data ->> 'channel' from api.stream_events(null,
           jsonb_build_object('tenant_id', pg_temp.tenant(1)))),
          pg_temp.tenant(1) || '.all', 'a stream without types has all');
select is((select data ->> 'channel' from api.stream_events(null,
           jsonb_build_object('tenant_id', pg_temp.tenant(1),
               'event_types', 'test_run.failed,test_run.created'))),
          pg_temp.tenant(1) || '.test_run.created,'
          || pg_temp.tenant(1) || '.test_run.failed',
          'with types a channel each');
select throws_ok(
    $$ select api.stream_events(null, jsonb_build_object('tenant_id',
           pg_temp.tenant(2))) $$, 'V1404', 'RESOURCE_NOT_FOUND',
    'another tenant''s stream is not there');
reset role;

update core.event set published_at = now() - interval '8 days' where seq = 1;
select is(work.purge(), 2::bigint, 'old events are removed');
select pg_temp.emit(1, 'test_run.created');
select is((select max(seq) from work.relay_take(10)), 4::bigint,
          'numbers go on from where they were');

-- a relay that comes back after long
insert into core.event (tenant_id, type, subject_type, subject_id, payload)
select pg_temp.tenant(1), 'a.b', 'c', pg_temp.tenant(1), '{}'
  from generate_series(1, 20000);
analyze core.event;
create function pg_temp.rows_read() returns bigint
language sql volatile as $$
    select pg_stat_get_xact_tuples_returned('core.event'::regclass)
           + pg_stat_get_xact_tuples_fetched('core.event'::regclass)
$$;
create temp table read as select pg_temp.rows_read() as n;
select is((select count(*) from work.relay_take(100)), 100::bigint,
          'a batch of many is taken');
select cmp_ok(pg_temp.rows_read() - (select n from read), '<', 2000::bigint,
              'without a look at all of them');

select * from finish();
rollback;
