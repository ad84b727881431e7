# The client of jobs_celery.py.  Commands on stdin, an answer each:
#
#   fill N EACH            enqueues N where no worker looks, and forgets them
#   load N EACH            enqueues N where workers look, once they go on
#   rate N EACH            enqueues N, waits until all are done
#   standing B N EACH      behind the B of a load as many as are done, until N
#                          are; "warm" when a fifth is
#   paced N RATE EACH      at RATE a second: how long they wait
#   later N SINGLES        behind the N of a load one now and then: what it
#                          waits for
#   drop                   forgets what is queued
#
# Celery sends one job at a time, whatever EACH says.  Times are of
# CLOCK_MONOTONIC, in microseconds.

import mmap
import os
import sys
import time

SIZE = 8 * 2_000_000

queue = os.environ["BENCH_QUEUE"]
slots = os.open(os.environ["BENCH_SLOTS"], os.O_RDWR | os.O_CREAT, 0o600)
os.ftruncate(slots, SIZE)

from jobs_celery import app, probe           # noqa: E402

begun = memoryview(mmap.mmap(slots, SIZE)).cast("q")
now = time.monotonic_ns


def us(*times):
    return [t / 1000 for t in times]


def forget():
    os.ftruncate(slots, 0)
    os.ftruncate(slots, SIZE)


# Nothing is queued any more, and with Redis nothing unacknowledged.
def left():
    with app.connection_for_read() as connection:
        channel = connection.default_channel
        if hasattr(channel, "client"):
            pipe = channel.client.pipeline()
            pipe.llen(queue)
            pipe.hlen("unacked")
            return sum(pipe.execute())
        return channel.queue_declare(queue, passive=True).message_count


def wait(n):
    low = 0
    while low < n:
        if begun[low]:
            low += 1
        else:
            time.sleep(0.002)
    while left():
        time.sleep(0.002)


def fill(n, each):
    start = now()
    for i in range(n):
        probe.apply_async((i,), queue="nobody")
    took = now() - start
    purge("nobody")
    return us(took)


def load(n, each):
    forget()
    start = now()
    for i in range(n):
        probe.delay(i)
    return us(now() - start)


def rate(n, each):
    forget()
    start = now()
    for i in range(n):
        probe.delay(i)
    sent = now()
    wait(n)
    return us(sent - start, now() - start)


def standing(backlog, n, each):
    done, made, warm = 0, backlog, 0
    while done < n:
        while not begun[done]:
            time.sleep(0.001)
        done += 1
        if not warm and done > n // 5:
            print("warm", flush=True)
            warm, start = done, now()
        while made < done + backlog:
            probe.delay(made)
            made += 1
    return [done - warm] + us(now() - start)


# The median, the 99th of a hundred and the largest.
def spread(values):
    values = sorted(values)
    return values[len(values) // 2], values[len(values) * 99 // 100], values[-1]


def percentiles(times):
    return us(*spread(max(t, 0) for t in times))


def paced(n, rate, each):
    forget()
    asked, sent = [], []
    start = now()
    for i in range(n):
        due = start + i // each * each * 1_000_000_000 // rate
        while now() < due:
            time.sleep((due - now()) / 1e9 if due > now() else 0)
        asked.append(now())
        probe.delay(i)
        sent.append(now())
    wait(n)
    return (percentiles(begun[i] - sent[i] for i in range(n))
            + percentiles(begun[i] - asked[i] for i in range(n)))


def later(n, singles):
    sent = []
    for i in range(n, n + singles):
        probe.delay(i)
        sent.append(now())
        time.sleep(0.2)
    wait(n + singles)
    waits = [begun[n + i] - sent[i] for i in range(singles)]
    jobs = [sum(sent[i] < begun[j] < begun[n + i] for j in range(n))
            for i in range(singles)]
    return percentiles(waits) + list(spread(jobs))


def drop():
    purge(queue)
    return [0]


def purge(name):
    with app.connection_for_write() as connection:
        connection.default_channel.queue_purge(name)


commands = {f.__name__: f for f in (fill, load, rate, standing, paced, later,
                                    drop)}

print("ready", flush=True)
for line in sys.stdin:
    name, *arguments = line.split()
    figures = commands[name](*map(int, arguments))
    print("figures", *(f"{f:.0f}" for f in figures), flush=True)
