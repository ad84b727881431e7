-- Calls: one table for all of them, whatever brought them in; beside it what
-- a stream of packets needs at each packet, the packets, the moves of the
-- state machine and the tries of the AI service.

create table core.call (
    tenant_id               uuid not null references core.tenant,
    id                      uuid not null default core.uuid_v7(),
    source                  text not null default 'stream'
                            check (source ~ '^[a-z_]{1,20}$'),
    external_id             text collate "C" not null
                            check (octet_length(external_id)
                                   between 1 and 255),
    status                  text not null default 'in_progress'
                            check (status in ('in_progress', 'completed')),
    disposition             text
                            check (disposition in ('completed',
                                                   'abandoned')),
    processing_state        text not null default 'IN_PROGRESS'
                            check (processing_state in ('IN_PROGRESS',
                                'COMPLETED', 'PROCESSING_AI', 'ARCHIVED',
                                'FAILED')),
    day                     date not null       -- partition of its packets
                            default (now() at time zone 'UTC')::date,
    media                   text not null default 'text'
                            check (media in ('text', 'pcm', 'pcmu',
                                             'pcma')),
    sample_rate             int not null default 8000     -- of pcm
                            check (sample_rate between 8000 and 48000),
    language_code           text        -- told, or detected in the end
                            check (length(language_code) between 2 and 35),
    drive                   int not null default 0,  -- of the AI, from 1
    transcription           text,
    sentiment               text
                            check (sentiment in ('positive', 'negative',
                                                 'neutral')),
    sentiment_detail        jsonb,
    summary                 text,
    duration_ms             bigint check (duration_ms >= 0),
    talk_ms                 bigint check (talk_ms >= 0),
    silence_ms              bigint check (silence_ms >= 0),
    recording_key           text
                            check (recording_key
                                   ~ '^[0-9a-f]{2}/[0-9a-f]{64}\.wav$'),
    recording_bytes         bigint check (recording_bytes >= 0),
    recording_ms            bigint check (recording_ms >= 0),
    recording_notes         jsonb,      -- gaps longer than their silence
    failure_reason          text,
    failed_at               timestamptz,
    started_at              timestamptz not null default now(),
    completed_at            timestamptz,
    processed_at            timestamptz,
    primary key (tenant_id, id),
    unique (tenant_id, source, external_id),
    check ((status = 'completed') = (completed_at is not null))
);

create index call_newest on core.call (tenant_id, started_at desc, id desc);
create index call_state
    on core.call (tenant_id, processing_state, started_at desc);

-- What each packet reads and writes.  Narrow, without an index on what
-- changes, half empty pages: a packet's update stays in its page (HOT).
create table core.call_stream (
    tenant_id      uuid not null,
    external_id    text collate "C" not null,
    call_id        uuid not null,
    day            date not null,
    next_sequence  bigint not null default 0,   -- one above the highest
    received       bigint not null default 0,
    missing        int8multirange not null default '{}',   -- below next
    expected       int,                 -- total_packets, once it is known
    closes_at      timestamptz,         -- end of the grace period
    closed         boolean not null default false,   -- processing began
    last_at        timestamptz not null,
    idle_at        timestamptz,         -- next look at its silence; null:
                                        -- the call is over
    primary key (tenant_id, external_id),
    foreign key (tenant_id, call_id) references core.call on delete cascade
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02,
        autovacuum_analyze_scale_factor = 0.05);

create index call_stream_call on core.call_stream (tenant_id, call_id);
create index call_stream_idle on core.call_stream (idle_at)
    where idle_at is not null;

-- Partitions are made and dropped by work.packet_days(), a day each: the day
-- on which the call began, so that all packets of a call are in one.
create table core.packet (
    tenant_id    uuid not null,
    call_id      uuid not null,
    sequence     int not null check (sequence >= 0),
    day          date not null,
    sent_at      float8 not null,       -- the sender's timestamp
    received_at  timestamptz not null,
    data         text not null,
    primary key (tenant_id, call_id, sequence, day)
) partition by range (day);

-- Every move of the state machine, in order.
create table core.call_move (
    tenant_id   uuid not null,
    call_id     uuid not null,
    position    int not null,           -- from 1
    from_state  text not null,
    to_state    text not null,
    drive       int,                    -- of the AI, where it is its move
    reason      text,
    moved_at    timestamptz not null default clock_timestamp(),
    primary key (tenant_id, call_id, position),
    foreign key (tenant_id, call_id) references core.call on delete cascade
);

-- Every try to have a call processed.
create table core.call_try (
    tenant_id   uuid not null,
    call_id     uuid not null,
    drive       int not null,           -- from 1
    try         int not null,           -- in the drive, from 1
    provider    text,
    outcome     text check (outcome in ('done', 'failed')),   -- null: runs,
                                        -- or its worker died
    reason      text,
    started_at  timestamptz not null default clock_timestamp(),
    ended_at    timestamptz,
    primary key (tenant_id, call_id, drive, try),
    foreign key (tenant_id, call_id) references core.call on delete cascade
);

-- Recordings that wait to be deleted from the object store.
create table core.object_erasure (
    key        text primary key,
    asked_at   timestamptz not null default now()
);

alter table core.call enable row level security;
alter table core.call force row level security;
alter table core.call_stream enable row level security;
alter table core.call_stream force row level security;
alter table core.packet enable row level security;
alter table core.packet force row level security;
alter table core.call_move enable row level security;
alter table core.call_move force row level security;
alter table core.call_try enable row level security;
alter table core.call_try force row level security;

create policy tenant on core.call to voice_owner
    using (tenant_id = core.tenant());
create policy tenant on core.call_stream to voice_owner
    using (tenant_id = core.tenant());
create policy tenant on core.packet to voice_owner
    using (tenant_id = core.tenant());
create policy tenant on core.call_move to voice_owner
    using (tenant_id = core.tenant());
create policy tenant on core.call_try to voice_owner
    using (tenant_id = core.tenant());

-- the keeper looks for calls that have gone silent
create policy work_select on core.call_stream for select to voice_work
    using (idle_at is not null);
