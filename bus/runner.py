"""Serves one agent: connects, reads its queues, answers its requests, announces it, and drains it at the end.

`async with` nests in the order of closing: handlers end before the agent's resources, those before the connection.
"""

import asyncio
import contextlib
import secrets
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any, cast

import structlog
from nats.aio.msg import Msg
from opentelemetry.trace import Tracer

from bus import telemetry
from bus.agent import Agent, Watch
from bus.connection import Address, Connection, connect
from bus.handling import DeliveryHandler, decode
from bus.outlet import AgentOutlet
from bus.presence import PresenceAnnouncer, PresenceBoard
from bus.publisher import Publisher
from bus.pull import Pull
from bus.service import Service
from bus.topology import PRESENCE_TTL_S
from bus.view import Kept, View
from protocol import codec, subjects
from protocol.channels import ACP_EVENTS
from protocol.errors import AcpError, Unavailable
from protocol.messages import CancelBatch, CancelImage, Drain

log = structlog.get_logger()

STOP_WAIT_S = 2.0
"""Bound of each last word: the end of a pull session, the withdrawal of the presence entry."""


@dataclass(frozen=True)
class RunnerOptions:
    """How an agent is served. Times in seconds.

    `ack_wait_s`: a delivery without heartbeat is given to another process after it. `drain_s`: what running handlers
    get at the end. `backoff`: delay after the first, second, … failed delivery. `stop`: set it to drain, as SIGTERM
    does; `signals` false leaves the process' signals alone. `on_ready` is called once, when the agent takes work.
    `dictionary` false compresses messages without the dictionary, for processes that do not know it.
    """

    ack_wait_s: float = 10.0
    drain_s: float = 20.0
    presence_ttl_s: float = PRESENCE_TTL_S
    connect_wait_s: float = 30.0
    backoff: tuple[float, ...] = (0.5, 2.0, 5.0, 15.0)
    version: str = "0.1.0"
    instance: str | None = None
    signals: bool = True
    stop: asyncio.Event | None = None
    on_ready: Callable[[], None] | None = None
    tracer: Tracer | None = None
    dictionary: bool = True

    @property
    def heartbeat_s(self) -> float:
        """Two heartbeats may be lost before a delivery goes to another process."""
        return self.ack_wait_s / 3


async def serve(agent: Agent, address: Address, options: RunnerOptions | None = None) -> None:
    """Run an agent until SIGTERM, SIGINT, a `Drain` message or `options.stop`.

    Raises:
        Unavailable: no broker answers at the start, or the connection is closed for good.
    """
    options = options or RunnerOptions()
    instance = options.instance or secrets.token_hex(4)
    connection = await connect(
        address,
        name=f"{agent.role}.{instance}",
        wait_s=options.connect_wait_s,
    )
    stop = options.stop or asyncio.Event()
    try:
        with _stop_on_signals(stop) if options.signals else contextlib.nullcontext():
            await _Serving(agent, connection, options, instance, stop).run()
    except BaseExceptionGroup as group:
        raise _only_cause(group) from None
    finally:
        await connection.close()
    log.info("ended", instance=instance)


class _Serving:
    """The parts of one served agent, and the order in which they begin and end."""

    def __init__(
        self, agent: Agent, connection: Connection, options: RunnerOptions, instance: str, stop: asyncio.Event
    ) -> None:
        self._agent = agent
        self._connection = connection
        self._options = options
        self._instance = instance
        self._stop = stop
        self._traces = telemetry.tracing_of(agent.role, options.tracer)
        self._publisher = Publisher(connection)
        self._board = PresenceBoard(connection, options.presence_ttl_s)
        self._outlet = AgentOutlet(
            connection, self._publisher, self._board, self._traces, dictionary=options.dictionary
        )
        self._announcer = PresenceAnnouncer(self._publisher, agent, instance, options.presence_ttl_s)

    async def run(self) -> None:
        """Serve until stopped, then drain."""
        await self._publisher.start()
        async with (
            _run_in_background(self._publisher.run(), self._outlet.run(), self._board.run(), self._end_when_closed()),
            self._agent.running(self._outlet),
            asyncio.TaskGroup() as tasks,
        ):
            await self._serve(tasks)

    async def _serve(self, tasks: asyncio.TaskGroup) -> None:
        options, agent = self._options, self._agent
        handling = DeliveryHandler(agent, self._outlet, self._traces, options.backoff)
        pulls = [
            Pull(
                self._connection,
                agent.role,
                intake,
                handling.handle,
                tasks,
                ack_wait_s=options.ack_wait_s,
                heartbeat_s=options.heartbeat_s,
            )
            for intake in agent.intakes()
        ]
        self._announcer.count_busy = lambda: sum(pull.busy_count for pull in pulls)
        service = Service(
            self._connection,
            self._traces,
            tasks,
            agent.endpoints(),
            name=f"acp-{agent.role}",
            instance=self._instance,
            version=options.version,
            description=(type(agent).__doc__ or agent.role).strip().splitlines()[0],
        )
        await self._connection.subscribe(subjects.control(agent.role), self._on_control)
        await service.start()
        heartbeats = [pull.heartbeat() for pull in pulls]
        views = [self._view_of(watch).run() for watch in agent.watches()]
        async with _run_in_background(*heartbeats, *views):
            reading = [tasks.create_task(pull.run()) for pull in pulls]
            # Answered after the subscriptions above are known to the broker: ready means that it can be called.
            await self._wait_briefly(self._announcer.announce())
            async with _run_in_background(self._announcer.run()):
                log.info("ready", instance=self._instance)
                if options.on_ready is not None:
                    options.on_ready()
                await self._stop.wait()
                log.info("draining", in_hand=self._announcer.count_busy())
            await self._drain(pulls, reading, service)

    async def _drain(self, pulls: list[Pull], reading: list[asyncio.Task[None]], service: Service) -> None:
        """Take nothing new, let what is in hand end, hand back the rest."""
        for pull in pulls:
            pull.stop()
        await self._wait_briefly(self._announcer.withdraw())
        if reading:
            _, late = await asyncio.wait(reading, timeout=STOP_WAIT_S)
            for task in late:
                task.cancel()
        ends = [pull.finish(self._options.drain_s) for pull in pulls]
        await asyncio.gather(service.stop(self._options.drain_s), *ends)

    async def _wait_briefly(self, call: Awaitable[None]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_WAIT_S):
                await call

    async def _end_when_closed(self) -> None:
        await self._connection.closed.wait()
        if not self._connection.closing:
            raise Unavailable("timeout", "the connection to the broker is closed for good", hint="start again")

    async def _on_control(self, message: Msg) -> None:
        try:
            content = codec.decode_message(codec.unpack(message.data, message.headers))
        except AcpError as error:
            log.warning("a control message cannot be read", error=str(error))
            return
        match content:
            case Drain(instance=instance):
                if instance in (None, self._instance):
                    self._stop.set()
            case CancelBatch() | CancelImage():
                await self._contain_failure(self._agent.handle_control(content), "control")
            case _:
                log.warning("not a control message", type=type(content).__name__)

    def _view_of(self, watch: Watch) -> View:
        async def observe(message: Kept) -> None:
            try:
                content = decode(message.data, message.headers)
            except AcpError as error:
                log.warning("an event cannot be read", subject=message.subject, error=str(error))
                return
            # The stream of events holds events alone.
            await self._contain_failure(self._agent.observe(content), "observe")  # pyright: ignore[reportArgumentType]

        return View(self._connection, ACP_EVENTS, watch.filter_subject, observe)

    async def _contain_failure(self, call: Awaitable[None], what: str) -> None:
        """A failure beside the queue costs one message, never the process."""
        try:
            await call
        except Exception:
            log.exception("the agent failed beside its queue", call=what)


def _only_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one failure that ended everything, or the group where there are several."""
    cause, *others = group.exceptions
    if others or not isinstance(cause, BaseExceptionGroup):
        return group if others else cause
    return _only_cause(cast("BaseExceptionGroup[BaseException]", cause))


@contextlib.asynccontextmanager
async def _run_in_background(*work: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Run endless work beside the body; it ends with the body, and the body with its failure."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


@contextlib.contextmanager
def _stop_on_signals(stop: asyncio.Event) -> Generator[None]:
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    try:
        yield
    finally:
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(sign)
