"""The bus alone: request-reply latency, and durable hops per second through the runner.

    python -m tests.bench.hops [--messages 2000]

One nats-server, everything else in this process: an agent whose endpoint echoes, and a chain of agents that pass work
on, prompt -> planner, as the runner does it: pull, handle, publish with message id, ack.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bus import topology
from bus.agent import Agent, Caller, Delivery, Endpoint, Inbound, Intake, Outbound, Outlet, encode_plain
from bus.client import Client
from bus.connection import connect
from bus.consumers import answer_consumers
from bus.runner import RunnerOptions, serve
from bus.server import EmbeddedServer
from bus.telemetry import configure_logging
from protocol import subjects
from protocol.channels import ACP_EVENTS
from protocol.messages import Presence, Prompt, PromptsWritten, Role, WritePrompts
from protocol.results import BatchList, BatchListBody

WINDOW = 256
"""Messages on their way at once."""

EMPTY = BatchList(batch_list=BatchListBody(batches=[], next=None))


class Writer(Agent):
    """Answers WRITE_PROMPTS with one prompt: a durable hop from the work queue to the event stream."""

    role = "prompt"

    def intakes(self) -> Sequence[Intake]:
        return (Intake("ACP_WORK", "prompt", (subjects.work_filter("prompt"),), slots=256),)

    def presence(self, instance: str) -> Presence:
        return presence("prompt", instance)

    async def handle(self, message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        assert isinstance(message, WritePrompts)
        return [PromptsWritten(hash=message.hash, client_id="local", first=message.first, prompts=[Prompt(text="a")])]


class Counter(Agent):
    """Counts events, sends the work that starts them, and echoes requests."""

    role = "planner"

    def __init__(self, expected: int) -> None:
        self.left = expected
        self.done = asyncio.Event()
        self.outlet: Outlet | None = None

    def intakes(self) -> Sequence[Intake]:
        return (Intake(ACP_EVENTS, "planner", (subjects.EVENTS,), slots=256),)

    def endpoints(self) -> Sequence[Endpoint[Any, Any]]:
        return [Endpoint(subjects.COMMANDS, decode=bytes, answer=self._echo, encode=encode_plain)]

    def presence(self, instance: str) -> Presence:
        return presence("planner", instance)

    @asynccontextmanager
    async def running(self, outlet: Outlet) -> AsyncGenerator[None]:
        self.outlet = outlet
        yield

    async def handle(self, message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        self.left -= 1
        if self.left == 0:
            self.done.set()
        return ()

    async def _echo(self, question: bytes, caller: Caller) -> BatchList:
        return EMPTY


def presence(role: Role, instance: str) -> Presence:
    """The least that an agent announces."""
    return Presence(role=role, instance=instance, pid=1, host="bench", version="0", started_at="", slots=1)


async def measure(messages: int) -> None:
    """Print latency and rates."""
    with tempfile.TemporaryDirectory() as folder:
        async with EmbeddedServer(Path(folder)) as server:
            admin = await connect(server.address("admin"), name="bench")
            await topology.apply_topology(admin)
            await answer_consumers(admin)
            counter = Counter(messages)
            stop = asyncio.Event()
            ready = [asyncio.Event(), asyncio.Event()]
            async with asyncio.TaskGroup() as group:
                for agent, event in zip((Writer(), counter), ready, strict=True):
                    options = RunnerOptions(signals=False, stop=stop, on_ready=event.set)
                    group.create_task(serve(agent, server.address(agent.role), options))
                for event in ready:
                    await event.wait()
                async with Client.open(server.address("operator")) as client:
                    await requests(client, messages)
                await hops(counter, messages)
                stop.set()
            await admin.close()


async def requests(client: Client, messages: int) -> None:
    """Request-reply, one at a time and 64 at a time."""
    taken: list[float] = []
    for _ in range(min(messages, 1000)):
        started = time.perf_counter()
        await client.request(b"{}")
        taken.append((time.perf_counter() - started) * 1000)
    taken.sort()
    p99 = taken[len(taken) * 99 // 100]
    print(f"request-reply, one at a time: p50 {statistics.median(taken):.2f} ms, p99 {p99:.2f} ms")
    started = time.perf_counter()
    for _ in range(messages // 64):
        await asyncio.gather(*(client.request(b"{}") for _ in range(64)))
    print(f"request-reply, 64 at a time: {messages // 64 * 64 / (time.perf_counter() - started):.0f}/s")


async def hops(counter: Counter, messages: int) -> None:
    """Two durable hops per message: work queue -> handler -> event stream -> handler."""
    assert counter.outlet is not None
    started = time.perf_counter()
    for first in range(0, messages, WINDOW):
        work = [
            WritePrompts(hash="gen_batch_bench", client_id="local", first=index, count=1, seed=0)
            for index in range(first, min(messages, first + WINDOW))
        ]
        await asyncio.gather(*(counter.outlet.publish(message) for message in work))
    await counter.done.wait()
    rate = messages / (time.perf_counter() - started)
    print(f"publish -> work queue -> handler -> event stream -> handler: {rate:.0f} messages/s")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=2000)
    arguments = parser.parse_args()
    configure_logging("bench", "error")
    asyncio.run(measure(arguments.messages))


if __name__ == "__main__":
    main()
