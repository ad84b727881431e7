-- Login attempts: of an account (by the SHA-256 of its email, whether there
-- is such an account or not) and of an address.  What was on core.app_user
-- told the two apart.

create table core.login_attempt (
    scope       text not null check (scope in ('account', 'address')),
    key         text not null check (length(key) <= 64),
    failed      int not null default 0 check (failed >= 0),
    pending     timestamptz[] not null default '{}',
    networks    text[] not null default '{}',
    wait_until  timestamptz,
    user_id     uuid,
    locked_at   timestamptz,
    updated_at  timestamptz not null default now(),
    primary key (scope, key)
);

create index login_attempt_age on core.login_attempt (updated_at);
create index login_attempt_lock on core.login_attempt (locked_at)
    where locked_at is not null;

alter table core.login_attempt enable row level security;
alter table core.login_attempt force row level security;

create policy attempt on core.login_attempt to voice_owner using (true);
create policy work_select on core.login_attempt for select to voice_work
    using (true);
create policy work_delete on core.login_attempt for delete to voice_work
    using (updated_at < now() - interval '15 minutes'
           and coalesce(wait_until < now(), true));

-- The figures of a scope: core.login_rule().
create type core.login_rule as (
    failures   int,
    lock       interval,
    in_flight  int
);

alter table core.app_user
    drop column failed_logins,
    drop column locked_until;

-- Their signatures change; the functions follow the migrations.
drop function if exists core.reply_error(text, text);
drop function if exists core.count_failure(uuid);
