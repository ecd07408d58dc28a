"""Streams, the presence bucket and the rights of each login, as data; applied idempotently.

Least privilege: a role publishes what it returns, reads its own consumers and its own inbox. Each role has an
inbox prefix of its own, so that no login reads the answers to another. `$JS.ACK` has two forms, because
nats-server 2.15 can put domain and account hash in front of the stream.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from nats.errors import Error as NatsError
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig

from bus.connection import ApiError, Connection
from protocol import subjects
from protocol.messages import ROLES, Role

log = structlog.get_logger()

ACP_WORK = "ACP_WORK"
ACP_EVENTS = "ACP_EVENTS"
ACP_STATUS = "ACP_STATUS"
ACP_DEAD = "ACP_DEAD"
PRESENCE_BUCKET = "acp_presence"
PRESENCE_STREAM = f"KV_{PRESENCE_BUCKET}"
PRESENCE_PREFIX = f"$KV.{PRESENCE_BUCKET}"

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
            subjects=[subjects.WORK],
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
            subjects=[subjects.EVENTS],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            discard=DiscardPolicy.OLD,
            max_age=7 * DAY_S,
            max_bytes=1024 * MIB,
            duplicate_window=DUPLICATE_WINDOW_S,
        ),
        StreamConfig(
            name=ACP_STATUS,
            description="the last status of each batch",
            subjects=[subjects.STATUSES],
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
            subjects=[subjects.DEAD],
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
            subjects=[f"{PRESENCE_PREFIX}.>"],
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


STREAM_OF_FILTER: Mapping[str, str] = {
    ACP_EVENTS: "acp.v1.event.>",
    ACP_STATUS: "acp.v1.status.>",
    PRESENCE_STREAM: f"{PRESENCE_PREFIX}.>",
}
"""Streams that may be watched -> the filter a watcher may name."""


@dataclass(frozen=True)
class Login:
    """One identity on the broker: what it may say, what it may hear. Patterns are NATS subjects."""

    name: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    inbox_prefix: str


def inbox_prefix(login: str) -> str:
    """Where the answers to a login arrive; `client` and `admin` keep the NATS default."""
    return f"_INBOX_{login}" if login in (*ROLES, "operator") else "_INBOX"


def _watch_rights(stream: str) -> tuple[str, ...]:
    """Rights to look at a stream through an ephemeral push consumer into the own inbox."""
    return (f"$JS.API.STREAM.INFO.{stream}", f"$JS.API.CONSUMER.CREATE.{stream}.*.{STREAM_OF_FILTER[stream]}")


def _read_rights(stream: str, durable: str, filter_subject: str) -> tuple[str, ...]:
    """Rights to read one durable consumer. The name is a wildcard where a role has a consumer per platform; the
    filter in the subject still keeps it to its own work when it creates one."""
    return (
        f"$JS.API.CONSUMER.CREATE.{stream}.{durable}.{filter_subject}",
        f"$JS.API.CONSUMER.INFO.{stream}.{durable}",
        f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}",
        f"$JS.ACK.{stream}.{durable}.>",
        f"$JS.ACK.*.*.{stream}.{durable}.>",
    )


def _event_subjects(*kinds: str) -> tuple[str, ...]:
    return tuple(subjects.event_filter(kind) for kind in kinds)


_PUBLISHES: Mapping[Role, tuple[str, ...]] = {
    "planner": (
        subjects.work_filter("prompt"),
        subjects.work_filter("generate"),
        subjects.work_filter("qa"),  # said again by the reconciler
        subjects.work_filter("storage"),
        subjects.EVENTS,
        subjects.STATUSES,
        "acp.v1.control.*",
        f"$JS.API.STREAM.PURGE.{ACP_WORK}",
        f"{inbox_prefix('generator')}.>",  # answers about paid calls
        subjects.STORED,
        f"{inbox_prefix('operator')}.>",
    ),
    "prompt": _event_subjects("prompts_written", "prompts_failed"),
    "generator": (*_event_subjects("generated", "failed", "cancelled"), subjects.work_filter("qa"), subjects.LEDGER),
    "qa": (*_event_subjects("scored", "failed", "cancelled"), subjects.work_filter("storage")),
    "storage": (
        *_event_subjects("stored", "failed", "cancelled", "contact_sheet"),
        f"{inbox_prefix('planner')}.>",  # answers about stored pictures
    ),
}
"""What each role says about its work."""

_READS: Mapping[Role, tuple[str, ...]] = {
    "planner": (*_read_rights(ACP_EVENTS, "planner", subjects.EVENTS), *_watch_rights(PRESENCE_STREAM)),
    "prompt": _read_rights(ACP_WORK, "prompt", subjects.work_filter("prompt")),
    "generator": _read_rights(ACP_WORK, "*", subjects.work_filter("generate")),
    "qa": _read_rights(ACP_WORK, "qa", subjects.work_filter("qa")),
    "storage": _read_rights(ACP_WORK, "storage", subjects.work_filter("storage")),
}
"""Which durable consumers each role reads."""


_ANSWERS: Mapping[Role, tuple[str, ...]] = {
    "planner": (subjects.COMMANDS, subjects.OPERATOR, subjects.LEDGER),
    "storage": (subjects.STORED,),
}
"""Where each role takes requests."""


def _agent_login(role: Role) -> Login:
    return Login(
        name=role,
        inbox_prefix=inbox_prefix(role),
        publish=(
            *_PUBLISHES[role],
            *_READS[role],
            *_watch_rights(ACP_EVENTS),
            subjects.dead_letter(role),
            f"{PRESENCE_PREFIX}.{role}.>",
            "acp.v1.progress.>",
            "_INBOX.>",
        ),
        subscribe=(
            f"{inbox_prefix(role)}.>",
            subjects.control(role),
            "$SRV.>",
            *_ANSWERS.get(role, ()),
        ),
    )


LOGINS: Mapping[str, Login] = {
    "admin": Login(name="admin", publish=(">",), subscribe=(">",), inbox_prefix=inbox_prefix("admin")),
    **{role: _agent_login(role) for role in ROLES},
    "operator": Login(
        name="operator",
        inbox_prefix=inbox_prefix("operator"),
        publish=(
            subjects.OPERATOR,
            f"$JS.API.STREAM.INFO.{ACP_DEAD}",
            f"$JS.API.DIRECT.GET.{ACP_DEAD}",
            f"$JS.API.STREAM.MSG.DELETE.{ACP_DEAD}",
            subjects.WORK,  # said again from the dead letters
            subjects.EVENTS,
        ),
        subscribe=(f"{inbox_prefix('operator')}.>",),
    ),
    "client": Login(
        name="client",
        inbox_prefix=inbox_prefix("client"),
        publish=(
            subjects.COMMANDS,
            *_watch_rights(ACP_STATUS),
            *_watch_rights(ACP_EVENTS),
            *_watch_rights(PRESENCE_STREAM),
            f"$JS.API.DIRECT.GET.{ACP_STATUS}.>",
            "$SRV.>",
        ),
        subscribe=(subjects.STATUSES, "acp.v1.progress.>", subjects.EVENTS, "_INBOX.>"),
    ),
}
"""Every login by name."""


def server_users(passwords: Mapping[str, str]) -> list[dict[str, Any]]:
    """The `users` of a nats-server configuration."""
    return [
        {
            "user": login.name,
            "password": passwords[login.name],
            "permissions": {"publish": {"allow": [*login.publish]}, "subscribe": {"allow": [*login.subscribe]}},
        }
        for login in LOGINS.values()
    ]


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
