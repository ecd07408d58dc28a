"""End to end on the pocket model: five processes against the loop that a user would write (`plain_loop.py`),
interleaved in one run.

    python -m tests.bench.end_to_end [--pictures 64] [--rounds 3]

A round makes the pictures of `tests.bench.engine`, of differing prompts, seeds, steps and guidance, in the loop, and by
one swept command through a workshop's five processes, QA's scorer and storage included: half of the loop, the workshop,
the other half. Both use torch's own choice of threads.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from agents.shared.settings import Settings
from agents.shared.supervisor.supervise import run_workshop
from bus.client import Client
from protocol.commands import GenerateImages, Quality, Requirements
from protocol.messages import Job
from protocol.parameters import Scalar, Sweep
from protocol.plans import GenerationPlan
from tests.bench.engine import job
from tests.bench.plain_loop import PlainLoop


async def measure(pictures: int, rounds: int) -> None:
    """Print pictures per second of both ways."""
    jobs = [job(number) for number in range(pictures)]
    half = pictures // 2
    ratios: list[float] = []
    with tempfile.TemporaryDirectory() as folder, PlainLoop() as loop:
        settings = Settings(home=Path(folder))
        async with run_workshop(settings, lambda notice: None) as workshop, Client.open(workshop.client) as client:
            await workshop.wait_until_ready()
            await through_workshop(client, jobs[:4])
            for number in range(rounds):
                loop_s = await asyncio.to_thread(loop.seconds, 0, half)
                five_s = await through_workshop(client, jobs)
                loop_s += await asyncio.to_thread(loop.seconds, half, pictures - half)
                ratios.append(loop_s / five_s)
                rates = f"plain loop {pictures / loop_s:.2f}/s, five processes {pictures / five_s:.2f}/s"
                print(f"round {number + 1}: {rates}, ratio {ratios[-1]:.2f}", flush=True)
    print(f"{pictures} pictures, ratio five / plain, median of {rounds} rounds: {statistics.median(ratios):.2f}")


async def through_workshop(client: Client, jobs: Sequence[Job]) -> float:
    """Seconds from the command to the last stored picture."""
    values: dict[str, list[Scalar]] = {
        "prompt": [one.pixels.prompt for one in jobs],
        "seed": [one.pixels.seed for one in jobs],
        "steps": [one.pixels.steps for one in jobs],
        "guidance": [one.pixels.guidance for one in jobs],
    }
    command = GenerateImages(
        platform="pocket",
        sampler=jobs[0].pixels.sampler,
        quality=Quality(min_score=0.0),
        reuse=False,
        sweep=Sweep(mode="list", values=values),
        requirements=Requirements(quantity=1),
    )
    started = time.perf_counter()
    plan = await client.request(command)
    assert isinstance(plan, GenerationPlan)
    assert plan.hash is not None, plan
    async for status in client.watch_status("local", plan.hash):
        body = status.generation_status
        if body.processing == body.queued == 0:
            assert body.completed == len(jobs), body
            break
    return time.perf_counter() - started


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.pictures, arguments.rounds))


if __name__ == "__main__":
    main()
