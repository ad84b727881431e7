-- A request that comes twice under one Idempotency-Key has one effect: the
-- reply of the first is stored with it, in its transaction.

-- How long a stored reply is good, and how many a tenant may have.
create or replace function core.idempotency_age() returns interval
language sql immutable as $$ select interval '24 hours' $$;

create or replace function core.idempotency_limit() returns int
language sql immutable as $$ select 10000 $$;

-- AES-256 in CBC mode; the first 16 bytes are the vector.
create or replace function core.seal(p_text text, p_secret text)
returns bytea
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_vector  bytea := gen_random_bytes(16);
begin
    return v_vector || encrypt_iv(convert_to(p_text, 'UTF8'),
                                  decode(p_secret, 'hex'), v_vector, 'aes');
end
$$;

create or replace function core.unseal(p_sealed bytea, p_secret text)
returns text
language plpgsql immutable set search_path = core, pg_temp
as $$
begin
    return convert_from(decrypt_iv(substr(p_sealed, 17),
                                   decode(p_secret, 'hex'),
                                   substr(p_sealed, 1, 16), 'aes'), 'UTF8');
end
$$;

-- enter() for a request with a key.  Of two at once one goes on, the other
-- is told to come later: nobody waits.  V9200 sends the edge to replay().
create or replace function api.enter_once(
    p_tenant uuid, p_actor uuid, p_actor_kind text, p_role text,
    p_session uuid, p_request_id text, p_address inet, p_traceparent text,
    p_key text, p_fingerprint text)
returns api.ctx
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_ctx          api.ctx := api.enter(p_tenant, p_actor, p_actor_kind,
                                        p_role, p_session, p_request_id,
                                        p_address, p_traceparent);
    v_fingerprint  text;
begin
    if not pg_try_advisory_xact_lock(hashtextextended(
           p_tenant || '.' || p_actor || '.' || p_key, 7310592003))
    then
        perform core.fail('IDEMPOTENCY_IN_PROGRESS');
    end if;

    -- a statement of its own: it sees what the lock's last holder committed
    select i.fingerprint into v_fingerprint
      from core.idempotency i
     where i.tenant_id = core.tenant() and i.actor_id = p_actor
       and i.key_hash = p_key
       and i.created_at > now() - core.idempotency_age();

    if not found then
        return v_ctx;
    end if;

    if v_fingerprint <> p_fingerprint then
        perform core.fail('IDEMPOTENCY_KEY_REUSED');
    end if;

    raise exception using errcode = 'V9200', message = 'IDEMPOTENCY_STORED';
end
$$;

-- Stores a reply under the key and passes it on.  Jobs are not woken again,
-- so what wakes them is left out.
create or replace function api.keep(
    p_reply api.reply, p_key text, p_fingerprint text, p_secret text)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_position  bigint;
begin
    insert into core.idempotency as i (tenant_id, actor_id, key_hash,
                                       fingerprint, reply)
    values (core.tenant(), core.actor(), p_key, p_fingerprint,
            core.seal(json_build_object(
                'status', p_reply.status, 'data', p_reply.data,
                'message', p_reply.message,
                'pagination', p_reply.pagination,
                'headers', p_reply.headers)::text, p_secret))
    -- one that is over and not yet purged
    on conflict (tenant_id, actor_id, key_hash) do update
        set fingerprint = excluded.fingerprint, reply = excluded.reply,
            created_at = now()
    returning i.position into v_position;

    if v_position % 64 = 0 then
        perform core.idempotency_trim(core.idempotency_limit());
    end if;

    return p_reply;
end
$$;

-- The tenant's oldest replies go; what others hold is left to them.
create or replace function core.idempotency_trim(p_limit int) returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    delete from core.idempotency i
     where i.tenant_id = core.tenant()
       and (i.actor_id, i.key_hash) in (
               select o.actor_id, o.key_hash
                 from core.idempotency o
                where o.tenant_id = core.tenant()
                  and o.position <= (
                          select n.position
                            from core.idempotency n
                           where n.tenant_id = core.tenant()
                           order by n.position desc
                           offset p_limit limit 1)
                order by o.position
                limit 1000
                  for update skip locked);
end
$$;

-- The stored reply of a request that enter_once() recognised.
create or replace function api.replay(
    ctx api.ctx, args jsonb, p_key text, p_fingerprint text, p_secret text)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    r  json;
begin
    select core.unseal(i.reply, p_secret)::json into r
      from core.idempotency i
     where i.tenant_id = core.tenant() and i.actor_id = ctx.actor_id
       and i.key_hash = p_key and i.fingerprint = p_fingerprint;

    -- it went in between: come again
    if not found then
        perform core.fail('IDEMPOTENCY_IN_PROGRESS');
    end if;

    return ((r ->> 'status')::int, nullif((r -> 'data')::text, 'null')::json,
            r ->> 'message', nullif((r -> 'pagination')::text, 'null')::json,
            null, null,
            nullif((r -> 'headers')::text, 'null')::json)::api.reply;
end
$$;
