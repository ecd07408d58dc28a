"""Streams, the presence bucket and the rights of each login, as data; applied idempotently.

Least privilege: the rights of a login are derived from the channels that it sends and receives
(`protocol.channels`); the few that no channel names stand in `_OTHER_PUBLISH` and `_OTHER_SUBSCRIBE`. Each role has
an inbox prefix of its own, so that no login reads the answers to another. `$JS.ACK` has two forms, because
nats-server 2.15 can put domain and account hash in front of the stream.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from nats.errors import Error as NatsError
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig

from bus.connection import ApiError, Connection
from protocol import subjects
from protocol.channels import (
    ACP_DEAD,
    ACP_EVENTS,
    ACP_STATUS,
    ACP_WORK,
    CHANNELS,
    PRESENCE_STREAM,
    STREAM_SUBJECTS,
    Party,
)
from protocol.messages import ROLES

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


_SERVICE = "$SRV.>"
"""Where clients find and ask the micro-services of the agents (ADR-32)."""

_DURABLES: Mapping[tuple[str, Party], str] = {
    (ACP_EVENTS, "planner"): "planner",
    (ACP_WORK, "prompt"): "prompt",
    (ACP_WORK, "generator"): "*",
    (ACP_WORK, "qa"): "qa",
    (ACP_WORK, "storage"): "storage",
}
"""Who takes messages from which stream, and the name of the durable consumer; all other receivers only watch. The name
is a wildcard where a role has a consumer per platform; the filter in the subject still keeps it to its own work when
it creates one."""


def _watch_rights(stream: str) -> tuple[str, ...]:
    """Rights to look at a stream through an ephemeral push consumer into the own inbox."""
    return (f"$JS.API.STREAM.INFO.{stream}", f"$JS.API.CONSUMER.CREATE.{stream}.*.{STREAM_SUBJECTS[stream]}")


def _consumer_rights(stream: str, durable: str, filter_subject: str) -> tuple[str, ...]:
    """Rights to read one durable consumer."""
    return (
        f"$JS.API.CONSUMER.CREATE.{stream}.{durable}.{filter_subject}",
        f"$JS.API.CONSUMER.INFO.{stream}.{durable}",
        f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}",
        f"$JS.ACK.{stream}.{durable}.>",
        f"$JS.ACK.*.*.{stream}.{durable}.>",
    )


_DEAD_LETTER_RIGHTS = (
    f"$JS.API.STREAM.INFO.{ACP_DEAD}",
    f"$JS.API.DIRECT.GET.{ACP_DEAD}",
    f"$JS.API.STREAM.MSG.DELETE.{ACP_DEAD}",
)
"""Rights to read dead letters one by one, and to remove them."""

_AGENT_PUBLISH = (
    *_watch_rights(ACP_EVENTS),  # `bus.agent.Watch`
    subjects.PROGRESS,  # `bus.agent.Outlet.publish_progress`
    f"{inbox_prefix('client')}.>",  # answers of the micro-service
)
"""What the bus offers to every agent, whether its role uses it or not."""

_OTHER_PUBLISH: Mapping[Party, tuple[str, ...]] = {
    **dict.fromkeys(ROLES, _AGENT_PUBLISH),
    "planner": (
        *_AGENT_PUBLISH,
        subjects.EVENTS,  # `bus.agent.Outlet.publish` takes events as well
        f"$JS.API.STREAM.PURGE.{ACP_WORK}",  # the queued work of a cancelled batch
    ),
    "operator": (subjects.WORK, subjects.EVENTS),  # dead letters, where they were before
    "client": (_SERVICE, f"$JS.API.DIRECT.GET.{ACP_STATUS}.>"),
}
"""Publish rights that no channel names."""

_OTHER_SUBSCRIBE: Mapping[Party, tuple[str, ...]] = {
    **dict.fromkeys(ROLES, (_SERVICE,)),
    "client": (subjects.STATUSES, subjects.EVENTS),  # for clients that speak no JetStream
}
"""Subscribe rights that no channel names."""


def _send_rights(party: Party) -> Iterator[str]:
    """What a party publishes to the channels it sends. Where every role sends, each names itself in the subject."""
    for channel in CHANNELS:
        if party not in channel.senders:
            continue
        if channel.pattern is None:
            yield from (f"{inbox_prefix(receiver)}.>" for receiver in channel.receivers)
        else:
            yield channel.pattern.replace("{role}", party if channel.senders == ROLES else "*")


def _stream_rights(party: Party) -> Iterator[str]:
    """What a party publishes to read the channels it receives from a stream. Whoever receives all that a stream keeps
    has one filter for it."""
    for stream, whole in STREAM_SUBJECTS.items():
        kept = [channel for channel in CHANNELS if channel.stream == stream]
        received = [channel for channel in kept if party in channel.receivers]
        if not received:
            continue
        if stream == ACP_DEAD:
            yield from _DEAD_LETTER_RIGHTS
        elif durable := _DURABLES.get((stream, party)):
            patterns = [channel.pattern for channel in received if channel.pattern is not None]
            for filter_subject in [whole] if received == kept else patterns:
                yield from _consumer_rights(stream, durable, filter_subject)
        else:
            yield from _watch_rights(stream)


def _subscribe_rights(party: Party) -> Iterator[str]:
    """Where a party listens: its inbox, and the channels it receives that no stream keeps."""
    yield f"{inbox_prefix(party)}.>"
    for channel in CHANNELS:
        if party in channel.receivers and channel.pattern is not None and channel.stream is None:
            yield channel.pattern.replace("{role}", party if channel.receivers == ROLES else "*")


def _login_of(party: Party) -> Login:
    """The login of a party, each right once."""
    publish = (*_send_rights(party), *_stream_rights(party), *_OTHER_PUBLISH.get(party, ()))
    subscribe = (*_subscribe_rights(party), *_OTHER_SUBSCRIBE.get(party, ()))
    return Login(
        name=party,
        inbox_prefix=inbox_prefix(party),
        publish=tuple(dict.fromkeys(publish)),
        subscribe=tuple(dict.fromkeys(subscribe)),
    )


_PARTIES: tuple[Party, ...] = (*ROLES, "operator", "client")

LOGINS: Mapping[str, Login] = {
    "admin": Login(name="admin", publish=(">",), subscribe=(">",), inbox_prefix=inbox_prefix("admin")),
    **{party: _login_of(party) for party in _PARTIES},
}
"""Every login by name. The supervisor has the one that may do everything."""

_REQUESTS = tuple(
    (channel.pattern, channel.senders) for channel in CHANNELS if channel.pattern is not None and channel.reply
)
"""Pattern of each channel of requests, and who may ask there."""


def reply_prefixes(subject: str) -> tuple[str, ...]:
    """How an inbox may begin that takes the answer to a request on `subject`: the inboxes of those who may ask there.
    What is no channel of the protocol, such as the questions of ADR-32, is asked by clients."""
    askers = [
        party for pattern, senders in _REQUESTS if subjects.subject_matches(pattern, subject) for party in senders
    ]
    return tuple(dict.fromkeys(f"{inbox_prefix(party)}." for party in askers or ("client",)))


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
