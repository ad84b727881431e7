-- When a cron expression is due: docs/schedules.md has the rules of clocks
-- that are set.

-- The first bit from p_from on; -1: none.
create or replace function core.cron_bit(p_mask bigint, p_from int)
returns int
language plpgsql immutable set search_path = core, pg_temp
as $$
declare
    v_rest  bigint := case when p_from > 62 then 0
                           else p_mask >> p_from end;
    v_bit   int := p_from;
begin
    if v_rest = 0 then
        return -1;
    end if;

    if v_rest & 4294967295 = 0 then v_rest := v_rest >> 32;
                                    v_bit := v_bit + 32; end if;
    if v_rest & 65535 = 0 then v_rest := v_rest >> 16;
                               v_bit := v_bit + 16; end if;
    if v_rest & 255 = 0 then v_rest := v_rest >> 8; v_bit := v_bit + 8; end if;
    if v_rest & 15 = 0 then v_rest := v_rest >> 4; v_bit := v_bit + 4; end if;
    if v_rest & 3 = 0 then v_rest := v_rest >> 2; v_bit := v_bit + 2; end if;

    return case when v_rest & 1 = 0 then v_bit + 1 else v_bit end;
end
$$;

-- Seven bits of weekdays, turned so that p_first comes first.
create or replace function core.cron_turn(p_mask bigint, p_first int)
returns bigint
language sql immutable
as $$
    select ((p_mask >> p_first) | (p_mask << (7 - p_first))) & 127
$$;

-- The days of a month that are meant, bits 1 to 31.  Where both the day of
-- the month and that of the week are restricted, either will do.
create or replace function core.cron_days(c core.cron, p_first date)
returns bigint
language plpgsql immutable set search_path = core, pg_temp
as $$
declare
    v_size   int := extract(day from (p_first + interval '1 month'
                                      - interval '1 day'));
    v_first  int := extract(dow from p_first);
    v_all    bigint := (2::bigint << v_size) - 2;
    v_days   bigint := c.days;
    v_week   bigint;
begin
    if c.last_day then
        v_days := v_days | (1::bigint << v_size);
    end if;

    if c.any_weekday then
        return v_days & v_all;
    end if;

    -- the same seven bits five times
    v_week := core.cron_turn(c.weekdays, v_first) * 270549121;
    v_week := v_week | (core.cron_turn(c.last_weekdays,
                                       (v_first + v_size) % 7)
                        << (v_size - 7));

    if c.nth_weekdays <> 0 then
        for v_nth in 0 .. 4 loop
            v_week := v_week | (core.cron_turn(
                (c.nth_weekdays >> (7 * v_nth)) & 127, v_first)
                << (7 * v_nth));
        end loop;
    end if;

    v_week := v_week << 1;

    return v_all & case when c.any_day then v_week
                        else v_days | v_week end;
end
$$;

-- The first day from p_from on; null: none in 50 years, which is none at all
-- (the fifth Sunday of a February comes at least every 40).
create or replace function core.cron_day(c core.cron, p_from date)
returns date
language plpgsql immutable set search_path = core, pg_temp
as $$
declare
    v_month  date := date_trunc('month', p_from::timestamp);
    v_from   int := extract(day from p_from);
    v_next   int;
    v_day    int;
begin
    for v_round in 1 .. 600 loop
        v_next := core.cron_bit(c.months, extract(month from v_month)::int);

        if v_next = -1 then
            v_next := 12 + core.cron_bit(c.months, 1);
        end if;

        if v_next <> extract(month from v_month) then
            v_month := v_month + make_interval(months => v_next
                           - extract(month from v_month)::int);
            v_from := 1;
        end if;

        exit when v_month > p_from + interval '50 years';

        v_day := core.cron_bit(core.cron_days(c, v_month), v_from);

        if v_day <> -1 then
            return v_month + (v_day - 1);
        end if;

        v_month := v_month + interval '1 month';
        v_from := 1;
    end loop;

    return null;
end
$$;

-- The first second of a day from p_from on; null: none.
create or replace function core.cron_second(c core.cron, p_from int)
returns int
language plpgsql immutable set search_path = core, pg_temp
as $$
declare
    v_hour    int := p_from / 3600;
    v_minute  int := p_from / 60 % 60;
    v_second  int := core.cron_bit(c.seconds, p_from % 60);
    v_next    int;
begin
    if v_second = -1 then
        v_minute := v_minute + 1;
        v_second := core.cron_bit(c.seconds, 0);
    end if;

    v_next := core.cron_bit(c.minutes, v_minute);

    if v_next = -1 then
        v_hour := v_hour + 1;
    end if;

    if v_next <> v_minute then
        v_second := core.cron_bit(c.seconds, 0);
        v_minute := case when v_next = -1 then core.cron_bit(c.minutes, 0)
                         else v_next end;
    end if;

    v_next := core.cron_bit(c.hours, v_hour);

    if v_next = -1 then
        return null;
    elsif v_next <> v_hour then
        v_second := core.cron_bit(c.seconds, 0);
        v_minute := core.cron_bit(c.minutes, 0);
    end if;

    return v_next * 3600 + v_minute * 60 + v_second;
end
$$;

-- The first time from p_from on that a clock on the wall would show if it was
-- never set; null: none.
create or replace function core.cron_seek(c core.cron, p_from timestamp)
returns timestamp
language plpgsql immutable set search_path = core, pg_temp
as $$
declare
    v_today   date := p_from::date;
    v_day     date := core.cron_day(c, v_today);
    v_second  int;
begin
    if v_day = v_today then
        v_second := core.cron_second(c,
            extract(epoch from p_from - v_today)::int);

        if v_second is null then
            v_day := core.cron_day(c, v_today + 1);
        end if;
    end if;

    return v_day + make_interval(secs =>
                       coalesce(v_second, core.cron_second(c, 0)));
end
$$;

-- When the clock was set: the first second after p_before that has the
-- offset of p_after.  One change at most lies between them.
create or replace function core.cron_change(
    p_zone text, p_before timestamptz, p_after timestamptz)
returns timestamptz
language plpgsql immutable set search_path = core, pg_temp
as $$
declare
    v_low     bigint := 0;                              -- the old offset
    v_high    bigint := extract(epoch from p_after - p_before);
    v_middle  bigint;
    v_old     interval := (p_before at time zone p_zone)
                          - (p_before at time zone 'UTC');
    v_time    timestamptz;
begin
    while v_high - v_low > 1 loop
        v_middle := (v_low + v_high) / 2;
        v_time := p_before + make_interval(secs => v_middle);

        if (v_time at time zone p_zone) - (v_time at time zone 'UTC') = v_old
        then
            v_low := v_middle;
        else
            v_high := v_middle;
        end if;
    end loop;

    return p_before + make_interval(secs => v_high);
end
$$;

-- The instants at which a clock shows a time.  Where it is shown twice, the
-- earlier is the first; where never, both are null and gap is when the clock
-- was set over it.
create or replace function core.cron_instants(
    p_time timestamp, p_zone text,
    out earlier timestamptz, out later timestamptz, out gap timestamptz)
language plpgsql immutable set search_path = core, pg_temp
as $$
declare
    v_day  timestamptz;
begin
    -- PostgreSQL takes the old offset for a time in a gap, and the new one
    -- for a time that comes twice
    later := p_time at time zone p_zone;
    v_day := later - interval '1 day';

    if (later at time zone p_zone) <> p_time then
        gap := core.cron_change(p_zone, v_day, later);
        later := null;
        return;
    end if;

    earlier := (p_time - ((v_day at time zone p_zone)
                          - (v_day at time zone 'UTC'))) at time zone 'UTC';

    if earlier >= later or (earlier at time zone p_zone) <> p_time then
        earlier := later;
    end if;
end
$$;

-- For expressions that name hours: each time that they mean is one instant.
create or replace function core.cron_next_fixed(
    c core.cron, p_zone text, p_after timestamptz)
returns timestamptz
language plpgsql immutable set search_path = core, pg_temp
as $$
declare
    v_local  timestamp := p_after at time zone p_zone;
    v_from   timestamp := v_local + interval '1 second';
    v_at     record := core.cron_instants(v_local, p_zone);
    v_change timestamptz;
begin
    -- in the second of two equal hours: its times were due in the first
    if v_at.earlier < p_after then
        v_change := core.cron_change(p_zone, v_at.earlier, p_after);
        v_from := (v_change - interval '1 second') at time zone p_zone;
        v_from := v_from + interval '1 second';
    end if;

    v_at := core.cron_instants(core.cron_seek(c, v_from), p_zone);

    return coalesce(v_at.earlier, v_at.gap);
end
$$;

-- For those of every hour: whenever the clock shows a time that they mean.
create or replace function core.cron_next_hourly(
    c core.cron, p_zone text, p_after timestamptz)
returns timestamptz
language plpgsql immutable set search_path = core, pg_temp
as $$
declare
    v_local   timestamp := p_after at time zone p_zone;
    v_time    timestamp := core.cron_seek(c, v_local + interval '1 second');
    v_at      record := core.cron_instants(v_time, p_zone);
    v_next    timestamptz;
    v_ahead   timestamptz;
    v_change  timestamptz;
begin
    while v_at.gap is not null loop
        v_time := core.cron_seek(c, v_at.gap at time zone p_zone);
        v_at := core.cron_instants(v_time, p_zone);
    end loop;

    v_next := case when v_at.earlier > p_after then v_at.earlier
                   else v_at.later end;

    -- a clock that is set back before that shows past times again
    v_ahead := least(v_next, p_after + interval '1 day');

    if (v_ahead at time zone p_zone) - v_local < v_ahead - p_after then
        v_change := core.cron_change(p_zone, p_after, v_ahead);
        v_time := core.cron_seek(c, v_change at time zone p_zone);
        v_at := core.cron_instants(v_time, p_zone);
        v_next := least(v_next, v_at.later);
    end if;

    return v_next;
end
$$;

-- The first instant after p_after at which a parsed expression is due, on a
-- whole second; null: never.
create or replace function core.cron_after(
    c core.cron, p_zone text, p_after timestamptz)
returns timestamptz
language plpgsql immutable set search_path = core, pg_temp
as $$
declare
    v_after  timestamptz := date_trunc('second', p_after);
begin
    return case when c.hours = (1 << 24) - 1
                then core.cron_next_hourly(c, p_zone, v_after)
                else core.cron_next_fixed(c, p_zone, v_after) end;
end
$$;

-- The same for an expression as it was written; null, too, where it cannot be
-- read.
create or replace function core.cron_next(
    p_expression text, p_zone text, p_after timestamptz)
returns timestamptz
language plpgsql immutable set search_path = core, pg_temp
as $$
declare
    c  core.cron := core.cron_parse(p_expression);
begin
    return case when c.problem is null
                then core.cron_after(c, p_zone, p_after) end;
end
$$;
