"""The audit log says of every picture how each of its attempts and the picture itself ended, once."""

from collections import Counter

import pytest
from sqlalchemy import Engine, event

from agents.planner.ledger.tables import audit
from agents.planner.transitions import apply_events
from protocol.commands import Cancel, Retry
from protocol.messages import GenerateImage, ImageStored, StoreImage, ref_of
from tests.planner.workbench import NAME, World, halfway, new_batch


def told(world: World) -> Counter[tuple[str, int]]:
    """How often the log tells what of which picture."""
    return Counter((row["what"], row["index"]) for row in world.rows(audit) if row["index"] is not None)


@pytest.mark.parametrize("repeats", [0.0, 0.4])
def test_every_picture_has_one_row_of_its_end_and_one_for_each_rejection(world: World, repeats: float) -> None:
    world.rejects, world.breaks, world.repeats = 0.5, 0.1, repeats
    world.start(new_batch(20))
    tally = world.run(NAME).tally
    log = told(world)
    ends = {index: what for what, index in log if what != "picture_rejected"}
    assert sorted(ends) == list(range(20))
    assert Counter(ends.values()) == Counter(picture_completed=tally.completed, picture_failed=tally.failed)
    assert set(log.values()) <= {1, 2, 3}
    assert sum(log[what, index] for what, index in log if what == "picture_rejected") == tally.rejected
    assert all(log[what, index] == 1 for what, index in log if what != "picture_rejected")


def test_a_picture_that_is_tried_again_keeps_the_row_of_its_first_end(world: World) -> None:
    world.rejects = 2.0
    world.start(new_batch(1, max_attempts=1))
    assert world.run(NAME).tally.failed == 1
    world.rejects = 0.0
    world.steer(Retry(hash=NAME))
    assert world.run(NAME).tally.completed == 1
    assert {"picture_failed", "picture_completed"} <= {what for what, _ in told(world)}


def test_pictures_that_generators_drop_are_told_as_cancelled(world: World) -> None:
    world.start(new_batch(12))
    world.run(NAME, until=halfway)
    in_flight = sum(isinstance(work, GenerateImage) for work in world.queue.values())
    world.cancelled = True
    world.steer(Cancel(hash=NAME))
    world.run(NAME)
    assert sum(count for (what, _), count in told(world).items() if what == "picture_cancelled") == in_flight > 0


def test_the_ends_of_pictures_that_come_together_are_one_statement(world: World, engine: Engine) -> None:
    world.start(new_batch(8))
    world.run(NAME, until=lambda _: sum(isinstance(work, StoreImage) for work in world.queue.values()) >= 3)
    filed = [
        ImageStored(ref=ref_of(work.job), key=work.job.image_id, url="file:///x", disposition="accepted")
        for work in world.queue.values()
        if isinstance(work, StoreImage)
    ]
    statements: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _note(_c: object, _cursor: object, statement: str, *_: object) -> None:  # pyright: ignore[reportUnusedFunction] - a listener
        statements.append(statement)

    world.transact(lambda c: apply_events.apply_events(c, filed, world.window, world.now))
    assert len(filed) >= 3
    assert sum(statement.startswith("INSERT INTO audit") for statement in statements) == 1
    assert sum(told(world).values()) >= len(filed)
