-- Who may.  Runs as superuser at the end of every migration.

revoke all on schema core, api, work from public;
revoke all on all tables in schema core from public;
revoke all on all functions in schema core, api, work from public;

-- The roles of definer functions may call the helpers; the login roles only
-- what is theirs.
grant execute on all functions in schema core
    to voice_owner, voice_work, voice_lookup;
grant execute on all functions in schema api to voice_edge, voice_owner;
grant execute on all functions in schema work to voice_worker;

grant select on core.tenant, core.app_user, core.membership,
    core.refresh_token, core.api_key, core.plan, core.tenant_host,
    core.edge_change to voice_lookup;
grant select, delete on core.stream_ticket to voice_lookup;

grant insert, update on core.counter to voice_work;
grant select on core.error, core.job_kind, core.counter, core.audit_log,
    core.audit_head, core.event_head, core.tenant, core.call,
    core.call_stream
    to voice_work;
grant insert, update on core.event_head to voice_work;
grant select on core.queue, core.job_share, core.schedule to voice_work;
grant select, insert, update on core.queue_scale to voice_work;
grant select, update on core.system_schedule to voice_work;
grant select, delete on core.schedule_occurrence to voice_work;
grant update (sweep_at) on core.queue to voice_work;
grant select, insert, update, delete on core.job_attempt, core.job_turn,
    core.job_rate, core.job_group, core.job_unique to voice_work;
grant usage on sequence core.job_turn_number to voice_work;
grant select, update on core.job_tally to voice_work;
grant select, insert, delete on core.job_figure to voice_work;
grant select, insert, update, delete on core.job_done to voice_work;
grant select, update, delete on core.job, core.event to voice_work;
grant select, insert, update, delete on core.worker to voice_work;
grant select, delete on core.session, core.refresh_token, core.edge_change,
    core.login_attempt, core.idempotency, core.stream_ticket
    to voice_work;

-- The superuser's own.
revoke execute on function
    work.bootstrap(text, text, text, text, boolean),
    work.place_tenant(text, text, text),
    work.adopt_tenant(uuid, text) from voice_worker;
