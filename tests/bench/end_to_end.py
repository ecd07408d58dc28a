"""End to end on the pocket model: five processes against a bare diffusers loop, interleaved in one run.

    python -m tests.bench.end_to_end [--pictures 8] [--rounds 3] [--steps 20]

A round makes the same pictures (prompt, seeds, steps, guidance, sampler) once with a `StableDiffusionPipeline` loop in
this process and once through a workshop's five processes, QA's scorer and storage included. Both use torch's own
choice of threads. The medians of the rounds and their ratio are printed.
"""
# pyright: reportPrivateImportUsage=false, reportUnknownMemberType=false
# diffusers exports lazily and types its options loosely.

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from agents.pocket.paths import MODEL
from agents.settings import Settings
from agents.supervisor.supervise import running
from bus.client import Client
from protocol.commands import GenerateImages, Quality, Requirements
from protocol.replies import GenerationPlan

BRIEF = "a red mug on a blue background"
GUIDANCE = 4.0


async def measure(pictures: int, rounds: int, steps: int) -> None:
    """Print pictures per second of both ways."""
    bare = bare_loop(steps)
    bare(1)
    alone: list[float] = []
    workshop_s: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder))
        async with running(settings, lambda notice: None) as workshop, Client.open(workshop.client) as client:
            await workshop.ready(client)
            await through_workshop(client, 2, steps)
            for _ in range(rounds):
                started = time.perf_counter()
                await asyncio.to_thread(bare, pictures)
                alone.append(time.perf_counter() - started)
                started = time.perf_counter()
                await through_workshop(client, pictures, steps)
                workshop_s.append(time.perf_counter() - started)
    loop, five = statistics.median(alone), statistics.median(workshop_s)
    print(f"{pictures} pictures of {steps} steps, median of {rounds} interleaved rounds")
    print(f"bare diffusers loop: {pictures / loop:.2f} pictures/s")
    print(f"five processes, QA and storage included: {pictures / five:.2f} pictures/s")
    print(f"ratio five / bare: {loop / five:.2f}")


def bare_loop(steps: int) -> Callable[[int], None]:
    """A function that makes pictures one after the other with the plain pipeline."""
    pipeline = StableDiffusionPipeline.from_pretrained(
        MODEL, torch_dtype=torch.float32, safety_checker=None, local_files_only=True
    )
    pipeline.set_progress_bar_config(disable=True)

    def run(pictures: int) -> None:
        for seed in range(pictures):
            pipeline(
                BRIEF,
                num_inference_steps=steps,
                guidance_scale=GUIDANCE,
                generator=torch.Generator("cpu").manual_seed(seed),
            )

    return run


async def through_workshop(client: Client, pictures: int, steps: int) -> None:
    """Make the same pictures by a command, and wait for the last one."""
    plan = await client.request(
        GenerateImages(
            brief=BRIEF,
            platform="pocket",
            seed=0,
            steps=steps,
            guidance=GUIDANCE,
            quality=Quality(min_score=0.0),
            reuse=False,
            requirements=Requirements(quantity=pictures),
        )
    )
    assert isinstance(plan, GenerationPlan)
    assert plan.hash is not None, plan
    async for status in client.watch_status("local", plan.hash):
        body = status.generation_status
        if body.processing == body.queued == 0:
            break


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.pictures, arguments.rounds, arguments.steps))


if __name__ == "__main__":
    main()
