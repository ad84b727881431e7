-- Tenants, users, memberships, sessions, refresh tokens, API keys.

create table core.tenant (
    id             uuid primary key default core.uuid_v7(),
    business_name  text not null
                   check (length(business_name) between 1 and 200),
    trade_type     text check (length(trade_type) <= 50),
    status         text not null default 'active'
                   check (status in ('active', 'suspended', 'deleted')),
    settings       jsonb not null default '{}'
                   check (jsonb_typeof(settings) = 'object'),
    version        int not null default 1,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now(),
    deleted_at     timestamptz
);

-- A person.  The home tenant is the one that made the account; it alone may
-- change the person's name for him.  Passwords stand as bcrypt hashes.
create table core.app_user (
    id                   uuid primary key default core.uuid_v7(),
    home_tenant_id       uuid not null references core.tenant,
    email                text not null
                         check (length(email) between 3 and 254),
    password_hash        text not null check (length(password_hash) = 60),
    display_name         text not null default ''
                         check (length(display_name) <= 200),
    failed_logins        int not null default 0,
    locked_until         timestamptz,
    password_changed_at  timestamptz not null default now(),
    created_at           timestamptz not null default now(),
    updated_at           timestamptz not null default now()
);

create unique index app_user_email on core.app_user (lower(email));

create table core.membership (
    tenant_id      uuid not null references core.tenant,
    id             uuid not null default core.uuid_v7(),
    user_id        uuid not null references core.app_user,
    role           text not null
                   check (role in ('platform_admin', 'owner', 'admin',
                                   'supervisor', 'operator', 'viewer',
                                   'qa_lead', 'validator', 'billing')),
    is_active      boolean not null default true,
    version        int not null default 1,
    last_login_at  timestamptz,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now(),
    primary key (tenant_id, id),
    unique (tenant_id, user_id)
);

create index membership_user on core.membership (user_id);

create table core.session (
    tenant_id     uuid not null references core.tenant,
    id            uuid not null default core.uuid_v7(),
    user_id       uuid not null references core.app_user,
    address       inet,
    user_agent    text check (length(user_agent) <= 300),
    created_at    timestamptz not null default now(),
    last_seen_at  timestamptz not null default now(),
    expires_at    timestamptz not null,
    ended_at      timestamptz,
    end_reason    text check (end_reason in ('logout', 'revoked', 'reuse',
                                             'password', 'membership')),
    primary key (tenant_id, id)
);

create index session_member on core.session (tenant_id, user_id);
create index session_expiry on core.session (expires_at);

-- One row a refresh token ever handed out; the session is the family.
create table core.refresh_token (
    tenant_id   uuid not null,
    hash        text not null check (length(hash) = 64),
    session_id  uuid not null,
    created_at  timestamptz not null default now(),
    used_at     timestamptz,
    primary key (hash),
    foreign key (tenant_id, session_id) references core.session
        on delete cascade
);

create index refresh_token_session
    on core.refresh_token (tenant_id, session_id);

create table core.api_key (
    tenant_id     uuid not null references core.tenant,
    id            uuid not null default core.uuid_v7(),
    name          text not null check (length(name) between 1 and 100),
    prefix        text not null,
    last_four     text not null,
    hash          text not null check (length(hash) = 64),
    role          text not null
                  check (role in ('owner', 'admin', 'supervisor', 'operator',
                                  'viewer', 'qa_lead', 'validator',
                                  'api_client', 'service')),
    scopes        text[] not null default '{}',
    expires_at    timestamptz,
    revoked_at    timestamptz,
    last_used_at  timestamptz,
    created_by    uuid references core.app_user,
    version       int not null default 1,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    primary key (tenant_id, id)
);

create unique index api_key_hash on core.api_key (hash);
create unique index api_key_name on core.api_key (tenant_id, lower(name))
    where revoked_at is null;

alter table core.tenant enable row level security;
alter table core.tenant force row level security;
alter table core.app_user enable row level security;
alter table core.app_user force row level security;
alter table core.membership enable row level security;
alter table core.membership force row level security;
alter table core.session enable row level security;
alter table core.session force row level security;
alter table core.refresh_token enable row level security;
alter table core.refresh_token force row level security;
alter table core.api_key enable row level security;
alter table core.api_key force row level security;

-- A tenant sees itself; the platform's administrators see all of them.
create policy tenant on core.tenant to voice_owner
    using (id = core.tenant() or core.role() = 'platform_admin');

create policy tenant on core.membership to voice_owner
    using (tenant_id = core.tenant());
create policy tenant on core.session to voice_owner
    using (tenant_id = core.tenant());
create policy tenant on core.refresh_token to voice_owner
    using (tenant_id = core.tenant());
create policy tenant on core.api_key to voice_owner
    using (tenant_id = core.tenant());

-- A user is seen by the tenants that he is a member of.  A new one belongs
-- to the tenant that makes him.
create policy tenant on core.app_user to voice_owner
    using (exists (select from core.membership m
                    where m.tenant_id = core.tenant()
                      and m.user_id = app_user.id));
create policy tenant_insert on core.app_user for insert to voice_owner
    with check (home_tenant_id = core.tenant());

create policy lookup on core.tenant for select to voice_lookup using (true);
create policy lookup on core.app_user for select to voice_lookup
    using (true);
create policy lookup on core.membership for select to voice_lookup
    using (true);
create policy lookup on core.refresh_token for select to voice_lookup
    using (true);
create policy lookup on core.api_key for select to voice_lookup
    using (true);

-- Retention removes sessions that ended.
create policy work_select on core.session for select to voice_work
    using (true);
create policy work_delete on core.session for delete to voice_work
    using (ended_at is not null or expires_at < now());
