"""Agents whose behaviour a test writes down, served for the time of an `async with`."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from nats.aio.msg import Msg

from bus.agent import Agent, Caller, Delivery, Endpoint, Inbound, Intake, Outbound, Outlet, Watch
from bus.connection import Address, Connection, connect
from bus.runner import RunnerOptions, serve
from bus.server import EmbeddedServer
from protocol import codec, subjects
from protocol.channels import ACP_EVENTS, ACP_WORK
from protocol.errors import AcpError
from protocol.messages import (
    Control,
    Event,
    Job,
    Presence,
    Prompt,
    PromptsFailed,
    PromptsWritten,
    Role,
    WritePrompts,
)
from protocol.pixels import PixelSpec

Handle = Callable[[Inbound, Delivery], Awaitable[Sequence[Outbound]]]
Raw = tuple[bytes, Mapping[str, str]]
RawAnswer = Callable[[bytes, Mapping[str, str], str], Awaitable[Raw]]
"""(unpacked bytes, headers, subject) -> payload and headers of the reply."""

BATCH = "gen_batch_1"
PROMPT_WORK = Intake(ACP_WORK, "prompt", (subjects.work_filter("prompt"),), slots=4, max_deliver=3)
PLANNER_EVENTS = Intake(ACP_EVENTS, "planner", (subjects.EVENTS,), slots=64)


async def nothing(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
    """A handler that is content."""
    return []


def raw_endpoint(subject: str, answer: RawAnswer) -> Endpoint[bytes, Raw]:
    """An endpoint whose replies go out byte for byte; what it raises is a service error."""

    async def answer_raw(question: bytes, caller: Caller) -> Raw:
        return await answer(question, caller.headers, caller.subject)

    return Endpoint(subject, decode=bytes, answer=answer_raw, encode=lambda reply, _: reply)


class Scripted(Agent):
    """An agent of any role; what it saw beside its queue is in `observed` and `controls`."""

    def __init__(
        self,
        role: Role = "prompt",
        handle: Handle = nothing,
        *,
        intakes: Sequence[Intake] = (PROMPT_WORK,),
        endpoints: Sequence[Endpoint[Any, Any]] = (),
        watches: Sequence[Watch] = (),
    ) -> None:
        self.role = role  # pyright: ignore[reportAttributeAccessIssue]  # one class stands for five
        self._handle = handle
        self._intakes = intakes
        self._endpoints = endpoints
        self._watches = watches
        self.observed: asyncio.Queue[Event] = asyncio.Queue()
        self.controls: asyncio.Queue[Control] = asyncio.Queue()
        self.given_up: list[AcpError] = []
        self.outlet: Outlet

    def intakes(self) -> Sequence[Intake]:
        return self._intakes

    def watches(self) -> Sequence[Watch]:
        return self._watches

    def endpoints(self) -> Sequence[Endpoint[Any, Any]]:
        return self._endpoints

    def presence(self, instance: str) -> Presence:
        return Presence(role=self.role, instance=instance, pid=1, host="here", version="1", started_at="now", slots=4)

    @asynccontextmanager
    async def running(self, outlet: Outlet) -> AsyncGenerator[None]:
        self.outlet = outlet
        yield

    async def handle(self, message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        return await self._handle(message, delivery)

    async def give_up(self, message: Inbound, error: AcpError) -> Sequence[Outbound]:
        self.given_up.append(error)
        if isinstance(message, WritePrompts):
            return [
                PromptsFailed(hash=message.hash, client_id=message.client_id, first=message.first, error=error.body)
            ]
        return []

    async def observe(self, message: Event) -> None:
        self.observed.put_nowait(message)

    async def handle_control(self, message: Control) -> None:
        self.controls.put_nowait(message)


@asynccontextmanager
async def served(agent: Agent, address: Address, **options: Any) -> AsyncGenerator[asyncio.Event]:
    """Serve an agent beside the body; gives the event that drains it, which the end of the body sets as well."""
    ready, stop = asyncio.Event(), asyncio.Event()
    chosen: dict[str, Any] = {"ack_wait_s": 2.0, "drain_s": 2.0, "backoff": (0.05,), **options}
    async with asyncio.TaskGroup() as group:
        group.create_task(serve(agent, address, RunnerOptions(signals=False, stop=stop, on_ready=ready.set, **chosen)))
        await ready.wait()
        try:
            yield stop
        finally:
            stop.set()


@asynccontextmanager
async def admin_of(server: EmbeddedServer) -> AsyncGenerator[Connection]:
    """A connection that may do everything."""
    connection = await connect(server.address("admin"), name="tests", wait_s=5)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def operator_of(server: EmbeddedServer) -> AsyncGenerator[Connection]:
    """A connection that may send the commands of any client."""
    connection = await connect(server.address("operator"), name="tests", wait_s=5)
    try:
        yield connection
    finally:
        await connection.close()


async def put(connection: Connection, *messages: Outbound) -> None:
    """Publish messages the way a planner would."""
    js = connection.client.jetstream()  # pyright: ignore[reportUnknownMemberType]
    for message in messages:
        payload, headers = codec.pack(message)
        await js.publish(subjects.subject_of(message), payload, headers=headers)


async def stored(connection: Connection, stream: str) -> int:
    """How many messages a stream holds."""
    return (await connection.request_api(f"STREAM.INFO.{stream}", {}))["state"]["messages"]


async def until_stored(connection: Connection, stream: str, count: int) -> None:
    """Ask the broker, one round trip after the other, until a stream holds so many; the caller bounds it."""
    while await stored(connection, stream) != count:
        pass


async def listen(connection: Connection, subject: str) -> asyncio.Queue[Msg]:
    """Messages of a subject from now on."""
    arrived: asyncio.Queue[Msg] = asyncio.Queue()
    await connection.subscribe(subject, arrived.put)
    await connection.request_api("INFO", {})  # the broker answers after it knows the subscription
    return arrived


def write_prompts(first: int = 0) -> WritePrompts:
    """Work for the prompt agent, a subject of its own per `first`."""
    return WritePrompts(hash=BATCH, client_id="local", first=first, count=1, seed=1)


def written(message: Inbound) -> PromptsWritten:
    """The answer to `write_prompts`."""
    assert isinstance(message, WritePrompts)
    return PromptsWritten(
        hash=message.hash, client_id=message.client_id, first=message.first, prompts=[Prompt(text="a mug")]
    )


def job(index: int = 0) -> Job:
    """A job of the batch."""
    return Job(
        pixels=PixelSpec(
            prompt="a mug",
            seed=index,
            width=64,
            height=64,
            steps=1,
            guidance=1.0,
            sampler="ddim",
            model="pocket",
        ),
        hash=BATCH,
        client_id="local",
        index=index,
        attempt=1,
        image_id=f"{BATCH}_{index}",
        platform="pocket",
    )
