-- The kind call_processing: what was said in a call.  A drive is a job with
-- its attempts; an attempt that asks the analysis is a try.

-- The try under way of a call's drive.
create or replace function core.call_try_end(
    c core.call, p_outcome text, p_provider text, p_reason text)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    update core.call_try t
       set outcome = p_outcome, reason = p_reason,
           provider = coalesce(p_provider, t.provider),
           ended_at = clock_timestamp()
     where t.tenant_id = c.tenant_id and t.call_id = c.id
       and t.drive = c.drive and t.outcome is null
       and t.try = (select max(l.try) from core.call_try l
                     where l.tenant_id = c.tenant_id and l.call_id = c.id
                       and l.drive = c.drive);
end
$$;

-- When a drive that failed is followed by the next one: later and later.
create or replace function core.call_redrive_after(p_drive int)
returns interval
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return least(interval '1 day',
                 core.call_setting('redrive_seconds', 300)
                 * 2.0 ^ least(greatest(p_drive, 1) - 1, 20));
end
$$;

-- Null: the call is gone, or is not to be processed any more, or its packets
-- are no longer kept.
create or replace function work.start_call_processing(
    p_job uuid, p_token bigint)
returns json
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    j       core.job := core.start_job(p_job, p_token);
    s       core.call_stream;
    c       core.call;
    v_conf  jsonb;
    v_try   int;
begin
    -- nothing is taken after this: core.packet is complete
    update core.call_stream u set closed = true, idle_at = null
     where u.tenant_id = j.tenant_id and u.call_id = j.subject_id
    returning * into s;

    select * into c from core.call l
     where l.tenant_id = j.tenant_id and l.id = j.subject_id
       for no key update;

    if c.id is null
       or c.processing_state not in ('COMPLETED', 'PROCESSING_AI', 'FAILED')
       or not core.packets_kept(c.day)
    then
        return null;
    end if;

    if c.processing_state <> 'PROCESSING_AI' then
        if not core.call_move(c.id, 'PROCESSING_AI') then
            perform core.fail('INVALID_STATE',
                              'The time of the next drive has not come.');
        end if;

        select * into c from core.call l
         where l.tenant_id = j.tenant_id and l.id = j.subject_id;
    end if;

    select t.settings -> 'calls' into v_conf
      from core.tenant t where t.id = j.tenant_id;
    select coalesce(max(t.try), 0) + 1 into v_try
      from core.call_try t
     where t.tenant_id = c.tenant_id and t.call_id = c.id
       and t.drive = c.drive;

    insert into core.call_try (tenant_id, call_id, drive, try, provider)
    values (c.tenant_id, c.id, c.drive, v_try, v_conf ->> 'analysis');

    return json_build_object(
        'id', c.id, 'call_id', c.external_id, 'media', c.media,
        'sample_rate', c.sample_rate,
        'language', coalesce(c.language_code, v_conf ->> 'language'),
        'analysis', v_conf ->> 'analysis',
        'expected', s.expected,
        'missing', core.range_size(core.call_missing(s)),
        'drive', c.drive, 'try', v_try);
end
$$;

-- Packets of the call in their order, behind p_after; at most p_max, and
-- not many more than 4 MB of them.
create or replace function work.call_packets(
    p_job uuid, p_token bigint, p_after int, p_max int)
returns table (sequence int, sent_at float8, data text)
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    j      core.job := core.start_job(p_job, p_token);
    v_day  date;
begin
    select c.day into v_day from core.call c
     where c.tenant_id = j.tenant_id and c.id = j.subject_id;

    return query
    select b.sequence, b.sent_at, b.data
      from (select p.sequence, p.sent_at, p.data,
                   sum(octet_length(p.data)) over (order by p.sequence)
                   - octet_length(p.data) as before
              from (select o.sequence, o.sent_at, o.data
                      from core.packet o
                     where o.tenant_id = j.tenant_id
                       and o.call_id = j.subject_id and o.day = v_day
                       and o.sequence > p_after
                     order by o.sequence
                     limit least(greatest(p_max, 1), 10000)) p) b
     where b.before < 4194304
     order by b.sequence;
end
$$;

create or replace function work.finish_call_processing(
    p_job uuid, p_token bigint, p_result json)
returns table (accepted boolean, wake text[])
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    j         core.job := core.hold_job(p_job, p_token);
    c         core.call;
    v_sound   json := p_result -> 'recording';
begin
    if j.id is null or j.kind <> 'call_processing' then
        return query select false, null::text[];
        return;
    end if;

    select * into c from core.call l
     where l.tenant_id = j.tenant_id and l.id = j.subject_id
       for no key update;
    accepted := true;
    wake := core.end_job(j.id);

    if c.processing_state = 'PROCESSING_AI' and p_result is not null then
        update core.call u
           set transcription = p_result ->> 'transcription',
               sentiment = p_result ->> 'sentiment',
               sentiment_detail = (p_result -> 'sentiment_detail')::jsonb,
               summary = p_result ->> 'summary',
               language_code = coalesce(c.language_code,
                                        p_result ->> 'language'),
               duration_ms = (p_result ->> 'duration_ms')::bigint,
               talk_ms = (p_result ->> 'talk_ms')::bigint,
               silence_ms = (p_result ->> 'silence_ms')::bigint,
               recording_key = v_sound ->> 'object',
               recording_bytes = (v_sound ->> 'bytes')::bigint,
               recording_ms = (v_sound ->> 'duration_ms')::bigint,
               recording_notes = (p_result -> 'notes')::jsonb
         where u.tenant_id = c.tenant_id and u.id = c.id
        returning * into c;

        perform core.call_try_end(c, 'done', p_result ->> 'provider', null);
        perform core.object_kept(c.recording_key);
        perform core.call_move(c.id, 'ARCHIVED');
        -- events wait in memory for those who come back
        perform core.emit('call.ai_completed', 'call', c.id,
            jsonb_strip_nulls(jsonb_build_object('call_id', c.external_id,
                'transcription', left(c.transcription, 8000),
                'sentiment', c.sentiment,
                'truncated', case when length(c.transcription) > 8000
                                  then true end)));
        perform core.count('calls_processed', 'archived');
        perform core.count('call_tries', 'done');
    end if;

    return next;
end
$$;

-- After the last attempt of a drive: the call has failed, and the next
-- drive waits for its time.  A call that did not even get to its analysis
-- stays as it is, and is driven again all the same.  The event's reason is
-- the source document's sentence, which clients compare; detail is ours.
create or replace function core.call_failed(c core.call, j core.job)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_source  constant text := 'AI service failed after maximum retries';
    v_tries   int;
    v_reason  text;
begin
    select k.max_attempts into v_tries
      from core.job_kind k where k.kind = j.kind;
    v_reason := case when j.attempt - j.lost - j.deferred >= v_tries
                     then v_source else 'AI service failed' end
                || coalesce(': ' || j.error, '');

    if c.processing_state = 'PROCESSING_AI' then
        perform core.call_move(c.id, 'FAILED', v_reason);
        perform core.emit('call.ai_failed', 'call', c.id,
            jsonb_strip_nulls(jsonb_build_object('call_id', c.external_id,
                'reason', v_source, 'detail', j.error)));
        perform core.count('calls_processed', 'failed');
    end if;

    if c.processing_state <> 'ARCHIVED' and core.packets_kept(c.day) then
        perform core.add_job('call_processing',
            jsonb_build_object('call_id', c.id), c.id, 5,
            greatest(now() + core.call_redrive_after(c.drive), j.run_at));
    end if;
end
$$;

-- What the end of an attempt means for the call, whatever ended it.
create or replace function core.call_job_ended() returns trigger
language plpgsql security definer set search_path = core, pg_temp
as $$
declare
    v_tenant  uuid := core.tenant();
    c         core.call;
begin
    perform core.use_tenant(new.tenant_id);

    select * into c from core.call l
     where l.tenant_id = new.tenant_id and l.id = new.subject_id
       for no key update;

    if c.id is not null and new.deferred > old.deferred then
        delete from core.call_try t
         where t.tenant_id = c.tenant_id and t.call_id = c.id
           and t.drive = c.drive and t.outcome is null
           and t.try = (select max(l.try) from core.call_try l
                         where l.tenant_id = c.tenant_id
                           and l.call_id = c.id and l.drive = c.drive);

    elsif c.id is not null and new.lost = old.lost then
        perform core.call_try_end(c, 'failed', null, new.error);
    end if;

    if c.id is not null and new.state = 'dead' then
        perform core.call_failed(c, new);
    end if;

    if c.id is not null and new.lost = old.lost
       and new.deferred = old.deferred
    then
        perform core.count('call_tries', 'failed');
    end if;

    perform core.use_tenant(v_tenant);

    return null;
end
$$;

create or replace trigger call_job_ended
    after update of state on core.job for each row
    when (new.kind = 'call_processing' and old.state = 'running'
          and new.state in ('queued', 'dead'))
    execute function core.call_job_ended();
