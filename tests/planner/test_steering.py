"""What a client may do with a batch while it is made, and after."""

import contextlib
import random
from collections.abc import Iterator

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from agents.planner import steering
from agents.planner.answers import result_of
from agents.planner.dispatch import Window
from agents.planner.reconcile import overdue
from agents.planner.rows import WORK, Batch
from agents.planner.tables import jobs
from protocol.commands import Amend, Cancel, Pause, Priority, Resume, Retry
from protocol.errors import AcpError, BadCommand, ErrorBody, Refused
from protocol.ids import image_id
from protocol.messages import GenerateImage, Job, PromptsFailed, ScoreImage, StoreImage
from protocol.replies import Image
from tests.planner.workbench import World, adds_up, new_batch, new_engine

NAME = "gen_batch_1"


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    engine = new_engine(database)
    yield engine
    engine.dispose()


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine=engine, dice=random.Random(1))


def images(world: World, name: str = NAME) -> list[Image]:
    batch = world.load(name)
    return world.transact(lambda c: result_of(c, batch, 0, 200)).generation_result.images


def jobs_made(world: World) -> dict[int, Job]:
    """The job of each picture that was handed out, by index."""
    found = [WORK.decode(row["message"]) for row in world.rows() if row["message"]]
    return {work.job.index: work.job for work in found if isinstance(work, GenerateImage | ScoreImage | StoreImage)}


def refused(world: World, command: steering.Steering) -> ErrorBody:
    with pytest.raises(AcpError) as caught:
        world.steer(command)
    return caught.value.body


def halfway(batch: Batch) -> bool:
    return batch.tally.completed >= 4


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
    assert {image.status for image in images(world)} == {"completed", "paused"}
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
    found = world.transact(lambda c: overdue(c, world.now + 1000, 20.0, world.window))
    assert [message for message, _ in found.again if isinstance(message, GenerateImage)] == []
    silent = world.load(NAME)
    resumed = world.transact(lambda c: steering.resume(c, silent, world.window, world.now))
    assert [count for _, count in resumed.again] == [1] * 4


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
def test_a_held_plan_is_neither_paused_nor_resumed_nor_tried_again(world: World, command: steering.Steering) -> None:
    world.start(new_batch(2, state="held"))
    assert refused(world, command).code == "wrong_state"


def test_a_batch_that_has_ended_cannot_be_paused_moved_or_amended(world: World) -> None:
    world.start(new_batch(1))
    world.run(NAME)
    for command in (Pause(hash=NAME), Resume(hash=NAME), Priority(hash=NAME, priority="batch"), Amend(hash=NAME)):
        assert refused(world, command).code == "wrong_state"


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


def test_a_million_pictures_are_accepted_and_cancelled_in_a_few_statements(world: World, engine: Engine) -> None:
    statements: list[str] = []

    def note(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    sa.event.listen(engine, "before_cursor_execute", note)
    world.start(new_batch(1_000_000))
    assert len(statements) < 20
    sa.event.remove(engine, "before_cursor_execute", note)
    world.run(NAME, until=halfway)
    statements.clear()
    sa.event.listen(engine, "before_cursor_execute", note)
    world.steer(Cancel(hash=NAME))
    sa.event.remove(engine, "before_cursor_execute", note)
    assert len(statements) < 20
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
    assert [image.index for image in images(world, "gen_second") if image.status == "cancelled"] == [7, 9]


def test_one_picture_is_cancelled_while_it_is_made_and_the_rest_is_made(world: World) -> None:
    world.start(new_batch(6))
    world.run(NAME, until=lambda batch: batch.tally.in_flight == 4)
    queued = next(work.job for work in world.queue.values() if isinstance(work, GenerateImage))
    world.steer(Cancel(hash=NAME, image_id=queued.image_id))
    batch = world.run(NAME)
    assert (batch.state, batch.tally.completed, batch.tally.cancelled) == ("completed", 5, 1)
    assert images(world)[queued.index].status == "cancelled"


def test_a_picture_that_no_generator_dropped_is_cancelled_alone_in_the_end(world: World) -> None:
    world.start(new_batch(6))
    world.run(NAME, until=lambda batch: batch.tally.in_flight == 4)
    queued = next(work.job for work in world.queue.values() if isinstance(work, GenerateImage))
    world.steer(Cancel(hash=NAME, image_id=queued.image_id))
    found = world.transact(lambda c: overdue(c, world.now + 100, 20.0, world.window))
    assert list(found.unwanted) == [queued.image_id]
    assert world.run(NAME).tally.completed == 5


def test_cancelling_a_picture_that_was_made_changes_nothing(world: World) -> None:
    world.start(new_batch(2))
    world.run(NAME)
    world.steer(Cancel(hash=NAME, image_id=image_id(NAME, 0)))
    assert [image.status for image in images(world)] == ["completed"] * 2


@pytest.mark.parametrize("name", ["gen_batch_1_000005", "gen_batch_1_5", "gen_batch_2_000001", "gen_batch_1_x"])
def test_a_picture_that_nobody_knows_is_told_by_code_and_hint(world: World, name: str) -> None:
    world.start(new_batch(5))
    error = refused(world, Cancel(hash=NAME, image_id=name))
    assert (error.code, error.path) == ("unknown_image", "$.image_id")
    assert error.hint == "gen_batch_1_000000 to gen_batch_1_000004"


def test_failed_pictures_are_tried_again_with_as_many_attempts_as_before(world: World) -> None:
    world.breaks = 2.0
    world.start(new_batch(5))
    assert world.run(NAME).tally.failed == 5
    world.steer(Retry(hash=NAME))
    assert {image.status for image in images(world)} == {"retry"}
    assert world.run(NAME).tally.failed == 5
    assert [len([row for row in world.attempts() if row["index"] == index]) for index in range(5)] == [6] * 5
    world.breaks = 0.0
    world.steer(Retry(hash=NAME))
    batch = world.run(NAME)
    assert (batch.state, batch.tally.completed, batch.tally.failed) == ("completed", 5, 0)
    assert len({row["seed"] for row in world.attempts()}) == 5 * 7


def test_a_retry_hands_out_no_more_at_once_than_the_window_allows(world: World) -> None:
    world.breaks = 2.0
    world.start(new_batch(20, max_attempts=1))
    world.run(NAME)
    world.steer(Retry(hash=NAME))
    again = world.load(NAME)
    assert (again.state, again.tally.in_flight, again.tally.waiting) == ("running", 4, 16)


def test_a_retried_batch_gets_a_contact_sheet_of_its_own_again(world: World) -> None:
    world.rejects = 0.5
    world.start(new_batch(8, max_attempts=1))
    first = world.run(NAME)
    assert first.contact_sheet == "sheet 0"
    world.rejects = 0.0
    world.steer(Retry(hash=NAME))
    assert world.load(NAME).contact_sheet is None
    assert world.run(NAME).contact_sheet == "sheet 1"


def test_a_picture_whose_best_attempt_was_kept_stays_kept_when_it_fails_again(world: World) -> None:
    world.rejects = 2.0
    world.start(new_batch(1))
    world.run(NAME, until=lambda batch: batch.state == "completed")
    (before,) = images(world)
    world.steer(Retry(hash=NAME))
    world.run(NAME, until=lambda batch: batch.state == "completed")
    (after,) = images(world)
    assert after.status == "failed"
    assert (after.storage_key, after.attempts) == (before.storage_key, 6)
    assert len(world.filed[0, "kept"]) == 1


def test_one_failed_picture_is_tried_again_alone(world: World) -> None:
    world.breaks = 2.0
    world.start(new_batch(3))
    world.run(NAME)
    world.breaks = 0.0
    world.steer(Retry(hash=NAME, image_id=image_id(NAME, 1)))
    world.run(NAME)
    assert [image.status for image in images(world)] == ["failed", "completed", "failed"]


def test_a_picture_that_was_cancelled_alone_may_be_made_after_all(world: World) -> None:
    world.start(new_batch(3))
    for index in (0, 2):
        world.steer(Cancel(hash=NAME, image_id=image_id(NAME, index)))
    world.steer(Retry(hash=NAME, image_id=image_id(NAME, 2)))
    world.run(NAME)
    world.steer(Retry(hash=NAME, image_id=image_id(NAME, 0)))
    assert world.run(NAME).tally.completed == 3


def test_what_did_not_fail_is_not_tried_again(world: World) -> None:
    world.start(new_batch(2))
    world.run(NAME)
    world.steer(Retry(hash=NAME))
    assert world.load(NAME).state == "completed"
    error = refused(world, Retry(hash=NAME, image_id=image_id(NAME, 0)))
    assert (error.code, error.path) == ("wrong_state", "$.image_id")


def test_a_cancelled_batch_is_not_tried_again(world: World) -> None:
    world.start(new_batch(2))
    world.cancelled = True
    world.steer(Cancel(hash=NAME))
    world.run(NAME)
    assert refused(world, Retry(hash=NAME)).code == "wrong_state"


def test_pictures_that_failed_for_want_of_prompts_are_made_by_a_retry(world: World) -> None:
    world.page = 5
    world.start(new_batch(12))
    world.run(NAME, until=lambda batch: batch.written == 5)
    world.steer(Cancel(hash=NAME, image_id=image_id(NAME, 11)))
    error = ErrorBody(code="unknown_style", message="the style is gone")
    world.deliver(PromptsFailed(hash=NAME, client_id="local", first=5, error=error))
    assert world.run(NAME).tally.failed >= 6
    world.steer(Retry(hash=NAME))
    batch = world.run(NAME)
    assert (batch.tally.completed, batch.tally.cancelled, batch.tally.failed) == (11, 1, 0)
    assert [row["index"] for row in sorted(world.rows(), key=lambda row: row["index"])] == list(range(12))


def test_a_batch_is_moved_between_the_classes(world: World) -> None:
    world.window = Window(1)
    world.start(new_batch(1000))
    world.start(new_batch(50, name="gen_second", client="other"))
    world.steer(Priority(hash="gen_second", priority="interactive"))
    world.run("gen_second")
    assert world.load(NAME).tally.completed <= 3
    assert world.load("gen_second").priority == "interactive"


def test_more_or_fewer_pictures_are_made_by_an_amendment(world: World) -> None:
    world.start(new_batch(10))
    world.run(NAME, until=halfway)
    world.steer(Amend(hash=NAME, quantity=250))
    world.run(NAME, until=lambda batch: batch.tally.completed >= 110)
    world.steer(Amend(hash=NAME, quantity=120))
    batch = world.run(NAME)
    assert (batch.state, batch.quantity, batch.tally.completed) == ("completed", 120, 120)
    assert len(images(world)) == 120


def test_what_was_started_is_not_amended_away(world: World) -> None:
    world.start(new_batch(10))
    started = world.run(NAME, until=halfway).cursor
    error = refused(world, Amend(hash=NAME, quantity=started - 1))
    assert (error.code, error.path) == ("invalid_value", "$.quantity")
    assert str(started) in error.message
    world.steer(Amend(hash=NAME, quantity=started))
    assert world.run(NAME).tally.completed == started


def test_a_new_bar_and_a_new_negative_prompt_hold_for_what_has_not_started(world: World) -> None:
    world.start(new_batch(200))
    started = world.run(NAME, until=halfway).cursor
    world.steer(Amend(hash=NAME, min_score=0.9, negative_prompt="text"))
    world.run(NAME)
    made = jobs_made(world)
    assert {job.min_score for job in made.values() if job.index < started} == {0.5}
    assert {job.min_score for job in made.values() if job.index >= started} == {0.9}
    assert {job.prompt.negative for job in made.values() if job.index < started} == {""}
    assert {job.prompt.negative for job in made.values() if job.index >= started} == {"text"}
    assert [made[index].prompt.text for index in range(200)] == [f"picture {index}" for index in range(200)]


def test_prompts_that_were_asked_for_before_an_amendment_are_not_heard(world: World) -> None:
    world.start(new_batch(5))
    (asked,) = world.queue.values()
    world.queue.clear()
    world.steer(Amend(hash=NAME, negative_prompt="text"))
    world.act(asked)
    world.rest()
    assert {job.prompt.negative for job in jobs_made(world).values()} == {"text"}


def test_a_batch_does_not_begin_before_its_time(world: World) -> None:
    batch = new_batch(3)
    batch.not_before = world.now + 100
    world.start(batch)
    world.rest()
    assert world.generated == 0
    assert world.run(NAME).tally.completed == 3
    assert world.now >= batch.not_before


def test_what_is_left_of_a_batch_at_its_deadline_is_cancelled(world: World) -> None:
    batch = new_batch(50)
    batch.deadline = 500.0
    world.start(batch)
    world.run(NAME, until=halfway)
    assert world.transact(lambda c: steering.expire(c, world.window, 499.0)) == []
    world.cancelled = True
    for change in world.transact(lambda c: steering.expire(c, world.window, 501.0)):
        world.follow(change)
    assert world.run(NAME).state == "cancelled"
    assert world.transact(lambda c: steering.expire(c, world.window, 600.0)) == []


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
    wishes: list[steering.Steering] = [
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
