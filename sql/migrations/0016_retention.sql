-- Retention removes refresh tokens that were used long ago: a session that is
-- refreshed for years would keep one an hour.

create index refresh_token_used on core.refresh_token (used_at)
    where used_at is not null;

create policy work_select on core.refresh_token for select to voice_work
    using (true);
create policy work_delete on core.refresh_token for delete to voice_work
    using (used_at < now() - interval '30 days');
