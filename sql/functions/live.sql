-- Live streams of calls: the flat shape of events, what was missed, and
-- tickets.

-- An event of a call in the source document's flat shape: its keys first and
-- in its order, ours after them.
create or replace function core.event_flat(e core.event) returns text
language sql stable set search_path = core, pg_temp
as $$
    select '{' || string_agg(to_json(f.key)::text || ':' || f.value::text,
                             ',' order by f.place, f.key) || '}'
      from (select 'event' as key, to_jsonb(substr(e.type, 6)) as value,
                   0 as place
            union all
            select p.key, p.value,
                   coalesce(array_position(array['call_id', 'from_state',
                       'to_state', 'transcription', 'sentiment', 'reason'],
                       p.key), 100)
              from jsonb_each(e.payload) p
            union all select 'id', to_jsonb(e.seq), 200
            union all select 'timestamp', to_jsonb(core.iso(e.created_at)),
                             201) f
$$;

-- The channels of such an event; docs/design.md "Calls".  That of an erased
-- call says nothing of which.
create or replace function core.event_flat_channels(e core.event)
returns text[]
language sql immutable set search_path = core, pg_temp
as $$
    select array_remove(array[e.tenant_id || '.calls',
                 e.tenant_id || '.calls.' || substr(e.type, 6),
                 e.tenant_id || '.call.' || md5(e.payload ->> 'call_id'),
                 e.tenant_id || '.call.' || md5(e.payload ->> 'call_id')
                     || '.' || substr(e.type, 6)], null)
$$;

-- The last event that a client has: null: he begins now; -1: an id that is
-- none of ours.
create or replace function core.live_after(args jsonb) returns bigint
language sql immutable
as $$
    select case when args ->> 'last_event_id' ~ '^[0-9]{1,18}$'
                then (args ->> 'last_event_id')::bigint
                when args ? 'last_event_id' then -1 end
$$;

-- What came after an id, to the last one of now: [[id, event, body], ...], or
-- a gap.
create or replace function core.live_replay(
    p_after bigint, p_call text, p_types text[])
returns json
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_most    constant int := 1000;
    v_head    bigint := coalesce((select h.seq from core.event_head h
                                   where h.tenant_id = core.tenant()), 0);
    v_replay  json;
    v_count   int;
begin
    if p_after between 0 and v_head
       and (p_after = v_head
            or exists (select from core.event e
                        where e.tenant_id = core.tenant()
                          and e.seq = p_after + 1))
    then
        select json_agg(json_build_array(r.seq, substr(r.type, 6),
                                         core.event_flat(r.event))
                        order by r.seq), count(*)
          into v_replay, v_count
          from (select e.seq, e.type, e as event
                  from core.event e
                 where e.tenant_id = core.tenant()
                   and e.seq > p_after and e.seq <= v_head
                   and e.type like 'call.%'
                   and (p_types is null or substr(e.type, 6) = any (p_types))
                   and (p_call is null or e.payload ->> 'call_id' = p_call)
                 order by e.tenant_id, e.seq
                 limit v_most + 1) r;
    end if;

    if v_count <= v_most then
        return json_build_object('head', v_head,
                                 'replay', coalesce(v_replay, '[]'));
    end if;

    return json_build_object('head', v_head, 'gap',
        json_build_object('event', 'gap', 'refetch',
            '/api/v1/events?after=' || case when p_after > v_head then 0
                                            else greatest(p_after, 0)
                                       end)::text);
end
$$;

-- A ticket for one stream: whoever brings it within half a minute, and first,
-- is the one who asked for it, until his credential ends: that of a key is
-- the key's own end, whichever of its secrets was sent.
create or replace function api.create_stream_ticket(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_seconds  constant int := 30;
    v_ticket   text := 'vgt_' || core.random_secret();
    v_scopes   text[];
    v_until    timestamptz := to_timestamp((args ->> 'until')::bigint);
begin
    if ctx.actor_kind = 'api_key' then
        select k.scopes, k.expires_at into v_scopes, v_until
          from core.api_key k
         where k.tenant_id = core.tenant() and k.id = ctx.actor_id;
    end if;

    insert into core.stream_ticket (tenant_id, hash, operation, actor_id,
                                    actor_kind, role, session_id, scopes,
                                    until, expires_at)
    values (core.tenant(), core.sha256_hex(v_ticket), args ->> 'stream',
            ctx.actor_id, ctx.actor_kind, ctx.role, ctx.session_id,
            case when '*' <> all (v_scopes) then v_scopes end, v_until,
            now() + make_interval(secs => v_seconds));

    return core.reply(json_build_object('ticket', v_ticket,
                                        'expires_in', v_seconds),
                      p_status => 201);
end
$$;

set local role voice_lookup;

-- The edge's question: whose is the ticket?  It is used up by that, whatever
-- the answer is.
create or replace function api.redeem_ticket(
    p_hash text, p_operation text)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    t  core.stream_ticket;
begin
    delete from core.stream_ticket d where d.hash = p_hash
    returning d.* into t;

    if t.hash is null
       or least(t.expires_at, t.until) <= clock_timestamp()
       or t.operation <> p_operation
    then
        return core.reply_error('AUTH_INVALID_TOKEN',
                                'The ticket is not valid.');
    end if;

    return core.reply(json_strip_nulls(json_build_object(
        'kind', t.actor_kind, 'tenant_id', t.tenant_id,
        'actor_id', t.actor_id, 'role', t.role,
        'session_id', t.session_id, 'scopes', t.scopes,
        'expires', floor(extract(epoch from t.until)))));
end
$$;

set local role voice_owner;
