-- Packets of calls, in batches.  All rules of a packet stand here: which is
-- taken, which is there already, which comes too late.

-- The first missing sequences, as members of a JSON array.
create or replace function core.first_missing(
    p_missing int8multirange, p_max int)
returns text
language sql immutable parallel safe
as $$
    select coalesce(string_agg(m.n::text, ','), '')
      from (select generate_series(lower(u.r), upper(u.r) - 1) as n
              from (select unnest(p_missing) as r) u
             limit p_max) m
$$;

-- Makes the calls that are not there yet, in their order, so that two
-- batches that make the same ones wait for each other and cannot deadlock.
create or replace function core.begin_calls(p_calls text[], p_media text[])
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_tenant  uuid := core.tenant();
    v_media   text;
begin
    if not core.packets_kept((now() at time zone 'UTC')::date) then
        perform core.fail('SERVICE_UNAVAILABLE',
                          'There is no place for packets of today.');
    end if;

    select coalesce(t.settings #>> '{calls,media}', 'text') into v_media
      from core.tenant t where t.id = v_tenant;

    with fresh as (
        select distinct on (p.call) p.call, p.media
          from unnest(p_calls, p_media) with ordinality p (call, media, n)
         where not exists (select from core.call_stream s
                            where s.tenant_id = v_tenant
                              and s.external_id = p.call)
         order by p.call, p.n
    ), made as (
        insert into core.call (tenant_id, external_id, media, sample_rate)
        select v_tenant, f.call,
               split_part(coalesce(f.media, v_media), '/', 1),
               coalesce(nullif(split_part(coalesce(f.media, v_media), '/',
                                          2), ''), '8000')::int
          from fresh f order by f.call
        on conflict (tenant_id, source, external_id) do nothing
        returning id, external_id, day
    )
    insert into core.call_stream (tenant_id, external_id, call_id, day,
                                  last_at, idle_at)
    select v_tenant, m.external_id, m.id, m.day, now(),
           now() + core.call_setting('abandon_seconds', 900)
      from made m;
end
$$;

-- Was a packet that came again sent with something else?  What it is
-- compared with is stored, or stands before it in the same batch.
create or replace function core.packet_differs(
    s core.call_stream, p_sequence bigint, p_data text, p_earlier text)
returns boolean
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_data  text;
begin
    select p.data into v_data from core.packet p
     where p.tenant_id = s.tenant_id and p.call_id = s.call_id
       and p.sequence = p_sequence and p.day = s.day;

    return coalesce(v_data, p_earlier, p_data) <> p_data;
end
$$;

-- Takes a batch of packets of one tenant.  The arrays are parallel: calls
-- sorted by their bytes, packets of one call in the order of their arrival;
-- media may be null: "text", "pcm/<rate>", "pcmu", "pcma", of which a call's
-- first packet decides.  p_gaps: ranges that a call may miss at most.
--
-- Rows of call_stream are looked up one by one, by their whole key: what
-- PostgreSQL makes of a join or of "= any" while it has no statistics reads
-- all calls of the tenant for each batch, and a session keeps its plans.
--
-- A row for each packet, in that order:
--   status         accepted, duplicate, rejected, or gaps: it would leave
--                  more gaps than are kept, and is not taken
--   total          packets of the call, this one included
--   missing_count  sequences below the highest that have not come
--   missing        the first hundred of them, members of a JSON array
--   gap            the first sequence of a gap that this packet left; else
--                  null
--   differs        a duplicate with another payload than the first one's
--   state          processing_state of the call, for what is rejected
create or replace function api.ingest_packet(
    ctx api.ctx, p_calls text[], p_sequences bigint[], p_sent float8[],
    p_media text[], p_data text[], p_gaps int)
returns table (status text, total bigint, missing_count bigint,
               missing text, gap bigint, differs boolean, state text)
language plpgsql volatile security definer set search_path = core, pg_temp
set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_bitmapscan = off
as $$
declare
    v_tenant   uuid := core.tenant();
    v_now      timestamptz;
    v_held     core.call_stream[];      -- in the order of p_calls
    v_call     int := 0;                -- place of s there
    p          record;
    s          core.call_stream;        -- of the call that p belongs to
    v_gaps     int;                     -- at least as many as s has
    v_missing  text;                    -- of s; null: to be made
    v_status   text[] := '{}';
    v_ids      uuid[] := '{}';
    v_days     date[] := '{}';
begin
    if exists (select from unnest(p_calls) c (call)
                where (select l.call_id from core.call_stream l
                        where l.tenant_id = v_tenant
                          and l.external_id = c.call) is null)
    then
        perform core.begin_calls(p_calls, p_media);
    end if;

    -- every batch locks in the same order
    v_held := array(
        select (select l from core.call_stream l
                 where l.tenant_id = v_tenant and l.external_id = c.call
                   for no key update)
          from (select distinct b.call collate "C" as call
                  from unnest(p_calls) b (call) order by 1) c);
    v_now := clock_timestamp();

    for p in
        select b.n::int as n, b.call, b.sequence, b.data
          from unnest(p_calls, p_sequences, p_data) with ordinality
               b (call, sequence, data, n)
    loop
        if s.external_id is distinct from p.call then
            if v_call > 0 then
                v_held[v_call] := s;
            end if;

            v_call := v_call + 1;
            s := v_held[v_call];

            -- erased while its row was waited for: the batch comes again
            if s.external_id is distinct from p.call then
                raise exception using errcode = 'serialization_failure',
                    message = 'a call was erased meanwhile';
            end if;

            v_gaps := case when isempty(s.missing) then 0 end;
            v_missing := case when v_gaps = 0 then '' end;
        end if;

        gap := null;
        differs := false;
        state := null;

        if s.closed or s.closes_at <= v_now or p.sequence >= s.expected then
            status := 'rejected';
            select c.processing_state into state from core.call c
             where c.tenant_id = v_tenant and c.id = s.call_id;

        elsif p.sequence = s.next_sequence then
            status := 'accepted';
            s.next_sequence := p.sequence + 1;
            s.received := s.received + 1;

        elsif p.sequence > s.next_sequence then
            if v_gaps is null or v_gaps >= p_gaps then
                select count(*) into v_gaps from unnest(s.missing);
            end if;

            if v_gaps >= p_gaps then
                status := 'gaps';
            else
                status := 'accepted';
                gap := s.next_sequence;
                s.missing := s.missing
                    + int8multirange(int8range(gap, p.sequence));
                s.next_sequence := p.sequence + 1;
                s.received := s.received + 1;
                v_gaps := v_gaps + 1;
                v_missing := null;
            end if;

        elsif s.missing @> p.sequence then
            status := 'accepted';
            s.missing := s.missing
                - int8multirange(int8range(p.sequence, p.sequence + 1));
            s.received := s.received + 1;
            v_gaps := v_gaps + 1;
            v_missing := null;

        else
            status := 'duplicate';
            differs := core.packet_differs(s, p.sequence, p.data,
                (select e.data
                   from unnest(p_calls, p_sequences, p_data) with ordinality
                        e (call, sequence, data, n)
                  where e.call = p.call and e.sequence = p.sequence
                    and e.n < p.n
                  order by e.n limit 1));
        end if;

        v_missing := coalesce(v_missing, core.first_missing(s.missing, 100));
        v_status[p.n] := status;
        v_ids[p.n] := s.call_id;
        v_days[p.n] := s.day;

        total := s.received;
        missing_count := s.next_sequence - s.received;
        missing := v_missing;
        return next;
    end loop;

    v_held[v_call] := s;

    foreach s in array v_held loop
        update core.call_stream u
           set next_sequence = s.next_sequence, received = s.received,
               missing = s.missing, last_at = v_now
         where u.tenant_id = v_tenant and u.external_id = s.external_id;
    end loop;

    insert into core.packet (tenant_id, call_id, sequence, day, sent_at,
                             received_at, data)
    select v_tenant, b.id, b.sequence, b.day, b.sent, v_now, b.data
      from unnest(v_status, v_ids, p_sequences, v_days, p_sent, p_data)
           b (status, id, sequence, day, sent, data)
     where b.status = 'accepted';
end
$$;
