-- The settings of kinds of jobs, and what operators change of them.  The row
-- of core.job_kind is what is in force, so that nobody who claims or ends a
-- job has to look for it anywhere else.

create or replace function core.kind_settings(k core.job_kind) returns json
language sql stable
as $$
    select json_build_object(
        'soft_seconds', k.soft_seconds, 'hard_seconds', k.hard_seconds,
        'max_attempts', k.max_attempts, 'max_lost', k.max_lost,
        'backoff', k.backoff, 'backoff_seconds', k.backoff_seconds,
        'backoff_max', k.backoff_max, 'jitter', k.jitter,
        'window_seconds', k.window_seconds,
        'defer_seconds', k.defer_seconds, 'prefetch', k.prefetch,
        'running_max', k.running_max,
        'tenant_running_max', k.tenant_running_max, 'rate', k.rate,
        'rate_burst', k.rate_burst, 'heavy', k.heavy,
        'result_seconds', k.result_seconds, 'keep_days', k.keep_days)
$$;

-- Writes all settings of a kind.
create or replace function core.set_kind(k core.job_kind) returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    update core.job_kind u
       set soft_seconds = k.soft_seconds, hard_seconds = k.hard_seconds,
           max_attempts = k.max_attempts, max_lost = k.max_lost,
           backoff = k.backoff, backoff_seconds = k.backoff_seconds,
           backoff_max = k.backoff_max, jitter = k.jitter,
           window_seconds = k.window_seconds,
           defer_seconds = k.defer_seconds, prefetch = k.prefetch,
           running_max = k.running_max,
           tenant_running_max = k.tenant_running_max, rate = k.rate,
           rate_burst = k.rate_burst, heavy = k.heavy,
           result_seconds = k.result_seconds, keep_days = k.keep_days
     where u.kind = k.kind;
end
$$;

-- Puts an operator's settings of a kind in force; p_usual is the kind as its
-- release has it.
create or replace function core.change_kind(
    p_usual core.job_kind, p_own jsonb)
returns core.job_kind_change
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    c  core.job_kind_change;
begin
    perform core.set_kind(jsonb_populate_record(p_usual, p_own));

    insert into core.job_kind_change as u (kind, own, usual)
    values (p_usual.kind, p_own,
            (select coalesce(jsonb_object_agg(o.name,
                                 to_jsonb(p_usual) -> o.name), '{}')
               from jsonb_object_keys(p_own) o (name)))
    on conflict (kind) do update
       set own = excluded.own, usual = excluded.usual
    returning * into c;

    return c;
end
$$;

-- Before a release writes its kinds: all as the former one had them.
create or replace function core.release_kinds() returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    perform core.set_kind(jsonb_populate_record(k, c.usual))
       from core.job_kind_change c join core.job_kind k on k.kind = c.kind;
end
$$;

-- After it: what operators have changed is in force again.  Limits that do
-- not go together with those of this release give way.  It is another version
-- of each kind, whose defaults may be others.
create or replace function core.keep_kinds() returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    c  core.job_kind_change;
    k  core.job_kind;
begin
    insert into core.job_kind_change as u (kind)
    select i.kind from core.job_kind i
    on conflict (kind) do update set version = u.version + 1;

    for c in select * from core.job_kind_change i
              where i.own <> '{}' order by i.kind
    loop
        select * into k from core.job_kind i where i.kind = c.kind;

        begin
            perform core.change_kind(k, c.own);
        exception when check_violation then
            raise warning 'kind "%": limits and waits are those of this'
                ' release, not %', k.kind, c.own;
            perform core.change_kind(k, c.own - array['soft_seconds',
                'hard_seconds', 'backoff_seconds', 'backoff_max']);
        end;
    end loop;
end
$$;

set local role voice_work;

-- Does a job of a kind run?
create or replace function core.kind_runs(p_kind text) returns boolean
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    return exists (select from core.job j
                    where j.kind = p_kind and j.state = 'running');
end
$$;

-- Nobody waits longer for a start than by the rate that a kind has now.
create or replace function core.rerate(k core.job_kind) returns void
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_full  timestamptz := now() + make_interval(
        secs => (k.rate_burst / k.rate)::float8);
begin
    update core.job_rate r
       set tat = least(r.tat, v_full),
           wake_at = case when r.wake_at is not null then greatest(now(),
               core.rate_free(k, least(r.tat, v_full))) end
     where r.kind = k.kind;
end
$$;

set local role voice_owner;

create or replace function core.kind_detail(
    k core.job_kind, c core.job_kind_change)
returns json
language sql stable
as $$
    select json_build_object(
        'kind', k.kind, 'queue', k.queue,
        'settings', core.kind_settings(k),
        'defaults', core.kind_settings(jsonb_populate_record(k, c.usual)),
        'version', coalesce(c.version, 1),
        'updated_at', core.iso(c.updated_at))
$$;

create or replace function api.get_job_kind(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    k  core.job_kind;
    c  core.job_kind_change;
begin
    select * into k from core.job_kind i where i.kind = args ->> 'kind';

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    select * into c from core.job_kind_change i where i.kind = k.kind;

    return core.reply_version(core.kind_detail(k, c),
                              coalesce(c.version, 1));
end
$$;

-- Refuses settings that do not go together, or that jobs which run would not
-- survive: their leases end by the limit of their kind.
create or replace function core.check_kind(
    k core.job_kind, n core.job_kind, p_sent jsonb)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    if n.hard_seconds <= n.soft_seconds then
        perform core.refuse(
            case when p_sent ? 'hard_seconds' then '/body/hard_seconds'
                 else '/body/soft_seconds' end,
            'hard_seconds must be more than soft_seconds');
    elsif n.backoff_max < n.backoff_seconds then
        perform core.refuse(
            case when p_sent ? 'backoff_max' then '/body/backoff_max'
                 else '/body/backoff_seconds' end,
            'backoff_max must not be less than backoff_seconds');
    elsif n.hard_seconds < k.hard_seconds and core.kind_runs(k.kind) then
        perform core.fail('CONFLICT', 'A lower hard_seconds would end jobs'
            || ' that run: pause the kind, and wait until none does.');
    end if;
end
$$;

create or replace function api.update_job_kind(ctx api.ctx, args jsonb)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    k        core.job_kind;
    n        core.job_kind;
    c        core.job_kind_change;
    v_sent   jsonb := args - array['kind', 'if_match'];
    v_usual  core.job_kind;
    v_own    jsonb;
begin
    -- before its row, as all who change it
    perform core.lock_claims(i.queue)
       from core.job_kind i where i.kind = args ->> 'kind';

    select * into k from core.job_kind i
     where i.kind = args ->> 'kind' for no key update;

    if not found then
        perform core.fail('RESOURCE_NOT_FOUND');
    end if;

    select * into c from core.job_kind_change i where i.kind = k.kind;
    perform core.check_version(args, coalesce(c.version, 1));

    v_usual := jsonb_populate_record(k, c.usual);
    v_own := jsonb_strip_nulls(coalesce(c.own, '{}') || v_sent);
    n := jsonb_populate_record(v_usual, v_own);

    perform core.check_kind(k, n, v_sent);
    perform core.change_kind(v_usual, v_own);
    perform core.rerate(n);

    update core.job_kind_change u
       set version = coalesce(c.version, 1) + 1, updated_at = now()
     where u.kind = k.kind
    returning * into c;

    perform core.audit('job_kind.updated', 'job_kind', k.kind, v_sent);

    return core.reply(core.kind_detail(n, c),
        p_wake => core.queue_wake(k.queue),
        p_headers => json_build_object('ETag', '"' || c.version || '"'));
end
$$;
