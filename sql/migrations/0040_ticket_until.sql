-- A stream that a ticket opened ends with the credential that made it.

alter table core.stream_ticket add until timestamptz;      -- null: never
