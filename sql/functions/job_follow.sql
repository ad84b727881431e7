-- Jobs that follow from jobs: the next step of a chain, the finalizer of a
-- group.  Their makers are triggers, which nobody asks for queues to wake: so
-- the queues are gathered in the transaction (core.woken), and where nobody
-- takes them along, the keeper finds the jobs due within a second.

create or replace function core.note_wake(p_queue text) returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    perform set_config('voice.wake', concat_ws(',',
        nullif(current_setting('voice.wake', true), ''), p_queue), true);
end
$$;

-- The queues of jobs that triggers of this transaction have made since this
-- was asked last.
create or replace function core.woken() returns text[]
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_wake  text := coalesce(current_setting('voice.wake', true), '');
begin
    if v_wake = '' then
        return '{}';
    end if;

    perform set_config('voice.wake', '', true);

    return (string_to_array(v_wake, ','))[1:100];
end
$$;

-- j: tenant_id, kind, args, and what else a job is made with; run_at null is
-- now.  Under its tenant; returns its id.
create or replace function core.follow_job(j core.job) returns uuid
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_id     uuid := core.uuid_v7();
    v_queue  text;
begin
    select k.queue into strict v_queue
      from core.job_kind k where k.kind = j.kind;

    insert into core.job (id, tenant_id, kind, queue, subject_id, priority,
        provider, group_id, chain, run_at, trace_id, traceparent, args)
    values (v_id, j.tenant_id, j.kind, v_queue, j.subject_id,
        coalesce(j.priority, 5), coalesce(j.provider, ''), j.group_id,
        j.chain, coalesce(j.run_at, now()), j.trace_id, j.traceparent,
        coalesce(j.args, '{}'));

    perform core.note_wake(v_queue);

    return v_id;
end
$$;
