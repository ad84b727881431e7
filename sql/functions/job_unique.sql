-- Unique jobs: one of a key waits or runs, and for a window after it was made
-- there is no other either.

-- The job of the key: a new one (is_new), or that which has it.  p_window
-- null: only while it waits or runs.
create or replace function core.add_unique_job(
    p_kind text, p_key text, p_window interval default null,
    p_args jsonb default '{}', p_subject uuid default null,
    p_priority int default 5, p_run_at timestamptz default now(),
    out job_id uuid, out is_new boolean)
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    u       core.job_unique;
    v_free  constant uuid := '00000000-0000-0000-0000-000000000000';
begin
    -- the row stays locked until the commit: others with the key wait
    insert into core.job_unique as h (tenant_id, kind, key, job_id, until)
    values (core.tenant(), p_kind, p_key, v_free, now())
    on conflict (tenant_id, kind, key) do update set key = excluded.key
    returning * into u;

    is_new := u.job_id = v_free
              or u.until <= now() and not core.job_lives(u.job_id);

    if not is_new then
        job_id := u.job_id;
        return;
    end if;

    job_id := core.add_job(p_kind, p_args, p_subject, p_priority, p_run_at);

    update core.job j set unique_key = p_key where j.id = job_id;
    update core.job_unique h
       set job_id = add_unique_job.job_id,
           until = now() + coalesce(p_window, '0')
     where h.tenant_id = u.tenant_id and h.kind = p_kind and h.key = p_key;
end
$$;

create or replace function core.job_lives(p_id uuid) returns boolean
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    return exists (select from core.job j
                    where j.tenant_id = core.tenant() and j.id = p_id
                      and j.state in ('queued', 'running'));
end
$$;

-- Takes the key back for a job that is queued again; false: another has it.
create or replace function core.unique_again(j core.job) returns boolean
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_holder  uuid;
begin
    if j.unique_key is null then
        return true;
    end if;

    insert into core.job_unique as h (tenant_id, kind, key, job_id, until)
    values (j.tenant_id, j.kind, j.unique_key, j.id, now())
    on conflict (tenant_id, kind, key) do update set key = excluded.key
    returning h.job_id into v_holder;

    if v_holder <> j.id and core.job_lives(v_holder) then
        return false;
    end if;

    update core.job_unique h
       set job_id = j.id, until = greatest(h.until, now())
     where h.tenant_id = j.tenant_id and h.kind = j.kind
       and h.key = j.unique_key;

    return true;
end
$$;
