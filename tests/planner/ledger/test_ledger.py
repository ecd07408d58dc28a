"""The ledger: every picture ends once, whatever is lost, repeated or late."""

import random

import pytest
from sqlalchemy import Engine

from agents.planner.ledger.batches import Batch
from agents.planner.ledger.records import decode_evidence, decode_work
from agents.planner.requests.replies import batch_list_reply, plan_reply, result_reply
from agents.planner.transitions import accept, client_commands
from agents.planner.transitions.recovery import find_overdue
from protocol.commands import Cancel
from protocol.errors import AcpError, ErrorBody
from protocol.messages import (
    CancelBatch,
    GenerateImage,
    ImageStored,
    Job,
    JobCancelled,
    JobFailed,
    MakeContactSheet,
    ScoreImage,
    StoreImage,
    ref_of,
)
from tests.planner.workbench import World, adds_up, new_batch


def test_every_picture_of_a_batch_is_completed_once(world: World) -> None:
    world.start(new_batch(24))
    batch = world.run("gen_batch_1")
    assert (batch.state, batch.tally.completed, batch.tally.in_flight) == ("completed", 24, 0)
    assert [row["index"] for row in world.rows()] == list(range(24))
    assert {row["state"] for row in world.rows()} == {"completed"}
    assert all(adds_up(status, 24) for status in world.statuses)


def test_no_more_pictures_are_in_flight_than_the_window_allows(world: World) -> None:
    world.start(new_batch(50))
    seen: list[int] = []

    def look(batch: Batch) -> bool:
        seen.append(batch.tally.in_flight)
        return False

    world.run("gen_batch_1", until=look)
    assert max(seen) == world.window.bound
    assert all(status.processing <= world.window.bound for status in world.statuses)


def test_a_plan_is_expanded_lazily_and_prompts_are_asked_for_by_the_page(world: World) -> None:
    world.start(new_batch(1_000_000))
    batch = world.run("gen_batch_1", until=lambda batch: batch.tally.completed == 150)
    assert batch.written <= 300
    assert len(world.rows()) <= 150 + 2 * world.window.bound


def test_prompts_too_long_for_one_message_come_in_parts_of_any_size(world: World) -> None:
    world.page = 7
    world.start(new_batch(40))
    batch = world.run("gen_batch_1")
    assert (batch.written, batch.tally.completed) == (40, 40)
    evidence = {row["index"]: decode_evidence(row["evidence"]) for row in world.attempts()}
    assert {index: found.job.pixels.prompt for index, found in evidence.items()} == {
        index: f"picture {index}" for index in range(40)
    }


def test_a_rejected_picture_gets_new_seeds_until_its_attempts_are_used_and_the_best_is_kept(world: World) -> None:
    world.rejects = 2.0
    world.start(new_batch(3))
    batch = world.run("gen_batch_1", until=lambda batch: batch.state == "completed")
    assert (batch.tally.failed, batch.tally.completed) == (3, 0)
    made = world.attempts()
    assert len({row["seed"] for row in made}) == 9
    for index in range(3):
        scores = {row["attempt"]: row["score"] for row in made if row["index"] == index}
        best = max(scores, key=lambda attempt: scores[attempt])
        assert world.filed[index, "kept"] == {best}
    assert batch.status.generation_status.quality_metrics.rejection_rate == 1.0


def test_a_picture_that_storage_accepted_stays_though_its_verdict_came_out_twice(world: World) -> None:
    world.rejects = 2.0
    world.start(new_batch(1))
    world.run("gen_batch_1", until=lambda batch: len(world.attempts()) == 2)
    first = next(row for row in world.attempts() if row["attempt"] == 1)
    job = decode_evidence(first["evidence"]).job
    world.deliver(ImageStored(ref=ref_of(job), key="k", url="file:///k", path="k"))
    batch = world.load("gen_batch_1")
    assert (batch.state, batch.tally.completed, batch.tally.failed, batch.tally.in_flight) == ("completed", 1, 0, 0)
    world.run("gen_batch_1")
    page = world.transact(lambda c: result_reply(c, batch, 0, 1)).generation_result
    assert (page.images[0].status, page.images[0].path) == ("completed", "k")


def reached(world: World, stage: str) -> Job:
    """The job of picture 0, once the planner has it at this stage; the events until then are delivered one by one."""
    world.at_once = 1
    for _ in range(100):
        row = next(iter(world.rows()), None)
        if row is not None and row["stage"] == stage:
            work = decode_work(row["message"])
            assert isinstance(work, GenerateImage | ScoreImage | StoreImage)
            return work.job
        world.step()
    raise AssertionError(f"the picture never came to {stage}")


@pytest.mark.parametrize("stage", ["qa", "storage"])
def test_a_stage_that_gives_up_late_does_not_undo_what_came_of_its_work(world: World, stage: str) -> None:
    world.start(new_batch(1))
    job = reached(world, stage)
    error = ErrorBody(code="internal", message="not finished in 5 deliveries", retryable=True)
    world.deliver(JobFailed(ref=ref_of(job), stage="generator", error=error))
    assert world.run("gen_batch_1").tally.completed == 1
    assert len(world.attempts()) == 1


def test_a_picture_that_storage_accepted_ends_its_job_though_the_planner_never_saw_it_made(world: World) -> None:
    world.start(new_batch(1))
    job = reached(world, "generator")
    error = ErrorBody(code="internal", message="the device went away", retryable=True)
    world.deliver(JobFailed(ref=ref_of(job), stage="generator", error=error))
    assert len(world.attempts()) == 2
    world.deliver(ImageStored(ref=ref_of(job), key="k", url="file:///k", path="k"))
    batch = world.load("gen_batch_1")
    assert (batch.state, batch.tally.completed, batch.tally.in_flight) == ("completed", 1, 0)
    image = world.transact(lambda c: result_reply(c, batch, 0, 1)).generation_result.images[0]
    assert (image.status, image.path) == ("completed", "k")
    assert image.metadata
    assert image.metadata.seed == job.pixels.seed


def test_a_picture_that_is_filed_after_storage_had_given_up_is_completed_after_all(world: World) -> None:
    world.start(new_batch(2))
    job = reached(world, "storage")
    error = ErrorBody(code="internal", message="not finished in 5 deliveries", retryable=True)
    world.deliver(JobFailed(ref=ref_of(job), stage="storage", error=error))
    world.queue = {name: work for name, work in world.queue.items() if not isinstance(work, StoreImage)}
    world.inbox = [event for event in world.inbox if not isinstance(event, ImageStored)]
    ended = world.run("gen_batch_1")
    assert (ended.tally.completed, ended.tally.failed) == (1, 1)

    for _ in range(2):
        world.deliver(ImageStored(ref=ref_of(job), key="k", url="file:///k", path="k"))
    batch = world.run("gen_batch_1")

    assert (batch.state, batch.tally.completed, batch.tally.failed, batch.tally.in_flight) == ("completed", 2, 0, 0)
    assert batch.contact_sheet != ended.contact_sheet
    image = world.transact(lambda c: result_reply(c, batch, 0, 2)).generation_result.images[job.index]
    assert (image.status, image.path, image.error) == ("completed", "k", None)


def test_a_picture_that_was_made_and_filed_before_its_cancelling_was_heard_counts_as_completed(world: World) -> None:
    world.start(new_batch(2))
    job = reached(world, "generator")
    world.queue, world.inbox = {}, []
    world.steer(Cancel(hash=job.hash))
    world.deliver(JobCancelled(ref=ref_of(job)))

    world.deliver(ImageStored(ref=ref_of(job), key="k", url="file:///k", path="k"))
    batch = world.run("gen_batch_1")

    assert (batch.state, batch.tally.completed, batch.tally.cancelled, batch.tally.in_flight) == ("cancelled", 1, 1, 0)
    assert batch.contact_sheet


def test_what_got_lost_is_sent_again_though_the_clock_was_put_back_meanwhile(world: World) -> None:
    world.now = 7200.0
    world.start(new_batch(4))
    reached(world, "generator")
    world.queue, world.inbox = {}, []
    world.now = 3600.0
    assert world.run("gen_batch_1").tally.completed == 4
    assert world.now < 3700


def test_a_picture_that_exists_is_not_cancelled_by_a_generator_that_drops_its_second_delivery(world: World) -> None:
    world.start(new_batch(1))
    job = reached(world, "qa")
    making = world.load("gen_batch_1")
    world.steer(Cancel(hash=making.hash))
    world.deliver(JobCancelled(ref=ref_of(job)))
    batch = world.run("gen_batch_1")
    assert (batch.tally.completed, batch.tally.cancelled) == (1, 0)


def test_a_job_carries_the_moment_its_batch_was_made_as_names_and_records_need_it(world: World) -> None:
    world.start(new_batch(1))
    assert reached(world, "generator").created_at == "1970-01-01T00:00:01+00:00"


def test_batches_without_a_picture_are_not_looked_through_for_contact_sheets(world: World) -> None:
    for number in range(3):
        world.start(new_batch(1, name=f"gen_held_{number}", state="held"))
    world.transact(lambda c: client_commands.expire_batches(c, world.window, 101.0))
    world.start(new_batch(1))
    world.run("gen_batch_1", until=lambda batch: batch.state == "completed")
    due = world.transact(lambda c: find_overdue(c, world.now + 1000, 20.0, world.window, at_once=1)).resends
    assert [message for message, _ in due] == [MakeContactSheet(hash="gen_batch_1", client_id="local", quantity=1)]


def test_a_stage_that_breaks_is_tried_again_and_its_error_is_told_when_it_never_works(world: World) -> None:
    world.breaks = 2.0
    world.start(new_batch(2))
    batch = world.run("gen_batch_1", until=lambda batch: batch.state == "completed")
    assert batch.tally.failed == 2
    page = world.transact(lambda c: result_reply(c, batch, 0, 10)).generation_result
    assert [image.status for image in page.images] == ["failed", "failed"]
    assert all(image.error and "device" in image.error.message and image.attempts == 3 for image in page.images)


@pytest.mark.parametrize("seed", range(30))
def test_whatever_is_lost_repeated_or_late_every_picture_ends_once(engine: Engine, seed: int) -> None:
    dice = random.Random(seed)
    world = World(
        engine=engine,
        dice=dice,
        rejects=dice.choice([0.0, 0.4, 0.9]),
        breaks=dice.choice([0.0, 0.2]),
        loses=dice.choice([0.0, 0.05, 0.2]),
        repeats=dice.choice([0.0, 0.3]),
        shuffles=dice.random() < 0.5,
    )
    world.start(new_batch(12))
    batch = world.run("gen_batch_1")
    tally = batch.tally
    assert tally.completed + tally.failed == 12
    assert (tally.in_flight, tally.cancelled) == (0, 0)
    rows = world.rows()
    assert [row["index"] for row in rows] == list(range(12))
    assert sum(row["state"] == "completed" for row in rows) == tally.completed
    for row in rows:
        if row["state"] == "completed":
            assert len(world.filed[row["index"], "accepted"]) == 1
    assert all(adds_up(status, 12) for status in world.statuses)
    assert max(row["attempt"] for row in world.attempts()) <= 3


@pytest.mark.parametrize("seed", range(10))
def test_a_cancelled_batch_ends_and_its_counts_add_up(engine: Engine, seed: int) -> None:
    world = World(engine=engine, dice=random.Random(seed), loses=0.1, repeats=0.2, rejects=0.3)
    world.start(new_batch(30))
    started = world.run("gen_batch_1", until=lambda batch: batch.tally.completed >= 5)
    world.cancelled = True
    world.steer(Cancel(hash=started.hash))
    batch = world.run("gen_batch_1")
    assert batch.state == "cancelled"
    assert batch.tally.completed + batch.tally.failed + batch.tally.cancelled == 30
    assert batch.tally.completed < 30
    assert batch.tally.in_flight == 0
    page = world.transact(lambda c: result_reply(c, batch, 0, 30)).generation_result
    assert {image.status for image in page.images} <= {"completed", "cancelled", "failed"}
    assert sum(image.status == "completed" for image in page.images) == batch.tally.completed


def test_cancelling_what_is_pending_lets_the_pictures_in_flight_finish(world: World) -> None:
    world.start(new_batch(30))
    started = world.run("gen_batch_1", until=lambda batch: batch.tally.completed >= 5)
    handed_out = started.cursor
    world.steer(Cancel(hash=started.hash, what="pending"))
    batch = world.run("gen_batch_1")
    assert batch.tally.completed == handed_out
    assert batch.tally.cancelled == 30 - handed_out


def test_generators_are_told_to_drop_what_was_cancelled(world: World) -> None:
    world.start(new_batch(30))
    world.run("gen_batch_1", until=lambda batch: batch.tally.in_flight == world.window.bound)
    world.steer(Cancel(hash="gen_batch_1"))
    found = world.transact(lambda c: find_overdue(c, world.now + 100, 20.0, world.window))
    assert found.unanswered_cancels == {"gen_batch_1": CancelBatch(hash="gen_batch_1", client_id="local")}
    assert world.load("gen_batch_1").state == "cancelled"


def test_generators_are_never_told_to_drop_what_was_in_flight_when_the_rest_was_cancelled(world: World) -> None:
    world.start(new_batch(30))
    world.run("gen_batch_1", until=lambda batch: batch.tally.in_flight == world.window.bound)
    world.steer(Cancel(hash="gen_batch_1", what="pending"))
    found = world.transact(lambda c: find_overdue(c, world.now + 100, 20.0, world.window))
    assert found.unanswered_cancels == {}
    assert world.load("gen_batch_1").tally.in_flight == world.window.bound


def test_a_command_id_is_done_once_and_answered_with_the_first_plan(world: World) -> None:
    world.start(new_batch(1), command_id="c1")
    again, change = world.transact(
        lambda c: accept.accept(c, new_batch(1, name="gen_batch_2"), "c1", "payload", world.window, world.now)
    )
    assert again.hash == "gen_batch_1"
    assert change.work == []
    with pytest.raises(AcpError) as caught:
        world.transact(
            lambda c: accept.accept(c, new_batch(1, name="gen_batch_3"), "c1", "other", world.window, world.now)
        )
    assert caught.value.code == "command_conflict"
    assert len(world.transact(lambda c: batch_list_reply(c, "local", 0, 10)).batch_list.batches) == 1


def test_a_held_plan_makes_nothing_before_it_is_approved_and_then_everything(world: World) -> None:
    held = new_batch(3, state="held")
    world.start(held)
    while world.step():
        pass
    assert world.generated == 0
    assert plan_reply(world.load("gen_batch_1"), [], 1).generation_plan.state == "held"
    world.follow(world.transact(lambda c: accept.approve(c, held, world.window, world.now)))
    assert world.run("gen_batch_1").tally.completed == 3
    with pytest.raises(AcpError) as caught:
        world.transact(lambda c: accept.approve(c, held, world.window, world.now))
    assert caught.value.code == "wrong_state"


def test_a_held_plan_that_nobody_approves_is_cancelled_when_it_expires(world: World) -> None:
    held = new_batch(3, state="held")
    world.start(held)
    assert world.transact(lambda c: client_commands.expire_batches(c, world.window, 99.0)) == []
    with pytest.raises(AcpError) as caught:
        world.transact(lambda c: accept.approve(c, held, world.window, 101.0))
    assert caught.value.code == "wrong_state"
    assert len(world.transact(lambda c: client_commands.expire_batches(c, world.window, 101.0))) == 1
    assert world.load("gen_batch_1").state == "cancelled"


def test_a_batch_in_the_making_shows_pending_and_running_pictures(world: World) -> None:
    world.start(new_batch(10))
    batch = world.run("gen_batch_1", until=lambda batch: batch.cursor == 4)
    page = world.transact(lambda c: result_reply(c, batch, 0, 6)).generation_result
    assert [image.status for image in page.images] == ["running"] * 4 + ["pending"] * 2
    assert page.next == 6
    assert page.state == "running"
