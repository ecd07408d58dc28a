# pyright: basic
"""Random histories: pictures join, leave and are cancelled beside each other, and none changes another.

A picture that came to its end is made again alone, in buckets of the sizes it had then: it must be the same, bit for
bit. HISTORIES sets how many there are.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from agents.generator.engine import GenerationStopped, Rendering
from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.orders.order import Order

Orders = Callable[..., Order]
HISTORIES = int(os.environ.get("HISTORIES", "60"))
SAMPLERS = ("Euler", "Euler a", "DPM++ 2M Karras", "DDIM", "UniPC", "Heun")


@pytest.fixture
async def engine(home: Path) -> AsyncIterator[DiffusersEngine]:
    engine = DiffusersEngine("cpu", 1, home / "run")
    async with engine.open():
        yield engine


@dataclass(frozen=True)
class Part:
    """A picture of a history: it joins when picture `after` has made `step` steps or ended, and is cancelled after
    `cancelled_after` steps of its own, if that is not null."""

    order: Order
    after: int | None
    step: int
    cancelled_after: int | None


def history(dice: random.Random, tiny_order: Orders) -> list[Part]:
    return [
        Part(
            order=tiny_order(
                seed=dice.randrange(2**32),
                steps=dice.randint(1, 4),
                guidance=dice.choice((1.0, 3.0, 7.5)),
                sampler=dice.choice(SAMPLERS),
                client_id=dice.choice(("studio", "rival")),
                priority=dice.choice(("interactive", "batch")),
                strict=dice.random() < 0.1,
            ),
            after=dice.randrange(index) if index and dice.random() < 0.7 else None,
            step=dice.randint(0, 3),
            cancelled_after=dice.randint(0, 2) if dice.random() < 0.3 else None,
        )
        for index in range(dice.randint(2, 5))
    ]


async def lived(engine: DiffusersEngine, parts: list[Part]) -> list[Rendering | None]:
    """The pictures of a history; null for those that were cancelled."""
    loop = asyncio.get_running_loop()
    reached = [[asyncio.Event() for _ in range(5)] for _ in parts]

    async def live(index: int, part: Part) -> Rendering | None:
        if part.after is not None:
            await reached[part.after][part.step].wait()
        made = 0

        def progressed(step: int, _: int) -> None:
            nonlocal made
            made = step + 1
            for event in reached[index][:made]:
                loop.call_soon_threadsafe(event.set)

        try:
            return await engine.generate(part.order, progressed, lambda: made == part.cancelled_after)
        except GenerationStopped:
            return None
        finally:
            for event in reached[index]:
                event.set()

    return await asyncio.gather(*(live(index, part) for index, part in enumerate(parts)))


@pytest.mark.slow
@pytest.mark.timeout(60 + HISTORIES)
async def test_neighbours_that_join_leave_and_are_cancelled_never_change_a_picture(
    engine: DiffusersEngine, tiny_order: Orders
):
    dice = random.Random(5)
    shared = cancelled = 0
    for number in range(HISTORIES):
        parts = history(dice, tiny_order)
        for part, rendering in zip(parts, await lived(engine, parts), strict=True):
            if rendering is None:
                cancelled += 1
                continue
            assert rendering.buckets is not None
            shared += any(room > 1 for room, _ in rendering.buckets.denoise)
            again = await engine.generate(
                replace(part.order, buckets=rendering.buckets), lambda step, steps: None, lambda: False
            )
            assert again.data == rendering.data, (number, part.order.job, rendering.buckets)
    assert shared > HISTORIES / 2
    assert cancelled > HISTORIES / 4
