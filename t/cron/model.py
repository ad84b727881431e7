#!/usr/bin/python3

"""What docs/schedules.md says, by brute force; and what others say.

Reads cases from standard input and answers each with a line of JSON.

model.py: of [expression, zone, after] {"model": seconds or null, "croniter":
seconds, null or "refused"}; the second where croniter is installed.

model.py explain: of [expression, zone, after, ours, theirs] the reasons for
which somebody may say theirs: rules of his, each of which is the model with
that rule in the place of ours.
"""

import calendar
import importlib
import json
import re
import sys
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

NAMES = {n: i for i, n in enumerate(
    "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), 1)}
NAMES.update({n: i for i, n in enumerate(
    "SUN MON TUE WED THU FRI SAT".split())})
SPANS = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
MACROS = {"@hourly": "0 * * * *", "@daily": "0 0 * * *",
          "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *",
          "@yearly": "0 0 1 1 *"}
YEARS = 50


def number(text):
    return NAMES[text] if text in NAMES else int(text)


def values(text, low, high):
    """All values of a list without L and #."""
    found = set()
    for item in text.split(","):
        item, _, step = item.partition("/")
        first, _, last = item.partition("-")
        if first in "*?":
            a, b = low, high
        else:
            a = number(first)
            b = number(last) if last else high if step else a
        week = (low, high) == (0, 7)
        size = 7 if week else high - low + 1
        if b < a:
            b += size
        for value in range(a, b + 1, int(step or 1)):
            found.add((value - low) % size + low)
    return found


class Rule:
    """An expression, read anew."""

    def __init__(self, text):
        fields = MACROS.get(text.lower(), text).upper().split()
        if len(fields) == 5:
            fields.insert(0, "0")
        self.any_day = fields[3] in ("*", "?", "*/1")
        self.any_week = fields[5] in ("*", "?", "*/1")
        self.last = "L" in fields[3].split(",")
        self.nth, self.last_week = set(), set()
        rest = []
        for item in fields[5].split(","):
            if "#" in item:
                day, nth = item.split("#")
                self.nth.add((number(day) % 7, int(nth)))
            elif item.endswith("L"):
                self.last_week.add(number(item[:-1]) % 7)
            else:
                rest.append(item)
        fields[5] = ",".join(rest)
        fields[3] = ",".join(i for i in fields[3].split(",") if i != "L")
        (self.seconds, self.minutes, self.hours, self.days, self.months,
         self.weekdays) = (sorted(values(f, *s)) if f else []
                           for f, s in zip(fields, SPANS))
        self.hourly = len(self.hours) == 24
        self.to_seven = any(re.match("([^/]*-7|[0-9A-Z]+)/", i) for i in rest)
        self.endless = bool(self.days) and not self.last and min(
            self.days) > max(calendar.monthrange(2020, m)[1]
                             for m in self.months)

    def day_fits(self, day, days):
        if day.month not in self.months:
            return False
        size = calendar.monthrange(day.year, day.month)[1]
        week = (day.weekday() + 1) % 7
        seven = (day.day + 6) // 7
        by_month = day.day in self.days or (self.last and day.day == size)
        by_week = (week in self.weekdays or (week, seven) in self.nth
                   or (week in self.last_week and day.day > size - 7)
                   or (days == "sunday" and week == 0))
        if self.any_day or (days == "full" and len(self.days) == 31):
            return by_week
        if self.any_week or (days == "full" and len(self.weekdays) == 7):
            return by_month
        if days == "nth" and self.nth:
            by_month = by_month and seven in {n for _, n in self.nth}
        if days == "week" and (self.nth or self.last_week):
            by_month = by_month and by_week
        return by_month and by_week if days == "both" else by_month or by_week

    @lru_cache(maxsize=None)
    def times(self):
        return [timedelta(hours=h, minutes=m, seconds=s)
                for h in self.hours for m in self.minutes
                for s in self.seconds]


def stamp(local, zone, fold):
    """The instant of a time, None where the clock never shows it."""
    at = local.replace(tzinfo=zone, fold=fold).astimezone(timezone.utc)
    if at.astimezone(zone).replace(tzinfo=None) != local:
        return None
    return int(at.timestamp())


def gap_end(local, zone):
    """The instant at which the clock was set over a time."""
    low = int(local.replace(tzinfo=zone, fold=1).timestamp()) - 1
    high = int(local.replace(tzinfo=zone, fold=0).timestamp()) + 1
    offset = datetime.fromtimestamp(low, zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high


def instants(rule, local, zone, gap, twice):
    """When a time is due, under a rule for gaps and one for overlaps."""
    first, second = stamp(local, zone, 0), stamp(local, zone, 1)
    if first is None and second is None:
        if gap == "skip":
            return []
        if gap == "shift":
            return [int(local.replace(tzinfo=zone, fold=0).timestamp())]
        return [gap_end(local, zone)]
    if twice == "both":
        return [first, second]
    return [second] if twice == "second" else [first]


def steady(day, zone):
    """Whether the clock is not set around a day."""
    start = datetime(day.year, day.month, day.day, tzinfo=zone)
    return len({(start + timedelta(days=d)).utcoffset()
                for d in (-1, 0, 1, 2)}) == 1


def following(rule, zone, after, gap=None, twice=None, days=None):
    """The first instant after another; None: there is none."""
    gap = gap or ("skip" if rule.hourly else "end")
    twice = twice or ("both" if rule.hourly else "first")
    local = datetime.fromtimestamp(after, zone).replace(tzinfo=None)
    day = local.date() - timedelta(days=1)
    end = date(day.year + YEARS, 12, 31)
    best, found = None, None

    while day < end and (found is None or day <= found + timedelta(days=2)):
        if rule.day_fits(day, days):
            calm = steady(day, zone)
            start = datetime(day.year, day.month, day.day)
            for time in rule.times():
                if calm and start + time <= local:
                    continue
                for at in instants(rule, start + time, zone, gap, twice):
                    if at > after and (best is None or at < best):
                        best, found = at, found or day
                if calm and found:
                    break
            if calm and found:
                break
        day += timedelta(days=1)
        if day.month not in rule.months:
            day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return best


DAYS = {
    None: "",
    "full": "a list of all days is no restriction",
    "both": "beside a # or L of the week a day of the month must be both",
    "week": "beside a # or L of the week days of the month do not count",
    "nth": "beside a # days of the month count in that week only",
    "sunday": "a range that goes to 7 has Sunday, whatever its step",
}
CLOCKS = (
    ("", {}),
    ("a time in a gap comes as much later", dict(gap="shift")),
    ("a time in a gap is left out", dict(gap="skip")),
    ("a time in a gap comes at its end", dict(gap="end")),
    ("a time that comes twice is due twice", dict(twice="both")),
    ("a time that comes twice is due once", dict(twice="first")),
    ("a time that comes twice is due at the second", dict(twice="second")),
)


def changed(zone, low, high):
    """Whether the clock is set between two instants."""
    return len({datetime.fromtimestamp(at, zone).utcoffset()
                for at in range(low, high + 3600, 3600)}) > 1


def refusal(text):
    """Why a peer may refuse an expression that we take."""
    fields = text.upper().split()
    for field, (low, high) in zip(reversed(fields), reversed(SPANS)):
        seen = []
        for item in field.split(","):
            first, _, last = item.partition("/")[0].partition("-")
            if last and (number(last) < number(first)):
                return "a range that wraps around"
            if item[-1] != "L" and "#" not in item:
                seen += [v for v in values(item, low, high)]
        if len(seen) != len(set(seen)):
            return "a list that names a value twice"
    return None


def reasons(rule, zone, after, ours, theirs):
    """The rules of others by which their answer is theirs."""
    week = rule.nth or rule.last_week
    free = rule.any_day or rule.any_week
    days = [d for d in DAYS
            if d is None or (d == "full" and (len(rule.days) == 31
                                              or len(rule.weekdays) == 7))
            or (d == "sunday" and rule.to_seven)
            or (d in ("both", "week", "nth") and week and not free)]
    near = any(changed(zone, t - 86400, t + 86400)
               for t in (ours, theirs) if t is not None)
    clocks = CLOCKS if near else CLOCKS[:1]

    for day in days:
        for clock, how in clocks:
            if following(rule, zone, after, days=day, **how) == theirs:
                yield "; ".join(filter(None, (DAYS[day], clock)))

    # who looks for the 31st from 20 February on gets to 3 March
    start = datetime.fromtimestamp(after, zone)
    size = calendar.monthrange(start.year, start.month)[1]
    over = [d for d in rule.days if d > size and not rule.any_day]
    if over:
        start = datetime(start.year, start.month, 1, tzinfo=zone) \
            + timedelta(days=over[0] - 1)
        if following(rule, zone, int(start.timestamp()) - 1) == theirs:
            yield "a short month runs over into the next"


def explain(text, name, after, ours, theirs):
    """Reasons for an answer that is not the model's."""
    zone, rule = ZoneInfo(name), Rule(text)

    if rule.endless:
        return ["no month has such a day: refused, or nothing that fits"]

    if theirs == "refused":
        why = refusal(text)
        return [why] if why else []

    for reason in reasons(rule, zone, after, ours, theirs):
        return [reason]

    # who steps by hours of the wall is lost between the halves of one
    near = min(t for t in (ours, theirs) if t is not None)
    if changed(zone, near - 3 * 3600, near + 3 * 3600):
        return ["not exact within three hours of a change of the clock"]
    return []


def croniter_text(text):
    """Its seconds come last, its last Friday is L5, and among six fields it
    takes no 7 for a Sunday."""
    fields = text.replace("?", "*").split()
    week = fields[-1]
    if "L" in week:
        fields[-1] = ",".join("L" + i[:-1] if i.endswith("L") else i
                              for i in week.split(","))
    if len(fields) == 6:
        if week != "*" and "L" not in week and "#" not in week:
            fields[-1] = ",".join(map(str, sorted(values(week.upper(),
                                                         0, 7))))
        fields = fields[1:] + fields[:1]
    return " ".join(fields)


def peer(text, zone, after):
    """What croniter says for a clock that is never set: with a zone it moves
    what lies behind a change of the clock by as much."""
    start = datetime.fromtimestamp(after, zone).replace(tzinfo=None)
    try:
        found = croniter.croniter(croniter_text(text), start).get_next(
            datetime)
    except croniter.CroniterBadDateError:
        return None
    except croniter.CroniterError:
        return "refused"
    return int(found.replace(tzinfo=zone).timestamp())


def answer(text, name, after):
    zone = ZoneInfo(name)
    said = {"model": following(Rule(text), zone, after)}

    if croniter is not None:
        said["croniter"] = peer(text, zone, after)
    return said


def main():
    work = explain if sys.argv[1:] == ["explain"] else answer
    for line in sys.stdin:
        print(json.dumps(work(*json.loads(line))))


try:
    # the module, which its package hides behind the class
    croniter = importlib.import_module("croniter.croniter")
except ImportError:
    croniter = None

main()
