-- Each schedule is shown with its last occurrence; it may have had one a
-- second for 90 days.
create index schedule_occurrence_last
    on core.schedule_occurrence (tenant_id, schedule_id, fired_at);
