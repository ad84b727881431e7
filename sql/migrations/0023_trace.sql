-- The trace of a request follows what it causes.  Both functions come back
-- with one more parameter or column.

alter table core.job add column traceparent text not null default '';

drop function if exists api.enter(uuid, uuid, text, text, uuid, text, inet);

set local role voice_work;
drop function if exists work.claim(text, text, int);
set local role voice_owner;
