-- Chains: jobs of which each is added when the one before is done.
--
-- A step is {"kind", "args", "priority", "provider", "take"}; all but kind may
-- be left out.  take names the member of args that gets the result of the
-- step before.  Of a step that dies or is cancelled the rest waits with it:
-- it goes on where the step is queued again.

create or replace function core.check_chain(p_steps jsonb) returns void
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    s  jsonb;
begin
    if jsonb_typeof(p_steps) is distinct from 'array'
       or jsonb_array_length(p_steps) not between 1 and 100
    then
        raise exception 'a chain is a list of 1 to 100 steps';
    end if;

    for s in select * from jsonb_array_elements(p_steps) loop
        if not exists (select from core.job_kind k
                        where k.kind = s ->> 'kind')
        then
            raise exception 'a step is of an unknown kind: "%"',
                s ->> 'kind';
        elsif (s ->> 'priority')::int not between 1 and 10 then
            raise exception 'a step''s priority is not within 1..10';
        end if;
    end loop;
end
$$;

create or replace function core.add_step(
    j core.job, p_steps jsonb, p_result jsonb)
returns uuid
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    s  jsonb := p_steps -> 0;
    n  core.job := j;
begin
    n.kind := s ->> 'kind';
    n.args := coalesce(s -> 'args', '{}');
    n.priority := coalesce((s ->> 'priority')::int, j.priority);
    n.provider := s ->> 'provider';
    n.run_at := null;
    n.chain := nullif(p_steps - 0, '[]');

    if s ? 'take' then
        n.args := n.args || jsonb_build_object(s ->> 'take', p_result);
    end if;

    return core.follow_job(n);
end
$$;

-- The first step's id.  Wake: core.woken().  In a group the chain counts as a
-- member until its last step has ended.
create or replace function core.add_chain(
    p_steps jsonb, p_subject uuid default null, p_priority int default 5,
    p_group uuid default null)
returns uuid
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    j  core.job;
begin
    perform core.check_chain(p_steps);

    if p_group is not null then
        perform core.join_group(p_group);
    end if;

    j.tenant_id := core.tenant();
    j.subject_id := p_subject;
    j.priority := p_priority;
    j.group_id := p_group;
    j.trace_id := core.trace_id();
    j.traceparent := core.traceparent();

    return core.add_step(j, p_steps, null);
end
$$;

create or replace function core.job_chain_done() returns trigger
language plpgsql security definer set search_path = core, pg_temp
as $$
declare
    v_tenant  uuid := core.tenant();
begin
    perform core.use_tenant(new.tenant_id);
    perform core.add_step(new, new.chain, new.result);
    perform core.use_tenant(v_tenant);

    return new;
end
$$;

-- Before, so that of jobs which end in one statement all next steps are there
-- when job_group_ended asks whether a group has members left.
create or replace trigger job_chain_done
    before update of state on core.job for each row
    when (new.chain is not null and new.state = 'done'
          and old.state <> 'done')
    execute function core.job_chain_done();
