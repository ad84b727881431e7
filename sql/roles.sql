-- Roles of the cluster.  Only voice_edge and voice_worker may log in, and
-- neither owns anything or may touch a table.
--
--   voice_owner   owns tables and most functions; RLS is forced on it, so
--                 whatever runs as this role sees one tenant
--   voice_work    owns the functions that run the queue and the relay for
--                 all tenants; policies of its own on job, event, worker
--   voice_lookup  owns the functions that find a user, session or key before
--                 a tenant is known; policies of its own, select only
--   voice_edge    may execute api.*
--   voice_worker  may execute work.*

do $$
begin
    if to_regrole('voice_owner') is null then
        create role voice_owner;
    end if;
    if to_regrole('voice_work') is null then
        create role voice_work;
    end if;
    if to_regrole('voice_lookup') is null then
        create role voice_lookup;
    end if;
    if to_regrole('voice_edge') is null then
        create role voice_edge;
    end if;
    if to_regrole('voice_worker') is null then
        create role voice_worker;
    end if;
end
$$;

alter role voice_owner nologin noinherit nobypassrls;
alter role voice_work nologin noinherit nobypassrls;
alter role voice_lookup nologin noinherit nobypassrls;
alter role voice_edge login noinherit nobypassrls;
alter role voice_worker login noinherit nobypassrls;

create schema if not exists core authorization voice_owner;
create schema if not exists api authorization voice_owner;
create schema if not exists work authorization voice_owner;

grant usage, create on schema core, api, work to voice_work, voice_lookup;
grant usage on schema api to voice_edge;
grant usage on schema work to voice_worker;

alter default privileges for role voice_owner
    revoke execute on functions from public;
alter default privileges for role voice_work
    revoke execute on functions from public;
alter default privileges for role voice_lookup
    revoke execute on functions from public;
-- Types hold nothing; functions of all three roles speak in them.
alter default privileges for role voice_owner
    grant usage on types to public;
