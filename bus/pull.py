"""Reading one durable consumer: a slot is free before a delivery is asked for, so none waits in a busy process.

A pull loop of our own over one inbox per session. nats-py's `fetch` costs a task and two timers per message and
hangs over a restart of the broker.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from bus.agent import Intake
from bus.connection import Connection
from bus.consumers import put_consumer
from protocol.consumers import PutConsumer
from protocol.messages import Role

log = structlog.get_logger()

REQUEST_EXPIRES_S = 1.5
"""Life of one request for messages; an idle process asks again this often."""

MAX_SILENCE_S = 1.0
"""Past its life a request must have been answered; if it was not, the session is begun anew."""

CANCEL_WAIT_S = 2.0
"""What a cancelled handler gets to let go."""

RETRY_S = 0.1
"""First pause when the consumer cannot be made, doubled up to MAX_RETRY_S."""

MAX_RETRY_S = 2.0

_NANOSECONDS = 1_000_000_000

_DeliveryId = tuple[str, int]
"""When the consumer was made, and the message's place in the stream."""

Settle = Callable[[bytes], Awaitable[None]]
"""Tells the broker what became of a delivery."""


class Pull:
    """Reads one intake and starts `handle` for each delivery, at most `intake.slots` at once."""

    def __init__(
        self,
        connection: Connection,
        role: Role,
        intake: Intake,
        handle: Callable[[Msg, Intake, Settle], Coroutine[Any, Any, None]],
        tasks: asyncio.TaskGroup,
        *,
        ack_wait_s: float,
        heartbeat_s: float,
    ) -> None:
        self.intake = intake
        self._connection = connection
        self._role: Role = role
        self._handle = handle
        self._tasks = tasks
        self._ack_wait_s = ack_wait_s
        self._heartbeat_s = heartbeat_s
        self._in_hand: dict[_DeliveryId, tuple[asyncio.Task[None], Msg]] = {}
        self._consumer_created = ""
        self._consumer_known = asyncio.Event()
        self._requested = 0
        self._last_request = 0.0
        self._changed = asyncio.Event()
        self._heartbeat_due = asyncio.Event()
        self._broken = False
        self._refusal: str | None = None
        self._retry_s = RETRY_S
        self._stopping = False

    @property
    def busy_count(self) -> int:
        """Deliveries in hand."""
        return len(self._in_hand)

    async def run(self) -> None:
        """Read until `stop`."""
        forget = self._connection.on_reconnect(self._break)
        try:
            while not self._stopping:
                try:
                    await self._ensure_consumer()
                    await self._read_inbox()
                except (NatsError, TimeoutError, OSError) as error:
                    log.warning("cannot read the queue", consumer=self.intake.durable, error=repr(error))
                    await asyncio.sleep(self._retry_s)
                    self._retry_s = min(self._retry_s * 2, MAX_RETRY_S)
        finally:
            forget()

    async def heartbeat(self) -> None:
        """Tell the broker that the deliveries in hand are worked on, at once after a reconnection, when their ack wait
        may be nearly over; runs until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat_s):
                    await self._heartbeat_due.wait()
            self._heartbeat_due.clear()
            for (made, _), (_, message) in tuple(self._in_hand.items()):
                if made == self._consumer_created:
                    await self._connection.send(message.reply, b"+WPI")

    def stop(self) -> None:
        """Ask for nothing more; what still arrives is handed back, and `run` ends."""
        self._stopping = True
        self._changed.set()
        self._consumer_known.set()

    async def finish(self, within_s: float) -> None:
        """Let the deliveries in hand end; those that take longer are cancelled and handed back at once."""
        in_hand = dict(self._in_hand.values())
        if in_hand:
            await asyncio.wait(in_hand, timeout=within_s)
        late = {task: message for task, message in in_hand.items() if task.cancel()}
        if late:
            await asyncio.wait(late, timeout=CANCEL_WAIT_S)
        for task, message in late.items():
            if task.cancelled() or not task.done():
                await self._hand_back(message)

    async def _ensure_consumer(self) -> None:
        """Have the durable consumer made, or the existing one given today's settings."""
        wanted = PutConsumer(
            stream=self.intake.stream,
            durable=self.intake.durable,
            filter_subjects=list(self.intake.filter_subjects),
            ack_wait_s=self._ack_wait_s,
        )
        self._consumer_created = await put_consumer(self._connection, self._role, wanted)
        self._consumer_known.set()

    async def _read_inbox(self) -> None:
        """Ask and receive over one inbox, until it is broken. A fresh inbox makes the count of what was asked exact."""
        client = self._connection.client
        inbox = client.new_inbox()
        self._requested, self._broken, self._refusal = 0, False, None
        subscription = await self._connection.subscribe(inbox, self._on_message)
        next_subject = f"$JS.API.CONSUMER.MSG.NEXT.{self.intake.stream}.{self.intake.durable}"
        loop = asyncio.get_running_loop()
        try:
            while not self._broken and not self._stopping:
                self._changed.clear()
                if wanted := self._count_to_request():
                    request = {"batch": wanted, "expires": int(REQUEST_EXPIRES_S * _NANOSECONDS)}
                    self._requested += wanted
                    self._last_request = loop.time()
                    await client.publish(next_subject, json.dumps(request).encode(), reply=inbox)
                try:
                    async with asyncio.timeout_at(
                        self._last_request + REQUEST_EXPIRES_S + MAX_SILENCE_S if self._requested else None
                    ):
                        await self._changed.wait()
                except TimeoutError:
                    if not self._requested:  # all slots are taken
                        continue
                    log.info("the queue went silent", consumer=self.intake.durable, asked=self._requested)
                    return
        finally:
            await self._connection.end_subscription(subscription)
        if self._refusal is not None:
            raise NatsError(self._refusal)

    async def _settle(self, made: str, message: Msg, answer: bytes) -> None:
        """Answer the consumer that made a delivery. After a wiped store another one has its name, and would take the
        answer for that to its own delivery of the same number: a message would be lost that nobody handled."""
        if not self._connection.client.is_connected and not self._stopping:
            self._consumer_known.clear()
        await self._consumer_known.wait()
        if made == self._consumer_created:
            await self._connection.send(message.reply, answer)

    async def _hand_back(self, message: Msg) -> None:
        await self._connection.send(message.reply, b"-NAK")

    def _count_to_request(self) -> int:
        """How many deliveries to ask for now. A few free slots wait for more, so that requests are few under load."""
        free = self.intake.slots - self.busy_count - self._requested
        return free if free > 0 and (self._requested == 0 or free * 4 >= self.intake.slots) else 0

    async def _on_message(self, message: Msg) -> None:
        status = message.headers.get("Status") if message.headers and not message.data else None
        if status is not None and not message.reply.startswith("$JS.ACK"):
            self._on_status(status, message.headers or {})
            return
        self._requested = max(0, self._requested - 1)
        if self._stopping:
            await self._hand_back(message)
            return
        self._retry_s = RETRY_S
        sequence = message.metadata.sequence.stream
        number = (self._consumer_created, sequence)
        if number in self._in_hand:  # delivered again while it is worked on: its first ack settles both
            self._changed.set()
            return
        task = self._tasks.create_task(
            self._handle(message, self.intake, partial(self._settle, self._consumer_created, message))
        )
        self._in_hand[number] = (task, message)
        task.add_done_callback(lambda _: self._forget(number))

    def _forget(self, number: _DeliveryId) -> None:
        del self._in_hand[number]
        if self._count_to_request():
            self._changed.set()

    def _on_status(self, status: str, headers: dict[str, str]) -> None:
        pending = int(headers.get("Nats-Pending-Messages", "0"))
        self._requested = max(0, self._requested - pending)
        if status not in ("404", "408"):  # the consumer is gone, or the broker is about to be
            self._refusal = f"{status} {headers.get('Description', '')}"
            self._broken = True
        self._changed.set()
        self._heartbeat_due.set()

    def _break(self) -> None:
        self._broken = True
        if not self._stopping:
            self._consumer_known.clear()
        self._changed.set()
        self._heartbeat_due.set()
