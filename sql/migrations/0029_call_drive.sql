-- When a failed call may be processed again; ids of callers are counted in
-- characters, as the edge does; erasure finds the events of a call.

alter table core.call add column redrive_at timestamptz;    -- of a FAILED one

alter table core.call drop constraint call_external_id_check;
alter table core.call add constraint call_external_id_check
    check (length(external_id) between 1 and 255);

create index event_call on core.event (tenant_id, subject_id)
    where subject_type = 'call';
