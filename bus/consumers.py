"""Durable consumers, made by the supervisor when a role asks for them.

No other login may make one: the configuration of a consumer names where the broker delivers, with the broker's rights,
and a changed one can take the messages of another role. So a role says which of its own it needs, and the
configuration is written here.
"""

import re
from collections.abc import Sequence

import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from bus.accounts import durable_is_of, may_answer
from bus.connection import API_WAIT_S, Connection
from protocol import codec, subjects
from protocol.channels import CHANNELS
from protocol.consumers import ConsumerReply, PutConsumer
from protocol.errors import AcpError, BadMessage, Unavailable
from protocol.messages import ROLES, Role

log = structlog.get_logger()

MAX_ACK_PENDING = 10_000
"""Deliveries in hand over all processes of a role: far above their slots, which are the true bound."""

MAX_ACK_WAIT_S = 24 * 3600.0

_NANOSECONDS = 1_000_000_000

_PLAIN = re.compile(r"[A-Za-z0-9_$*>.-]{1,256}")
"""What a name or a filter is made of: nothing that could end a line of NATS's own protocol."""


def refuse_foreign(role: Role, wanted: PutConsumer) -> None:
    """See that a role asks for a consumer of its own: of that name, and over nothing but what it receives.

    Raises:
        BadMessage: it does not; or there is no filter, or no ack wait.
    """
    received = [
        channel.pattern
        for channel in CHANNELS
        if channel.stream == wanted.stream and role in channel.receivers and channel.pattern is not None
    ]
    covered = all(_covers_all(received, subject) for subject in wanted.filter_subjects)
    plain = all(_PLAIN.fullmatch(name) for name in (wanted.durable, *wanted.filter_subjects))
    if not plain or not durable_is_of(role, wanted.stream, wanted.durable) or not covered:
        raise BadMessage(
            "invalid_value",
            f"the role {role} has no consumer {wanted.durable[:64]!r} over {str(wanted.filter_subjects)[:256]} of "
            f"{wanted.stream[:64]}",
            hint="a role reads what protocol/channels.py lets it receive",
        )
    if not wanted.filter_subjects or not 0 < wanted.ack_wait_s <= MAX_ACK_WAIT_S:
        raise BadMessage("invalid_value", "a consumer needs a filter, and an ack wait above 0 s and of at most a day")


def consumer_configuration(wanted: PutConsumer) -> dict[str, object]:
    """The configuration of a durable pull consumer, for the JetStream API."""
    config: dict[str, object] = {
        "name": wanted.durable,
        "durable_name": wanted.durable,
        "deliver_policy": "all",
        "ack_policy": "explicit",
        "ack_wait": int(wanted.ack_wait_s * _NANOSECONDS),
        "max_deliver": -1,  # counted by the runner, so that the last delivery ends in a dead letter
        "max_ack_pending": MAX_ACK_PENDING,
        "replay_policy": "instant",
    }
    match wanted.filter_subjects:
        case [only]:
            config["filter_subject"] = only
        case several:
            config["filter_subjects"] = several
    return config


async def answer_consumers(admin: Connection) -> Subscription:
    """Make the consumers that roles ask for, until the subscription or the connection ends; for the `admin` login."""

    async def answer(message: Msg) -> None:
        try:
            reply = ConsumerReply(created=await _put(admin, message))
        except AcpError as error:
            log.warning("no consumer was made", subject=message.subject, error=str(error))
            reply = ConsumerReply(error=error.body)
        if may_answer(message.reply):
            await admin.send(message.reply, codec.encode(reply))

    return await admin.subscribe(subjects.CONSUMERS, answer, queue="q")


async def put_consumer(connection: Connection, role: Role, wanted: PutConsumer) -> str:
    """Have a durable consumer made, or given today's settings; when it was made. Where the supervisor does not answer,
    one that is there already will do.

    Raises:
        nats.errors.Error: there is none and none may be made, or the broker does not answer.
    """
    payload, headers = codec.pack(wanted)
    try:
        answer = await connection.client.request(
            subjects.consumer(role), payload, timeout=2 * API_WAIT_S, headers=headers
        )
    except (NoRespondersError, TimeoutError):
        log.info("nobody makes consumers; the one that is there is used", consumer=wanted.durable)
        return await _creation_time(connection, wanted)
    reply = codec.decode_consumers(codec.unpack(answer.data, answer.headers))
    if not isinstance(reply, ConsumerReply) or reply.created is None:
        raise NatsError(f"no consumer {wanted.durable}: {reply}")
    return reply.created


async def _put(admin: Connection, message: Msg) -> str:
    """Make what is asked for; when it was made."""
    role = message.subject.rpartition(".")[2]
    wanted = codec.decode_consumers(codec.unpack(message.data, message.headers))
    if role not in ROLES or not isinstance(wanted, PutConsumer):
        raise BadMessage("invalid_value", "not a role's request for a consumer")
    refuse_foreign(role, wanted)
    endpoint = f"CONSUMER.CREATE.{wanted.stream}.{wanted.durable}"
    if len(wanted.filter_subjects) == 1:
        endpoint += f".{wanted.filter_subjects[0]}"
    try:
        request = {"stream_name": wanted.stream, "config": consumer_configuration(wanted)}
        await admin.request_api(endpoint, request)
        # Asked for by itself: of a consumer that it has just recovered, nats-server 2.15 answers the creation with now.
        return await _creation_time(admin, wanted)
    except (NatsError, TimeoutError, OSError) as error:
        raise Unavailable("timeout", f"the broker makes no consumer: {error!r}", hint="it is asked again") from error


async def _creation_time(connection: Connection, wanted: PutConsumer) -> str:
    info = await connection.request_api(f"CONSUMER.INFO.{wanted.stream}.{wanted.durable}", {})
    return str(info["created"])


def _covers_all(patterns: Sequence[str], subject: str) -> bool:
    """Whether everything that a filter lets through is received: by one pattern, or because all kinds of a stream's
    messages are."""
    return any(subjects.subject_matches(pattern, subject) for pattern in patterns) or (
        subject == subjects.EVENTS
        and set(patterns) >= {subjects.event_filter(kind) for kind in subjects.EVENT_KINDS.values()}
    )
