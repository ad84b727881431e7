-- Erasure: nothing of a call stays but that it was erased.

-- What there is of a call that was just looked up.  Its events keep their
-- numbers and lose what they say.
create or replace function core.call_erase(c core.call) returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_packets  bigint;
begin
    -- before the rows that jobs lock; and once more what a completion added
    -- while its stream was waited for
    perform core.cancel_jobs(c.id);
    perform from core.call_stream s
      where s.tenant_id = c.tenant_id and s.call_id = c.id for update;
    perform core.cancel_jobs(c.id);

    select * into c from core.call l
     where l.tenant_id = c.tenant_id and l.id = c.id for update;

    if not found then
        return;                         -- by somebody else meanwhile
    end if;

    delete from core.packet p
     where p.tenant_id = c.tenant_id and p.call_id = c.id and p.day = c.day;
    get diagnostics v_packets = row_count;

    update core.event e set payload = '{"erased": true}'
     where e.tenant_id = c.tenant_id and e.subject_type = 'call'
       and e.subject_id = c.id;

    if c.recording_key is not null then
        insert into core.object_erasure as o (key) values (c.recording_key)
        on conflict (key) do update
            set asked_at = least(o.asked_at, excluded.asked_at);
    end if;

    -- its stream, moves and tries go with it
    delete from core.call d where d.tenant_id = c.tenant_id and d.id = c.id;

    perform core.audit('call.erased', 'call', c.id,
        jsonb_build_object('packets', v_packets,
            'recording', c.recording_key is not null));
end
$$;

create or replace function api.delete_call(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    perform core.call_erase(core.call_get((args ->> 'id')::uuid));

    return core.reply(null, 204);
end
$$;

create or replace function api.delete_named_call(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    perform core.call_erase(core.call_named(args ->> 'call_id'));

    return core.reply(null, 204);
end
$$;

-- Objects that have to go, the oldest wish first.
create or replace function work.objects_to_erase(p_max int)
returns table (key text)
language sql stable security definer set search_path = core, pg_temp
as $$
    select o.key from core.object_erasure o
     where o.asked_at <= now() order by o.asked_at limit p_max
$$;

create or replace function work.object_erased(p_key text) returns void
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    delete from core.object_erasure o where o.key = p_key;
end
$$;

-- A recording that a job is about to store under a key: should the job never
-- come to its end, or the call be erased meanwhile, it goes after an hour.
-- False: the job is not held any more, nothing must be stored.
create or replace function work.expect_object(
    p_job uuid, p_token bigint, p_key text)
returns boolean
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    j  core.job := core.hold_job(p_job, p_token);
begin
    if j.id is null then
        return false;
    end if;

    insert into core.object_erasure (key, asked_at)
    values (p_key, now() + interval '1 hour')
    on conflict (key) do update set asked_at = excluded.asked_at;

    return true;
end
$$;

-- The recording is a call's now.
create or replace function core.object_kept(p_key text) returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    delete from core.object_erasure o where o.key = p_key;
end
$$;
