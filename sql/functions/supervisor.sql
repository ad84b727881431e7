-- Who watches calls live: docs/design.md "Calls" has the channels.

-- channel: all that the subscriber hears; watch: those of them that hold
-- packet events, which the edge publishes while somebody watches.  Who goes on
-- from an id gets what he missed, up to the id "head".
create or replace function api.stream_supervisor(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    v_tenant  text := core.tenant()::text;
    v_call    text := '.' || md5(args ->> 'call_id');      -- null: all calls
    v_types   text[] := string_to_array(args ->> 'event_types', ',');
    v_raw     boolean := coalesce(args ->> 'rate' = 'raw', false);
    v_state   text := v_tenant || coalesce('.call' || v_call, '.calls');
    v_packet  text := v_tenant || case
        when v_raw then coalesce('.rawcall' || v_call, '.raw')
        else coalesce('.packet' || v_call, '.packets') end;
    v_heard   text[];
    v_watch   text[];
    v_after   bigint := core.live_after(args);
    v_past    json := '{}';
begin
    select array_agg(v_state || t.suffix order by t.suffix)
               filter (where not t.live),
           array_agg(v_packet || t.suffix order by t.suffix)
               filter (where t.live)
      into v_heard, v_watch
      from (select '' as suffix, l.live
              from unnest(array[true, false]) l (live)
             where v_types is null
            union
            select '.' || e.type, e.type like 'packet\_%'
              from unnest(v_types) e (type)) t;

    if v_after is not null then
        v_past := core.live_replay(v_after, args ->> 'call_id', v_types);
    end if;

    return core.reply((v_past::jsonb || jsonb_build_object(
        'channel', array_to_string(coalesce(v_heard, '{}')
                                   || coalesce(v_watch, '{}'), ','),
        'watch', coalesce(v_watch, '{}')))::json);
end
$$;
