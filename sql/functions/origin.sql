-- Cross-origin requests: who may let a page of an origin read a reply.

set local role voice_lookup;

-- Before it is known who asks: the tenant that the host belongs to decides,
-- and of a host that is nobody's any tenant that lists the origin.
create or replace function api.edge_origin(p_origin text, p_host text)
returns boolean
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    v_tenant  uuid := api.edge_host(p_host);
begin
    return exists (
        select from core.tenant t
         where t.cors_origins @> array[p_origin] and t.status = 'active'
           and (v_tenant is null or t.id = v_tenant));
end
$$;

set local role voice_owner;
