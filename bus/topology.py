"""Streams and the presence bucket, as data; applied idempotently."""

import asyncio

import structlog
from nats.errors import Error as NatsError
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig

from bus.connection import ApiError, Connection
from protocol.channels import (
    ACP_DEAD,
    ACP_EVENTS,
    ACP_STATUS,
    ACP_WORK,
    PRESENCE_STREAM,
    STREAM_SUBJECTS,
)

log = structlog.get_logger()

DAY_S = 24 * 3600.0
MIB = 1024 * 1024

DUPLICATE_WINDOW_S = 120.0
"""A repeated message id is dropped this long; a saving only, never the guarantee."""

PRESENCE_TTL_S = 10.0

MAINTAIN_S = 2.0
"""Pause between two looks that the streams are still there: bounds the stop after a wiped store."""


def streams(presence_ttl_s: float = PRESENCE_TTL_S) -> tuple[StreamConfig, ...]:
    """Every stream. Work is one message per subject, so that sending the same work twice is harmless."""
    return (
        StreamConfig(
            name=ACP_WORK,
            description="work of the agents; a message leaves when it is acknowledged",
            subjects=[STREAM_SUBJECTS[ACP_WORK]],
            retention=RetentionPolicy.WORK_QUEUE,
            storage=StorageType.FILE,
            discard=DiscardPolicy.NEW,
            discard_new_per_subject=True,
            max_msgs_per_subject=1,
            max_bytes=512 * MIB,
            duplicate_window=DUPLICATE_WINDOW_S,
        ),
        StreamConfig(
            name=ACP_EVENTS,
            description="what happened to jobs",
            subjects=[STREAM_SUBJECTS[ACP_EVENTS]],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            discard=DiscardPolicy.OLD,
            max_age=7 * DAY_S,
            max_bytes=1024 * MIB,
            allow_direct=True,
            duplicate_window=DUPLICATE_WINDOW_S,
        ),
        StreamConfig(
            name=ACP_STATUS,
            description="the last status of each batch",
            subjects=[STREAM_SUBJECTS[ACP_STATUS]],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            discard=DiscardPolicy.OLD,
            max_msgs_per_subject=1,
            max_age=30 * DAY_S,
            max_bytes=256 * MIB,
            allow_direct=True,
            duplicate_window=DUPLICATE_WINDOW_S,
        ),
        StreamConfig(
            name=ACP_DEAD,
            description="messages that were given up, with the reason and the original bytes",
            subjects=[STREAM_SUBJECTS[ACP_DEAD]],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            discard=DiscardPolicy.OLD,
            max_age=30 * DAY_S,
            max_bytes=256 * MIB,
            allow_direct=True,
            duplicate_window=DUPLICATE_WINDOW_S,
        ),
        StreamConfig(
            name=PRESENCE_STREAM,
            description="live processes; an entry not renewed in time is gone",
            subjects=[STREAM_SUBJECTS[PRESENCE_STREAM]],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            discard=DiscardPolicy.NEW,
            max_msgs_per_subject=1,
            max_age=presence_ttl_s,
            max_bytes=16 * MIB,
            allow_direct=True,
            allow_rollup_hdrs=True,
            deny_delete=True,
            duplicate_window=min(DUPLICATE_WINDOW_S, presence_ttl_s),
        ),
    )


async def apply_topology(connection: Connection, presence_ttl_s: float = PRESENCE_TTL_S) -> None:
    """Create or update every stream. Idempotent; for the `admin` login.

    Raises:
        nats.errors.Error: the broker refuses a stream, or does not answer.
    """
    for config in streams(presence_ttl_s):
        await _put_stream(connection, config)


async def _put_stream(connection: Connection, config: StreamConfig) -> None:
    request = config.as_dict()
    for attempt in range(5):
        try:
            await connection.request_api(f"STREAM.CREATE.{config.name}", request)
        except ApiError as error:
            match error.code:
                case 10058:  # it exists with another configuration
                    await connection.request_api(f"STREAM.UPDATE.{config.name}", request)
                    return
                case 10049 if attempt < 4:  # a stream of this name was just deleted; the broker is not done with it
                    await asyncio.sleep(0.05 * 2**attempt)
                case _:
                    raise
        else:
            return


async def maintain_topology(connection: Connection, presence_ttl_s: float = PRESENCE_TTL_S) -> None:
    """Keep the streams there for ever: after a wiped store they are made again. Runs until cancelled."""
    again = asyncio.Event()
    forget = connection.on_reconnect(again.set)
    try:
        while True:
            again.clear()
            try:
                await apply_topology(connection, presence_ttl_s)
            except (NatsError, TimeoutError) as error:
                log.warning("the streams cannot be looked after", error=repr(error))
            try:
                async with asyncio.timeout(MAINTAIN_S):
                    await again.wait()
            except TimeoutError:
                continue
    finally:
        forget()
