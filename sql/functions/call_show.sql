-- Calls as the API shows them.

-- The sequences that are missing: those below the highest, and the tail once
-- the total is known, which nothing above it belongs to.
create or replace function core.call_missing(s core.call_stream)
returns int8multirange
language sql immutable parallel safe
as $$
    select case when s.expected is null then s.missing
        else (s.missing + int8multirange(int8range(s.next_sequence,
                  greatest(s.next_sequence, s.expected))))
             * int8multirange(int8range(0, s.expected)) end
$$;

create or replace function core.range_size(p_ranges int8multirange)
returns bigint
language sql immutable parallel safe
as $$
    select coalesce(sum(upper(r) - lower(r)), 0)::bigint
      from unnest(p_ranges) r
$$;

-- The first ranges as [[from, to], ...], both ends included.
create or replace function core.ranges_json(
    p_ranges int8multirange, p_max int)
returns json
language sql immutable parallel safe
as $$
    select coalesce(json_agg(json_build_array(lower(f.r), upper(f.r) - 1)
                             order by f.r), '[]')
      from (select r from unnest(p_ranges) r limit p_max) f
$$;

create or replace function core.call_get(p_id uuid) returns core.call
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    c  core.call;
begin
    select * into c from core.call l
     where l.tenant_id = core.tenant() and l.id = p_id;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND', 'There is no such call.');
    end if;

    return c;
end
$$;

-- By the id that the caller chose.
create or replace function core.call_named(p_name text) returns core.call
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    c  core.call;
begin
    select * into c from core.call l
     where l.tenant_id = core.tenant() and l.source = 'stream'
       and l.external_id = p_name;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND',
                          'Call ' || coalesce(p_name, '') || ' not found');
    end if;

    return c;
end
$$;

-- A line of the list.
create or replace function core.call_item(c core.call) returns json
language plpgsql stable set search_path = core, pg_temp
set plan_cache_mode = auto
as $$
begin
    return (select json_build_object(
            'id', c.id, 'call_id', c.external_id, 'source', c.source,
            'state', c.processing_state, 'status', c.status,
            'disposition', c.disposition,
            'total_received', coalesce(s.received, 0),
            'expected_total_packets', s.expected,
            'missing_count', coalesce(core.range_size(m.ranges), 0),
            'missing_ranges', core.ranges_json(m.ranges, 100),
            'missing_ranges_total', (select count(*) from unnest(m.ranges)),
            'media', c.media, 'language', c.language_code,
            'sentiment', c.sentiment,
            'sentiment_score', case jsonb_typeof(c.sentiment_detail -> 'score')
                when 'number' then c.sentiment_detail -> 'score' end,
            'summary', c.summary, 'excerpt', left(c.transcription, 240),
            'duration_ms', c.duration_ms,
            'recording_url', case when c.recording_key is not null
                then '/api/v1/calls/' || c.id || '/recording' end,
            'drive', c.drive, 'failure_reason', c.failure_reason,
            'last_packet_at', core.iso(s.last_at),
            'started_at', core.iso(c.started_at),
            'completed_at', core.iso(c.completed_at),
            'processed_at', core.iso(c.processed_at),
            'failed_at', core.iso(c.failed_at))
          from (select) one
          left join core.call_stream s
            on s.tenant_id = c.tenant_id and s.call_id = c.id
         cross join core.call_missing(s) m (ranges));
end
$$;

-- All of a call but its packets: also what /v1/calls/{call_id} answers.
create or replace function core.call_json(c core.call) returns json
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    s          core.call_stream;
    v_history  json;
begin
    select * into s from core.call_stream l
     where l.tenant_id = c.tenant_id and l.call_id = c.id;

    select json_agg(json_build_object(
               'from_state', m.from_state, 'to_state', m.to_state,
               'at', core.iso(m.moved_at), 'drive', m.drive,
               'reason', m.reason) order by m.position)
      into v_history
      from (select * from core.call_move n
             where n.tenant_id = c.tenant_id and n.call_id = c.id
             order by n.position desc limit 100) m;

    return (core.call_item(c)::jsonb || jsonb_build_object(
        'sample_rate', case c.media when 'pcm' then c.sample_rate end,
        'transcription', c.transcription,
        'sentiment_detail', c.sentiment_detail,
        'talk_ms', c.talk_ms, 'silence_ms', c.silence_ms,
        'recording_ms', c.recording_ms,
        'recording_notes', c.recording_notes,
        'closes_at', core.iso(s.closes_at),
        'redrive_at', core.iso(c.redrive_at),
        'history', coalesce(v_history, '[]')))::json;
end
$$;

create or replace function api.get_call(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return core.reply(core.call_json(core.call_get((args ->> 'id')::uuid)));
end
$$;

create or replace function api.get_named_call(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return core.reply(core.call_json(
               core.call_named(args ->> 'call_id')));
end
$$;

create or replace function api.list_calls(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    p            core.paging := core.page(args);
    v_tenant     uuid := core.tenant();
    v_state      text := args ->> 'state';
    v_ended      text := args ->> 'disposition';
    v_sentiment  text := args ->> 'sentiment';
    v_from       timestamptz := (args ->> 'from')::timestamptz;
    v_to         timestamptz := (args ->> 'to')::timestamptz;
    v_like       text := core.pattern(args ->> 'search');
    v_up         boolean := args ->> 'sort' = 'started_at';
    v_total      bigint;
    v_data       json;
begin
    select count(*) into v_total
      from core.call c
     where c.tenant_id = v_tenant
       and (v_state is null or c.processing_state = v_state)
       and (v_ended is null or c.disposition = v_ended)
       and (v_sentiment is null or c.sentiment = v_sentiment)
       and (v_from is null or c.started_at >= v_from)
       and (v_to is null or c.started_at < v_to)
       and (v_like is null or c.external_id ilike v_like);

    -- each order by its index
    with hit as not materialized (
        select c.* from core.call c
         where c.tenant_id = v_tenant
           and (v_state is null or c.processing_state = v_state)
           and (v_ended is null or c.disposition = v_ended)
           and (v_sentiment is null or c.sentiment = v_sentiment)
           and (v_from is null or c.started_at >= v_from)
           and (v_to is null or c.started_at < v_to)
           and (v_like is null or c.external_id ilike v_like)
    )
    select json_agg(core.call_item(row(o.*)::core.call))
      into v_data
      from ((select h.* from hit h where not coalesce(v_up, false)
              order by h.started_at desc, h.id desc
              limit p.page_size offset p.skip)
            union all
            (select h.* from hit h where v_up
              order by h.started_at, h.id
              limit p.page_size offset p.skip)) o;

    return core.reply_list(v_data, args, v_total);
end
$$;

-- Moves of the state machine and tries of the AI, in the order of time.
create or replace function api.list_call_events(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    p        core.paging := core.page(args);
    c        core.call := core.call_get((args ->> 'id')::uuid);
    v_total  bigint;
    v_data   json;
begin
    with happened as (
        select m.moved_at as at, 0 as kind, m.position as n,
               json_build_object('kind', 'move', 'at', core.iso(m.moved_at),
                   'drive', m.drive, 'from_state', m.from_state,
                   'to_state', m.to_state, 'reason', m.reason) as line
          from core.call_move m
         where m.tenant_id = c.tenant_id and m.call_id = c.id
        union all
        select t.started_at, 1, t.try,
               json_build_object('kind', 'try', 'at', core.iso(t.started_at),
                   'drive', t.drive, 'try', t.try, 'provider', t.provider,
                   'outcome', t.outcome, 'reason', t.reason,
                   'ended_at', core.iso(t.ended_at))
          from core.call_try t
         where t.tenant_id = c.tenant_id and t.call_id = c.id
    )
    select (select count(*) from happened),
           (select json_agg(o.line)
              from (select h.line from happened h
                     order by h.at, h.kind, h.n
                     limit p.page_size offset p.skip) o)
      into v_total, v_data;

    return core.reply_list(v_data, args, v_total);
end
$$;

-- Refuses what only a processed call has.
create or replace function core.require_archived(c core.call, p_what text)
returns void
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    if c.processing_state <> 'ARCHIVED' then
        perform core.fail('INVALID_STATE', 'The call is '
            || c.processing_state || '; there is no ' || p_what || ' yet.');
    end if;
end
$$;

create or replace function api.get_call_transcript(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    c  core.call := core.call_get((args ->> 'id')::uuid);
begin
    perform core.require_archived(c, 'transcript');

    return core.reply(json_build_object('id', c.id,
        'call_id', c.external_id, 'language', c.language_code,
        'transcription', coalesce(c.transcription, ''),
        'sentiment', c.sentiment, 'sentiment_detail', c.sentiment_detail,
        'summary', c.summary, 'duration_ms', c.duration_ms,
        'talk_ms', c.talk_ms, 'silence_ms', c.silence_ms));
end
$$;

-- The recording itself: the edge answers with the object.
create or replace function api.get_call_recording(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    c  core.call := core.call_get((args ->> 'id')::uuid);
begin
    if c.media = 'text' then
        perform core.fail('RESOURCE_NOT_FOUND',
            'The call has no recording: its packets are text.');
    end if;

    if c.recording_key is null then
        perform core.require_archived(c, 'recording');
        perform core.fail('RESOURCE_NOT_FOUND',
                          'The call has no recording.');
    end if;

    return core.reply(null, p_headers => json_build_object(
        'X-Accel-Redirect', '/objects/' || c.recording_key,
        'Content-Type', 'audio/wav'));
end
$$;
