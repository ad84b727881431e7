-- The relay asks for what is numbered and not yet out before each batch: not
-- a walk through all that waits when it comes back after a day.

create index event_numbered on core.event (tenant_id, seq)
    where published_at is null and seq is not null;
