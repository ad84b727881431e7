-- Keys with two secrets for a while, and with limits of their own.

alter table core.api_key
    add previous_hash       text check (length(previous_hash) = 64),
    add previous_last_four  text,
    add previous_until      timestamptz,
    add previous_used_at    timestamptz,
    add rate                int check (rate between 1 and 100000),
    add burst               int check (burst between 1 and 100000),
    add constraint api_key_previous
        check ((previous_hash is null) = (previous_until is null)
               and (previous_hash is null) = (previous_last_four is null)),
    add constraint api_key_limits check ((rate is null) = (burst is null));

create unique index api_key_previous_hash on core.api_key (previous_hash)
    where previous_hash is not null;

-- Its signature changes; the functions follow the migrations.
drop function if exists core.api_key_expiry(api.ctx, jsonb);
