-- Cron expressions: what they say; cron_next.sql has when they are due.
--
-- Five fields (minute, hour, day of month, month, day of week) or six, with
-- the second first; docs/schedules.md has the rules for users.  A field is a
-- mask with a bit a value.  A parsed expression whose problem is not null
-- says nothing else.

-- A value or a name of a field as a number; null: neither.  Sunday is 0 here
-- and 7 in ranges that end with it.
create or replace function core.cron_value(p_text text, p_names text[])
returns int
language sql immutable
as $$
    select case when p_text ~ '^[0-9]{1,4}$' then p_text::int
                else array_position(p_names, p_text) end
$$;

-- The bits p_low, p_low + p_step ... up to p_high.
create or replace function core.cron_bits(p_low int, p_high int, p_step int)
returns bigint
language plpgsql immutable set search_path = core, pg_temp
as $$
declare
    v_mask  bigint := 0;
begin
    if p_step = 1 and p_low <= p_high then
        return (2::bigint << p_high) - (1::bigint << p_low);
    end if;

    for v_bit in p_low .. p_high by p_step loop
        v_mask := v_mask | (1::bigint << v_bit);
    end loop;

    return v_mask;
end
$$;

-- One element of a field's list, "*", "7", "1-5", "10-50/20", "MON-FRI":
-- its mask.  A range whose end is before its beginning wraps around.
create or replace function core.cron_item(
    p_text text, f core.cron_field, out mask bigint, out problem text)
language plpgsql immutable set search_path = core, pg_temp
as $$
declare
    v_part  text[] := regexp_match(p_text,
                '^(\*|\?|[A-Z]+|[0-9]+)(?:-([A-Z]+|[0-9]+))?(?:/([0-9]+))?$');
    v_low   int;
    v_high  int;
    v_step  int;
begin
    if v_part is null or (v_part[1] = '?' and p_text <> '?') then
        problem := 'cannot read "' || p_text || '"';
        return;
    elsif p_text = 'L' then
        problem := '"L" is the last day of the month, or with its day'
            || ' that of the week: "5L"';
        return;
    elsif v_part[1] = '?' and not f.question then
        problem := '"?" stands for a day only';
        return;
    elsif v_part[1] in ('*', '?') then
        v_low := f.low;
        v_high := f.high;
        if v_part[2] is not null then
            problem := 'cannot read "' || p_text || '"';
            return;
        end if;
    else
        v_low := core.cron_value(v_part[1], f.names);
        v_high := case
            when v_part[2] is not null
            then core.cron_value(v_part[2], f.names)
            when v_part[3] is null then v_low
            else f.high end;
    end if;

    v_step := case when v_part[3] is null then 1
                   when length(v_part[3]) < 5 then v_part[3]::int end;

    if v_low is null or v_high is null
       or v_low not between f.low and f.high
       or v_high not between f.low and f.high
    then
        problem := format('"%s" is not within %s..%s%s', p_text, f.low,
                          f.high, ' or ' || f.names[array_lower(f.names, 1)]
                          || '..' || f.names[array_upper(f.names, 1)]);
    elsif v_step is null or v_step not between 1 and f.high then
        problem := format('the step of "%s" is not within 1..%s', p_text,
                          f.high);
    else
        mask := core.cron_span(v_low, v_high, v_step, f);
    end if;
end
$$;

-- The values of a range; those past the end of a wrapped one go on where it
-- begins again.
create or replace function core.cron_span(
    p_low int, p_high int, p_step int, f core.cron_field)
returns bigint
language plpgsql immutable set search_path = core, pg_temp
as $$
declare
    v_size  int := case when f.weekday then 7 else f.high - f.low + 1 end;
    v_end   int := p_high;
    v_mask  bigint;
    v_all   bigint;
begin
    if v_end < p_low then
        v_end := v_end + v_size;
    end if;

    -- a bit less than twice 60 values do not fit: rounds of the field each
    v_all := core.cron_bits(f.low, f.low + v_size - 1, 1);
    v_mask := core.cron_bits(p_low, least(v_end, f.low + v_size - 1),
                             p_step);

    if v_end > f.low + v_size - 1 then
        v_mask := v_mask | core.cron_bits(
            f.low + (p_step - (f.low + v_size - p_low) % p_step) % p_step,
            v_end - v_size, p_step);
    end if;

    return v_mask & v_all;
end
$$;

-- A field: the union of its list.
create or replace function core.cron_list(
    p_text text, f core.cron_field, out mask bigint, out problem text)
language plpgsql immutable set search_path = core, pg_temp
as $$
declare
    v_item  text;
    v_one   record;
begin
    mask := 0;

    foreach v_item in array string_to_array(p_text, ',') loop
        v_one := core.cron_item(v_item, f);

        if v_one.problem is not null then
            problem := f.name || ': ' || v_one.problem;
            return;
        end if;

        mask := mask | v_one.mask;
    end loop;
end
$$;

-- Takes "L" out of a list of days of the month.
create or replace function core.cron_take_last(
    inout p_list text, out is_last boolean)
language plpgsql immutable set search_path = core, pg_temp
as $$
declare
    v_items  text[] := string_to_array(p_list, ',');
begin
    is_last := 'L' = any (v_items);
    p_list := array_to_string(array_remove(v_items, 'L'), ',');
end
$$;

-- Takes "5L" (the month's last Friday) and "1#2" (its second Monday) out of a
-- list of days of the week.  nth: seven bits for each of first ... fifth.
create or replace function core.cron_take_nth(
    inout p_list text, f core.cron_field, out last_mask bigint,
    out nth bigint, out problem text)
language plpgsql immutable set search_path = core, pg_temp
as $$
declare
    v_item  text;
    v_part  text[];
    v_day   int;
    v_rest  text[] := '{}';
begin
    last_mask := 0;
    nth := 0;

    foreach v_item in array string_to_array(p_list, ',') loop
        v_part := regexp_match(v_item,
                               '^([A-Z]{3}|[0-9])(?:(L)|#([1-5]))$');

        if v_part is null then
            v_rest := v_rest || v_item;
            continue;
        end if;

        v_day := core.cron_value(v_part[1], f.names);

        if v_day is null or v_day > 7 then
            problem := format('%s: "%s" is not within 0..7 or SUN..SAT',
                              f.name, v_item);
            return;
        elsif v_part[2] is not null then
            last_mask := last_mask | (1::bigint << (v_day % 7));
        else
            nth := nth | (1::bigint << (7 * (v_part[3]::int - 1)
                                        + v_day % 7));
        end if;
    end loop;

    p_list := array_to_string(v_rest, ',');
end
$$;

-- The fields in their order.
create or replace function core.cron_fields() returns core.cron_field[]
language sql immutable
as $$
    select array[
        ('second', 0, 59, '{}', false, false),
        ('minute', 0, 59, '{}', false, false),
        ('hour', 0, 23, '{}', false, false),
        ('day of month', 1, 31, '{}', true, false),
        ('month', 1, 12, '{JAN,FEB,MAR,APR,MAY,JUN,JUL,AUG,SEP,OCT,NOV,DEC}',
         false, false),
        -- from 0 on; array_position() counts from the lower bound
        ('day of week', 0, 7, '[0:6]={SUN,MON,TUE,WED,THU,FRI,SAT}', true,
         true)]::core.cron_field[]
$$;

-- What an expression says.
create or replace function core.cron_parse(p_text text) returns core.cron
language plpgsql immutable set search_path = core, pg_temp
as $$
declare
    c       core.cron;
    f       core.cron_field[] := core.cron_fields();
    v_text  text := upper(btrim(p_text, E' \t'));
    v_part  text[];
    v_mask  bigint[] := '{}';
    v_last  record;
    v_nth   record;
    v_one   record;
begin
    if length(p_text) > 200 then
        c.problem := 'is longer than 200 characters';
        return c;
    end if;

    v_text := case v_text
        when '@HOURLY' then '0 * * * *'
        when '@DAILY' then '0 0 * * *' when '@MIDNIGHT' then '0 0 * * *'
        when '@WEEKLY' then '0 0 * * 0'
        when '@MONTHLY' then '0 0 1 * *'
        when '@YEARLY' then '0 0 1 1 *' when '@ANNUALLY' then '0 0 1 1 *'
        else v_text end;
    v_part := regexp_split_to_array(v_text, '[ \t]+');

    if cardinality(v_part) = 5 then
        v_part := array['0'] || v_part;
    elsif cardinality(v_part) <> 6 then
        c.problem := 'needs five fields (minute, hour, day of month, month,'
            || ' day of week), six with the second first, or one of @hourly,'
            || ' @daily, @weekly, @monthly, @yearly';
        return c;
    end if;

    c.any_day := v_part[4] in ('*', '?', '*/1');
    c.any_weekday := v_part[6] in ('*', '?', '*/1');

    v_last := core.cron_take_last(v_part[4]);
    v_nth := core.cron_take_nth(v_part[6], f[6]);

    if v_nth.problem is not null then
        c.problem := v_nth.problem;
        return c;
    end if;

    c.last_day := v_last.is_last;
    c.last_weekdays := v_nth.last_mask;
    c.nth_weekdays := v_nth.nth;
    -- nothing may be left of these two
    v_part[4] := case when c.last_day then nullif(v_last.p_list, '')
                      else v_part[4] end;
    v_part[6] := case when v_nth.last_mask | v_nth.nth <> 0
                      then nullif(v_nth.p_list, '') else v_part[6] end;

    for v_field in 1 .. 6 loop
        if v_part[v_field] is null then
            v_mask[v_field] := 0;
            continue;
        elsif v_part[v_field] = '*' then
            v_mask[v_field] := core.cron_bits(f[v_field].low,
                case when v_field = 6 then 6 else f[v_field].high end, 1);
            continue;
        end if;

        v_one := core.cron_list(v_part[v_field], f[v_field]);

        if v_one.problem is not null then
            c.problem := v_one.problem;
            return c;
        end if;

        v_mask[v_field] := v_one.mask;
    end loop;

    c.seconds := v_mask[1];
    c.minutes := v_mask[2];
    c.hours := v_mask[3];
    c.days := v_mask[4];
    c.months := v_mask[5];
    c.weekdays := v_mask[6];

    return c;
end
$$;

-- Whether a name is one of IANA's, as PostgreSQL has them.  PostgreSQL takes
-- abbreviations and POSIX rules, too ("CEST", "Any/where+3"), so a name that
-- could be such is looked up, which reads all of its files.
create or replace function core.timezone_known(p_zone text) returns boolean
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    if p_zone = 'UTC' then
        return true;
    elsif p_zone is null or length(p_zone) > 64
          or p_zone !~ '^[A-Za-z][A-Za-z0-9_+/-]*$'
          or p_zone ~* '^(posix|right)'
    then
        return false;
    elsif p_zone ~ '^Etc/GMT(\+([0-9]|1[0-2])|-([0-9]|1[0-4]))$' then
        return true;
    elsif p_zone !~ '^[A-Za-z_-]+(/[A-Za-z_-]+)+$' then
        return exists (select from pg_catalog.pg_timezone_names z
                        where z.name = p_zone);
    end if;

    perform now() at time zone p_zone;
    return true;
exception when invalid_parameter_value then
    return false;
end
$$;
