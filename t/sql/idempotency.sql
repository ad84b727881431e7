-- Idempotency keys: stored replies, their secrecy, bounds and retention.

begin;
\ir setup/tenants.sql
select no_plan();

create function pg_temp.enter_once(p_key text, p_fingerprint text default 'f')
returns api.ctx language sql volatile
as $$
    select api.enter_once('00000000-0000-7000-8000-00000000000a',
        '00000000-0000-7000-8000-0000000000aa', 'api_key', 'admin', null,
        'request-a', '192.0.2.1', null, repeat(p_key, 64),
        repeat(p_fingerprint, 64))
$$;
create function pg_temp.keep(p_reply api.reply, p_key text)
returns api.reply language sql volatile
as $$
    select api.keep(p_reply, repeat(p_key, 64), repeat('f', 64),
                    repeat('5', 64))
$$;
create function pg_temp.replay(p_key text) returns api.reply
language sql volatile
as $$
    select api.replay(pg_temp.a(), '{}', repeat(p_key, 64), repeat('f', 64),
                      repeat('5', 64))
$$;

select is((pg_temp.enter_once('1')).actor_id,
          '00000000-0000-7000-8000-0000000000aa'::uuid,
          'the first request under a key enters');
select is((pg_temp.keep((201, '{"a" :  1.50, "s": "hidden"}', 'Done.',
           '{"page": 1}', '{"sub": "x"}', '{probe}',
           '{"ETag": "\"1\""}')::api.reply, '1')).wake, '{probe}',
          'what it gives is passed on');
select is(pg_temp.replay('1')::text,
          (201, '{"a" :  1.50, "s": "hidden"}', 'Done.', '{"page": 1}', null,
           null, '{"ETag": "\"1\""}')::api.reply::text,
          'the stored reply is the same, letter by letter, without what is'
          ' for the first one only');
select throws_ok($$ select pg_temp.enter_once('1') $$, 'V9200', null,
                 'the second request is told of it');
select throws_ok($$ select pg_temp.enter_once('1', 'e') $$, 'V0422',
                 'IDEMPOTENCY_KEY_REUSED', 'another request is refused');
select is((select count(*) from core.idempotency i
            where position('hidden'::bytea in i.reply) > 0), 0::bigint,
          'the table does not show the reply');
select throws_ok($$ select api.replay(pg_temp.a(), '{}', repeat('1', 64),
                           repeat('f', 64), repeat('6', 64)) $$, null, null,
                 'nor does another key');

select pg_temp.keep((204, null, null, null, null, null, null)::api.reply,
                    '2');
select is(pg_temp.replay('2')::text,
          (204, null, null, null, null, null, null)::api.reply::text,
          'a reply without a body comes back as one');
select throws_ok($$ select pg_temp.replay('3') $$, 'V0409',
                 'IDEMPOTENCY_IN_PROGRESS',
                 'one that went in between is to be asked for again');
select is((select count(*) from core.idempotency i
            where i.tenant_id = (pg_temp.b()).tenant_id), 0::bigint,
          'another tenant has none of it');

-- bounds
select pg_temp.a();
insert into core.idempotency (tenant_id, actor_id, key_hash, fingerprint,
                              reply)
select core.tenant(), core.actor(), lpad(n::text, 64, '0'), repeat('f', 64),
       '' from generate_series(1, 200) n;
select core.idempotency_trim(150);
select is((select count(*) from core.idempotency), 150::bigint,
          'a tenant has no more than its share');
select is((select min(key_hash::numeric) from core.idempotency), 51::numeric,
          'the oldest go');

-- retention
update core.idempotency set created_at = now() - interval '24 hours 1 second'
 where key_hash::numeric <= 60;
select work.purge();
select is((select count(*) from core.idempotency), 140::bigint,
          'what is over is removed');

select * from finish();
rollback;
