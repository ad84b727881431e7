# The Celery application that bench/jobs.bench compares with: the settings of
# the source (late acknowledgement, prefetch 4, JSON, UTC), trivial work.

import os
import struct
import time

from celery import Celery

app = Celery("jobs_celery", broker=os.environ["BENCH_BROKER"],
             backend=os.environ.get("BENCH_RESULTS") or None)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=not os.environ.get("BENCH_RESULTS"),
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    result_expires=3600,
    worker_prefetch_multiplier=4,
    task_default_queue=os.environ["BENCH_QUEUE"],
    enable_utc=True,
    # workers are stopped while others are measured
    broker_heartbeat=0,
    broker_transport_options={
        "confirm_publish": os.environ.get("BENCH_CONFIRM") == "1"},
)

slots = os.open(os.environ["BENCH_SLOTS"], os.O_RDWR)


# When a job began, where the client looks for it.
@app.task
def probe(seq):
    os.pwrite(slots, struct.pack("<q", time.monotonic_ns()), 8 * seq)
    return {"seq": seq}
