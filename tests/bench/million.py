"""A plan of 1,000,000 pictures against a generator that takes 20 ms: memory, a second client beside it, cancel.

    python -m tests.bench.million [--seconds 300] [--picture 0.02]

Starts a workshop of its own. A second client's ten pictures are timed alone, then at intervals beside the plan; the
memory of every process is read once a second, and its slope is that of a line through the second half of the run.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from agents.shared.supervisor.supervise import Workshop, run_workshop
from bus.client import Client
from protocol.commands import Cancel, GenerateImages, Requirements
from protocol.plans import GenerationPlan
from protocol.results import GenerationStatus
from tests.bench.coordination import broker_pids
from tests.workshop import instant_settings

QUANTITY = 1_000_000
SMALL = 10
ROUNDS_ALONE = 5
PAUSE_S = 10.0
"""Between two batches of the second client."""

PAGE = os.sysconf("SC_PAGE_SIZE")


async def measure(seconds: float, picture: float) -> None:
    """Run it and print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "BOTTEGA_GENERATOR": "instant",
            "BOTTEGA_INSTANT_S": str(picture),
            "BOTTEGA_QA_SCORING": "false",
            "BOTTEGA_STORAGE_FILES": "false",
        }
        settings = instant_settings(Path(folder), instant_s=picture, reconcile_s=5.0, stale_s=20.0)
        async with run_workshop(settings, lambda notice: None) as workshop, Client.open(workshop.client) as client:
            await workshop.wait_until_ready()
            alone = [await small_batch(client) for _ in range(ROUNDS_ALONE)]
            started = time.perf_counter()
            huge = await planned(client, QUANTITY, "acme")
            accepted = time.perf_counter() - started
            async with memory(workshop) as read:
                beside: list[float] = []
                while time.perf_counter() - started < seconds:
                    beside.append(await small_batch(client))
                    await asyncio.sleep(min(PAUSE_S, max(0.0, seconds - (time.perf_counter() - started))))
            ran = time.perf_counter() - started
            began = time.perf_counter()
            status = await client.request(Cancel(hash=huge), client_id="acme")
            cancelled = time.perf_counter() - began
    assert isinstance(status, GenerationStatus)
    made = status.generation_status.completed
    print(f"{QUANTITY:,} pictures accepted in {accepted:.3f} s; {made:,} made in {ran:.0f} s: {made / ran:.1f}/s")
    median, slowest = statistics.median(alone), max(beside)
    print(f"ten pictures of a second client alone: median {median:.3f} s of {len(alone)}")
    print(f"beside it: median {statistics.median(beside):.3f} s, slowest {slowest:.3f} s of {len(beside)};", end=" ")
    print(f"1.5x + 0.5 s is {1.5 * median + 0.5:.3f} s")
    print(f"cancel answered in {cancelled:.3f} s")
    for name, values in read.items():
        half = values[len(values) // 2 :]
        print(
            f"{name}: {values[0]:.0f} MiB at first, {values[-1]:.0f} at the end, slope {slope(half) * 60:+.2f} MiB/min"
        )


async def small_batch(client: Client) -> float:
    """Seconds from the command to the last of ten pictures."""
    began = time.perf_counter()
    name = await planned(client, SMALL, "local")
    async for status in client.watch_status("local", name):
        if status.generation_status.completed == SMALL:
            break
    return time.perf_counter() - began


async def planned(client: Client, quantity: int, client_id: str) -> str:
    """The hash of an accepted plan of flat pictures."""
    order = GenerateImages(brief="a flat picture", platform="pocket", requirements=Requirements(quantity=quantity))
    plan = await client.request(order, client_id=client_id)
    assert isinstance(plan, GenerationPlan), plan
    assert plan.hash is not None, plan
    return plan.hash


@asynccontextmanager
async def memory(workshop: Workshop) -> AsyncGenerator[dict[str, list[float]]]:
    """MiB of memory of every process, read once a second while the body runs."""
    pids = {presence.role: presence.pid for presence in await workshop.presences()}
    (pids["broker"],) = broker_pids()
    read: dict[str, list[float]] = {name: [] for name in sorted(pids)}

    async def forever() -> None:
        while True:
            for name, pid in pids.items():
                resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                read[name].append(resident * PAGE / 2**20)
            await asyncio.sleep(1.0)

    reading = asyncio.create_task(forever())
    try:
        yield read
    finally:
        reading.cancel()


def slope(values: list[float]) -> float:
    """Of the line through values that are one second apart, by least squares."""
    return statistics.linear_regression(range(len(values)), values).slope if len(values) > 1 else 0.0


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--picture", type=float, default=0.02, help="seconds that the generator takes for one")
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.seconds, arguments.picture))


if __name__ == "__main__":
    main()
