"""What a flood of one client costs another: `python -m tests.bench.floods`.

One client publishes as fast as one connection can, twice; beside it another asks for a plan every 100 ms. With
`--plans` what it publishes are plans to hold. Prints the rate of the flood, the other's latency during it and 2 s after
it, and the memory of planner and broker.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client as Nats

from agents.shared.supervisor.supervise import run_workshop
from bus.client import Client
from bus.credentials import outside_address
from protocol.codec import encode
from protocol.commands import GenerateImages, Requirements
from protocol.plans import GenerationPlan
from tests.bench.coordination import broker_pids
from tests.workshop import instant_settings

PAUSE_S = 0.1
AFTER_S = 2.0


async def measure(messages: int, rate: float, payload: bytes) -> None:
    """Print what two equal floods cost."""
    with tempfile.TemporaryDirectory() as folder:
        settings = instant_settings(Path(folder))
        async with run_workshop(settings, lambda notice: None) as workshop:
            await workshop.wait_until_ready()
            planner = next(one.pid for one in await workshop.presences() if one.role == "planner")
            pids = [planner, *broker_pids()]
            flooder = await nats.connect(  # pyright: ignore[reportUnknownMemberType]
                workshop.client.url_with_credentials, pending_size=64 * 1024 * 1024
            )
            gateway = outside_address(workshop.client.url, settings.nats_folder, "gateway")
            async with Client.open(gateway, client_id="other") as client:
                alone = await _asked(client, asyncio.sleep(2))
                print(f"alone: {format_times(alone)}; planner and broker {_memory(pids)} MiB")
                for number in (1, 2):
                    began = time.perf_counter()
                    times = await _asked(client, _flood(flooder, messages, rate, payload))
                    seconds = time.perf_counter() - began
                    await asyncio.sleep(AFTER_S)
                    after = await _asked(client, asyncio.sleep(2))
                    print(
                        f"flood {number}: {messages} messages at {messages / seconds:.0f}/s; "
                        f"other {format_times(times)}; {AFTER_S:g} s later {format_times(after)}; "
                        f"planner and broker {_memory(pids)} MiB"
                    )
            await flooder.close()


async def _flood(flooder: Nats, messages: int, rate: float, payload: bytes) -> None:
    """Messages, at most `rate` a second where that is not 0."""
    inbox, began = flooder.new_inbox(), time.perf_counter()
    for number in range(messages):
        await flooder.publish("acp.v1.command.local", payload, reply=inbox)
        if number % 500 == 0:
            ahead = number / rate - (time.perf_counter() - began) if rate else 0
            await asyncio.sleep(max(0, ahead))
    await flooder.flush(timeout=60)


async def _asked(client: Client, meanwhile: Coroutine[Any, Any, None]) -> list[float]:
    """Seconds of each plan that was asked for while something else went on."""
    times: list[float] = []
    running = asyncio.create_task(meanwhile)
    while not running.done():
        began = time.perf_counter()
        command = GenerateImages(brief="a mug", dry_run=True, platform="pocket", requirements=Requirements(quantity=1))
        assert isinstance(await client.request(command, timeout=60), GenerationPlan)
        times.append(time.perf_counter() - began)
        await asyncio.sleep(PAUSE_S)
    await running
    return times


def format_times(times: list[float]) -> str:
    """Number, median, 99th percentile and maximum of seconds."""
    ordered = sorted(times)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return (
        f"n {len(times)}, p50 {statistics.median(times) * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, "
        f"max {ordered[-1] * 1000:.0f} ms"
    )


def _memory(pids: list[int]) -> str:
    return ", ".join(str(mib(pid)) for pid in pids)


def mib(pid: int, what: str = "VmRSS") -> int:
    """Memory of a process by a line of its status."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) // 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=300_000)
    parser.add_argument("--rate", type=float, default=0, help="messages a second; 0 is as fast as one connection can")
    parser.add_argument("--plans", action="store_true", help="plans to hold in place of messages that are none")
    given = parser.parse_args()
    plan = GenerateImages(brief="a mug", hold=True, platform="pocket", requirements=Requirements(quantity=1))
    asyncio.run(measure(given.messages, given.rate, encode(plan) if given.plans else b"{}"))
