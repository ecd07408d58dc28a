"""The tables of legal steps say neither too little nor too much."""

import contextlib
import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa
from msgspec import UNSET
from sqlalchemy import Engine

from agents.planner.ledger import states
from agents.planner.outbox.change import Change
from agents.planner.transitions import accept
from agents.planner.transitions.client_commands import BatchCommand, expire_batches
from protocol.commands import Amend, Cancel, Pause, Priority, Resume, Retry
from protocol.errors import BadCommand, Code, ErrorBody, Refused
from protocol.ids import image_id
from protocol.messages import (
    Assessment,
    CancelBatch,
    ImageGenerated,
    ImageScored,
    ImageStored,
    Job,
    JobCancelled,
    JobFailed,
    JobRef,
    Picture,
    PromptsFailed,
    Role,
    ScoreImage,
    StoreImage,
    Work,
    WritePrompts,
    ref_of,
)
from protocol.parameters import Quality
from protocol.reuse import StoredPicture
from tests.planner.priced import PricedWorld, priced_batch
from tests.planner.steps import LEGAL_STEPS, seen_steps
from tests.planner.workbench import World

QUANTITY = 6
HISTORIES = 120
HISTORIES_ALIKE = 6

ERRORS: list[Code] = ["internal", "pixels_missing", "not_supported"]


@dataclass
class ContraryWorld(PricedWorld):
    """Agents that say one thing and then another, and events that come one by one, so that each step is seen."""

    at_once: int = 1
    contrary: float = 0.0
    embeds: bool = False

    def fails(self, job: Job, stage: Role, share: float) -> bool:
        """Whether a stage gives up on a job and does no more about it."""
        if self.dice.random() >= share:
            return False
        code = self.dice.choice(ERRORS)
        error = ErrorBody(code=code, message="no", retryable=code != "not_supported")
        self.say(JobFailed(ref=ref_of(job), stage=stage, error=error))
        return self.dice.random() >= self.contrary

    def follow(self, change: Change) -> None:
        super().follow(change)
        self.cancelled |= any(isinstance(said, CancelBatch) for said in change.control_messages)

    def act(self, message: Work) -> None:
        if isinstance(message, WritePrompts) and self.dice.random() < self.contrary / 4:
            error = ErrorBody(code="unknown_style", message="the style is gone")
            self.say(PromptsFailed(hash=message.hash, client_id="local", first=message.first, error=error))
        elif not isinstance(message, StoreImage) or not self.fails(message.job, "storage", self.breaks):
            super().act(message)

    def generate(self, job: Job) -> None:
        self.generated += 1
        if self.cancelled or ref_of(job) in self.dropped:
            self.say(JobCancelled(ref=ref_of(job)))
            if self.dice.random() >= self.contrary:
                return
        if not self.fails(job, "generator", self.breaks):
            picture = self.pictured(job)
            self.say(ImageGenerated(ref=ref_of(job), picture=picture))
            self.send(ScoreImage(job=job, picture=picture))

    def score(self, job: Job, picture: Picture) -> None:
        if self.fails(job, "qa", self.breaks):
            return
        for _ in range(1 + (self.dice.random() < self.contrary)):
            verdict = Assessment(
                score=0.6,
                accepted=self.dice.random() >= self.rejects,
                measures={},
                embedding=self.embedding() if self.embeds else None,
            )
            self.say(ImageScored(ref=ref_of(job), assessment=verdict))
            if verdict.accepted and job.replaces is UNSET:
                self.send(StoreImage(job=job, picture=picture, assessment=verdict))

    def embedding(self) -> bytes:
        """Some pictures are unlike the others."""
        like = self.dice.random() < 0.7
        return struct.pack("<2e", like, not like)

    def stored(self, jobs: Sequence[Job]) -> dict[int, StoredPicture]:
        verdict = Assessment(score=0.6, accepted=True, measures={})
        return {
            job.index: StoredPicture(digest="0" * 64, image_id="x", picture=self.pictured(job), assessment=verdict)
            for job in jobs
            if self.dice.random() < self.contrary
        }


def history(engine: Engine, name: str, seed: int, *, alike: bool = False) -> None:
    """A batch from its plan to its end, whatever its client and the agents do; its pictures may have to be `alike`."""
    dice = random.Random(seed)
    world = ContraryWorld(
        engine=engine,
        dice=dice,
        rejects=dice.choice([0.0, 0.5, 0.9]),
        breaks=dice.choice([0.0, 0.2, 0.4]),
        loses=dice.choice([0.0, 0.1]),
        repeats=dice.choice([0.0, 0.3]),
        contrary=dice.choice([0.0, 0.5]),
        shuffles=dice.random() < 0.5,
        embeds=alike,
    )
    batch = priced_batch(QUANTITY, name=name)
    quality = Quality(consistency=0.9 if alike else None)
    batch.command = msgspec.structs.replace(batch.command, seed=7, quality=quality)
    if dice.random() < 0.3:
        batch.state, batch.expires_at = states.BatchState.HELD, 100.0
    world.start(batch)
    for _ in range(dice.randrange(3)):
        world.step()
    if batch.state == states.BatchState.HELD:
        if dice.random() < 0.3:
            for change in world.transact(lambda c: expire_batches(c, world.window, 101.0)):
                world.follow(change)
        with contextlib.suppress(Refused):
            world.follow(world.transact(lambda c: accept.approve(c, batch, world.window, world.now)))
    wishes: list[BatchCommand] = [
        Pause(hash=name),
        Pause(hash=name),
        Resume(hash=name),
        Retry(hash=name),
        *(Retry(hash=name, image_id=image_id(name, index)) for index in range(QUANTITY)),
        *(Cancel(hash=name, image_id=image_id(name, index)) for index in range(QUANTITY)),
        Cancel(hash=name, what="pending"),
        Cancel(hash=name),
        Amend(hash=name, quantity=QUANTITY + 2),
        Priority(hash=name, priority="interactive"),
    ]
    for wish in dice.choices(wishes, k=14):
        for _ in range(dice.randrange(25)):
            world.step()
        if world.cancelled and isinstance(wish, Amend):
            continue  # generators drop whatever comes of a cancelled batch
        with contextlib.suppress(Refused, BadCommand):
            world.steer(wish)
    if world.load(name).state == "paused":
        world.steer(Resume(hash=name))
    tally = world.run(name, until=lambda batch: batch.tally.is_finished).tally
    world.rest()
    assert tally.completed + tally.failed + tally.cancelled == tally.quantity


def cancelled_after_another_attempt_was_filed(engine: Engine, name: str, *, at_storage: bool) -> None:
    """Storage said that it could not file an attempt, and that it did when the next one had begun and was cancelled."""
    world = ContraryWorld(engine=engine, dice=random.Random(1))
    world.start(priced_batch(1, name=name))
    job = job_at_storage(world)
    error = ErrorBody(code="pixels_missing", message="no", retryable=True)
    world.deliver(JobFailed(ref=ref_of(job), stage="storage", error=error))
    if at_storage:
        assert job_at_storage(world).attempt == 2
    world.steer(Cancel(hash=name, image_id=job.image_id))
    world.deliver(ImageStored(ref=ref_of(job), key="k", url="file:///k"))
    assert world.load(name).tally.completed == 1


def filed_while_it_is_made_again(engine: Engine, name: str, place: states.JobStage, *, fails: bool) -> None:
    """Another attempt at a picture that is filed and unlike the others fails, or its client cancels it."""
    world = ContraryWorld(engine=engine, dice=random.Random(1), embeds=True)
    batch = priced_batch(QUANTITY, name=name)
    batch.command = msgspec.structs.replace(batch.command, quality=Quality(consistency=1.0))
    world.start(batch)
    while not (again := made_again(world, name, place)):
        assert world.step()
    image = image_id(name, again[0]["index"])
    if fails:
        ref = JobRef(hash=name, client_id="local", index=again[0]["index"], attempt=2, image_id=image)
        world.deliver(JobFailed(ref=ref, stage="generator", error=ErrorBody(code="not_supported", message="no")))
    else:
        world.steer(Cancel(hash=name, image_id=image))
    world.run(name)
    assert {image.status for image in world.images(name)} == {"completed"}


def made_again(world: World, name: str, place: states.JobStage) -> list[sa.RowMapping]:
    """The second attempts of a batch that are at a place."""
    return [row for row in world.rows() if (row["hash"], row["attempt"], row["stage"]) == (name, 2, place)]


def job_at_storage(world: ContraryWorld) -> Job:
    """The job of the only picture, once the planner has heard that storage is to file it and nobody has."""
    while True:
        while world.inbox:
            world.deliver(world.next_event())
        _, message = world.queue.popitem()
        if isinstance(message, StoreImage):
            return message.job
        world.act(message)


def test_every_legal_step_is_taken_by_some_history_and_no_other_by_any(engine: Engine) -> None:
    for seed in range(HISTORIES):
        history(engine, f"gen_{seed}", seed)
    for seed in range(HISTORIES_ALIKE):
        history(engine, f"gen_alike_{seed}", seed, alike=True)
    for place in (states.JobStage.QUEUE, states.JobStage.GENERATOR, states.JobStage.QA):
        filed_while_it_is_made_again(engine, f"gen_again_{place}", place, fails=False)
    filed_while_it_is_made_again(engine, "gen_again_failed", states.JobStage.GENERATOR, fails=True)
    for at_storage in (False, True):
        cancelled_after_another_attempt_was_filed(engine, f"gen_filed_{at_storage}", at_storage=at_storage)

    seen = seen_steps(engine)
    for table in ("jobs", "batches", "attempts", "reservations"):
        assert seen[table] == LEGAL_STEPS[table]
