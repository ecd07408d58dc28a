"""Durable publishing: a message is sent again with the same id until the broker says that it has it.

One table of unacknowledged messages and one task that looks after it, instead of a timer per message; nats-py's own
asynchronous publishing forgets its futures over a restart of the broker.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

import msgspec
import structlog
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, ConnectionDrainingError, OutboundBufferLimitError

from bus.connection import Connection
from bus.failpoint import pass_failpoint

log = structlog.get_logger()

REPEAT_S = 2.0
"""An unanswered message is sent again after this time."""

RETRY_S = 0.25
"""A message that the broker cannot take now (no stream, full) is sent again after this time, doubled up to REPEAT_S."""

MESSAGE_ID_HEADER = "Nats-Msg-Id"

_STORE_FAILED_CODE = 10077
"""JSStreamStoreFailed: among its causes only "maximum messages per subject" means that the message is there."""


class _ApiError(msgspec.Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _PubAck(msgspec.Struct):
    error: _ApiError | None = None


_ack_decoder = msgspec.json.Decoder(_PubAck)


@dataclass(frozen=True)
class Publication:
    """One message for a stream. `headers` carry its `Nats-Msg-Id`."""

    subject: str
    payload: bytes
    headers: dict[str, str]


@dataclass
class _Unacknowledged:
    publication: Publication
    answered: asyncio.Future[None]
    due: float
    refusals: int = field(default=0)


class Publisher:
    """Publishes into streams over one connection. `run` must run as long as anything is published."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._inbox = connection.client.new_inbox()
        self._tokens = count()
        self._unacknowledged: dict[str, _Unacknowledged] = {}
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def start(self) -> None:
        """Begin to listen for the broker's answers."""
        await self._connection.subscribe(f"{self._inbox}.*", self._on_answer)

    async def run(self) -> None:
        """Send again what is not answered; runs until cancelled."""
        forget = self._connection.on_reconnect(self._make_all_due)
        try:
            while True:
                await self._wake.wait()
                now = self._loop.time()
                for token, entry in tuple(self._unacknowledged.items()):
                    if entry.due <= now:
                        await self._transmit(token, entry)
                if not self._unacknowledged:
                    self._wake.clear()
                else:
                    await asyncio.sleep(RETRY_S)
        finally:
            forget()

    async def publish(self, publications: Sequence[Publication]) -> None:
        """Publish messages side by side; returns when the broker has them all, however long that takes.

        Raises:
            nats.errors.Error: a message can never be sent: larger than the broker takes, or a malformed subject.
        """
        tokens: list[str] = []
        waiting: list[asyncio.Future[None]] = []
        try:
            for publication in publications:
                token = str(next(self._tokens))
                entry = _Unacknowledged(publication, self._loop.create_future(), 0.0)
                self._unacknowledged[token] = entry
                tokens.append(token)
                waiting.append(entry.answered)
                await self._transmit(token, entry)
                pass_failpoint("message.sent")
            self._wake.set()
            for answered in waiting:
                await answered
        finally:
            for token in tokens:
                self._unacknowledged.pop(token, None)

    async def _transmit(self, token: str, entry: _Unacknowledged) -> None:
        entry.due = self._loop.time() + REPEAT_S
        publication = entry.publication
        # A full buffer or a broken connection: the entry stays in the table and is sent again.
        with contextlib.suppress(OutboundBufferLimitError, ConnectionClosedError, ConnectionDrainingError, OSError):
            await self._connection.client.publish(
                publication.subject, publication.payload, reply=f"{self._inbox}.{token}", headers=publication.headers
            )

    async def _on_answer(self, message: Msg) -> None:
        entry = self._unacknowledged.get(message.subject.rpartition(".")[2])
        if entry is None or entry.answered.done():
            return
        problem = refusal_of(message)
        if problem is None:
            entry.answered.set_result(None)
            return
        entry.due = self._loop.time() + min(RETRY_S * 2**entry.refusals, REPEAT_S)
        entry.refusals += 1
        log.warning("the broker cannot take a message now", subject=entry.publication.subject, reason=problem)

    def _make_all_due(self) -> None:
        for entry in self._unacknowledged.values():
            entry.due = 0.0


def refusal_of(message: Msg) -> str | None:
    """Why the broker does not have the message; null when it has it."""
    if message.headers and message.headers.get("Status") == "503":
        return "no stream takes this subject"
    try:
        error = _ack_decoder.decode(message.data).error
    except msgspec.DecodeError:
        return "the answer is no acknowledgement"
    if error is None or (error.err_code == _STORE_FAILED_CODE and "per subject" in error.description):
        return None
    return f"{error.err_code} {error.description}"
