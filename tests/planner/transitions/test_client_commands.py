"""What a client may do with a batch while it is made: pause, resume, cancel, move."""

import contextlib
import random
from collections.abc import Generator

import msgspec
import pytest
from sqlalchemy import Engine, event

from agents.planner.ledger.tables import jobs
from agents.planner.scheduling.window import Window
from agents.planner.transitions import client_commands
from agents.planner.transitions.recovery import find_overdue
from protocol.commands import Amend, Cancel, Pause, Priority, Resume, Retry
from protocol.errors import BadCommand, Refused
from protocol.ids import image_id
from protocol.messages import GenerateImage
from tests.planner.workbench import NAME, World, adds_up, halfway, new_batch


def test_a_paused_batch_hands_out_nothing_more_and_ends_once_it_is_resumed(world: World) -> None:
    world.start(new_batch(12))
    world.run(NAME, until=halfway)
    world.steer(Pause(hash=NAME))
    world.queue = {name: work for name, work in world.queue.items() if not isinstance(work, GenerateImage)}
    handed_out = world.load(NAME).cursor
    world.rest()
    paused = world.load(NAME)
    assert (paused.state, paused.cursor) == ("paused", handed_out)
    assert paused.status.generation_status.state == "paused"
    assert paused.status.generation_status.processing == 0
    assert {image.status for image in world.images()} == {"completed", "paused"}
    world.steer(Resume(hash=NAME))
    assert world.run(NAME).tally.completed == 12
    assert all(adds_up(status, 12) for status in world.statuses)


def test_what_generators_have_in_hand_when_a_batch_is_paused_is_finished(world: World) -> None:
    world.start(new_batch(12))
    world.run(NAME, until=halfway)
    world.steer(Pause(hash=NAME))
    world.rest()
    assert world.load(NAME).tally.in_flight == 0
    world.steer(Resume(hash=NAME))
    assert world.run(NAME).tally.completed == 12


def test_what_a_pause_takes_back_from_generators_is_pending_and_nothing_is_counted_twice(world: World) -> None:
    world.start(new_batch(12))
    world.run(NAME, until=lambda batch: batch.tally.in_flight == 4)
    world.steer(Pause(hash=NAME))
    at_generators = sum(row["stage"] == "generator" and row["state"] == "running" for row in world.rows(jobs))
    shown = world.load(NAME).status.generation_status
    assert at_generators > 0
    assert shown.processing == 4 - at_generators
    assert adds_up(shown, 12)
    world.steer(Resume(hash=NAME))
    assert world.load(NAME).status.generation_status.processing == 4


def test_a_paused_batch_leaves_its_places_to_others(world: World) -> None:
    world.start(new_batch(1000))
    world.run(NAME, until=halfway)
    world.steer(Pause(hash=NAME))
    world.queue.clear()
    world.start(new_batch(8, name="gen_other", client="other"))
    assert world.run("gen_other").tally.completed == 8


def test_nothing_of_a_paused_batch_is_sent_again_however_long_it_is_silent(world: World) -> None:
    world.start(new_batch(12))
    world.run(NAME, until=lambda batch: batch.tally.in_flight == 4)
    world.steer(Pause(hash=NAME))
    found = world.transact(lambda c: find_overdue(c, world.now + 1000, 20.0, world.window))
    assert [message for message, _ in found.resends if isinstance(message, GenerateImage)] == []
    silent = world.load(NAME)
    resumed = world.transact(lambda c: client_commands.resume(c, silent, world.window, world.now))
    assert [count for _, count in resumed.resends] == [1] * 4


def test_a_picture_that_is_rejected_while_its_batch_is_paused_waits_for_its_next_attempt(world: World) -> None:
    world.rejects = 2.0
    world.start(new_batch(3))
    world.run(NAME, until=lambda batch: batch.tally.in_flight == 3)
    world.steer(Pause(hash=NAME))
    world.rest()
    assert world.generated == 3
    assert world.load(NAME).tally.waiting == 3
    world.rejects = 0.0
    world.steer(Resume(hash=NAME))
    assert world.run(NAME).tally.completed == 3
    assert {row["attempt"] for row in world.attempts()} == {1, 2}


def test_pausing_and_resuming_twice_is_pausing_and_resuming_once(world: World) -> None:
    world.start(new_batch(8))
    for command in (Pause(hash=NAME), Pause(hash=NAME), Resume(hash=NAME), Resume(hash=NAME)):
        world.steer(command)
    assert world.run(NAME).tally.completed == 8


@pytest.mark.parametrize("command", [Pause(hash=NAME), Resume(hash=NAME), Retry(hash=NAME)])
def test_a_held_plan_is_neither_paused_nor_resumed_nor_tried_again(
    world: World, command: client_commands.BatchCommand
) -> None:
    world.start(new_batch(2, state="held"))
    assert world.refused(command).code == "wrong_state"


def test_a_batch_that_has_ended_cannot_be_paused_moved_or_amended(world: World) -> None:
    world.start(new_batch(1))
    world.run(NAME)
    for command in (Pause(hash=NAME), Resume(hash=NAME), Priority(hash=NAME, priority="batch"), Amend(hash=NAME)):
        assert world.refused(command).code == "wrong_state"


def test_a_paused_batch_that_is_cancelled_ends(world: World) -> None:
    world.start(new_batch(30))
    world.run(NAME, until=halfway)
    world.steer(Pause(hash=NAME))
    world.queue.clear()
    world.cancelled = True
    world.steer(Cancel(hash=NAME))
    batch = world.run(NAME)
    assert (batch.state, batch.tally.in_flight) == ("cancelled", 0)
    assert batch.tally.completed + batch.tally.cancelled == 30


@contextlib.contextmanager
def statements(engine: Engine) -> Generator[list[str]]:
    """Every statement that the engine runs while the context is open."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def test_a_million_pictures_are_accepted_and_cancelled_in_a_few_statements(world: World, engine: Engine) -> None:
    with statements(engine) as seen:
        world.start(new_batch(1_000_000))
    assert len(seen) < 20
    world.run(NAME, until=halfway)
    with statements(engine) as seen:
        world.steer(Cancel(hash=NAME))
    assert len(seen) < 20
    assert len(world.rows()) < 20
    batch = world.run(NAME)
    assert batch.state == "cancelled"
    assert batch.tally.cancelled + batch.tally.completed == 1_000_000


def test_one_picture_is_cancelled_before_its_turn_and_the_rest_is_made(world: World) -> None:
    world.start(new_batch(10))
    world.rest()
    world.start(new_batch(10, name="gen_second"))
    for index in (7, 9):
        world.steer(Cancel(hash="gen_second", image_id=image_id("gen_second", index)))
        world.steer(Cancel(hash="gen_second", image_id=image_id("gen_second", index)))
    batch = world.run("gen_second")
    assert (batch.state, batch.tally.completed, batch.tally.cancelled, batch.tally.ahead) == ("completed", 8, 2, 0)
    assert [image.index for image in world.images("gen_second") if image.status == "cancelled"] == [7, 9]


def test_one_picture_is_cancelled_while_it_is_made_and_the_rest_is_made(world: World) -> None:
    world.start(new_batch(6))
    world.run(NAME, until=lambda batch: batch.tally.in_flight == 4)
    queued = next(work.job for work in world.queue.values() if isinstance(work, GenerateImage))
    world.steer(Cancel(hash=NAME, image_id=queued.image_id))
    batch = world.run(NAME)
    assert (batch.state, batch.tally.completed, batch.tally.cancelled) == ("completed", 5, 1)
    assert world.images()[queued.index].status == "cancelled"


def test_a_picture_that_no_generator_dropped_is_cancelled_alone_in_the_end(world: World) -> None:
    world.start(new_batch(6))
    world.run(NAME, until=lambda batch: batch.tally.in_flight == 4)
    queued = next(work.job for work in world.queue.values() if isinstance(work, GenerateImage))
    world.steer(Cancel(hash=NAME, image_id=queued.image_id))
    found = world.transact(lambda c: find_overdue(c, world.now + 100, 20.0, world.window))
    assert list(found.unanswered_cancels) == [queued.image_id]
    assert world.run(NAME).tally.completed == 5


def test_cancelling_a_picture_that_was_made_changes_nothing(world: World) -> None:
    world.start(new_batch(2))
    world.run(NAME)
    world.steer(Cancel(hash=NAME, image_id=image_id(NAME, 0)))
    assert [image.status for image in world.images()] == ["completed"] * 2


@pytest.mark.parametrize("name", ["gen_batch_1_000005", "gen_batch_1_5", "gen_batch_2_000001", "gen_batch_1_x"])
def test_a_picture_that_nobody_knows_is_told_by_code_and_hint(world: World, name: str) -> None:
    world.start(new_batch(5))
    error = world.refused(Cancel(hash=NAME, image_id=name))
    assert (error.code, error.path) == ("unknown_image", "$.image_id")
    assert error.hint == "gen_batch_1_000000 to gen_batch_1_000004"


def test_a_batch_is_moved_between_the_classes(world: World) -> None:
    world.window = Window(1)
    world.start(new_batch(1000))
    world.start(new_batch(50, name="gen_second", client="other"))
    world.steer(Priority(hash="gen_second", priority="interactive"))
    world.run("gen_second")
    assert world.load(NAME).tally.completed <= 3
    assert world.load("gen_second").priority == "interactive"


@pytest.mark.parametrize("seed", range(12))
def test_whatever_a_client_does_and_whatever_is_lost_every_picture_ends_once(engine: Engine, seed: int) -> None:
    dice = random.Random(seed)
    world = World(
        engine=engine,
        dice=dice,
        rejects=dice.choice([0.0, 0.4]),
        breaks=dice.choice([0.0, 0.3]),
        loses=dice.choice([0.0, 0.1]),
        repeats=dice.choice([0.0, 0.3]),
        shuffles=dice.random() < 0.5,
    )
    world.start(new_batch(16, max_attempts=2))
    wishes: list[client_commands.BatchCommand] = [
        Pause(hash=NAME),
        Resume(hash=NAME),
        Retry(hash=NAME),
        Cancel(hash=NAME, image_id=image_id(NAME, dice.randrange(16))),
        Amend(hash=NAME, quantity=20),
        Amend(hash=NAME, negative_prompt="text"),
        Priority(hash=NAME, priority="interactive"),
    ]
    for wish in dice.choices(wishes, k=8):
        for _ in range(dice.randrange(30)):
            world.step()
        with contextlib.suppress(Refused, BadCommand):
            world.steer(wish)
    if world.load(NAME).state == "paused":
        world.steer(Resume(hash=NAME))
    batch = world.run(NAME)
    tally = batch.tally
    assert (tally.in_flight, tally.waiting, tally.ahead) == (0, 0, 0)
    counted = dict.fromkeys(("completed", "failed", "cancelled"), 0)
    for row in world.rows():
        counted[row["state"]] += 1
    assert counted == {"completed": tally.completed, "failed": tally.failed, "cancelled": tally.cancelled}
    assert sum(counted.values()) == batch.quantity
    for row in world.rows():
        if row["state"] == "completed":
            assert len(world.filed[row["index"], "accepted"]) == 1
    assert msgspec.json.encode(batch.status)
    assert {row["stage"] for row in world.rows(jobs)} <= {"done"}
