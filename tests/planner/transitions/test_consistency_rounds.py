"""Pictures that are unlike the others of their batch are made again, when all have a score."""

import random
import struct
from dataclasses import dataclass, field

import msgspec
import pytest
from msgspec import UNSET, UnsetType
from sqlalchemy import Engine

from agents.planner.ledger.batches import Batch
from agents.planner.money.reservations import hold_of
from protocol.commands import Cancel, Pause, Resume
from protocol.ids import image_id
from protocol.messages import (
    Assessment,
    ImageScored,
    ImageStored,
    Job,
    JobRef,
    MakeContactSheet,
    Picture,
    StoreImage,
    Work,
    ref_of,
)
from protocol.parameters import Quality
from tests.planner.workbench import NAME, World, new_batch

LIKE, UNLIKE = struct.pack("<2e", 1, 0), struct.pack("<2e", 0, 1)


@dataclass
class MixedWorld(World):
    """QA finds the attempts of `unlike` unlike the others, by index; storage files what it is told to."""

    unlike: dict[int, tuple[int, ...]] = field(default_factory=dict[int, tuple[int, ...]])
    reference: bytes | UnsetType = UNSET
    sheets: int = 0
    storings: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def score(self, job: Job, picture: Picture) -> None:
        embedding = UNLIKE if job.attempt in self.unlike.get(job.index, ()) else LIKE
        verdict = Assessment(score=0.9, accepted=True, measures={}, embedding=embedding, reference=self.reference)
        self.say(ImageScored(ref=ref_of(job), assessment=verdict))
        if job.replaces is UNSET:
            self.send(StoreImage(job=job, picture=picture, assessment=verdict))

    def act(self, message: Work) -> None:
        if isinstance(message, MakeContactSheet):
            self.sheets += 1
        if isinstance(message, StoreImage):
            self.storings.append((message.job.index, message.job.attempt))
        super().act(message)


def alike(quantity: int, *, max_attempts: int = 3, bound: float | None = 0.9, highest: int | None = None) -> Batch:
    batch = new_batch(quantity, max_attempts=max_attempts)
    batch.command = msgspec.structs.replace(batch.command, quality=Quality(consistency=bound))
    batch.recipe = msgspec.structs.replace(batch.recipe, highest_micros=highest)
    return batch


@pytest.fixture
def mixed(engine: Engine) -> MixedWorld:
    return MixedWorld(engine=engine, dice=random.Random(1))


def attempts_made(world: World) -> list[int]:
    made = [row["index"] for row in world.attempts()]
    return [made.count(index) for index in sorted(set(made))]


def test_an_outlier_is_made_again_and_replaced_by_a_nearer_picture(mixed: MixedWorld) -> None:
    mixed.unlike = {2: (1,)}
    mixed.start(alike(6))
    batch = mixed.run(NAME)
    assert attempts_made(mixed) == [1, 1, 2, 1, 1, 1]
    assert (batch.state, batch.tally.completed, batch.status.generation_status.quality_metrics.consistency) == (
        "completed",
        6,
        1.0,
    )
    assert mixed.storings[-1] == (2, 2)
    assert mixed.sheets == 1
    assert {image.inconsistent for image in mixed.images()} == {UNSET}


def test_pictures_that_follow_a_reference_are_compared_with_it_and_not_with_each_other(mixed: MixedWorld) -> None:
    mixed.reference = UNLIKE
    mixed.unlike = {0: (2,), 1: (2,), 2: (1,)}
    mixed.start(alike(3))
    batch = mixed.run(NAME)
    assert attempts_made(mixed) == [2, 2, 1]
    assert (batch.state, batch.tally.completed) == ("completed", 3)
    assert {image.inconsistent for image in mixed.images()} == {UNSET}


def test_without_a_wish_for_consistency_nothing_is_made_again(mixed: MixedWorld) -> None:
    mixed.unlike = {2: (1,)}
    mixed.start(alike(6, bound=None))
    assert mixed.run(NAME).tally.completed == 6
    assert attempts_made(mixed) == [1] * 6


def test_an_outlier_that_gets_no_better_keeps_its_file_and_is_named(mixed: MixedWorld) -> None:
    mixed.unlike = {2: (1, 2, 3)}
    mixed.start(alike(6))
    batch = mixed.run(NAME)
    assert (batch.state, batch.tally.completed) == ("completed", 6)
    assert attempts_made(mixed) == [1, 1, 3, 1, 1, 1]
    assert sorted(mixed.storings) == [(index, 1) for index in range(6)]
    named = {image.index: image.inconsistent for image in mixed.images() if image.inconsistent is not UNSET}
    assert named == {2: pytest.approx(0.1961, abs=1e-3)}
    assert {image.status for image in mixed.images()} == {"completed"}


def test_one_that_has_no_attempt_left_is_named_at_once(mixed: MixedWorld) -> None:
    mixed.unlike = {0: (1,)}
    mixed.start(alike(4, max_attempts=1))
    assert mixed.run(NAME).tally.completed == 4
    assert attempts_made(mixed) == [1] * 4
    assert mixed.images()[0].inconsistent is not UNSET


@pytest.mark.parametrize("seed", range(6))
def test_the_same_pictures_are_made_again_in_whatever_order_their_scores_arrive(engine: Engine, seed: int) -> None:
    world = MixedWorld(engine=engine, dice=random.Random(seed), shuffles=True, repeats=0.2, loses=0.05)
    world.unlike = {1: (1,), 5: (1, 2), 8: (1, 2, 3)}
    world.start(alike(12))
    batch = world.run(NAME)
    assert attempts_made(world) == [1, 2, 1, 1, 1, 3, 1, 1, 3, 1, 1, 1]
    assert (batch.state, batch.tally.completed, batch.tally.in_flight, batch.tally.waiting) == ("completed", 12, 0, 0)
    assert [image.index for image in world.images() if image.inconsistent is not UNSET] == [8]
    assert batch.tally.embedded == batch.tally.scored == 12


def making_again(batch: Batch) -> bool:
    return batch.tally.centre is not None and batch.tally.in_flight > 0


def test_a_cancelled_batch_keeps_pictures_that_were_being_made_again(mixed: MixedWorld) -> None:
    mixed.unlike = {2: (1,), 3: (1,)}
    mixed.start(alike(6))
    mixed.run(NAME, until=making_again)
    mixed.cancelled = True
    mixed.steer(Cancel(hash=NAME))
    batch = mixed.run(NAME)
    assert (batch.tally.completed, batch.tally.cancelled) == (6, 0)
    assert {image.status for image in mixed.images()} == {"completed"}


def test_a_single_picture_that_is_cancelled_while_it_is_made_again_stays_filed(mixed: MixedWorld) -> None:
    mixed.unlike = {2: (1, 2, 3)}
    mixed.start(alike(6))
    mixed.run(NAME, until=making_again)
    mixed.steer(Cancel(hash=NAME, image_id=image_id(NAME, 2)))
    batch = mixed.run(NAME)
    assert (batch.state, batch.tally.completed, mixed.images()[2].status) == ("completed", 6, "completed")


def test_a_paused_batch_makes_nothing_again_before_it_is_resumed(mixed: MixedWorld) -> None:
    mixed.unlike = {2: (1,)}
    mixed.start(alike(6))
    mixed.run(NAME, until=lambda batch: batch.cursor == 6)
    mixed.steer(Pause(hash=NAME))
    mixed.run(NAME, until=lambda batch: batch.tally.waiting == 1 and not batch.tally.in_flight)
    made = mixed.generated
    mixed.rest()
    assert (mixed.generated, mixed.images()[2].status) == (made, "paused")
    mixed.steer(Resume(hash=NAME))
    assert mixed.run(NAME).tally.completed == 6
    assert mixed.storings[-1] == (2, 2)


def test_a_picture_that_waits_to_be_made_again_is_cancelled_back_to_its_file(mixed: MixedWorld) -> None:
    mixed.unlike = {2: (1,)}
    mixed.start(alike(6))
    mixed.run(NAME, until=lambda batch: batch.cursor == 6)
    mixed.steer(Pause(hash=NAME))
    mixed.run(NAME, until=lambda batch: batch.tally.waiting == 1 and not batch.tally.in_flight)
    mixed.steer(Cancel(hash=NAME, image_id=image_id(NAME, 2)))
    assert mixed.images()[2].status == "completed"
    assert (mixed.load(NAME).state, attempts_made(mixed)) == ("completed", [1] * 6)


def test_a_filing_that_is_told_again_while_the_picture_is_made_again_changes_nothing(mixed: MixedWorld) -> None:
    mixed.unlike = {2: (1,)}
    mixed.start(alike(6))
    mixed.run(NAME, until=making_again)
    ref = JobRef(hash=NAME, client_id="local", index=2, attempt=1, image_id=image_id(NAME, 2))
    mixed.deliver(ImageStored(ref=ref, key="k", url="file:///k"))
    assert mixed.images()[2].status == "retry"
    assert mixed.run(NAME).tally.completed == 6
    assert mixed.storings[-1] == (2, 2)


def test_attempts_that_break_leave_the_filed_picture(mixed: MixedWorld) -> None:
    mixed.unlike = {2: (1,)}
    mixed.start(alike(6))
    mixed.run(NAME, until=making_again)
    mixed.breaks = 2.0
    batch = mixed.run(NAME)
    assert (batch.state, batch.tally.completed, batch.tally.failed) == ("completed", 6, 0)
    assert sum(attempts_made(mixed)) <= 8


def test_money_for_another_attempt_is_held_until_the_batch_ends(mixed: MixedWorld) -> None:
    mixed.unlike = {2: (1,)}
    batch = alike(6, highest=10)
    mixed.start(batch)
    mixed.run(NAME, until=lambda batch: batch.tally.completed >= 4 and batch.tally.centre is None)
    held = mixed.transact(lambda connection: hold_of(connection, NAME))
    done = mixed.load(NAME).tally.completed
    assert held is not None
    assert held.remaining == (6 - done) * 3 * 10 + done * 2 * 10
    mixed.run(NAME)
    after = mixed.transact(lambda connection: hold_of(connection, NAME))
    assert after is not None
    assert after.remaining == 0
