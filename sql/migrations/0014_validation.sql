-- How executions were scored.  All scores are fractions 0..1.

create table core.validation_result (
    tenant_id                  uuid not null,
    id                         uuid not null default core.uuid_v7(),
    test_run_id                uuid not null,
    execution_id               uuid not null,
    expected_outcome_id        uuid,
    language_code              text not null,
    review_status              text not null
                               check (review_status in ('auto_pass',
                                                        'manual_review',
                                                        'auto_fail')),
    confidence_score           numeric
                               check (confidence_score between 0 and 1),
    intent_match_score         numeric
                               check (intent_match_score between 0 and 1),
    entity_match_score         numeric
                               check (entity_match_score between 0 and 1),
    semantic_similarity_score  numeric
                               check (semantic_similarity_score
                                      between 0 and 1),
    semantic_method            text,
    response_time_score        numeric
                               check (response_time_score between 0 and 1),
    command_kind_match_score   numeric
                               check (command_kind_match_score
                                      between 0 and 1),
    asr_confidence_score       numeric
                               check (asr_confidence_score between 0 and 1),
    -- error rates of the normalised texts, capped at 1; raw ones uncapped
    wer_score                  numeric check (wer_score between 0 and 1),
    cer_score                  numeric check (cer_score between 0 and 1),
    ser_score                  numeric check (ser_score between 0 and 1),
    wer_raw                    numeric check (wer_raw >= 0),
    cer_raw                    numeric check (cer_raw >= 0),
    alignment                  jsonb,
    response_patterns          jsonb,
    gates                      jsonb not null default '[]'
                               check (jsonb_typeof(gates) = 'array'),
    heard_text                 text,
    recogniser                 text,
    detail                     jsonb not null default '{}'
                               check (jsonb_typeof(detail) = 'object'),
    -- a human's verdict
    review_decision            text check (review_decision in ('pass',
                                                               'fail')),
    review_feedback            text check (length(review_feedback) <= 5000),
    reviewed_by                uuid,
    reviewed_at                timestamptz,
    created_at                 timestamptz not null default now(),
    primary key (tenant_id, id),
    unique (tenant_id, execution_id),
    foreign key (tenant_id, test_run_id) references core.test_run,
    foreign key (tenant_id, execution_id)
        references core.voice_test_execution,
    foreign key (tenant_id, expected_outcome_id)
        references core.expected_outcome,
    check ((review_decision is null) = (reviewed_at is null))
);

create index validation_result_newest
    on core.validation_result (tenant_id, created_at desc, id desc);
create index validation_result_run
    on core.validation_result (tenant_id, test_run_id, created_at);

alter table core.validation_result enable row level security;
alter table core.validation_result force row level security;

create policy tenant on core.validation_result to voice_owner
    using (tenant_id = core.tenant());
