-- Expected outcomes: what a right answer is, and which cases expect it.

create table core.expected_outcome (
    tenant_id                    uuid not null references core.tenant,
    id                           uuid not null default core.uuid_v7(),
    outcome_code                 text not null
                                 check (outcome_code
                                        ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$'),
    name                         text not null
                                 check (length(name) between 1 and 255),
    description                  text check (length(description) <= 5000),
    domain                       text not null default 'navigation'
                                 check (domain ~ '^[a-z][a-z0-9_-]{0,62}$'),
    expected_intent              text check (length(expected_intent) <= 255),
    expected_command_kind        text
                                 check (length(expected_command_kind) <= 255),
    expected_response            text
                                 check (length(expected_response) <= 5000),
    entities                     jsonb not null default '{}'
                                 check (jsonb_typeof(entities) = 'object'),
    required_entities            text[] not null default '{}',
    validation_rules             jsonb not null default '{}'
                                 check (jsonb_typeof(validation_rules)
                                        = 'object'),
    -- {language: {expected_response, expected_response_patterns}}
    language_variations          jsonb not null default '{}'
                                 check (jsonb_typeof(language_variations)
                                        = 'object'),
    -- {contains, not_contains, regex, regex_not_match}: lists
    expected_response_content    jsonb not null default '{}'
                                 check (jsonb_typeof(
                                     expected_response_content) = 'object'),
    forbidden_phrases            text[] not null default '{}',
    acceptable_alternates        text[] not null default '{}',
    expected_asr_confidence_min  numeric
                                 check (expected_asr_confidence_min
                                        between 0 and 1),
    max_response_time_ms         int
                                 check (max_response_time_ms
                                        between 1 and 600000),
    max_response_length          int
                                 check (max_response_length
                                        between 1 and 100000),
    tolerance_settings           jsonb not null default '{}'
                                 check (jsonb_typeof(tolerance_settings)
                                        = 'object'),
    tone_requirement             text
                                 check (length(tone_requirement) <= 255),
    confirmation_required        boolean not null default false,
    confirmation_prompt          text
                                 check (length(confirmation_prompt) <= 2000),
    allow_partial_success        boolean not null default false,
    next_step_on_success         text
                                 check (length(next_step_on_success) <= 255),
    next_step_on_failure         text
                                 check (length(next_step_on_failure) <= 255),
    is_active                    boolean not null default true,
    version                      int not null default 1,
    created_by                   uuid,
    created_at                   timestamptz not null default now(),
    updated_at                   timestamptz not null default now(),
    primary key (tenant_id, id)
);

-- the code of an outcome that was taken out of use is free again
create unique index expected_outcome_code
    on core.expected_outcome (tenant_id, outcome_code) where is_active;
create index expected_outcome_newest
    on core.expected_outcome (tenant_id, created_at desc, id desc);

-- language_code null: all languages.  Of several the nearest language wins,
-- then the smallest priority.
create table core.test_case_outcome (
    tenant_id            uuid not null,
    test_case_id         uuid not null,
    expected_outcome_id  uuid not null,
    language_code        text
                         check (length(language_code) between 2 and 35),
    priority             int not null default 1
                         check (priority between 1 and 100),
    created_at           timestamptz not null default now(),
    unique nulls not distinct (tenant_id, test_case_id, expected_outcome_id,
                               language_code),
    foreign key (tenant_id, test_case_id) references core.test_case,
    foreign key (tenant_id, expected_outcome_id)
        references core.expected_outcome
);

create index test_case_outcome_outcome
    on core.test_case_outcome (tenant_id, expected_outcome_id);

alter table core.expected_outcome enable row level security;
alter table core.expected_outcome force row level security;
alter table core.test_case_outcome enable row level security;
alter table core.test_case_outcome force row level security;

create policy tenant on core.expected_outcome to voice_owner
    using (tenant_id = core.tenant());
create policy tenant on core.test_case_outcome to voice_owner
    using (tenant_id = core.tenant());
