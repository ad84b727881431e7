-- Test cases, what is said in each of their languages, and what they were in
-- each of their versions.

create table core.test_case (
    tenant_id            uuid not null references core.tenant,
    id                   uuid not null default core.uuid_v7(),
    suite_id             uuid,
    name                 text not null check (length(name) between 1 and 255),
    description          text check (length(description) <= 5000),
    test_type            text not null default 'voice_command'
                         check (test_type in ('voice_command', 'multi_turn',
                                              'edge_case')),
    category             text check (length(category) between 1 and 100),
    scenario_definition  jsonb not null default '{}'
                         check (jsonb_typeof(scenario_definition)
                                = 'object'),
    tags                 text[] not null default '{}',
    is_active            boolean not null default true,
    version              int not null default 1,
    created_by           uuid,
    created_at           timestamptz not null default now(),
    updated_at           timestamptz not null default now(),
    primary key (tenant_id, id),
    foreign key (tenant_id, suite_id) references core.test_suite
);

create index test_case_newest
    on core.test_case (tenant_id, created_at desc, id desc);
create index test_case_suite
    on core.test_case (tenant_id, suite_id, created_at);

-- position 1 is the primary language.
create table core.test_case_language (
    tenant_id         uuid not null,
    test_case_id      uuid not null,
    language_code     text not null
                      check (length(language_code) between 2 and 35),
    position          int not null,
    input_text        text not null
                      check (length(input_text) between 1 and 2000),
    input_variations  text[] not null default '{}',
    voice             text check (voice in ('slt', 'rms', 'awb', 'kal')),
    created_at        timestamptz not null default now(),
    updated_at        timestamptz not null default now(),
    primary key (tenant_id, test_case_id, language_code),
    foreign key (tenant_id, test_case_id) references core.test_case
);

create index test_case_language_code
    on core.test_case_language (tenant_id, language_code, test_case_id);

create table core.test_case_version (
    tenant_id       uuid not null,
    test_case_id    uuid not null,
    version_number  int not null check (version_number > 0),
    snapshot        jsonb not null,
    diff            jsonb not null,            -- {field: {from, to}}
    change_summary  text not null check (length(change_summary) <= 255),
    created_by      uuid,
    created_at      timestamptz not null default now(),
    primary key (tenant_id, test_case_id, version_number),
    foreign key (tenant_id, test_case_id) references core.test_case
);

alter table core.test_case enable row level security;
alter table core.test_case force row level security;
alter table core.test_case_language enable row level security;
alter table core.test_case_language force row level security;
alter table core.test_case_version enable row level security;
alter table core.test_case_version force row level security;

create policy tenant on core.test_case to voice_owner
    using (tenant_id = core.tenant());
create policy tenant on core.test_case_language to voice_owner
    using (tenant_id = core.tenant());
-- versions are history: never changed, never removed
create policy tenant_select on core.test_case_version for select
    to voice_owner using (tenant_id = core.tenant());
create policy tenant_insert on core.test_case_version for insert
    to voice_owner with check (tenant_id = core.tenant());
