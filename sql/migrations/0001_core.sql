-- Types of the interface, the primitives that tables and policies hang on,
-- error codes, counters.

create type api.ctx as (
    tenant_id   uuid,
    actor_id    uuid,
    actor_kind  text,
    role        text,
    session_id  uuid,
    request_id  text,
    address     inet
);

create type api.reply as (
    status      int,
    data        json,
    message     text,
    pagination  json,
    claims      json,
    wake        text[],
    headers     json
);

create type core.paging as (
    page        int,
    page_size   int,
    skip        int
);

-- The tenant, actor and role of the current transaction; null outside.
create function core.tenant() returns uuid
language sql stable parallel safe
as $$ select nullif(current_setting('voice.tenant', true), '')::uuid $$;

create function core.actor() returns uuid
language sql stable parallel safe
as $$ select nullif(current_setting('voice.actor', true), '')::uuid $$;

create function core.role() returns text
language sql stable parallel safe
as $$ select nullif(current_setting('voice.role', true), '') $$;

-- RFC 9562 version 7: 48 bits of milliseconds, then random bits.  Bits 52
-- and 53 turn the version nibble of a random UUID from 4 into 7.
create function core.uuid_v7() returns uuid
language sql volatile parallel safe
as $$
    select encode(
        set_bit(set_bit(
            overlay(uuid_send(gen_random_uuid())
                placing substring(int8send(
                    (extract(epoch from clock_timestamp()) * 1000)::bigint)
                    from 3)
                from 1 for 6),
            52, 1), 53, 1), 'hex')::uuid
$$;

create table core.error (
    code      text primary key,
    status    int not null check (status between 400 and 599),
    sqlstate  text not null check (sqlstate ~ '^V[0-9][45][0-9][0-9]$'),
    message   text not null,
    check (right(sqlstate, 3) = status::text)
);

-- Totals for /metrics that must not be lost with a process.  Slots spread
-- the writers, a reader sums them.
create table core.counter (
    name   text not null,
    label  text not null,
    slot   int not null,
    value  bigint not null default 0,
    primary key (name, label, slot)
);
