"""A ledger on a real database and the other four agents played by hand, for tests of the planner's transitions."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec
import sqlalchemy as sa
from msgspec import UNSET
from sqlalchemy import Connection, Engine

from agents.planner.agent import MIGRATIONS
from agents.planner.ledger.batches import Batch, require_batch
from agents.planner.ledger.records import decode_work
from agents.planner.ledger.states import BatchState
from agents.planner.ledger.tables import attempts, jobs
from agents.planner.ledger.tally import Tally
from agents.planner.outbox.change import Change
from agents.planner.planning.recipe import Recipe
from agents.planner.requests.replies import result_reply
from agents.planner.scheduling.rebuild_window import rebuild_window
from agents.planner.scheduling.reuse import NeedsLookup, WithLookup
from agents.planner.scheduling.window import Window
from agents.planner.transitions import accept
from agents.planner.transitions.apply_events import apply_events
from agents.planner.transitions.client_commands import BatchCommand, apply_batch_command
from agents.planner.transitions.recovery import find_overdue
from agents.shared.database.engine import migrate, open_engine
from protocol import subjects
from protocol.commands import GenerateImages, Requirements
from protocol.errors import AcpError, ErrorBody
from protocol.messages import (
    Assessment,
    CancelImage,
    ContactSheetMade,
    Event,
    GenerateImage,
    ImageGenerated,
    ImageScored,
    ImageStored,
    Job,
    JobCancelled,
    JobFailed,
    JobRef,
    MakeContactSheet,
    Picture,
    Prompt,
    PromptsWritten,
    ScoreImage,
    StoreImage,
    Work,
    WritePrompts,
    ref_of,
)
from protocol.parameters import ServiceClass
from protocol.pixels import PixelSettings
from protocol.quality import TECHNICAL_QUALITY
from protocol.results import Image, StatusBody
from protocol.reuse import StoredPicture

T = TypeVar("T")

NAME = "gen_batch_1"
"""The batch of a test that has one."""

RECIPE = Recipe(
    pixels=PixelSettings(
        model="pocket",
        loras=[],
        width=128,
        height=128,
        steps=20,
        guidance=4.0,
        sampler="Euler",
    ),
    platform="pocket",
    provider="local",
    models=["pocket"],
    native_width=128,
    native_height=128,
    negative_supported=True,
    style="plain",
    style_reference=None,
    stand_in_for=None,
    min_score=0.5,
    max_attempts=3,
    price_micros=None,
    seconds_per_image=None,
    not_honoured=[],
    warnings=[],
)


def new_engine(url: str) -> Engine:
    """A migrated ledger."""
    engine = open_engine(url)
    migrate(engine, MIGRATIONS)
    return engine


def new_batch(
    quantity: int,
    *,
    name: str = "gen_batch_1",
    state: str = "running",
    max_attempts: int = 3,
    client: str = "local",
    priority: ServiceClass = "batch",
) -> Batch:
    """A batch as the planner proposes it for a command."""
    return Batch(
        hash=name,
        client_id=client,
        state=BatchState(state),
        command=GenerateImages(requirements=Requirements(quantity=quantity)),
        recipe=msgspec.structs.replace(RECIPE, max_attempts=max_attempts),
        seed=42,
        quantity=quantity,
        cursor=0,
        written=0,
        tally=Tally(quantity=quantity),
        approval="token" if state == "held" else None,
        expires_at=100.0 if state == "held" else None,
        contact_sheet=None,
        created_at=1.0,
        priority=priority,
    )


def halfway(batch: Batch) -> bool:
    return batch.tally.completed >= 4


def adds_up(body: StatusBody, quantity: int) -> bool:
    failed = body.failed if isinstance(body.failed, int) else 0
    cancelled = body.cancelled if isinstance(body.cancelled, int) else 0
    return body.completed + body.processing + body.queued + failed + cancelled == quantity


@dataclass
class World:
    """Everything around the planner: queued work by subject, undelivered events, filed pictures.

    `rejects` says the share of pictures that QA rejects; `loses` the share of messages that get lost; `repeats` the
    share that arrive twice; with `shuffles` events arrive in any order, at most `at_once` of them together. `page`
    prompts fit one answer.
    """

    engine: Engine
    dice: random.Random
    window: Window = field(default_factory=lambda: Window(4))
    page: int = 100
    rejects: float = 0.0
    unscored: bool = False
    breaks: float = 0.0
    loses: float = 0.0
    repeats: float = 0.0
    shuffles: bool = False
    at_once: int = 4
    now: float = 10.0
    queue: dict[str, Work] = field(default_factory=dict[str, Work])
    inbox: list[Event] = field(default_factory=list[Event])
    later: list[Event] = field(default_factory=list[Event])
    filed: dict[tuple[int, str], set[int]] = field(default_factory=dict[tuple[int, str], set[int]])
    statuses: list[StatusBody] = field(default_factory=list[StatusBody])
    generated: int = 0
    cancelled: bool = False
    dropped: set[JobRef] = field(default_factory=set[JobRef])

    def transact(self, work: Callable[[Connection], T]) -> T:
        with self.engine.begin() as connection:
            return work(connection)

    def follow(self, change: Change) -> None:
        """Send what a transition asks for, over a broker that may lose it."""
        for message in change.work:
            self.send(message)
        for message, _ in change.resends:
            self.send(message)
        self.dropped.update(said.ref for said in change.control_messages if isinstance(said, CancelImage))
        if change.status is not None:
            self.statuses.append(change.status.generation_status)

    def send(self, message: Work) -> None:
        if self.dice.random() >= self.loses:
            self.queue.setdefault(subjects.subject_of(message), message)

    def say(self, event: Event) -> None:
        if self.dice.random() >= self.loses:
            self.inbox.append(event)

    def start(self, batch: Batch, command_id: str | None = None) -> None:
        _, change = self.transact(
            lambda c: accept.accept(c, batch, command_id, "payload", self.window, self.now, open_door=True)
        )
        self.follow(change)

    def step(self) -> bool:
        """One agent handles one message, or the planner one event; false when there is nothing to do."""
        if self.inbox and (not self.queue or self.dice.random() < 0.6):
            said = [self.next_event() for _ in range(min(len(self.inbox), self.dice.randint(1, self.at_once)))]
            self.inbox += [event for event in said if self.dice.random() < self.repeats]
            self.deliver(*said)
            return True
        if self.queue:
            name = self.dice.choice(list(self.queue))
            message = self.queue[name]
            if self.dice.random() >= self.repeats:
                del self.queue[name]
            self.act(message)
            return True
        return False

    def next_event(self) -> Event:
        return self.inbox.pop(self.dice.randrange(len(self.inbox)) if self.shuffles else 0)

    def deliver(self, *said: Event | WithLookup) -> None:
        self.now += 0.01
        outcomes = self.transact(lambda connection: apply_events(connection, said, self.window, self.now))
        for event, outcome in zip(said, outcomes, strict=True):
            if isinstance(outcome, NeedsLookup):
                self.deliver(WithLookup(outcome.page, self.stored(outcome.jobs)))
            elif isinstance(outcome, Exception):  # the runner delivers it again, later
                self.later.append(event.page if isinstance(event, WithLookup) else event)
            else:
                for change in outcome:
                    self.follow(change)

    def stored(self, jobs: Sequence[Job]) -> dict[int, StoredPicture]:
        """What storage has already of a page of pictures, by index."""
        return {}

    def act(self, message: Work) -> None:
        match message:
            case WritePrompts():
                written = [
                    Prompt(text=f"picture {message.first + i}", negative=message.negative_prompt or "")
                    for i in range(min(message.count, self.page))
                ]
                said = PromptsWritten(
                    hash=message.hash,
                    client_id="local",
                    first=message.first,
                    prompts=written,
                    revision=message.revision,
                )
                self.say(said)
            case GenerateImage(job=job):
                self.generate(job)
            case ScoreImage(job=job, picture=picture):
                self.score(job, picture)
            case StoreImage(job=job):
                self.filed.setdefault((job.index, message.disposition), set()).add(job.attempt)
                self.say(
                    ImageStored(ref=ref_of(job), key=job.image_id, url="file:///x", disposition=message.disposition)
                )
            case MakeContactSheet():
                sheet = f"sheet {message.edition}"
                self.say(ContactSheetMade(hash=message.hash, client_id="local", key=sheet, edition=message.edition))

    def generate(self, job: Job) -> None:
        self.generated += 1
        if self.cancelled or ref_of(job) in self.dropped:
            self.say(JobCancelled(ref=ref_of(job)))
            return
        if random.Random(f"{job.pixels.seed}b").random() < self.breaks:
            error = ErrorBody(code="internal", message="the device went away", retryable=True)
            self.say(JobFailed(ref=ref_of(job), stage="generator", error=error))
            return
        picture = self.pictured(job)
        self.say(ImageGenerated(ref=ref_of(job), picture=picture))
        self.send(ScoreImage(job=job, picture=picture))

    def pictured(self, job: Job) -> Picture:
        """What a generator makes of a job."""
        return Picture(
            blob="0" * 64,
            media_type="image/png",
            width=job.pixels.width,
            height=job.pixels.height,
            size_bytes=1,
            seconds=1.0,
            provider="local",
            model="pocket",
        )

    def score(self, job: Job, picture: Picture) -> None:
        value = random.Random(job.pixels.seed).random()
        verdict = Assessment(
            score=None if self.unscored else value,
            accepted=value >= self.rejects,
            measures={TECHNICAL_QUALITY: value},
            embedding=b"\x00\x3c\x00\x00",
            not_judged=["paris"] if self.unscored else UNSET,
        )
        self.say(ImageScored(ref=ref_of(job), assessment=verdict))
        if verdict.accepted:
            self.send(StoreImage(job=job, picture=picture, assessment=verdict))

    def run(self, batch: str, *, until: Callable[[Batch], bool] | None = None, limit: int = 20_000) -> Batch:
        """Let everybody work until the batch ended and its contact sheet is there; time passes when nobody can."""
        for _ in range(limit):
            current = self.load(batch)
            if until is not None and until(current):
                return current
            if current.state in ("completed", "cancelled") and (current.contact_sheet or not current.tally.completed):
                return current
            if not self.step():
                self.now += 30.0
                self.inbox, self.later = self.later, []
                self.follow(self.transact(lambda c: rebuild_window(c, self.window, self.now)))
                found = self.transact(lambda c: find_overdue(c, self.now, 20.0, self.window))
                for message, _ in found.resends:
                    self.send(message)
                for change in found.changes:
                    self.follow(change)
        raise AssertionError(f"the batch did not end: {self.load(batch).tally}")

    def rest(self) -> None:
        """Let everybody work until nobody has anything to do."""
        while self.step():
            pass

    def steer(self, command: BatchCommand) -> None:
        """Do what a client asks of its batch."""
        self.follow(
            self.transact(
                lambda c: apply_batch_command(c, require_batch(c, command.hash), command, self.window, self.now)
            )
        )

    def refused(self, command: BatchCommand) -> ErrorBody:
        """Why a client may not do that."""
        try:
            self.steer(command)
        except AcpError as error:
            return error.body
        raise AssertionError(f"{command} was not refused")

    def images(self, name: str = NAME) -> list[Image]:
        """The pictures of a batch, as its client sees them."""
        return self.transact(lambda c: result_reply(c, require_batch(c, name), 0, 200)).generation_result.images

    def jobs_made(self) -> dict[int, Job]:
        """The job of each picture that was handed out, by index."""
        found = [decode_work(row["message"]) for row in self.rows() if row["message"]]
        return {work.job.index: work.job for work in found if isinstance(work, GenerateImage | ScoreImage | StoreImage)}

    def load(self, batch: str) -> Batch:
        return self.transact(lambda connection: require_batch(connection, batch))

    def rows(self, table: sa.Table = jobs) -> Sequence[sa.RowMapping]:
        in_order = sa.select(table).order_by(*table.primary_key.columns)
        return self.transact(lambda connection: connection.execute(in_order).mappings().all())

    def attempts(self) -> Sequence[sa.RowMapping]:
        return self.rows(attempts)
