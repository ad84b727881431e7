-- Durable events.

-- Writes an event of the current tenant; the relay publishes it after the
-- commit.
create or replace function core.emit(
    p_type text, p_subject_type text, p_subject_id uuid, p_payload jsonb)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    insert into core.event (tenant_id, type, subject_type, subject_id,
                            payload, trace_id)
    values (core.tenant(), p_type, p_subject_type, p_subject_id, p_payload,
            core.trace_id());

    perform pg_notify('voice_event', '');
end
$$;

-- The body that subscribers and lists see; docs/design.md "Events".
create or replace function core.event_json(e core.event) returns json
language sql stable
as $$
    select json_build_object(
        'id', e.seq, 'event_type', e.type, 'schema_version', '1.0',
        'timestamp', core.iso(e.created_at), 'tenant_id', e.tenant_id,
        'payload', e.payload,
        'metadata', json_build_object('trace_id', e.trace_id,
                                      'source_service', 'voicegate'))
$$;

create or replace function api.list_events(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_types  text[] := string_to_array(args ->> 'types', ',');
    v_data   json;
begin
    select json_agg(core.event_json(e) order by e.seq) into v_data
      from (select *
              from core.event p
             where p.tenant_id = core.tenant()
               and p.seq > coalesce((args ->> 'after')::bigint, 0)
               and (v_types is null or p.type = any (v_types))
             order by p.tenant_id, p.seq
             limit coalesce((args ->> 'limit')::int, 100)) e;

    return core.reply(coalesce(v_data, '[]'));
end
$$;

-- Channels of a tenant's event stream.  The edge passes the tenant of the
-- path; another tenant's does not exist for the asker.
create or replace function api.stream_events(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_tenant   text := core.tenant()::text;
    v_channel  text;
begin
    if lower(args ->> 'tenant_id') is distinct from v_tenant then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    select string_agg(distinct v_tenant || '.' || t.type, ',')
      into v_channel
      from unnest(string_to_array(args ->> 'event_types', ',')) t (type);

    return core.reply(json_build_object('channel',
        coalesce(v_channel, v_tenant || '.all')));
end
$$;

set local role voice_work;

-- Numbers what was committed since and returns what is not published yet,
-- oldest first; of calls also in the flat shape of their supervisors.  One relay at a time: a second one gets nothing.
create or replace function work.relay_take(p_max int)
returns table (tenant_id uuid, seq bigint, type text, channels text[],
               body json, flat_event text, flat_channels text[],
               flat_body text)
language plpgsql volatile security definer set search_path = core, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set jit = off
as $$
begin
    if not pg_try_advisory_xact_lock(7310592002) then
        return;
    end if;

    -- new numbers only once the old ones are out: keeps a tenant's order
    perform core.number_events(p_max - (
        select count(*) from core.event e
         where e.published_at is null and e.seq is not null)::int);

    return query
    select e.tenant_id, e.seq, e.type,
           array[e.tenant_id || '.all', e.tenant_id || '.' || e.type,
                 e.subject_type || '.' || e.subject_id],
           core.event_json(e),
           case when e.type like 'call.%' then substr(e.type, 6) end,
           case when e.type like 'call.%'
                then core.event_flat_channels(e) end,
           case when e.type like 'call.%' then core.event_flat(e) end
      from core.event e
     where e.published_at is null and e.seq is not null
     order by e.tenant_id, e.seq
     limit p_max;
end
$$;

-- Gives the next numbers of their tenants to the oldest events without one.
-- The settings keep the plan to index walks, however many wait.
create or replace function core.number_events(p_max int) returns void
language plpgsql volatile set search_path = core, pg_temp
set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
begin
    with fresh as (
        select e.position, e.tenant_id,
               row_number() over (partition by e.tenant_id
                                  order by e.position) as n
          from (select p.position, p.tenant_id
                  from core.event p
                 where p.published_at is null and p.seq is null
                 order by p.position
                 limit greatest(p_max, 0)) e
    ), head as (
        insert into core.event_head as h (tenant_id, seq)
        select f.tenant_id, count(*) from fresh f group by f.tenant_id
        on conflict (tenant_id) do update set seq = h.seq + excluded.seq
        returning h.tenant_id, h.seq
    )
    update core.event e
       set seq = h.seq - t.total + f.n
      from fresh f
      join head h on h.tenant_id = f.tenant_id
      join (select c.tenant_id, count(*) as total
              from fresh c group by c.tenant_id) t
        on t.tenant_id = f.tenant_id
     where e.position = f.position;
end
$$;

create or replace function work.relay_done(p_tenants uuid[], p_seqs bigint[])
returns void
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    update core.event e set published_at = now()
      from unnest(p_tenants, p_seqs) d (tenant_id, seq)
     where e.tenant_id = d.tenant_id and e.seq = d.seq
       and e.published_at is null;
end
$$;

set local role voice_owner;
