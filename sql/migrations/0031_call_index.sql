-- One index only may begin with the tenant: while PostgreSQL has no
-- statistics of the table it takes either of two, and reads all calls of the
-- tenant for each packet.

drop index core.call_stream_call;
create index call_stream_call on core.call_stream (call_id, tenant_id);
