-- Test suites: which cases run together, in which languages, against which
-- voice agent.

create table core.test_suite (
    tenant_id          uuid not null references core.tenant,
    id                 uuid not null default core.uuid_v7(),
    name               text not null check (length(name) between 1 and 255),
    description        text check (length(description) <= 5000),
    category           text check (length(category) between 1 and 100),
    is_active          boolean not null default true,
    -- how a run that names no languages chooses them, and what becomes of a
    -- language that a case does not have
    language_mode      text not null default 'primary'
                       check (language_mode in ('primary', 'specific',
                                                'all')),
    languages          text[] not null default '{}',
    fallback_behavior  text not null default 'skip'
                       check (fallback_behavior in ('smart', 'skip',
                                                    'fail')),
    agent              text check (agent ~ '^[a-z][a-z0-9_-]{0,62}$'),
    version            int not null default 1,
    created_by         uuid,
    created_at         timestamptz not null default now(),
    updated_at         timestamptz not null default now(),
    primary key (tenant_id, id),
    check (language_mode <> 'specific' or cardinality(languages) > 0)
);

create index test_suite_newest
    on core.test_suite (tenant_id, created_at desc, id desc);

alter table core.test_suite enable row level security;
alter table core.test_suite force row level security;

create policy tenant on core.test_suite to voice_owner
    using (tenant_id = core.tenant());
