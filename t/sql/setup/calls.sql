-- Short names for what the files of calls do often; after tenants.sql.

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
