-- What the edge knows of tenants: plan, where their requests go, who may come
-- from where, which hosts are theirs; and the log by which it learns that a
-- copy of it has become old.

-- Figures by class of limit, {"read": {"rate": 200, "burst": 400}}: limits
-- are the whole tenant's, user_limits those of each user or key.  A class
-- that is missing leaves what the contract says.
create table core.plan (
    id           text primary key check (id ~ '^[a-z][a-z0-9_-]{0,62}$'),
    name         text not null check (length(name) between 1 and 100),
    limits       jsonb not null default '{}'
                 check (jsonb_typeof(limits) = 'object'),
    user_limits  jsonb not null default '{}'
                 check (jsonb_typeof(user_limits) = 'object'),
    version      int not null default 1,
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now()
);

insert into core.plan (id, name, limits, user_limits)
values ('standard', 'Standard', '{}', '{}'),
       ('starter', 'Starter',
        '{"read": {"rate": 20, "burst": 40},
          "write": {"rate": 5, "burst": 10},
          "stream": {"rate": 2, "burst": 10}}',
        '{"read": {"rate": 10, "burst": 20},
          "write": {"rate": 3, "burst": 6}}'),
       ('business', 'Business',
        '{"read": {"rate": 1000, "burst": 2000},
          "write": {"rate": 250, "burst": 500},
          "stream": {"rate": 50, "burst": 250}}',
        '{}');

-- The bounds of the lists are those of the edge's record
-- (ngx_voice_module/ngx_voice_tenant.h).
alter table core.tenant
    add plan             text not null default 'standard'
                         references core.plan,
    add upstream         text check (upstream ~ '^[A-Za-z0-9._:-]{1,63}$'),
    add shard            text check (shard ~ '^[A-Za-z0-9._-]{1,63}$'),
    add allow_addresses  cidr[] not null default '{}',
    add deny_addresses   cidr[] not null default '{}',
    add cors_origins     text[] not null default '{}'
                         check (cardinality(cors_origins) <= 8),
    add external_id      text check (length(external_id) between 1 and 200),
    add constraint tenant_addresses
        check (cardinality(allow_addresses) + cardinality(deny_addresses)
               <= 32
               and array_position(allow_addresses, null) is null
               and array_position(deny_addresses, null) is null),
    add constraint tenant_origins
        check (array_position(cors_origins, null) is null
               and array_position(cors_origins, '') is null
               and array_to_string(cors_origins, ' ')
                   ~ '^(https?://[][a-z0-9.:_-]{1,80}( (?!$)|$))*$');

-- The tenant's name at a foreign issuer of tokens.
create unique index tenant_external on core.tenant (external_id);
create index tenant_plan on core.tenant (plan);

-- Hosts by which a tenant is reached: a name, or "*.name" for all below it.
create table core.tenant_host (
    tenant_id   uuid not null references core.tenant,
    host        text not null
                check (length(host) <= 253
                       and host ~ ('^([*][.])?([a-z0-9_]([a-z0-9_-]{0,61}'
                                   || '[a-z0-9_])?[.])*[a-z0-9_]'
                                   || '([a-z0-9_-]{0,61}[a-z0-9_])?$')),
    created_at  timestamptz not null default now(),
    primary key (tenant_id, host)
);

create unique index tenant_host_host on core.tenant_host (host);

alter table core.tenant_host enable row level security;
alter table core.tenant_host force row level security;

create policy tenant on core.tenant_host to voice_owner
    using (tenant_id = core.tenant());
create policy lookup on core.tenant_host for select to voice_lookup
    using (true);

-- One row for each thing of which a copy at the edge is no longer good, in
-- the transaction that changed it.  Read by snapshots: what a snapshot did
-- not see yet is new, in whatever order transactions commit.
create table core.edge_change (
    position    bigint generated always as identity primary key,
    xid         xid8 not null default pg_current_xact_id(),
    kind        text not null
                check (kind in ('tenant', 'tenants', 'host', 'hosts',
                                'session', 'actor', 'all')),
    id          text not null default '',
    changed_at  timestamptz not null default clock_timestamp()
);

create index edge_change_xid on core.edge_change (xid);
create index edge_change_time on core.edge_change (changed_at);
