"""Coordination alone: pictures per second through five processes with an instant generator and no scoring.

    python -m tests.bench.coordination [--pictures 6000] [--window 1000]

Starts a workshop of its own in a temporary home, sends one batch of 128x128 flat pictures, and measures from the
command to the last status; then the five agents' CPU seconds per picture from /proc. Ledger and catalogue are on the
disk, the blobs in memory where /dev/shm is there.
"""

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path

from agents.shared.supervisor.supervise import Workshop, run_workshop
from bus.client import Client
from protocol.commands import GenerateImages, Requirements
from protocol.plans import GenerationPlan
from tests.workshop import instant_settings

TICKS = os.sysconf("SC_CLK_TCK")


async def measure(pictures: int, window: int) -> None:
    """Run one batch and print its figures."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory(dir=memory()) as pixels:
        os.environ |= {
            "BOTTEGA_GENERATOR": "instant",
            "BOTTEGA_QA_SCORING": "false",
            "BOTTEGA_STORAGE_FILES": "false",
            "BOTTEGA_WINDOW": str(window),
            "BOTTEGA_GENERATOR_SLOTS": "64",
            "BOTTEGA_QA_SLOTS": "64",
            "BOTTEGA_STORAGE_SLOTS": "256",
        }
        settings = instant_settings(Path(folder), window=window)
        settings.blobs.symlink_to(pixels, target_is_directory=True)
        async with run_workshop(settings, lambda notice: None) as workshop, Client.open(workshop.client) as client:
            await workshop.wait_until_ready()
            await batch(client, 32)
            before = await cpu_by_role(workshop)
            seconds, first_status = await batch(client, pictures)
            after = await cpu_by_role(workshop)
    print(f"pictures {pictures}, window {window}: {seconds:.2f} s, {pictures / seconds:.0f} pictures/s")
    print(f"plan answered in {first_status * 1000:.0f} ms")
    spent = {role: (after[role] - before[role]) / pictures * 1e6 for role in sorted(before)}
    print("CPU us per picture: " + ", ".join(f"{role} {spent[role]:.0f}" for role in spent))
    print(f"CPU us per picture, all of them: {sum(spent.values()):.0f}")


def memory() -> str | None:
    """A folder in memory for the blobs, since writing pixels is not coordination; null where there is none."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


async def batch(client: Client, pictures: int) -> tuple[float, float]:
    """(seconds to the last picture, seconds to the plan)."""
    started = time.perf_counter()
    plan = await client.request(
        GenerateImages(brief="a flat picture", platform="pocket", requirements=Requirements(quantity=pictures))
    )
    answered = time.perf_counter() - started
    assert isinstance(plan, GenerationPlan)
    assert plan.hash is not None, plan
    async for status in client.watch_status("local", plan.hash):
        if status.generation_status.completed == pictures:
            break
    return time.perf_counter() - started, answered


async def cpu_by_role(workshop: Workshop) -> dict[str, float]:
    """CPU seconds, user and system, so far: of each agent, of the broker, and of this process, the client."""
    spent = {presence.role: cpu_seconds(presence.pid) for presence in await workshop.presences()}
    return {**spent, "broker": sum(map(cpu_seconds, broker_pids())), "client": cpu_seconds(os.getpid())}


def broker_pids() -> list[int]:
    """The embedded server, which is a child of this process."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [pid for pid in map(int, children) if Path(f"/proc/{pid}/comm").read_text().startswith("nats-server")]


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=6000)
    parser.add_argument("--window", type=int, default=1000)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.pictures, arguments.window))


if __name__ == "__main__":
    main()
