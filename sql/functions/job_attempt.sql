-- The attempts of a job that did not end as done: a row each, the last fifty.

create or replace function core.job_attempt_ended() returns trigger
language plpgsql security definer set search_path = core, pg_temp
as $$
declare
    v_tenant  uuid := core.tenant();
begin
    perform core.use_tenant(new.tenant_id);

    insert into core.job_attempt (tenant_id, job_id, token, attempt, worker,
        started_at, ended_at, outcome, error)
    values (new.tenant_id, new.id, old.token,
        greatest(old.attempt - old.lost - old.deferred, 0), old.worker,
        old.claimed_at, clock_timestamp(),
        case when new.state in ('dead', 'cancelled') then new.state
             when new.lost > old.lost then 'lost'
             when new.deferred > old.deferred then 'deferred'
             else 'retried' end,
        case when new.state <> 'cancelled' then new.error end)
    on conflict (job_id, token) do nothing;

    delete from core.job_attempt a
     where a.job_id = new.id and a.token <= old.token - 50;

    perform core.use_tenant(v_tenant);

    -- its supervisor beats at once, and hears of it
    if new.state = 'cancelled' then
        perform pg_notify('voice_cancel', old.worker);
    end if;

    return null;
end
$$;

-- What was claimed and given back unbegun was no attempt.
create or replace trigger job_attempt_ended
    after update of state on core.job for each row
    when (old.state = 'running' and new.state in ('queued', 'dead',
                                                  'cancelled')
          and new.attempt = old.attempt)
    execute function core.job_attempt_ended();
