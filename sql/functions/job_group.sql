-- Groups: when all members have ended, done or not, the finalizer is added,
-- once.
--
-- Whoever ends a member holds the group's row until its commit, so of the
-- last two one sees the other.  Order of locks: jobs, then groups, those
-- inside before those around them (core.hold_groups), then what a group
-- makes.

-- A group of the current tenant; its members are added with its id, then it
-- is closed.  Without a kind it has no finalizer.  The finalizer is a member
-- of the parent, which thereby waits for it.
create or replace function core.open_group(
    p_kind text default null, p_args jsonb default '{}',
    p_subject uuid default null, p_priority int default 5,
    p_parent uuid default null)
returns uuid
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_id     uuid := core.uuid_v7();
    v_depth  int := 0;
begin
    if p_parent is not null then
        perform core.join_group(p_parent);
        select g.depth + 1 into v_depth from core.job_group g
         where g.tenant_id = core.tenant() and g.id = p_parent;
    end if;

    insert into core.job_group (id, tenant_id, finalizer_kind,
        finalizer_args, subject_id, priority, parent_id, depth, trace_id,
        traceparent)
    values (v_id, core.tenant(), p_kind, p_args, p_subject, p_priority,
        p_parent, v_depth, core.trace_id(), core.traceparent());

    return v_id;
end
$$;

-- For who adds a member: until his commit the group does not end.  Not a
-- shared lock: a member that adds others takes the group again when it ends.
create or replace function core.join_group(p_group uuid) returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    perform from core.job_group g
      where g.tenant_id = core.tenant() and g.id = p_group
        and g.ended_at is null
        for update;

    if not found then
        raise exception 'group "%" has ended', p_group;
    end if;
end
$$;

-- No more members but those that members add.  Wake: core.woken().
create or replace function core.close_group(p_group uuid) returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    update core.job_group g set open = false
     where g.tenant_id = core.tenant() and g.id = p_group and g.open;

    perform core.check_group(p_group);
end
$$;

-- Ends the group where nothing of it is left.
create or replace function core.check_group(p_group uuid) returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    g  core.job_group;
begin
    select * into g from core.job_group l
     where l.tenant_id = core.tenant() and l.id = p_group for update;

    if g.id is null or g.open or g.ended_at is not null
       or exists (select from core.job j
                   where j.tenant_id = g.tenant_id and j.group_id = g.id
                     and j.state in ('queued', 'running'))
       or exists (select from core.job_group i
                   where i.tenant_id = g.tenant_id and i.parent_id = g.id
                     and i.ended_at is null)
    then
        return;
    end if;

    perform core.end_group(g);
end
$$;

create or replace function core.end_group(g core.job_group) returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    j  core.job;
begin
    if g.finalizer_kind is not null then
        j.tenant_id := g.tenant_id;
        j.kind := g.finalizer_kind;
        j.args := g.finalizer_args || core.group_counts(g.id);
        j.subject_id := g.subject_id;
        j.priority := g.priority;
        j.group_id := g.parent_id;
        j.trace_id := g.trace_id;
        j.traceparent := g.traceparent;
        g.finalizer_id := core.follow_job(j);
    end if;

    update core.job_group u
       set ended_at = clock_timestamp(), finalizer_id = g.finalizer_id
     where u.tenant_id = g.tenant_id and u.id = g.id;

    if g.parent_id is not null and g.finalizer_id is null then
        perform core.check_group(g.parent_id);
    end if;
end
$$;

-- {"group": {"id", "done", "dead", "cancelled"}}, for the finalizer.
create or replace function core.group_counts(p_group uuid) returns jsonb
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return (select jsonb_build_object('group', jsonb_build_object(
                'id', p_group,
                'done', count(*) filter (where j.state = 'done'),
                'dead', count(*) filter (where j.state = 'dead'),
                'cancelled', count(*) filter (
                    where j.state = 'cancelled')))
              from core.job j
             where j.tenant_id = core.tenant() and j.group_id = p_group);
end
$$;

-- What came of the members, in the order in which they were made, for a
-- finalizer's start: {"id", "kind", "state", "args", "result", "error"} each.
create or replace function core.group_results(
    p_group uuid, p_max int default 1000)
returns jsonb
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return (select coalesce(jsonb_agg(jsonb_build_object(
                       'id', m.id, 'kind', m.kind, 'state', m.state,
                       'args', m.args, 'result', m.result,
                       'error', m.error) order by m.created_at, m.id), '[]')
              from (select j.* from core.job j
                     where j.tenant_id = core.tenant()
                       and j.group_id = p_group
                     order by j.created_at, j.id limit p_max) m);
end
$$;

create or replace function core.job_group_ended() returns trigger
language plpgsql security definer set search_path = core, pg_temp
as $$
declare
    v_tenant  uuid := core.tenant();
begin
    perform core.use_tenant(new.tenant_id);
    perform core.check_group(new.group_id);
    perform core.use_tenant(v_tenant);

    return null;
end
$$;

create or replace trigger job_group_ended
    after update of state on core.job for each row
    when (new.group_id is not null
          and new.state in ('done', 'dead', 'cancelled')
          and old.state in ('queued', 'running'))
    execute function core.job_group_ended();

set local role voice_work;

-- Locks the groups of jobs, and those around them, for who ends several jobs
-- in one transaction: all who do lock them in the same order.  The jobs are
-- locked already.
create or replace function core.hold_groups(p_jobs uuid[]) returns void
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_group  uuid;
begin
    for v_group in
        with recursive held (id, parent_id, depth) as (
            select g.id, g.parent_id, g.depth from core.job_group g
             where g.id in (select j.group_id from core.job j
                             where j.id = any (p_jobs)
                               and j.group_id is not null)
            union
            select g.id, g.parent_id, g.depth
              from held h
              join core.job_group g on g.id = h.parent_id
        )
        select h.id from held h order by h.depth desc, h.id
    loop
        perform from core.job_group g where g.id = v_group for update;
    end loop;
end
$$;

set local role voice_owner;
