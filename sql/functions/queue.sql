-- Queues and kinds as the platform's operators see and pause them, and the
-- shares of tenants.

set local role voice_work;

-- Figures of a kind, of all tenants; each counts to a million.
create or replace function core.kind_json(k core.job_kind) returns jsonb
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    v_most     constant int := 1000000;
    v_queued   bigint;
    v_due      bigint;
    v_running  bigint;
    v_dead     bigint;
    v_done     bigint;
begin
    select count(*), count(*) filter (where q.run_at <= now())
      into v_queued, v_due
      from (select j.run_at from core.job j
             where j.kind = k.kind and j.state = 'queued' limit v_most) q;
    select count(*) into v_running from core.job j
     where j.kind = k.kind and j.state = 'running';
    select count(*) into v_dead
      from (select from core.job j
             where j.kind = k.kind and j.state = 'dead' limit v_most) d;
    select count(*) into v_done
      from (select from core.job j
             where j.kind = k.kind and j.state = 'done'
               and j.ended_at > now() - interval '1 hour' limit v_most) d;

    return jsonb_build_object(
        'kind', k.kind, 'paused_at', core.iso(k.paused_at),
        'queued', v_queued, 'due', v_due, 'running', v_running,
        'dead', v_dead, 'done_last_hour', v_done,
        'oldest_due_seconds', core.oldest_due(k.kind),
        'settings', core.kind_settings(k));
end
$$;

-- Seconds that the first of a kind has waited; 0: none does.  By the index of
-- its queue, so that a long one costs nothing.
create or replace function core.oldest_due(p_kind text) returns numeric
language plpgsql stable security definer set search_path = core, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
declare
    v_queue  text := (select k.queue from core.job_kind k
                       where k.kind = p_kind);
    v_first  timestamptz;
begin
    select j.run_at into v_first
      from core.job j
     where j.queue = v_queue and j.kind = p_kind and j.state = 'queued'
     order by j.run_at limit 1;

    return greatest(0, round(coalesce(
        extract(epoch from now() - v_first), 0), 3));
end
$$;

set local role voice_owner;

create or replace function core.queue_json(q core.queue) returns json
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return json_build_object(
        'name', q.name, 'paused_at', core.iso(q.paused_at),
        'kinds', coalesce((select json_agg(core.kind_json(k)
                                           order by k.kind)
                             from core.job_kind k
                            where k.queue = q.name), '[]'));
end
$$;

create or replace function api.list_queues(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return core.reply((select coalesce(json_agg(core.queue_json(q)
                                                order by q.name), '[]')
                         from core.queue q));
end
$$;

-- As many wake-ups as bring all its workers back.
create or replace function core.queue_wake(p_queue text) returns text[]
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return array_fill(p_queue, array[100]);
end
$$;

create or replace function core.pause_queue(args jsonb, p_pause boolean)
returns api.reply
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    q  core.queue;
begin
    update core.queue u
       set paused_at = case when p_pause
                            then coalesce(u.paused_at, now()) end
     where u.name = args ->> 'name'
    returning * into q;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    perform core.audit(case when p_pause then 'queue.paused'
                            else 'queue.resumed' end, 'queue', q.name);

    return core.reply(core.queue_json(q),
        p_wake => case when not p_pause then core.queue_wake(q.name) end);
end
$$;

create or replace function api.pause_queue(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    return core.pause_queue(args, true);
end
$$;

create or replace function api.resume_queue(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    return core.pause_queue(args, false);
end
$$;

create or replace function core.pause_kind(args jsonb, p_pause boolean)
returns api.reply
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    k  core.job_kind;
begin
    update core.job_kind u
       set paused_at = case when p_pause
                            then coalesce(u.paused_at, now()) end
     where u.kind = args ->> 'kind'
    returning * into k;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    perform core.audit(case when p_pause then 'job_kind.paused'
                            else 'job_kind.resumed' end, 'job_kind', k.kind);

    return core.reply(core.kind_json(k)::json,
        p_wake => case when not p_pause then core.queue_wake(k.queue) end);
end
$$;

create or replace function api.pause_job_kind(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    return core.pause_kind(args, true);
end
$$;

create or replace function api.resume_job_kind(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    return core.pause_kind(args, false);
end
$$;

create or replace function core.share_json(s core.job_share) returns json
language sql stable
as $$
    select json_build_object('kind', s.kind, 'weight', s.weight,
                             'running_max', s.running_max)
$$;

-- Puts the transaction under the tenant of the path.
create or replace function core.share_enter(args jsonb) returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    if not exists (select from core.tenant t
                    where t.id = (args ->> 'id')::uuid
                      and t.status <> 'deleted')
       or core.role() is distinct from 'platform_admin'
    then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    perform core.use_tenant((args ->> 'id')::uuid);
end
$$;

create or replace function api.list_job_shares_of_tenant(
    ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    perform core.share_enter(args);

    return core.reply((select coalesce(json_agg(core.share_json(s)
                                                order by s.kind), '[]')
                         from core.job_share s
                        where s.tenant_id = core.tenant()));
end
$$;

create or replace function api.set_job_share_of_tenant(
    ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    s  core.job_share;
begin
    perform core.share_enter(args);

    if not exists (select from core.job_kind k
                    where k.kind = args ->> 'kind')
    then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    insert into core.job_share as u (tenant_id, kind, weight, running_max)
    values (core.tenant(), args ->> 'kind',
        coalesce((args ->> 'weight')::int, 1),
        (args ->> 'running_max')::int)
    on conflict (tenant_id, kind) do update
       set weight = excluded.weight, running_max = excluded.running_max
    returning * into s;

    -- what is usual needs no row
    delete from core.job_share d
     where d.tenant_id = s.tenant_id and d.kind = s.kind
       and d.weight = 1 and d.running_max is null;

    perform core.use_tenant(ctx.tenant_id);
    perform core.audit('job_share.set', 'tenant', s.tenant_id,
        jsonb_build_object('kind', s.kind, 'weight', s.weight,
                           'running_max', s.running_max));

    return core.reply(core.share_json(s));
end
$$;
