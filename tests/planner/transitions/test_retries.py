"""What failed is tried again."""

import random
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine

from agents.planner.ledger.batches import require_batch
from agents.planner.ledger.records import decode_evidence
from agents.planner.transitions.client_commands import apply_batch_command
from protocol.commands import Cancel, Pause, Resume, Retry
from protocol.errors import ErrorBody
from protocol.ids import image_id
from protocol.messages import JobFailed, PromptsFailed, StoreImage, Work, ref_of
from protocol.quality import level_of
from tests.planner.workbench import NAME, World, new_batch


def test_failed_pictures_are_tried_again_with_as_many_attempts_as_before(world: World) -> None:
    world.breaks = 2.0
    world.start(new_batch(5))
    assert world.run(NAME).tally.failed == 5
    world.steer(Retry(hash=NAME))
    assert {image.status for image in world.images()} == {"retry"}
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
    (before,) = world.images()
    world.steer(Retry(hash=NAME))
    world.run(NAME, until=lambda batch: batch.state == "completed")
    (after,) = world.images()
    assert after.status == "failed"
    assert (after.storage_key, after.attempts) == (before.storage_key, 6)
    assert len(world.filed[0, "kept"]) == 1


def test_of_rejected_attempts_without_a_score_the_best_one_by_its_technical_quality_is_kept(world: World) -> None:
    world.rejects, world.unscored = 2.0, True
    world.start(new_batch(6, max_attempts=3))
    world.run(NAME, until=lambda batch: batch.state == "completed")
    images = world.images()
    assert {image.quality_score for image in images} == {None}
    assert [image.not_judged for image in images] == [["paris"]] * 6
    qualities: dict[int, list[tuple[float, int]]] = {}
    for row in world.attempts():
        assessment = decode_evidence(row["evidence"]).assessment
        assert assessment is not None
        qualities.setdefault(row["index"], []).append((level_of(assessment) or 0.0, row["seed"]))
    best = [max(qualities[index])[1] for index in range(6)]
    assert [image.metadata.seed for image in images if image.metadata] == best
    assert len({row["attempt"] for row in world.attempts()}) == 3


@dataclass
class ShelflessWorld(World):
    """A world whose storage cannot file the best of rejected attempts."""

    def act(self, message: Work) -> None:
        if isinstance(message, StoreImage) and message.disposition == "kept":
            error = ErrorBody(code="internal", message="no")
            self.say(JobFailed(ref=ref_of(message.job), stage="storage", error=error))
        else:
            super().act(message)


@pytest.mark.parametrize("index", [None, 0])
def test_no_attempt_is_made_a_second_time_though_the_best_one_of_long_ago_could_not_be_filed(
    engine: Engine, index: int | None
) -> None:
    world = ShelflessWorld(engine=engine, dice=random.Random(1), rejects=2.0)
    world.start(new_batch(8))
    assert world.run(NAME).tally.failed == 8
    for _ in range(4):
        world.steer(Retry(hash=NAME, image_id=None if index is None else image_id(NAME, index)))
        assert world.run(NAME).tally.failed == 8
    tried = [row["attempt"] for row in world.attempts() if row["index"] == 0]
    assert tried == list(range(1, 16))


def test_one_failed_picture_is_tried_again_alone(world: World) -> None:
    world.breaks = 2.0
    world.start(new_batch(3))
    world.run(NAME)
    world.breaks = 0.0
    world.steer(Retry(hash=NAME, image_id=image_id(NAME, 1)))
    world.run(NAME)
    assert [image.status for image in world.images()] == ["failed", "completed", "failed"]


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
    error = world.refused(Retry(hash=NAME, image_id=image_id(NAME, 0)))
    assert (error.code, error.path) == ("wrong_state", "$.image_id")


def test_a_cancelled_batch_is_not_tried_again(world: World) -> None:
    world.start(new_batch(2))
    world.cancelled = True
    world.steer(Cancel(hash=NAME))
    world.run(NAME)
    assert world.refused(Retry(hash=NAME)).code == "wrong_state"


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


def test_failed_pictures_wait_on_while_their_batch_is_paused_whatever_an_undone_transaction_left_in_memory(
    world: World,
) -> None:
    world.breaks = 1.0
    world.start(new_batch(8, max_attempts=1))
    world.run(NAME)
    world.breaks = 0.0
    world.start(new_batch(2, name="gen_other"))
    world.run("gen_other", until=lambda batch: batch.tally.in_flight == 2)
    world.steer(Retry(hash=NAME))
    world.steer(Pause(hash=NAME))
    world.queue = {name: work for name, work in world.queue.items() if NAME not in name}  # the request drops them
    with world.engine.connect() as connection:  # never committed: the disk is full
        apply_batch_command(connection, require_batch(connection, NAME), Resume(hash=NAME), world.window, world.now)
    world.run("gen_other")
    assert world.load(NAME).tally.waiting == 6
    world.steer(Resume(hash=NAME))
    assert world.run(NAME).tally.completed == 8
