# Packets as their source designs it: FastAPI, SQLAlchemy, a lock on the
# call's row, a pool of 5 and 10 more, gaps as an array of at most 100.  Its
# faults are kept: two first packets of a call race, a gap over 100 is lost,
# completed calls take nothing.

import logging
import os
from datetime import datetime
from typing import List, Optional

from fastapi import Depends, FastAPI, WebSocket, WebSocketDisconnect
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy import (ARRAY, TIMESTAMP, Column, Float, ForeignKey, Index,
                        Integer, String, Text, UniqueConstraint, select)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import declarative_base, sessionmaker

logging.basicConfig(
    level=logging.INFO,
    format="%(asctime)s - %(name)s - %(levelname)s - %(message)s")
logger = logging.getLogger(__name__)

engine = create_async_engine(
    os.environ["DATABASE_URL"], pool_size=5, max_overflow=10,
    pool_pre_ping=True, pool_recycle=3600)
Session = sessionmaker(engine, class_=AsyncSession, expire_on_commit=False,
                       autoflush=False)
Base = declarative_base()


class Call(Base):
    __tablename__ = "calls"

    call_id = Column(String, primary_key=True)
    state = Column(String, nullable=False, default="IN_PROGRESS")
    total_packets_received = Column(Integer, default=0)
    expected_total_packets = Column(Integer)
    expected_next_sequence = Column(Integer, default=0)
    missing_sequences = Column(ARRAY(Integer), default=[])
    transcription = Column(Text)
    sentiment = Column(String)
    created_at = Column(TIMESTAMP, default=datetime.utcnow)
    updated_at = Column(TIMESTAMP, default=datetime.utcnow,
                        onupdate=datetime.utcnow)


class Packet(Base):
    __tablename__ = "packets"

    id = Column(Integer, primary_key=True, autoincrement=True)
    call_id = Column(String, ForeignKey("calls.call_id", ondelete="CASCADE"),
                     nullable=False)
    sequence = Column(Integer, nullable=False)
    data = Column(Text, nullable=False)
    timestamp = Column(Float, nullable=False)
    received_at = Column(TIMESTAMP, default=datetime.utcnow)

    __table_args__ = (
        UniqueConstraint("call_id", "sequence", name="uq_call_sequence"),
        Index("idx_packets_call_id", "call_id"))


class PacketRequest(BaseModel):
    sequence: int = Field(..., ge=0)
    data: str = Field(..., min_length=1)
    timestamp: float = Field(..., gt=0)


class PacketResponse(BaseModel):
    status: str
    message: str
    call_id: str
    sequence: int
    total_received: Optional[int] = None
    missing_sequences: Optional[List[int]] = None
    duplicate: bool = False


class Supervisors:
    def __init__(self):
        self.sockets = []

    async def broadcast(self, message):
        for socket in list(self.sockets):
            try:
                await socket.send_json(message)
            except Exception:
                self.sockets.remove(socket)


supervisors = Supervisors()
app = FastAPI(title="packets, SQLAlchemy")
app.add_middleware(CORSMiddleware, allow_origins=["*"],
                   allow_credentials=True, allow_methods=["*"],
                   allow_headers=["*"])


@app.on_event("startup")
async def make_tables():
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)


@app.exception_handler(IntegrityError)
async def taken(request, error):
    return JSONResponse(status_code=202, content={
        "status": "duplicate", "message": "Packet already received",
        "duplicate": True})


async def session():
    async with Session() as db:
        yield db


def reply(status, message, call, sequence):
    return PacketResponse(
        status=status, message=message, call_id=call.call_id,
        sequence=sequence, total_received=call.total_packets_received,
        missing_sequences=call.missing_sequences,
        duplicate=status == "duplicate")


def event(name, call, sequence):
    return {"event": name, "call_id": call.call_id, "sequence": sequence,
            "total_received": call.total_packets_received,
            "missing_sequences": call.missing_sequences}


@app.get("/")
async def root():
    return {"service": "VoiceStream PBX Microservice", "status": "running",
            "version": "1.0.0"}


@app.post("/v1/call/stream/{call_id}", response_model=PacketResponse,
          status_code=202)
async def ingest(call_id: str, packet: PacketRequest,
                 db: AsyncSession = Depends(session)):
    sequence = packet.sequence
    found = await db.execute(
        select(Call).where(Call.call_id == call_id).with_for_update())
    call = found.scalar_one_or_none()

    if call is None:
        call = Call(call_id=call_id, state="IN_PROGRESS")
        db.add(call)
        await db.flush()

    expected = call.expected_next_sequence

    if expected is None:
        logger.warning("Call %s: packet %d rejected", call_id, sequence)
        await supervisors.broadcast(event("packet_rejected", call, sequence))
        return reply("rejected", "Call already completed, no longer accepting"
                     " packets", call, sequence)

    if sequence < expected and sequence not in call.missing_sequences:
        logger.warning("Call %s: duplicate packet %d", call_id, sequence)
        await supervisors.broadcast(event("packet_duplicate", call, sequence))
        return reply("duplicate", "Packet already received", call, sequence)

    db.add(Packet(call_id=call_id, sequence=sequence, data=packet.data,
                  timestamp=packet.timestamp))
    await db.flush()

    call.total_packets_received += 1

    if sequence == expected:
        call.expected_next_sequence = sequence + 1
        logger.info("Call %s: in-order packet %d", call_id, sequence)
    elif sequence > expected:
        missing = list(range(expected, sequence))
        if len(call.missing_sequences) + len(missing) <= 100:
            call.missing_sequences = list(set(call.missing_sequences
                                              + missing))
        call.expected_next_sequence = sequence + 1
        logger.warning("Call %s: gap, missing %s", call_id, missing)
    else:
        call.missing_sequences = [n for n in call.missing_sequences
                                  if n != sequence]
        logger.info("Call %s: late packet %d", call_id, sequence)

    await db.commit()
    await supervisors.broadcast(event("packet_received", call, sequence))

    return reply("accepted", "Packet received successfully", call, sequence)


@app.websocket("/ws/supervisor")
async def supervisor(socket: WebSocket):
    await socket.accept()
    supervisors.sockets.append(socket)
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        supervisors.sockets.remove(socket)
