"""The NATS micro-service of an agent (ADR-32): PING, INFO, STATS, and its request endpoints.

From a request to its reply: unpack, decode, let the agent answer, encode. The one place where a request's exception
becomes a reply. Requests are handled side by side within a bound; nats-py's own `nats.micro` handles one after the
other.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from opentelemetry.trace import SpanKind, StatusCode

from bus.accounts import may_answer
from bus.agent import Caller, Endpoint
from bus.connection import Connection
from bus.failpoint import pass_failpoint
from bus.telemetry import Tracing
from protocol import codec
from protocol.errors import AcpError, BadMessage
from protocol.replies import ErrorReply

log = structlog.get_logger()

MAX_REQUESTS = 1024
"""Requests of one process in hand at once; more wait in the subscription. Many, because a request that waits for a
batch to end costs nothing meanwhile and must not keep others out."""

MAX_REPLY_BYTES = codec.MAX_MESSAGE_BYTES - 16 * 1024
"""The broker counts headers in."""

TOO_LARGE_HINT = "ask for fewer entries at once, with count"

QUEUE_GROUP = "q"
"""The group that ADR-32 names as the default: one process of the group answers a request."""

_SERVICE_ERROR = "Nats-Service-Error"
_SERVICE_ERROR_CODE = "Nats-Service-Error-Code"


class _HashOnly(msgspec.Struct):
    hash: str | None = None


@dataclass
class _Statistics:
    requests: int = 0
    errors: int = 0
    last_error: str = ""
    nanoseconds: int = 0


class Service:
    """Answers for one process. `name` is `acp-<role>`, `instance` the id under which it is found."""

    def __init__(
        self,
        connection: Connection,
        traces: Tracing,
        tasks: asyncio.TaskGroup,
        endpoints: Sequence[Endpoint[Any, Any]],
        *,
        name: str,
        instance: str,
        version: str,
        description: str,
    ) -> None:
        self._connection = connection
        self._traces = traces
        self._tasks = tasks
        self._endpoints = endpoints
        self._statistics = {endpoint.subject: _Statistics() for endpoint in endpoints}
        self._identity: dict[str, Any] = {"name": name, "id": instance, "version": version, "metadata": {}}
        self._description = description
        self._started = datetime.now(UTC).isoformat()
        self._free_slots = asyncio.Semaphore(MAX_REQUESTS)
        self._in_hand: set[asyncio.Task[None]] = set()
        self._endpoint_subscriptions: list[Subscription] = []

    async def start(self) -> None:
        """Begin to answer."""
        for verb, answer in (("PING", self._ping), ("INFO", self._info), ("STATS", self._stats)):

            async def respond(message: Msg, answer: Any = answer) -> None:
                if may_answer(message.reply):
                    await self._connection.send(message.reply, msgspec.json.encode(answer()))

            base = f"$SRV.{verb}"
            named = f"{base}.{self._identity['name']}"
            for subject in (base, named, f"{named}.{self._identity['id']}"):
                await self._connection.subscribe(subject, respond)
        for endpoint in self._endpoints:

            async def take(message: Msg, endpoint: Endpoint[Any, Any] = endpoint) -> None:
                await self._free_slots.acquire()
                task = self._tasks.create_task(self._answer(message, endpoint))
                self._in_hand.add(task)
                task.add_done_callback(self._forget)

            subscription = await self._connection.subscribe(endpoint.subject, take, queue=QUEUE_GROUP)
            self._endpoint_subscriptions.append(subscription)

    async def stop(self, within_s: float) -> None:
        """Take no new request, and let those in hand end."""
        for subscription in self._endpoint_subscriptions:
            await self._connection.end_subscription(subscription)
        if self._in_hand:
            _, late = await asyncio.wait(self._in_hand, timeout=within_s)
            for task in late:
                task.cancel()

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._in_hand.discard(task)
        self._free_slots.release()

    async def _answer(self, message: Msg, endpoint: Endpoint[Any, Any]) -> None:
        """Handle one request; what its endpoint has no reply for becomes a service error."""
        statistics = self._statistics[endpoint.subject]
        began = time.perf_counter_ns()
        request_headers = message.headers or {}
        with self._traces.processing_span(message.subject, request_headers, SpanKind.SERVER) as span:
            try:
                pass_failpoint("request.received")
                payload, headers = await respond(endpoint, message.data, Caller(message.subject, request_headers))
                pass_failpoint("request.answered")
                if len(payload) > MAX_REPLY_BYTES:
                    raise BadMessage(
                        "too_large", f"the reply is larger than {MAX_REPLY_BYTES} bytes", hint=TOO_LARGE_HINT
                    )
                self._remember_batch(payload, headers)
            except Exception as failure:
                error = codec.error_of(failure)
                if not isinstance(failure, AcpError):
                    log.error("an endpoint failed", subject=message.subject, exc_info=failure)
                span.set_status(StatusCode.ERROR)
                statistics.errors += 1
                statistics.last_error = error.code  # any client may read it: the text can name another's things
                payload = codec.encode(ErrorReply.of(error))
                description = " ".join(str(error).split())
                headers = {_SERVICE_ERROR: description, _SERVICE_ERROR_CODE: error.code}
        if may_answer(message.reply):
            await self._reply(message.reply, payload, headers)
        statistics.requests += 1
        statistics.nanoseconds += time.perf_counter_ns() - began

    async def _reply(self, inbox: str, payload: bytes, headers: Mapping[str, str]) -> None:
        """Say it, if it can be said: a client whose reply is lost asks again, and the process lives on."""
        try:
            await self._connection.client.publish(inbox, payload, headers=dict(headers))
        except (NatsError, OSError) as error:
            log.warning("a reply could not be sent", inbox=inbox, error=repr(error))

    def _remember_batch(self, payload: bytes, headers: Mapping[str, str]) -> None:
        """A reply that names a batch ties it to the trace of its command."""
        try:
            batch = msgspec.json.decode(codec.unpack(payload, headers), type=_HashOnly).hash
        except (AcpError, msgspec.DecodeError):
            return
        if batch is not None:
            self._traces.remember_batch(batch)

    def _ping(self) -> dict[str, Any]:
        return {**self._identity, "type": "io.nats.micro.v1.ping_response"}

    def _info(self) -> dict[str, Any]:
        return {
            **self._identity,
            "type": "io.nats.micro.v1.info_response",
            "description": self._description,
            "endpoints": [
                {"name": _endpoint_name(subject), "subject": subject, "queue_group": QUEUE_GROUP, "metadata": {}}
                for subject in self._statistics
            ],
        }

    def _stats(self) -> dict[str, Any]:
        return {
            **self._identity,
            "type": "io.nats.micro.v1.stats_response",
            "started": self._started,
            "endpoints": [
                {
                    "name": _endpoint_name(subject),
                    "subject": subject,
                    "queue_group": QUEUE_GROUP,
                    "num_requests": found.requests,
                    "num_errors": found.errors,
                    "last_error": found.last_error,
                    "processing_time": found.nanoseconds,
                    "average_processing_time": found.nanoseconds // max(found.requests, 1),
                }
                for subject, found in self._statistics.items()
            ],
        }


async def respond(endpoint: Endpoint[Any, Any], data: bytes, caller: Caller) -> tuple[bytes, Mapping[str, str]]:
    """Payload and headers of the reply to one request.

    Raises:
        AcpError: the request failed, and its endpoint has no reply for errors.
        Exception: the agent failed, likewise.
    """
    encoding: codec.Encoding = "identity"
    try:
        encoding = codec.encoding_of(caller.headers)
        reply = await endpoint.answer(endpoint.decode(codec.unpack(data, caller.headers)), caller)
    except Exception as failure:
        if endpoint.on_error is None:
            raise
        if not isinstance(failure, AcpError):
            log.error(endpoint.failure_log, subject=caller.subject, exc_info=failure)
        reply = endpoint.on_error(codec.error_of(failure))
    return endpoint.encode(reply, encoding)


def _endpoint_name(subject: str) -> str:
    """ADR-32 allows letters, digits, `-` and `_` in a name: the last plain token of the subject."""
    return [token for token in subject.split(".") if token not in ("*", ">")][-1]
