-- Cron expressions: what is read, what is refused, and times by hand, above
-- all where clocks are set.  t/12-cron-peers.t has random ones.

begin;
select no_plan();

set timezone = 'Asia/Tokyo';             -- of no importance

-- The next times after one, in the zone's own time with its offset.
create function pg_temp.times(
    p_expression text, p_zone text, p_after timestamptz, p_count int)
returns text
language plpgsql as $$
declare
    v_at    timestamptz := p_after;
    v_said  text := '';
begin
    for v_n in 1 .. p_count loop
        v_at := core.cron_next(p_expression, p_zone, v_at);
        v_said := v_said || ' ' || coalesce(core.iso_in(v_at, p_zone),
                                            'never');
    end loop;

    return substr(v_said, 2);
end $$;

create function pg_temp.problem(p_text text) returns text
language sql as $$ select (core.cron_parse(p_text)).problem $$;

create function pg_temp.same(p_one text, p_other text) returns text
language sql as $$
    select is(core.cron_parse(p_one), core.cron_parse(p_other),
              p_one || ' is ' || p_other)
$$;

-- Fields.

select is(pg_temp.times('*/15 2 * * *', 'UTC', '2026-05-01T00:00Z', 5),
    '2026-05-01T02:00:00+00:00 2026-05-01T02:15:00+00:00 '
    || '2026-05-01T02:30:00+00:00 2026-05-01T02:45:00+00:00 '
    || '2026-05-02T02:00:00+00:00', 'steps of minutes in an hour');
select is(pg_temp.times('*/30 * * * * *', 'UTC', '2026-05-01T00:00:10Z', 3),
    '2026-05-01T00:00:30+00:00 2026-05-01T00:01:00+00:00 '
    || '2026-05-01T00:01:30+00:00', 'six fields begin with the second');
select is(core.cron_next('* * * * * *', 'UTC', '2026-05-01T00:00:00.7Z'),
    '2026-05-01T00:00:01Z', 'a time between seconds is followed by one');
select is(core.cron_next('0 0 * * *', 'UTC', '2026-05-01T00:00:00Z'),
    '2026-05-02T00:00:00Z', 'the next time is later than the present');
select pg_temp.same('@hourly', '0 * * * *');
select pg_temp.same('@DAILY', '0 0 * * *');
select pg_temp.same('@midnight', '0 0 * * *');
select pg_temp.same('@weekly', '0 0 * * 0');
select pg_temp.same('@monthly', '0 0 1 * *');
select pg_temp.same('@yearly', '0 0 1 1 *');
select pg_temp.same('@annually', '0 0 1 1 *');
select pg_temp.same(E'  5 \t4  * * * ', '5 4 * * *');
select pg_temp.same('0 0 * jan-mar,Dec *', '0 0 * 1-3,12 *');
select pg_temp.same('0 0 * * sun,MON,Fri', '0 0 * * 0,1,5');
select pg_temp.same('0 0 * * 7', '0 0 * * 0');
select pg_temp.same('0 0 * * 5-7', '0 0 * * 0,5,6');
select pg_temp.same('0 0 * * SAT-SUN', '0 0 * * 0,6');
select pg_temp.same('0 0 * * FRI-MON', '0 0 * * 0,1,5,6');
select pg_temp.same('0 22-2 * * *', '0 0-2,22,23 * * *');
select pg_temp.same('50-10/10 * * * *', '0,10,50 * * * *');
select pg_temp.same('0 0 * NOV-FEB *', '0 0 * 1,2,11,12 *');
select pg_temp.same('5/20 * * * *', '5,25,45 * * * *');
select pg_temp.same('0 0 ? * ?', '0 0 * * *');
select pg_temp.same('0 0 * * TUE#1', '0 0 * * 2#1');
select pg_temp.same('0 0 * * 7L', '0 0 * * sunl');

-- Days.

select is(pg_temp.times('0 0 L * *', 'UTC', '2024-01-31T12:00Z', 3),
    '2024-02-29T00:00:00+00:00 2024-03-31T00:00:00+00:00 '
    || '2024-04-30T00:00:00+00:00', 'L is the last day of the month');
select is(pg_temp.times('0 0 15,L 2 *', 'UTC', '2025-02-15T12:00Z', 2),
    '2025-02-28T00:00:00+00:00 2026-02-15T00:00:00+00:00',
    'L stands in a list');
select is(pg_temp.times('0 18 * * 5L', 'UTC', '2026-05-01T00:00Z', 2),
    '2026-05-29T18:00:00+00:00 2026-06-26T18:00:00+00:00',
    '5L is the last Friday of the month');
select is(pg_temp.times('0 9 * * 1#2', 'UTC', '2026-05-01T00:00Z', 2),
    '2026-05-11T09:00:00+00:00 2026-06-08T09:00:00+00:00',
    '1#2 is the second Monday');
select is(pg_temp.times('0 9 * * 1#1,5#5', 'UTC', '2026-05-01T00:00Z', 3),
    '2026-05-04T09:00:00+00:00 2026-05-29T09:00:00+00:00 '
    || '2026-06-01T09:00:00+00:00', 'several of them stand in a list');
select is(pg_temp.times('0 0 13 * 5', 'UTC', '2026-02-01T00:00Z', 4),
    '2026-02-06T00:00:00+00:00 2026-02-13T00:00:00+00:00 '
    || '2026-02-20T00:00:00+00:00 2026-02-27T00:00:00+00:00',
    'of two restricted days either will do');
select is(pg_temp.times('0 0 */10 * 1', 'UTC', '2026-02-01T00:00Z', 3),
    '2026-02-02T00:00:00+00:00 2026-02-09T00:00:00+00:00 '
    || '2026-02-11T00:00:00+00:00', 'a step restricts, too');
select is(pg_temp.times('0 0 29 2 *', 'UTC', '2024-03-01T00:00Z', 2),
    '2028-02-29T00:00:00+00:00 2032-02-29T00:00:00+00:00',
    'a leap day is found');
select is(pg_temp.times('0 0 29 2 *', 'UTC', '2096-03-01T00:00Z', 1),
    '2104-02-29T00:00:00+00:00', 'also past a year that has none');
select is(pg_temp.times('0 0 * 2 0#5', 'UTC', '2032-03-01T00:00Z', 1),
    '2060-02-29T00:00:00+00:00', 'a fifth Sunday of February is found');
select is(pg_temp.times(e, 'Europe/Berlin', '2026-05-01T00:00Z', 1), 'never',
    e || ' never comes')
  from unnest(array['0 0 30 2 *', '0 0 31 4,6,9,11 *',
                    '0 0 31-31 2,11 ?']) e;

-- A clock that is set forward: a time that does not exist comes at once when
-- the clock has been set, once.

select is(pg_temp.times('30 2 * * *', 'Europe/Berlin',
    '2026-03-27T12:00Z', 4),
    '2026-03-28T02:30:00+01:00 2026-03-29T03:00:00+02:00 '
    || '2026-03-30T02:30:00+02:00 2026-03-31T02:30:00+02:00',
    'in Berlin half past two does not exist for a day');
select is(pg_temp.times('*/20 2 * * *', 'Europe/Berlin',
    '2026-03-28T12:00Z', 2),
    '2026-03-29T03:00:00+02:00 2026-03-30T02:00:00+02:00',
    'three times in the gap are one');
select is(pg_temp.times('0 2,3 * * *', 'Europe/Berlin',
    '2026-03-28T12:00Z', 2),
    '2026-03-29T03:00:00+02:00 2026-03-30T02:00:00+02:00',
    'so is the time that the clock is set to');
select is(pg_temp.times('0 0 * * *', 'America/Sao_Paulo',
    '2018-11-03T12:00Z', 2),
    '2018-11-04T01:00:00-02:00 2018-11-05T00:00:00-02:00',
    'a midnight that does not exist');
select is(pg_temp.times('0 12 * * *', 'Pacific/Apia',
    '2011-12-29T00:00Z', 4),
    '2011-12-29T12:00:00-10:00 2011-12-31T00:00:00+14:00 '
    || '2011-12-31T12:00:00+14:00 2012-01-01T12:00:00+14:00',
    'a day that does not exist');
select is(pg_temp.times('15 2 * * *', 'Australia/Lord_Howe',
    '2026-10-03T00:00Z', 2),
    '2026-10-04T02:30:00+11:00 2026-10-05T02:15:00+11:00',
    'a gap of half an hour');

-- A clock that is set back: what names its hours comes at the first.

select is(pg_temp.times('30 2 * * *', 'Europe/Berlin',
    '2026-10-24T12:00Z', 2),
    '2026-10-25T02:30:00+02:00 2026-10-26T02:30:00+01:00',
    'a time that exists twice comes once');
select is(pg_temp.times('*/30 2 * * *', 'Europe/Berlin',
    '2026-10-24T12:00Z', 3),
    '2026-10-25T02:00:00+02:00 2026-10-25T02:30:00+02:00 '
    || '2026-10-26T02:00:00+01:00', 'each of several comes once');
select is(pg_temp.times('30 2 * * *', 'Europe/Berlin',
    '2026-10-25T01:10Z', 1), '2026-10-26T02:30:00+01:00',
    'asked in the second hour, it was due in the first');
select is(pg_temp.times('45 1 * * *', 'Australia/Lord_Howe',
    '2026-04-04T00:00Z', 2),
    '2026-04-05T01:45:00+11:00 2026-04-06T01:45:00+10:30',
    'an overlap of half an hour');
select is(pg_temp.times('5 0 * * *', 'America/Havana',
    '2026-10-31T12:00Z', 2),
    '2026-11-01T00:05:00-04:00 2026-11-02T00:05:00-05:00',
    'an overlap after midnight');

-- What comes every hour follows the clock on the wall.

select is(pg_temp.times('30 * * * *', 'Europe/Berlin',
    '2026-03-29T00:00Z', 3),
    '2026-03-29T01:30:00+01:00 2026-03-29T03:30:00+02:00 '
    || '2026-03-29T04:30:00+02:00', 'every hour, over a gap');
select is(pg_temp.times('30 * * * *', 'Europe/Berlin',
    '2026-10-24T23:00Z', 4),
    '2026-10-25T01:30:00+02:00 2026-10-25T02:30:00+02:00 '
    || '2026-10-25T02:30:00+01:00 2026-10-25T03:30:00+01:00',
    'every hour, in both that have the same name');
select is(pg_temp.times('*/20 * * * *', 'Europe/Berlin',
    '2026-10-25T00:30Z', 4),
    '2026-10-25T02:40:00+02:00 2026-10-25T02:00:00+01:00 '
    || '2026-10-25T02:20:00+01:00 2026-10-25T02:40:00+01:00',
    'every twenty minutes, back to the hour that comes again');
select is(pg_temp.times('0 * 25 10 *', 'Europe/Berlin',
    '2026-10-25T00:10Z', 2),
    '2026-10-25T02:00:00+01:00 2026-10-25T03:00:00+01:00',
    'on one day only');

-- Refusals name the field.

select is(pg_temp.problem(e), p, coalesce(p, 'no problem') || ': ' || e)
  from (values
    ('60 * * * *', 'minute: "60" is not within 0..59'),
    ('* 24 * * *', 'hour: "24" is not within 0..23'),
    ('* * 0 * *', 'day of month: "0" is not within 1..31'),
    ('* * 32 * *', 'day of month: "32" is not within 1..31'),
    ('* * * 13 *', 'month: "13" is not within 1..12 or JAN..DEC'),
    ('* * * FOO *', 'month: "FOO" is not within 1..12 or JAN..DEC'),
    ('* * * * 8', 'day of week: "8" is not within 0..7 or SUN..SAT'),
    ('* * * * 9#1', 'day of week: "9#1" is not within 0..7 or SUN..SAT'),
    ('* * * * 1#6', 'day of week: cannot read "1#6"'),
    ('* * * * L', 'day of week: "L" is the last day of the month, or with'
        || ' its day that of the week: "5L"'),
    ('L * * * *', 'minute: "L" is the last day of the month, or with'
        || ' its day that of the week: "5L"'),
    ('? * * * *', 'minute: "?" stands for a day only'),
    ('99 * * * * *', 'second: "99" is not within 0..59'),
    ('*/0 * * * *', 'minute: the step of "*/0" is not within 1..59'),
    ('*/99999999999999999999 * * * *', 'minute: the step of'
        || ' "*/99999999999999999999" is not within 1..59'),
    ('1,,2 * * * *', 'minute: cannot read ""'),
    ('1-2-3 * * * *', 'minute: cannot read "1-2-3"'),
    ('-1 * * * *', 'minute: cannot read "-1"'),
    ('*-5 * * * *', 'minute: cannot read "*-5"'),
    ('1.5 * * * *', 'minute: cannot read "1.5"'),
    ('* * 15W * *', 'day of month: cannot read "15W"')) v (e, p);
select ok(pg_temp.problem(e) like 'needs five fields%', 'not read: ' || e)
  from unnest(array['', ' ', '* * * *', '* * * * * * *', '@reboot',
                    '@every 5m']) e;
select is(pg_temp.problem(repeat('1,', 99) || '1 * * * *'),
    'is longer than 200 characters', 'the text is bounded');

-- Whatever is sent: read, or refused in words.

create temporary table noise as
select n, string_agg(substr('0123456789*/-,?#L@ JANSUNxé%''"\ 5 * * *',
                            1 + (random() * 39)::int, 1), '')
          || case when n % 2 = 0 then ' * * * *' else '' end as text
  from generate_series(1, 3000) n, generate_series(1, 12) c
 group by n;

select lives_ok($$
    select core.cron_next(text, 'Europe/Berlin', '2026-03-29T00:00Z')
      from noise $$, 'no text is an error of another kind');
select is((select count(*) from noise
            where (core.cron_parse(text)).problem = ''), 0::bigint,
    'a refusal says why');

-- Time zones.

select ok(core.timezone_known(z), z || ' is a time zone')
  from unnest(array['UTC', 'Europe/Berlin', 'America/Port-au-Prince',
                    'America/Argentina/Buenos_Aires', 'Etc/GMT+3',
                    'Asia/Kolkata']) z;
select ok(not core.timezone_known(z), z || ' is none')
  from unnest(array['', 'Any/where', 'Any/where+3', 'CEST', 'UTC+3',
                    '+03:00', 'Europe/Berlin; drop', '../etc/passwd',
                    'posix/Europe/Berlin', 'Etc/GMT+15',
                    repeat('a/', 40)]) z;

select * from finish();
rollback;
