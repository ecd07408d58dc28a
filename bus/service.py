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
from bus.agent import Caller, Endpoint, no_asker
from bus.connection import Connection
from bus.failpoint import pass_failpoint
from bus.fair_queue import FairQueue
from bus.telemetry import Tracing
from protocol import codec
from protocol.errors import AcpError, BadMessage, Unavailable
from protocol.replies import ErrorReply

log = structlog.get_logger()

MAX_REQUESTS = 1024
"""Requests of one process in hand at once; more wait in the subscription. Many, because a request that waits for a
batch to end costs nothing meanwhile and must not keep others out."""

MAX_WAIT_S = 10.0
"""A request that waited longer is not carried out: whoever asked has gone on."""

EXPIRES_HEADER = "Acp-Expires"
"""Until when an answer is waited for, in seconds since 1970."""

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


class _Waiting:
    """An endpoint and the requests that wait for it."""

    def __init__(self, endpoint: Endpoint[Any, Any]) -> None:
        self.endpoint = endpoint
        self.queue: FairQueue[Msg] = (
            FairQueue(MAX_REQUESTS, MAX_REQUESTS, max_waiting_bytes=MAX_REQUESTS * codec.MAX_MESSAGE_BYTES)
            if endpoint.queue_by is no_asker
            else FairQueue()
        )


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
        self._queues = [_Waiting(endpoint) for endpoint in endpoints]
        self._in_hand: set[asyncio.Task[None]] = set()
        self._refusing: set[asyncio.Task[None]] = set()
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
        for waiting in self._queues:

            async def take(message: Msg, waiting: _Waiting = waiting) -> None:
                self._enqueue(message, waiting)

            subscription = await self._connection.subscribe(waiting.endpoint.subject, take, queue=QUEUE_GROUP)
            self._endpoint_subscriptions.append(subscription)

    async def stop(self, within_s: float) -> None:
        """Take no new request, and let those in hand end."""
        for subscription in self._endpoint_subscriptions:
            await self._connection.end_subscription(subscription)
        deadline = time.monotonic() + within_s
        while self._in_hand and (left := deadline - time.monotonic()) > 0:  # those that wait follow those that end
            await asyncio.wait(self._in_hand, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        for task in self._in_hand:
            task.cancel()

    def _enqueue(self, message: Msg, waiting: "_Waiting") -> None:
        """Let a request wait for its turn, or answer that it cannot."""
        asker = waiting.endpoint.queue_by(Caller(message.subject, message.headers or {}))
        refusal = waiting.queue.put(asker, message, len(message.data), time.monotonic())
        if refusal is None:
            self._begin(waiting)
        elif refusal.told:
            error = Unavailable(
                "queue_full",
                "too many of your requests wait already",
                hint=f"ask again in {refusal.retry_after_s:g} s, and wait for answers before asking on",
                retry_after_s=refusal.retry_after_s,
            )
            task = self._tasks.create_task(self._refuse(message, waiting.endpoint, error))
            self._refusing.add(task)
            task.add_done_callback(self._refusing.discard)

    def _begin(self, waiting: "_Waiting") -> None:
        """Begin what may be begun."""
        while len(self._in_hand) < MAX_REQUESTS and (turn := waiting.queue.take()) is not None:
            asker, since, message = turn
            began = time.monotonic()
            task = self._tasks.create_task(self._answer(message, waiting.endpoint, began - since))
            self._in_hand.add(task)

            def end(task: asyncio.Task[None], asker: str = asker, began: float = began) -> None:
                self._in_hand.discard(task)
                waiting.queue.end(asker, time.monotonic() - began)
                for other in self._queues:
                    self._begin(other)

            task.add_done_callback(end)

    async def _refuse(self, message: Msg, endpoint: Endpoint[Any, Any], error: AcpError) -> None:
        """Answer without a look at the request."""
        if not may_answer(message.reply):
            return
        if endpoint.on_error is None:
            payload, headers = _service_error(error)
        else:
            payload, headers = endpoint.encode(endpoint.on_error(error), "identity")
        await self._reply(message.reply, payload, headers)

    async def _answer(self, message: Msg, endpoint: Endpoint[Any, Any], waited_s: float) -> None:
        """Handle one request; what its endpoint has no reply for becomes a service error."""
        statistics = self._statistics[endpoint.subject]
        began = time.perf_counter_ns()
        request_headers = message.headers or {}
        with self._traces.processing_span(message.subject, request_headers, SpanKind.SERVER) as span:
            try:
                pass_failpoint("request.received")
                caller = Caller(message.subject, request_headers)
                payload, headers = await respond(endpoint, message.data, caller, waited_s)
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
                payload, headers = _service_error(error)
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


async def respond(
    endpoint: Endpoint[Any, Any], data: bytes, caller: Caller, waited_s: float = 0.0
) -> tuple[bytes, Mapping[str, str]]:
    """Payload and headers of the reply to one request.

    Raises:
        AcpError: the request failed, and its endpoint has no reply for errors.
        Exception: the agent failed, likewise.
    """
    encoding: codec.Encoding = "identity"
    try:
        encoding = codec.encoding_of(caller.headers)
        refuse_expired(caller.headers, waited_s, time.time())
        reply = await endpoint.answer(endpoint.decode(codec.unpack(data, caller.headers)), caller)
    except Exception as failure:
        if endpoint.on_error is None:
            raise
        if not isinstance(failure, AcpError):
            log.error(endpoint.failure_log, subject=caller.subject, exc_info=failure)
        reply = endpoint.on_error(codec.error_of(failure))
    return endpoint.encode(reply, encoding)


def refuse_expired(headers: Mapping[str, str], waited_s: float, now: float) -> None:
    """See that whoever asked still waits for the answer. `now` in seconds since 1970.

    Raises:
        Unavailable: `expired`.
        BadMessage: the header `Acp-Expires` is no time.
    """
    expires = headers.get(EXPIRES_HEADER)
    try:
        late = expires is not None and not now <= float(expires)
    except ValueError as error:
        raise BadMessage(
            "invalid_value", f"the header {EXPIRES_HEADER} is no time", hint="seconds since 1970, such as 1796081614.2"
        ) from error
    if late or waited_s > MAX_WAIT_S:
        why = "its time was over" if late else f"it waited {waited_s:.0f} s"
        raise Unavailable("expired", f"the request was not carried out: {why}", hint="ask again")


def _service_error(error: AcpError) -> tuple[bytes, Mapping[str, str]]:
    """The micro-service's own reply to what went wrong (ADR-32)."""
    description = " ".join(str(error).split())
    return codec.encode(ErrorReply.of(error)), {_SERVICE_ERROR: description, _SERVICE_ERROR_CODE: error.code}


def _endpoint_name(subject: str) -> str:
    """ADR-32 allows letters, digits, `-` and `_` in a name: the last plain token of the subject."""
    return [token for token in subject.split(".") if token not in ("*", ">")][-1]
