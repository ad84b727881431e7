#!/usr/bin/python3

"""Makes random cron expressions, zones and times: cases.py SEED COUNT.

Half of the times lie near a change of the zone's clock.  A line of JSON a
case: [expression, zone, after in seconds].
"""

import json
import random
import sys
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

ZONES = (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
    "America/Sao_Paulo", "Asia/Kolkata", "Pacific/Apia", "Europe/London",
    "America/St_Johns", "Pacific/Chatham", "Asia/Kathmandu",
    "Africa/Johannesburg", "Asia/Tehran", "America/Santiago", "UTC",
)
FIRST = int(datetime(2011, 2, 1, tzinfo=timezone.utc).timestamp())
LAST = int(datetime(2021, 12, 1, tzinfo=timezone.utc).timestamp())
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
DAYS = "SUN MON TUE WED THU FRI SAT".split()


def changes(name):
    """The times at which the zone's clock was set."""
    zone = ZoneInfo(name)

    def offset(at):
        return datetime.fromtimestamp(at, zone).utcoffset()

    found = []
    for start in range(FIRST, LAST, 86400):
        low, high = start, start + 86400
        if offset(low) == offset(high):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            if offset(middle) == offset(low):
                low = middle
            else:
                high = middle
        found.append(high)
    return found


def plain(rng, low, high, near):
    """A value, a range, a step or a list; near: a range that is likely."""
    def value():
        return rng.randint(*near) if near and rng.random() < 0.6 \
            else rng.randint(low, high)

    kind = rng.random()
    if kind < 0.45:
        return str(value())
    if kind < 0.6:
        return ",".join(map(str, sorted({value(), value(), value()})))
    if kind < 0.75:
        return "*/%d" % rng.randint(2, high)
    if kind < 0.8:
        return "%d/%d" % (value(), rng.randint(1, max(2, high // 2)))
    a, b = sorted((value(), value()))
    step = "/%d" % rng.randint(1, max(2, high // 3)) if kind > 0.9 else ""
    return "%d-%d%s" % (a, b, step)


def named(rng, names, first):
    """One or two names, or a range of them."""
    a, b = sorted(rng.sample(range(len(names)), 2))
    case = rng.choice((str, str.lower, str.title))
    return case(rng.choice((names[a], names[a] + "-" + names[b],
                            "%d,%s" % (a + first, names[b]))))


def month(rng):
    kind = rng.random()
    if kind < 0.7:
        return "*"
    return plain(rng, 1, 12, None) if kind < 0.85 else named(rng, MONTHS, 1)


def day(rng):
    kind = rng.random()
    if kind < 0.6:
        return "*" if kind < 0.55 else "?"
    return "L" if kind < 0.67 else plain(rng, 1, 31, (28, 31))


def weekday(rng):
    kind = rng.random()
    if kind < 0.6:
        return "*" if kind < 0.55 else "?"
    if kind < 0.67:
        return "%d#%d" % (rng.randint(0, 6), rng.randint(1, 5))
    if kind < 0.73:
        return "%dL" % rng.randint(0, 6)
    if kind < 0.85:
        return named(rng, DAYS, 0)
    return plain(rng, 0, 7, None)


def wrapped(rng, low, high):
    a, b = sorted(rng.sample(range(low, high + 1), 2))
    return "%d-%d%s" % (b, a, rng.choice(("", "", "/2", "/3")))


def expression(rng):
    hour = "*" if rng.random() < 0.25 else plain(rng, 0, 23, (0, 4))
    minute = "*" if rng.random() < 0.15 else plain(rng, 0, 59, None)
    fields = [minute, hour, day(rng), month(rng), weekday(rng)]
    if rng.random() < 0.3:
        fields.insert(0, "*" if rng.random() < 0.2
                      else plain(rng, 0, 59, None))
    if rng.random() < 0.03:
        place = rng.choice((0, 1, -2, -1)) if len(fields) == 5 else -1
        low, high = {0: (0, 59), 1: (0, 23), -2: (1, 12),
                     -1: (0, 7)}[place]
        fields[place] = wrapped(rng, low, high)
    return " ".join(fields)


def main():
    rng = random.Random(int(sys.argv[1]))
    near = {name: changes(name) for name in ZONES}

    for _ in range(int(sys.argv[2])):
        zone = rng.choice(ZONES)
        if near[zone] and rng.random() < 0.5:
            after = rng.choice(near[zone]) + rng.randint(-30, 6) * 3600 \
                + rng.choice((0, 0, rng.randint(-3600, 3600)))
        else:
            after = rng.randint(FIRST, LAST)
        print(json.dumps([expression(rng), zone, after]))


main()
