"""One client's million pictures and another's ten, on one generator of a steady pace."""

import random
from collections.abc import Iterator

import pytest

from agents.planner.scheduling.window import Window
from protocol.messages import GenerateImage
from protocol.parameters import ServiceClass
from tests.planner.workbench import World, new_batch, new_engine

WINDOW = 4


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    engine = new_engine(f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}")
    yield World(engine=engine, dice=random.Random(1), window=Window(WINDOW))
    engine.dispose()


def go_on(world: World) -> None:
    """The generator takes the next of its queue once everybody else has nothing to do."""
    if world.inbox:
        world.deliver(world.inbox.pop(0))
        return
    others = [subject for subject, work in world.queue.items() if not isinstance(work, GenerateImage)]
    world.act(world.queue.pop(others[0] if others else next(iter(world.queue))))


def pictures_until_done(world: World, name: str) -> int:
    """Pictures that are made until a batch has ended."""
    before = world.generated
    while world.load(name).state != "completed":
        go_on(world)
    return world.generated - before


@pytest.mark.parametrize(
    ("priority", "most"),
    [("interactive", 10 + WINDOW), ("batch", 2 * 10 + WINDOW)],
)
def test_ten_pictures_wait_for_what_is_in_flight_and_at_most_for_every_other_picture_after_it(
    world: World, priority: ServiceClass, most: int
) -> None:
    world.start(new_batch(1_000_000, name="gen_huge", client="acme"))
    world.run("gen_huge", until=lambda batch: batch.tally.completed >= 20)
    world.start(new_batch(10, name="gen_small", client="zeta", priority=priority))
    assert pictures_until_done(world, "gen_small") <= most
    assert len(world.rows()) < 100


def test_ten_clients_share_the_generator_evenly(world: World) -> None:
    for number in range(10):
        world.start(new_batch(1000, name=f"gen_{number}", client=f"client_{number}"))
    while world.generated < 100:
        go_on(world)
    done = [world.load(f"gen_{number}").tally.completed for number in range(10)]
    assert min(done) >= 8
    assert max(done) <= 10 + WINDOW
