"""Batches that are changed while they are made, and those that have a time."""

from agents.planner.transitions import client_commands
from protocol.commands import Amend
from protocol.messages import Assessment, GenerateImage, ImageGenerated, ImageScored, ImageStored, ref_of
from tests.planner.workbench import NAME, World, halfway, new_batch


def test_more_or_fewer_pictures_are_made_by_an_amendment(world: World) -> None:
    world.page = 7
    world.start(new_batch(10))
    world.run(NAME, until=halfway)
    world.steer(Amend(hash=NAME, quantity=50))
    world.run(NAME, until=lambda batch: batch.tally.completed >= 20)
    world.steer(Amend(hash=NAME, quantity=32))
    batch = world.run(NAME)
    assert (batch.state, batch.quantity, batch.tally.completed) == ("completed", 32, 32)
    assert len(world.images()) == 32


def test_what_was_started_is_not_amended_away(world: World) -> None:
    world.start(new_batch(10))
    started = world.run(NAME, until=halfway).cursor
    error = world.refused(Amend(hash=NAME, quantity=started - 1))
    assert (error.code, error.path) == ("invalid_value", "$.quantity")
    assert str(started) in error.message
    world.steer(Amend(hash=NAME, quantity=started))
    assert world.run(NAME).tally.completed == started


def test_a_new_bar_and_a_new_negative_prompt_hold_for_what_has_not_started(world: World) -> None:
    world.page = 10
    world.start(new_batch(30))
    started = world.run(NAME, until=halfway).cursor
    world.steer(Amend(hash=NAME, min_score=0.9, negative_prompt="text"))
    world.run(NAME)
    made = world.jobs_made()
    assert {job.min_score for job in made.values() if job.index < started} == {0.5}
    assert {job.min_score for job in made.values() if job.index >= started} == {0.9}
    assert {job.pixels.negative_prompt for job in made.values() if job.index < started} == {""}
    assert {job.pixels.negative_prompt for job in made.values() if job.index >= started} == {"text"}
    assert [made[index].pixels.prompt for index in range(30)] == [f"picture {index}" for index in range(30)]


def test_a_new_negative_prompt_holds_for_what_starts_together_with_another_attempt_at_an_earlier_picture(
    world: World,
) -> None:
    world.start(new_batch(30))
    world.run(NAME, until=lambda batch: batch.tally.in_flight == 4)
    first, second, *_ = [work.job for work in world.queue.values() if isinstance(work, GenerateImage)]
    world.steer(Amend(hash=NAME, negative_prompt="text"))
    for work in [work for work in world.queue.values() if not isinstance(work, GenerateImage)]:
        world.act(work)
    world.deliver(*world.inbox)
    world.deliver(*(ImageGenerated(ref=ref_of(job), picture=world.pictured(job)) for job in (first, second)))
    accepted = Assessment(score=0.9, accepted=True, measures={})
    rejected = Assessment(score=0.1, accepted=False, measures={})
    world.deliver(ImageScored(ref=ref_of(second), assessment=accepted))
    world.deliver(
        ImageScored(ref=ref_of(first), assessment=rejected),
        ImageStored(ref=ref_of(second), key="x", url="file:///x", disposition="accepted"),
    )
    assert world.jobs_made()[4].pixels.negative_prompt == "text"


def test_prompts_that_were_asked_for_before_an_amendment_are_not_heard(world: World) -> None:
    world.start(new_batch(5))
    (asked,) = world.queue.values()
    world.queue.clear()
    world.steer(Amend(hash=NAME, negative_prompt="text"))
    world.act(asked)
    world.rest()
    assert {job.pixels.negative_prompt for job in world.jobs_made().values()} == {"text"}


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
    assert world.transact(lambda c: client_commands.expire_batches(c, world.window, 499.0)) == []
    world.cancelled = True
    for change in world.transact(lambda c: client_commands.expire_batches(c, world.window, 501.0)):
        world.follow(change)
    assert world.run(NAME).state == "cancelled"
    assert world.transact(lambda c: client_commands.expire_batches(c, world.window, 600.0)) == []
