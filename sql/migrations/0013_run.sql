-- Test runs and their executions.  A run's counters are never stored: they
-- are derived from its executions.

create table core.test_run (
    tenant_id         uuid not null references core.tenant,
    id                uuid not null default core.uuid_v7(),
    suite_id          uuid,
    retry_of          uuid,
    name              text check (length(name) between 1 and 255),
    status            text not null default 'pending'
                      check (status in ('pending', 'running', 'completed',
                                        'failed', 'cancelled')),
    languages         text[] not null default '{}',    -- as asked for
    trigger_type      text not null default 'manual'
                      check (trigger_type
                             ~ '^(manual|scheduled|webhook|ci_cd|retry|auto:[a-z0-9_.-]{1,50})$'),
    trigger_metadata  jsonb not null default '{}'
                      check (jsonb_typeof(trigger_metadata) = 'object'),
    priority          int not null default 5       -- 10 is the most urgent
                      check (priority between 1 and 10),
    created_by        uuid,
    created_at        timestamptz not null default now(),
    started_at        timestamptz,
    completed_at      timestamptz,
    primary key (tenant_id, id),
    foreign key (tenant_id, suite_id) references core.test_suite,
    foreign key (tenant_id, retry_of) references core.test_run,
    check ((status in ('pending', 'running')) = (completed_at is null))
);

create index test_run_newest
    on core.test_run (tenant_id, created_at desc, id desc);
create index test_run_suite
    on core.test_run (tenant_id, suite_id, created_at desc);

-- One case in one language in one run: a picture of what is tested, taken
-- when the run was made, and what came of it.  status pending with
-- review_status manual_review: the call is over, a human has the verdict.
create table core.voice_test_execution (
    tenant_id             uuid not null,
    id                    uuid not null default core.uuid_v7(),
    test_run_id           uuid not null,
    position              int not null,
    test_case_id          uuid not null,
    test_case_name        text not null,
    test_case_version     int not null,
    expected_outcome_id   uuid,
    language_code         text not null,
    input_text            text,
    voice                 text,
    agent                 text not null,
    domain                text not null,
    context               jsonb not null default '{}',
    expected              jsonb not null default '{}',
    status                text not null default 'pending'
                          check (status in ('pending', 'running', 'passed',
                                            'failed', 'error', 'skipped')),
    review_status         text
                          check (review_status in ('auto_pass',
                                                   'manual_review',
                                                   'auto_fail')),
    reason                text,         -- of skipped, failed without a call
    error_message         text,
    response_text         text,
    written_response      text,
    transcript            text,         -- what the agent heard
    intent                text,
    command_kind          text,
    response_entities     jsonb not null default '{}',
    asr_confidence        numeric check (asr_confidence between 0 and 1),
    input_audio_key       text
                          check (input_audio_key
                                 ~ '^[0-9a-f]{2}/[0-9a-f]{64}\.wav$'),
    input_audio_bytes     bigint check (input_audio_bytes >= 0),
    input_audio_ms        numeric check (input_audio_ms >= 0),
    response_audio_key    text
                          check (response_audio_key
                                 ~ '^[0-9a-f]{2}/[0-9a-f]{64}\.wav$'),
    response_audio_bytes  bigint check (response_audio_bytes >= 0),
    response_audio_ms     numeric check (response_audio_ms >= 0),
    first_byte_ms         numeric check (first_byte_ms >= 0),
    final_result_ms       numeric check (final_result_ms >= 0),
    network_ms            numeric check (network_ms >= 0),
    rtf                   numeric check (rtf >= 0),
    processing_mode       text,
    conversation_state    jsonb,
    agent_provider        text,
    created_at            timestamptz not null default now(),
    started_at            timestamptz,
    completed_at          timestamptz,
    primary key (tenant_id, id),
    unique (tenant_id, test_run_id, test_case_id, language_code),
    foreign key (tenant_id, test_run_id) references core.test_run,
    foreign key (tenant_id, test_case_id) references core.test_case,
    foreign key (tenant_id, expected_outcome_id)
        references core.expected_outcome,
    check ((status in ('passed', 'failed', 'error', 'skipped')
            or review_status is not null) = (completed_at is not null)),
    check (status <> 'running' or review_status is null)
);

create index voice_test_execution_run
    on core.voice_test_execution (tenant_id, test_run_id, position);
create index voice_test_execution_status
    on core.voice_test_execution (tenant_id, test_run_id, status,
                                  review_status);
create index voice_test_execution_case
    on core.voice_test_execution (tenant_id, test_case_id, created_at desc);

-- A case in a language of a run to be made; status pending, or skipped or
-- failed with the reason.
create type core.test_plan_item as (
    test_case_id   uuid,
    language_code  text,
    status         text,
    reason         text
);

-- passed, failed, skipped, pending_validation and in_progress sum to total;
-- error is a part of failed.
create type core.test_run_count as (
    total               int,
    passed              int,
    failed              int,
    error               int,
    skipped             int,
    pending_validation  int,
    in_progress         int
);

alter table core.test_run enable row level security;
alter table core.test_run force row level security;
alter table core.voice_test_execution enable row level security;
alter table core.voice_test_execution force row level security;

create policy tenant on core.test_run to voice_owner
    using (tenant_id = core.tenant());
create policy tenant on core.voice_test_execution to voice_owner
    using (tenant_id = core.tenant());
