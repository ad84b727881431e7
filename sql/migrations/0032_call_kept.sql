-- Calls that wait for their processing keep the day of their packets.

create index call_unprocessed on core.call (day)
    where processing_state in ('COMPLETED', 'PROCESSING_AI');
create policy work_select on core.call for select to voice_work
    using (processing_state in ('COMPLETED', 'PROCESSING_AI'));
