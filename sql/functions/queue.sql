-- Queues and kinds as the platform's operators see and pause them, and the
-- shares of tenants.

set local role voice_work;

-- Figures of a kind, of all tenants.
create or replace function core.kind_json(k core.job_kind) returns jsonb
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return jsonb_build_object(
        'kind', k.kind, 'paused_at', core.iso(k.paused_at),
        'queued', core.tally_kind(k.kind, 'queued'),
        'due', core.tally_kind(k.kind, 'due'),
        'running', core.tally_kind(k.kind, 'running'),
        'dead', core.tally_kind(k.kind, 'dead'),
        'done_last_hour', core.tally_kind(k.kind, 'done'),
        'oldest_due_seconds', core.oldest_due(k.kind),
        'settings', core.kind_settings(k));
end
$$;

-- Seconds that the first of a kind has waited; 0: none does.  Jobs of tenants
-- that may not work now wait for that, and for nobody here.
create or replace function core.oldest_due(p_kind text) returns numeric
language plpgsql stable security definer set search_path = core, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
declare
    v_first  timestamptz;
begin
    select j.run_at into v_first
      from core.job j
      join core.tenant t on t.id = j.tenant_id and t.status = 'active'
     where j.kind = p_kind and j.state = 'queued'
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

-- Since when; who pauses what is paused changes nothing.
create or replace function core.paused_at(p_at timestamptz, p_pause boolean)
returns timestamptz
language sql stable
as $$ select case when p_pause then coalesce(p_at, now()) end $$;

-- What is told of a queue or kind (p_what) that was paused or resumed.
-- p_queue null: there is none.
create or replace function core.pause_told(
    p_what text, p_name text, p_queue text, p_pause boolean, p_json json)
returns api.reply
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    if p_queue is null then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    perform core.audit(p_what || case when p_pause then '.paused'
                                      else '.resumed' end, p_what, p_name);

    return core.reply(p_json,
        p_wake => case when not p_pause then core.queue_wake(p_queue) end);
end
$$;

-- Waits for the claim that is under way: nothing starts after the reply.
create or replace function core.pause_queue(args jsonb, p_pause boolean)
returns api.reply
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    q  core.queue;
begin
    perform core.lock_claims(args ->> 'name');

    update core.queue u set paused_at = core.paused_at(u.paused_at, p_pause)
     where u.name = args ->> 'name'
    returning * into q;

    return core.pause_told('queue', q.name, q.name, p_pause,
                           core.queue_json(q));
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
    perform core.lock_claims(l.queue) from core.job_kind l
      where l.kind = args ->> 'kind';

    update core.job_kind u
       set paused_at = core.paused_at(u.paused_at, p_pause)
     where u.kind = args ->> 'kind'
    returning * into k;

    return core.pause_told('job_kind', k.kind, k.queue, p_pause,
                           core.kind_json(k)::json);
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
