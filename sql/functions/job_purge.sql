-- Retention of what jobs leave behind.

set local role voice_work;

-- Jobs that ended longer ago than their kind is kept, dead ones with them, at
-- most p_max of all; how many rows went.
create or replace function core.purge_jobs(p_max int) returns bigint
language plpgsql volatile set search_path = core, pg_temp
set enable_seqscan = off set enable_bitmapscan = off
set plan_cache_mode = force_custom_plan
as $$
declare
    k        core.job_kind;
    v_some   bigint;
    v_total  bigint := 0;
begin
    for k in select * from core.job_kind order by kind loop
        delete from core.job j
         where j.id in (select p.id from core.job p
                         where p.kind = k.kind
                           and p.ended_at < now()
                               - make_interval(days => k.keep_days)
                         order by p.ended_at
                         limit p_max - v_total
                           for update skip locked);
        get diagnostics v_some = row_count;
        v_total := v_total + v_some;
    end loop;

    -- a group goes after the last of its jobs
    delete from core.job_group g
     where g.id in (select p.id from core.job_group p
                     where p.ended_at < now() - interval '1 day'
                       and not exists (select from core.job j
                                        where j.tenant_id = p.tenant_id
                                          and j.group_id = p.id)
                       and not exists (select from core.job_group i
                                        where i.tenant_id = p.tenant_id
                                          and i.parent_id = p.id)
                     limit p_max);
    get diagnostics v_some = row_count;
    v_total := v_total + v_some;

    delete from core.job_unique u
     where (u.tenant_id, u.kind, u.key) in (
               select p.tenant_id, p.kind, p.key from core.job_unique p
                where p.until < now()
                  and not exists (select from core.job j
                                   where j.id = p.job_id
                                     and j.state in ('queued', 'running'))
                limit p_max for update of p skip locked);
    get diagnostics v_some = row_count;

    return v_total + v_some;
end
$$;

set local role voice_owner;
