-- Calls: the state machine, how a call ends, and the AI's turn.
--
-- IN_PROGRESS -> COMPLETED -> PROCESSING_AI -> ARCHIVED | FAILED, and
-- FAILED -> PROCESSING_AI by a re-drive.  Order of locks: job, call_stream,
-- call.

-- A setting of the tenant (settings.calls) that is a number of seconds.
create or replace function core.call_setting(
    p_name text, p_default_seconds int)
returns interval
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return make_interval(secs => coalesce((
        select (t.settings #>> array['calls', p_name])::float8
          from core.tenant t where t.id = core.tenant()),
        p_default_seconds));
end
$$;

-- The only place where a call's state changes, with what hangs on it: times,
-- drive, failure_reason, redrive_at, the move's row and event.  p_reason: why
-- it ended ("abandoned"), was driven again or has failed.  Each PROCESSING_AI
-- is a drive with the next number.  False, and nothing is done, where the
-- call may not go there, or not yet (redrive_at), or is gone.
create or replace function core.call_move(
    p_call uuid, p_to text, p_reason text default null)
returns boolean
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    c        core.call;
    v_now    timestamptz;
    v_drive  int;               -- null: the move is not the AI's
begin
    select * into c from core.call l
     where l.tenant_id = core.tenant() and l.id = p_call for no key update;
    v_now := clock_timestamp();

    if not found
       or (c.processing_state, p_to) not in (
              ('IN_PROGRESS', 'COMPLETED'), ('COMPLETED', 'PROCESSING_AI'),
              ('PROCESSING_AI', 'ARCHIVED'), ('PROCESSING_AI', 'FAILED'),
              ('FAILED', 'PROCESSING_AI'))
       or coalesce(c.redrive_at > v_now, false)
    then
        return false;
    end if;

    v_drive := case p_to when 'COMPLETED' then null
                         when 'PROCESSING_AI' then c.drive + 1
                         else c.drive end;

    update core.call u
       set processing_state = p_to,
           drive = coalesce(v_drive, u.drive),
           status = 'completed',
           disposition = coalesce(u.disposition,
               case p_reason when 'abandoned' then p_reason
                             else 'completed' end),
           completed_at = coalesce(u.completed_at, v_now),
           processed_at = case p_to when 'ARCHIVED' then v_now end,
           failure_reason = case p_to when 'FAILED' then p_reason end,
           failed_at = case p_to when 'FAILED' then v_now end,
           redrive_at = case p_to when 'FAILED' then now()
               + core.call_setting('redrive_seconds', 300) end
     where u.tenant_id = c.tenant_id and u.id = c.id;

    insert into core.call_move (tenant_id, call_id, position, from_state,
                                to_state, drive, reason, moved_at)
    values (c.tenant_id, c.id,
            1 + (select count(*) from core.call_move m
                  where m.tenant_id = c.tenant_id and m.call_id = c.id),
            c.processing_state, p_to, v_drive, p_reason, v_now);

    perform core.emit('call.state_changed', 'call', c.id,
        jsonb_strip_nulls(jsonb_build_object('call_id', c.external_id,
            'from_state', c.processing_state, 'to_state', p_to,
            'drive', v_drive, 'reason', p_reason)));

    return true;
end
$$;

-- Ends a call whose stream is held: packets still count until the grace
-- period is over, which is when the AI's job may run.  p_total null: unknown.
create or replace function core.call_end(
    s core.call_stream, p_total int, p_reason text)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_closes  timestamptz := clock_timestamp()
                             + core.call_setting('grace_seconds', 3);
begin
    update core.call_stream u
       set expected = p_total, closes_at = v_closes, idle_at = null
     where u.tenant_id = s.tenant_id and u.external_id = s.external_id;

    perform core.call_move(s.call_id, 'COMPLETED', p_reason);
    perform core.add_job('call_processing',
        jsonb_build_object('call_id', s.call_id), s.call_id,
        p_run_at => v_closes);
    perform core.count('calls_ended', coalesce(p_reason, 'completed'));
end
$$;

-- The completion may come again.  An abandoned call learns its total from
-- the first that comes, late as it is: nothing else follows from that.
create or replace function api.complete_call(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    s        core.call_stream;
    v_name   text := args ->> 'call_id';
    v_total  int := (args ->> 'total_packets')::int;
    v_data   jsonb := jsonb_build_object('status', 'accepted',
                 'message', 'Call completion signal received',
                 'call_id', v_name, 'expected_total_packets', v_total);
begin
    select * into s from core.call_stream l
     where l.tenant_id = core.tenant() and l.external_id = v_name
       for no key update;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND',
                          'Call ' || v_name || ' not found');
    end if;

    if s.closes_at is null then
        perform core.call_end(s, v_total, null);
        return core.reply(v_data::json, 202);
    end if;

    if s.expected <> v_total then
        perform core.fail('CONFLICT', 'Call ' || v_name
            || ' was completed with ' || s.expected || ' packets');
    end if;

    if s.expected is null then
        update core.call_stream u set expected = v_total
         where u.tenant_id = s.tenant_id and u.external_id = s.external_id
        returning * into s;
    end if;

    return core.reply((
        select v_data || jsonb_build_object(
                   'processing_state', c.processing_state,
                   'disposition', c.disposition,
                   'total_received', s.received,
                   'missing_count', core.range_size(core.call_missing(s)))
          from core.call c
         where c.tenant_id = s.tenant_id and c.id = s.call_id)::json, 202);
end
$$;

-- A person has a failed call processed again, now or as soon as that is
-- allowed.  The job is there already, the automatic re-drive's.
create or replace function api.process_call(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    c       core.call := core.call_get((args ->> 'id')::uuid);
    j       core.job;
    v_at    timestamptz;
    v_wake  text[];
begin
    select * into j from core.job l
     where l.tenant_id = c.tenant_id and l.subject_id = c.id
       and l.kind = 'call_processing' and l.state in ('queued', 'running')
     order by l.id limit 1 for update;

    select * into c from core.call l
     where l.tenant_id = c.tenant_id and l.id = c.id for no key update;

    if c.processing_state is distinct from 'FAILED' then
        perform core.fail('INVALID_STATE', 'The call is '
            || coalesce(c.processing_state, 'erased')
            || '; only a FAILED one is processed again.');
    elsif not core.packets_kept(c.day) then
        perform core.fail('INVALID_STATE',
                          'The packets of the call are no longer kept.');
    end if;

    v_at := greatest(c.redrive_at, now());
    v_wake := case when v_at <= now()
                   then core.wake('call_processing') end;

    -- added while the call's row was waited for
    if j.id is null then
        select * into j from core.job l
         where l.tenant_id = c.tenant_id and l.subject_id = c.id
           and l.kind = 'call_processing' and l.state in ('queued', 'running');
    end if;

    if j.id is null then
        perform core.add_job('call_processing',
            jsonb_build_object('call_id', c.id), c.id, p_run_at => v_at);
    elsif j.state = 'queued' and j.run_at > v_at then
        update core.job u
           set run_at = v_at, sent_at = case when v_at <= now() then now() end
         where u.id = j.id;
    end if;

    perform core.audit('call.redriven', 'call', c.id);

    return core.reply(json_build_object('id', c.id,
        'call_id', c.external_id, 'state', c.processing_state,
        'drive', c.drive + 1, 'runs_at', core.iso(v_at)), 202,
        p_wake => v_wake);
end
$$;

-- Ends a call that has been silent for too long; else says when to look
-- again.  Passes over one that is being written to.
create or replace function core.call_abandon(p_tenant uuid, p_name text)
returns boolean
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    s         core.call_stream;
    v_silent  timestamptz;
begin
    perform core.use_tenant(p_tenant, null, 'system', null, '');

    select * into s from core.call_stream l
     where l.tenant_id = p_tenant and l.external_id = p_name
       and l.idle_at is not null
       for no key update skip locked;

    if not found then
        return false;
    end if;

    v_silent := s.last_at + core.call_setting('abandon_seconds', 900);

    if v_silent > clock_timestamp() then
        update core.call_stream u set idle_at = v_silent
         where u.tenant_id = p_tenant and u.external_id = p_name;
        return false;
    end if;

    perform core.call_end(s, null, 'abandoned');

    return true;
end
$$;

set local role voice_work;

-- Looks at up to p_max calls whose time for that has come; how many it ended.
create or replace function work.abandon_calls(p_max int) returns bigint
language plpgsql volatile security definer set search_path = core, pg_temp
set enable_seqscan = off set jit = off
as $$
declare
    s        record;
    v_count  bigint := 0;
begin
    for s in select l.tenant_id, l.external_id
               from core.call_stream l
              where l.idle_at <= now()
              order by l.idle_at limit p_max
    loop
        -- one call that cannot be ended must not hold up all others
        begin
            if core.call_abandon(s.tenant_id, s.external_id) then
                v_count := v_count + 1;
            end if;
        exception when others then
            raise warning 'a call of tenant % is not ended: %', s.tenant_id,
                sqlerrm;
        end;
    end loop;

    perform core.use_tenant(null, null, null, null, null);

    return v_count;
end
$$;

set local role voice_owner;
