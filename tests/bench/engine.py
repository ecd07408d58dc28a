"""The step engine on the pocket model against the loop that a user would write (`plain_loop.py`), interleaved.

    python -m tests.bench.engine [--pictures 64] [--rounds 3] [--threads 2]

A round makes the same pictures, of differing prompts, seeds, steps and guidance, in the loop and, asked for at once, by
the engine: half of the loop, the engine, the other half. Then one picture alone by each, in
turn.
The engine's pictures are PNG files, the loop's stay in memory.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from agents.generator.engine import Rendering
from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.orders.order import Order, order_of
from agents.generator.registry import registry
from protocol.messages import Job
from protocol.pixels import PixelSpec
from tests.bench.plain_loop import STEPS, PlainLoop, picture

SIZE = 128


def job(number: int) -> Job:
    """The picture of a number as the workshop makes it."""
    return Job(
        pixels=PixelSpec(
            **picture(number)._asdict(),
            width=SIZE,
            height=SIZE,
            sampler="DPM++ 2M Karras",
            model="pocket",
        ),
        hash="bench",
        client_id="bench",
        index=number,
        attempt=1,
        image_id=f"bench_{number:06d}",
        platform="pocket",
    )


async def by_engine(engine: DiffusersEngine, orders: Sequence[Order]) -> tuple[float, list[Rendering]]:
    """Seconds that the engine takes for pictures that are asked for at once."""
    started = time.perf_counter()
    made = await asyncio.gather(*(engine.generate(one, lambda step, steps: None, lambda: False) for one in orders))
    return time.perf_counter() - started, made


async def measure(pictures: int, rounds: int, threads: int) -> None:
    """Print pictures per second of both, and the seconds of one alone."""
    jobs = [job(number) for number in range(pictures)]
    half = pictures // 2
    ratios: list[float] = []
    with tempfile.TemporaryDirectory() as folder, PlainLoop() as loop:
        home = Path(folder)
        known = registry.load(home / "models", home / "loras", home / "models.toml")
        orders = [order_of(one, known) for one in jobs]
        engine = DiffusersEngine("cpu", threads, home)
        async with engine.open():
            await engine.warm_up(orders[0])
            await by_engine(engine, orders[:4])
            print(
                f"{pictures} pictures of {min(STEPS)} to {max(STEPS)} steps, {threads} threads, the loop "
                f"{loop.threads}, {os.cpu_count()} cores"
            )
            for number in range(rounds):
                loop_s = await asyncio.to_thread(loop.seconds, 0, half)
                engine_s, made = await by_engine(engine, orders)
                loop_s += await asyncio.to_thread(loop.seconds, half, pictures - half)
                ratios.append(loop_s / engine_s)
                rooms = [
                    room for one in made if one.buckets for room, calls in one.buckets.denoise for _ in range(calls)
                ]
                print(
                    f"round {number + 1}: loop {pictures / loop_s:.2f}/s, engine {pictures / engine_s:.2f}/s, "
                    f"ratio {ratios[-1]:.2f}; bucket {statistics.mean(rooms):.1f} on average",
                    flush=True,
                )
            alone: list[tuple[float, float]] = []
            for _ in range(4 * rounds):
                loop_s = await asyncio.to_thread(loop.seconds, 2, 1)
                alone.append((loop_s, (await by_engine(engine, orders[2:3]))[0]))
    loop_s, engine_s = (statistics.median(column) for column in zip(*alone, strict=True))
    print(f"ratio engine / loop, median of {rounds} rounds: {statistics.median(ratios):.2f}")
    print(f"one picture of 20 steps alone: loop {loop_s * 1000:.0f} ms, engine with its PNG {engine_s * 1000:.0f} ms")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.pictures, arguments.rounds, arguments.threads))


if __name__ == "__main__":
    main()
