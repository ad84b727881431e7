-- What the edge obeys of a tenant: plan, upstream, shard, addresses, origins,
-- hosts.  core.edge_change is written by triggers (edge.sql).

set local role voice_lookup;

-- Of any tenant: whoever sees the tenant sees its hosts.
create or replace function core.tenant_hosts(p_tenant uuid) returns text[]
language plpgsql stable security definer set search_path = core, pg_temp
as $$
begin
    return array(select h.host from core.tenant_host h
                  where h.tenant_id = p_tenant order by h.host);
end
$$;

set local role voice_owner;

-- Ranges as the client wrote them; null stands for none.
create or replace function core.networks(p_list jsonb, p_path text)
returns cidr[]
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_text  text;
    v_n     int := 0;
    v_out   cidr[] := '{}';
begin
    if jsonb_typeof(p_list) is distinct from 'array' then
        return v_out;
    end if;

    for v_text in select jsonb_array_elements_text(p_list) loop
        begin
            v_out := v_out || network(core.plain_address(v_text::inet));
        exception when invalid_text_representation then
            perform core.refuse(p_path || '/' || v_n,
                'must be an address or a range such as 192.0.2.0/24');
        end;

        v_n := v_n + 1;
    end loop;

    return v_out;
end
$$;

-- Origins as browsers send them: lower case, no port that the scheme implies.
create or replace function core.origins(p_list jsonb) returns text[]
language sql immutable
as $$
    select coalesce(array_agg(distinct regexp_replace(lower(o.origin),
               '^(http://.*):80$|^(https://.*):443$', '\1\2')), '{}')
      from jsonb_array_elements_text(
               case jsonb_typeof(p_list) when 'array' then p_list
                                         else '[]' end) o (origin)
$$;

-- May an address come in?  As ngx_voice_tenant.c has it: what is denied may
-- not, else an empty allow list takes all; an IPv4 address is the IPv6 one
-- that it is mapped to, as well.
create or replace function core.address_allowed(
    p_address inet, p_allow cidr[], p_deny cidr[])
returns boolean
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_plain   inet := core.plain_address(p_address);
    v_mapped  inet := case when family(v_plain) = 4
        then inet '::ffff:0.0.0.0' + (v_plain - inet '0.0.0.0')
        else v_plain end;
begin
    if v_plain <<= any (p_deny) or v_mapped <<= any (p_deny) then
        return false;
    end if;

    return cardinality(p_allow) = 0 or v_plain <<= any (p_allow)
        or v_mapped <<= any (p_allow);
end
$$;

-- The tenant as the arguments would have it.
create or replace function core.tenant_edge(t core.tenant, args jsonb)
returns core.tenant
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    if args ? 'plan' then
        t.plan := args ->> 'plan';

        if not exists (select from core.plan p where p.id = t.plan) then
            perform core.refuse('/body/plan', 'there is no such plan');
        end if;
    end if;

    if args ? 'upstream' then t.upstream := args ->> 'upstream'; end if;
    if args ? 'shard' then t.shard := args ->> 'shard'; end if;

    if args ? 'external_id' then
        t.external_id := args ->> 'external_id';
    end if;

    if args ? 'cors_origins' then
        t.cors_origins := core.origins(args -> 'cors_origins');
    end if;

    if args ? 'allow_addresses' then
        t.allow_addresses := core.networks(args -> 'allow_addresses',
                                           '/body/allow_addresses');
    end if;

    if args ? 'deny_addresses' then
        t.deny_addresses := core.networks(args -> 'deny_addresses',
                                          '/body/deny_addresses');
    end if;

    if cardinality(t.allow_addresses) + cardinality(t.deny_addresses) > 32
    then
        perform core.refuse('/body/allow_addresses',
                            'has with deny_addresses more than 32 ranges');
    end if;

    return t;
end
$$;

-- What only the platform's administrators change.
create or replace function core.require_platform(
    ctx api.ctx, o core.tenant, n core.tenant, args jsonb)
returns void
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    if ctx.role <> 'platform_admin'
       and ((o.status, o.plan, o.upstream, o.shard, o.external_id)
            is distinct from
            (n.status, n.plan, n.upstream, n.shard, n.external_id)
            or args ? 'hosts'
               and core.hosts(args) <> core.tenant_hosts(o.id))
    then
        perform core.fail('AUTH_INSUFFICIENT_PERMISSIONS',
            'Only the platform''s administrators change status, plan,'
            || ' upstream, shard, external_id and hosts.');
    end if;
end
$$;

-- Nobody shuts himself out by accident.
create or replace function core.require_way_in(
    ctx api.ctx, t core.tenant, args jsonb)
returns void
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    if args ?| array['allow_addresses', 'deny_addresses']
       and t.id = ctx.tenant_id
       and not coalesce((args ->> 'force')::boolean, false)
       and not coalesce(core.address_allowed(ctx.address, t.allow_addresses,
                                             t.deny_addresses), true)
    then
        perform core.fail('INVALID_STATE',
            'The lists would shut out your own address, '
            || host(core.plain_address(ctx.address))
            || '; with "force" they are taken.');
    end if;
end
$$;

create or replace function core.hosts(args jsonb) returns text[]
language sql immutable
as $$
    select coalesce(array_agg(distinct lower(h.host)), '{}')
      from jsonb_array_elements_text(
               case jsonb_typeof(args -> 'hosts')
                    when 'array' then args -> 'hosts' else '[]' end) h (host)
$$;

-- A tenant's hosts are those of the arguments.  Leaves the current tenant as
-- it was.
create or replace function core.set_hosts(p_tenant uuid, p_hosts text[])
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_before  uuid := core.tenant();
    v_host    text;
begin
    perform core.use_tenant(p_tenant);

    delete from core.tenant_host h
     where h.tenant_id = p_tenant and h.host <> all (p_hosts);

    foreach v_host in array p_hosts loop
        insert into core.tenant_host (tenant_id, host)
        values (p_tenant, v_host)
        on conflict (host) do nothing;

        if not found and not exists (
            select from core.tenant_host h
             where h.tenant_id = p_tenant and h.host = v_host)
        then
            perform core.fail('DUPLICATE',
                'The host "' || v_host || '" is another tenant''s.');
        end if;
    end loop;

    perform core.use_tenant(v_before);
end
$$;
