# The same work as quick as Python does it: FastAPI on asyncpg itself,
# prepared statements, one transaction a packet, gaps as ranges without a
# bound, first packets that cannot race.  No log, no supervisors.

import json
import os

import asyncpg
from fastapi import FastAPI
from fastapi.responses import Response
from pydantic import BaseModel, Field

TABLES = """
create table if not exists calls (
    call_id        text primary key,
    state          text not null default 'IN_PROGRESS',
    received       bigint not null default 0,
    next_sequence  bigint not null default 0,
    missing        int8multirange not null default '{}',
    closed         boolean not null default false
) with (fillfactor = 50);
create table if not exists packets (
    call_id      text not null,
    sequence     int not null,
    data         text not null,
    sent_at      float8 not null,
    received_at  timestamptz not null default now(),
    primary key (call_id, sequence)
);
"""
BEGIN = """
insert into calls (call_id) values ($1) on conflict do nothing
"""
LOCK = """
select received, next_sequence, missing @> $2::bigint as missed, closed,
       missing = '{}' as whole
  from calls where call_id = $1 for no key update
"""
KEEP = """
insert into packets (call_id, sequence, data, sent_at)
values ($1, $2, $3, $4)
"""
MOVE = """
update calls
   set received = received + 1,
       next_sequence = greatest(next_sequence, $2::bigint + 1),
       missing = case
           when $2 > next_sequence then
               missing + int8multirange(int8range(next_sequence, $2))
           else missing - int8multirange(int8range($2, $2 + 1)) end
 where call_id = $1
returning received, missing = '{}' as whole
"""
MISSING = """
select array(
    select generate_series(lower(r), upper(r) - 1)
      from (select unnest(missing) as r from calls where call_id = $1) u
     limit 100)
"""
MESSAGES = {
    "accepted": "Packet received successfully",
    "duplicate": "Packet already received",
    "rejected": "Call already completed, no longer accepting packets",
}

app = FastAPI(title="packets, asyncpg")


class Packet(BaseModel):
    sequence: int = Field(..., ge=0, le=2147483647)
    data: str = Field(..., min_length=1)
    timestamp: float = Field(..., gt=0)


@app.on_event("startup")
async def connect():
    async def prepare(connection):
        await connection.execute("set jit = off")

    app.pool = await asyncpg.create_pool(
        os.environ["DATABASE_URL"], min_size=15, max_size=15, init=prepare)
    async with app.pool.acquire() as db:
        await db.execute(TABLES)


async def take(db, call_id, packet):
    sequence = packet.sequence
    call = await db.fetchrow(LOCK, call_id, sequence)

    if call is None:
        await db.execute(BEGIN, call_id)
        call = await db.fetchrow(LOCK, call_id, sequence)

    if call["closed"]:
        status = "rejected"
    elif sequence < call["next_sequence"] and not call["missed"]:
        status = "duplicate"
    else:
        status = "accepted"
        await db.execute(KEEP, call_id, sequence, packet.data,
                         packet.timestamp)
        call = await db.fetchrow(MOVE, call_id, sequence)

    missing = [] if call["whole"] else await db.fetchval(MISSING, call_id)

    return status, call["received"], missing


@app.post("/v1/call/stream/{call_id}")
async def ingest(call_id: str, packet: Packet):
    async with app.pool.acquire() as db:
        async with db.transaction():
            status, received, missing = await take(db, call_id, packet)

    return Response(json.dumps({
        "status": status, "message": MESSAGES[status], "call_id": call_id,
        "sequence": packet.sequence, "total_received": received,
        "missing_sequences": missing, "duplicate": status == "duplicate"},
        separators=(",", ":")), status_code=202,
        media_type="application/json")
