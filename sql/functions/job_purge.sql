-- Retention of what jobs leave behind.

set local role voice_work;

-- Nobody works for a tenant that was deleted: what waits ends.
create or replace function core.cancel_deleted(p_max int) returns bigint
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_jobs  uuid[] := array(
        select j.id
          from core.tenant t
          join core.job_turn l on l.tenant_id = t.id
          join core.job j on j.kind = l.kind and j.tenant_id = l.tenant_id
                         and j.state = 'queued'
         where t.status = 'deleted'
         limit p_max for update of j skip locked);
begin
    perform core.hold_groups(v_jobs);

    update core.job j
       set state = 'cancelled', ended_at = now()
     where j.id = any (v_jobs);

    return cardinality(v_jobs);
end
$$;

-- Jobs that ended longer ago than their kind is kept, dead ones with them, at
-- most p_max of all; how many rows went.
create or replace function core.purge_jobs(p_max int) returns bigint
language plpgsql volatile set search_path = core, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set jit = off
set plan_cache_mode = force_custom_plan
as $$
declare
    k        core.job_kind;
    v_some   bigint;
    v_total  bigint := core.cancel_deleted(p_max);
begin
    for k in select * from core.job_kind order by kind loop
        delete from core.job j
         where j.id in (select p.id from core.job p
                         where p.kind = k.kind
                           and p.ended_at < now()
                               - make_interval(days => k.keep_days)
                         order by p.ended_at
                         limit greatest(0, p_max - v_total)
                           for update skip locked);
        get diagnostics v_some = row_count;
        v_total := v_total + v_some;
    end loop;

    -- a group goes after the last of its jobs; those are not looked for where
    -- there must be some
    delete from core.job_group g
     where g.id in (select p.id from core.job_group p
                     where p.ended_at < now() - make_interval(days => (
                               select max(i.keep_days) from core.job_kind i))
                       and not exists (select from core.job j
                                        where j.tenant_id = p.tenant_id
                                          and j.group_id = p.id)
                       and not exists (select from core.job_group i
                                        where i.tenant_id = p.tenant_id
                                          and i.parent_id = p.id)
                     limit p_max);
    get diagnostics v_some = row_count;
    v_total := v_total + v_some;

    -- by then any rate has been made up for
    delete from core.job_rate r
     where r.tat < now() - interval '1 day' and r.wake_at is null;
    get diagnostics v_some = row_count;
    v_total := v_total + v_some;

    -- an hour later: who has just taken a key (until is then no earlier than
    -- his transaction) may have a job that is not to be seen from here
    delete from core.job_unique u
     where (u.tenant_id, u.kind, u.key) in (
               select p.tenant_id, p.kind, p.key from core.job_unique p
                where p.until < now() - interval '1 hour'
                  and not exists (select from core.job j
                                   where j.id = p.job_id
                                     and j.state in ('queued', 'running'))
                limit p_max for update of p skip locked);
    get diagnostics v_some = row_count;

    return v_total + v_some;
end
$$;

set local role voice_owner;
