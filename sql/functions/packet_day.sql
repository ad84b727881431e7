-- Packets as they are stored: a partition for each day on which calls began.

create or replace function core.packet_day(p_day date) returns text
language sql immutable parallel safe
as $$ select 'packet_' || to_char(p_day, 'YYYYMMDD') $$;

-- Are there, or can there be, packets of calls that began on that day?
create or replace function core.packets_kept(p_day date) returns boolean
language sql stable
as $$ select to_regclass('core.' || core.packet_day(p_day)) is not null $$;

-- The one place with dynamic SQL: a partition's name holds its day.  All go
-- through core.packet and its policy; a partition has none, so that nobody
-- sees a row who asks it.  Attached when it is finished: that lets packets
-- come in meanwhile.
create or replace function core.make_packet_day(p_day date) returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_name  text := core.packet_day(p_day);
begin
    execute format('create table core.%I (like core.packet including all)',
                   v_name);
    execute format('alter table core.%I enable row level security', v_name);
    execute format('alter table core.%I force row level security', v_name);
    execute format('alter table core.packet attach partition core.%I'
                   ' for values from (%L) to (%L)',
                   v_name, p_day, p_day + 1);
end
$$;

create or replace function core.drop_packet_day(p_day date) returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    execute format('drop table core.%I', core.packet_day(p_day));
end
$$;

set local role voice_work;

-- Days on which calls began that are not over, or not processed and not
-- FAILED, of all tenants.
create or replace function core.open_days() returns setof date
language sql stable security definer set search_path = core, pg_temp
set enable_seqscan = off
as $$
    select s.day from core.call_stream s where s.idle_at is not null
    union
    select c.day from core.call c
     where c.processing_state in ('COMPLETED', 'PROCESSING_AI')
$$;

set local role voice_owner;

-- Makes the partitions of yesterday to a week from now, and drops those of
-- days more than p_keep days ago (null: none) unless a call of theirs is not
-- over, or waits for its processing.  Waits for no lock longer than a second, since all packets would wait
-- behind it: what cannot be done now is done the next time.
create or replace function work.packet_days(p_keep int)
returns table (made int, dropped int)
language plpgsql volatile security definer set search_path = core, pg_temp
set lock_timeout = '1s'
as $$
declare
    v_day    date;
    v_today  date := (now() at time zone 'UTC')::date;
begin
    made := 0;
    dropped := 0;

    if not pg_try_advisory_xact_lock(7310592004) then
        return next;
        return;
    end if;

    for v_day in select v_today + n from generate_series(-1, 7) n
                  where not core.packets_kept(v_today + n)
    loop
        begin
            perform core.make_packet_day(v_day);
            made := made + 1;
        exception when lock_not_available then
            raise warning 'no partition of packets for %: %', v_day, sqlerrm;
        end;
    end loop;

    for v_day in select d.day
                   from pg_inherits i
                   join pg_class c on c.oid = i.inhrelid,
                        to_date(substr(c.relname, 8), 'YYYYMMDD') d (day)
                  where i.inhparent = 'core.packet'::regclass
                    and d.day < v_today - greatest(p_keep, 1)
                    and p_keep is not null
                    and d.day not in (select core.open_days())
                  order by d.day
    loop
        begin
            perform core.drop_packet_day(v_day);
            dropped := dropped + 1;
        exception when lock_not_available then
            raise warning 'packets of % are not dropped: %', v_day, sqlerrm;
        end;
    end loop;

    return next;
end
$$;
