"""What a client of the workshop does: send commands, watch statuses and progress."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from bus.accounts import LOCAL_CLIENT
from bus.connection import Address, Connection, connect
from protocol import codec, subjects
from protocol.commands import Status
from protocol.errors import AcpError, BadCommand, Unavailable
from protocol.ids import is_id
from protocol.messages import Progress
from protocol.replies import Reply
from protocol.results import GenerationStatus

log = structlog.get_logger()

STATUS_AGAIN_S = 5.0
"""A watch of a status asks again after this time: statuses are said once, to whoever is connected."""

STATUS_WAIT_S = 5.0
"""Longest wait for one answer to that."""

NO_PLANNER_S = 0.1
"""Nobody is there once this time apart: then there is no planner."""

MAX_BACKLOG = 10_000
"""Messages that a slow reader of a watch may leave unread; then the broker's side waits."""


class Client:
    """One connection to a workshop. Open it with `Client.open`."""

    def __init__(self, connection: Connection, tasks: asyncio.TaskGroup, client_id: str) -> None:
        self.client_id = client_id
        self._connection = connection
        self._tasks = tasks

    @classmethod
    @asynccontextmanager
    async def open(
        cls, address: Address, *, client_id: str = LOCAL_CLIENT, wait_s: float = 5.0
    ) -> AsyncGenerator["Client"]:
        """A client for the time of an `async with`; it speaks as `client_id` where nothing else is said.

        Raises:
            Unavailable: nobody answers at the address within `wait_s` seconds, or it refuses the credentials.
        """
        connection = await connect(address, name="client", wait_s=wait_s)
        try:
            async with asyncio.TaskGroup() as tasks:
                yield cls(connection, tasks, client_id)
        finally:
            await connection.close()

    async def request(
        self, command: msgspec.Struct | bytes, client_id: str | None = None, timeout: float = 10.0
    ) -> Reply:
        """Send a command and return the reply; bytes are sent as they are. A refusal is a reply as well.

        Raises:
            BadCommand: `client_id` cannot be the name of a client.
            BadMessage: the command is too large, or the reply cannot be read.
            Unavailable: no planner runs, or it does not answer within `timeout` seconds.
        """
        name = self.client_id if client_id is None else client_id
        if not is_id(name):
            raise BadCommand("invalid_value", f"{name[:80]!r} cannot be a client id", path="$.client_id")
        return await ask_planner(self._connection, subjects.command(name), command, timeout)

    async def watch_status(self, client_id: str, batch: str) -> AsyncGenerator[GenerationStatus]:
        """Statuses of a batch: how it stands at once, where a planner answers, then each newer one, over restarts of
        broker and planner too. Nothing is said twice in a row. Endless."""
        arrived: asyncio.Queue[bytes] = asyncio.Queue(MAX_BACKLOG)
        subscription = await self._connection.subscribe(subjects.status(client_id, batch), _unpack_into(arrived))
        asking = self._tasks.create_task(self._ask_status(client_id, batch, arrived))
        said, most = None, 0
        try:
            while True:
                status = codec.decode_reply(await arrived.get())
                if not isinstance(status, GenerationStatus) or status == said:
                    continue
                if (completed := status.generation_status.completed) >= most:  # else it was overtaken by an answer
                    said, most = status, completed
                    yield status
        finally:
            asking.cancel()
            with contextlib.suppress(NatsError):
                await subscription.unsubscribe()

    async def watch_progress(self, client_id: str, batch: str) -> AsyncGenerator[Progress]:
        """Progress of a batch's attempts from now on; lossy. Endless."""
        arrived: asyncio.Queue[bytes] = asyncio.Queue(MAX_BACKLOG)
        subscription = await self._connection.subscribe(subjects.progress(client_id, batch), _unpack_into(arrived))
        try:
            while True:
                progress = codec.decode_message(await arrived.get())
                if isinstance(progress, Progress):
                    yield progress
        finally:
            await subscription.unsubscribe()

    async def _ask_status(self, client_id: str, batch: str, arrived: asyncio.Queue[bytes]) -> None:
        """Ask how a batch stands, at the start, after each reconnection, and now and then: what is published while
        nobody is connected is not heard. Runs until cancelled."""
        due = asyncio.Event()
        forget = self._connection.on_reconnect(due.set)
        try:
            while True:
                due.clear()
                with contextlib.suppress(AcpError):
                    reply = await self.request(Status(hash=batch), client_id, timeout=STATUS_WAIT_S)
                    await arrived.put(codec.encode(reply))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(STATUS_AGAIN_S):
                        await due.wait()
        finally:
            forget()


async def ask_planner(
    connection: Connection, subject: str, command: msgspec.Struct | bytes, timeout: float = 10.0
) -> Reply:
    """The planner's reply to a command on `subject`; see `Client.request`."""
    payload, headers = (command, {}) if isinstance(command, bytes) else codec.pack(command)
    if len(payload) > codec.MAX_MESSAGE_BYTES:
        raise BadCommand("too_large", f"the command is larger than {codec.MAX_MESSAGE_BYTES} bytes")
    try:
        try:
            answer = await connection.client.request(subject, payload, timeout=timeout, headers=headers)
        except NoRespondersError:  # also for a moment, while the server reads the logins again
            await asyncio.sleep(NO_PLANNER_S)
            answer = await connection.client.request(subject, payload, timeout=timeout, headers=headers)
    except NoRespondersError as error:
        raise Unavailable("timeout", "no planner runs", hint="start the workshop with `bottega up`") from error
    except (NatsError, TimeoutError) as error:
        raise Unavailable("timeout", f"the planner did not answer within {timeout:g} s", hint="try again") from error
    return codec.decode_reply(codec.unpack(answer.data, answer.headers))


def _unpack_into(queue: asyncio.Queue[bytes]) -> Callable[[Msg], Awaitable[None]]:
    async def receive(message: Msg) -> None:
        try:
            await queue.put(codec.unpack(message.data, message.headers))
        except AcpError as error:
            log.warning("a message cannot be read", subject=message.subject, error=str(error))

    return receive
