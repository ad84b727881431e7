-- The packets of a call, in pages.

-- A page of a call's packets in their order, as lines of JSON: what is
-- missing stands between them as {"gap": {"from", "to"}}, both included.
-- cursor is the "next" of the page before.
create or replace function api.list_call_packets(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    c           core.call := core.call_get((args ->> 'id')::uuid);
    p           record;
    v_next      bigint := coalesce((args ->> 'cursor')::bigint, 0);
    v_expected  int;
    v_lines     text[] := '{}';
    v_count     int := 0;
    v_bytes     int := 0;
    v_more      boolean := false;
begin
    if not core.packets_kept(c.day) then
        perform core.fail('RESOURCE_NOT_FOUND',
                          'The packets of the call are no longer kept.');
    end if;

    for p in select k.sequence::bigint, row_to_json(k)::text as line
               from (select l.sequence, l.sent_at as "timestamp",
                            core.iso(l.received_at) as received_at, l.data
                       from core.packet l
                      where l.tenant_id = c.tenant_id and l.call_id = c.id
                        and l.day = c.day and l.sequence >= v_next
                      order by l.sequence limit 501) k
    loop
        v_bytes := v_bytes + octet_length(p.line);
        v_more := v_count = 500 or v_count > 0 and v_bytes > 262144;
        exit when v_more;

        if p.sequence > v_next then
            v_lines := v_lines || core.gap_line(v_next, p.sequence - 1);
        end if;

        v_lines := v_lines || p.line;
        v_count := v_count + 1;
        v_next := p.sequence + 1;
    end loop;

    select s.expected into v_expected from core.call_stream s
     where s.tenant_id = c.tenant_id and s.call_id = c.id;

    if not v_more and v_expected > v_next then
        v_lines := v_lines || core.gap_line(v_next, v_expected - 1);
    end if;

    return core.reply(json_build_object(
        'lines', case when v_lines = '{}' then ''
                      else array_to_string(v_lines, E'\n') || E'\n' end,
        'next', case when v_more then v_next::text end));
end
$$;

create or replace function core.gap_line(p_from bigint, p_to bigint)
returns text
language sql immutable parallel safe
as $$
    select '{"gap":{"from":' || p_from || ',"to":' || p_to || '}}'
$$;
