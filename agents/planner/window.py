"""The window: pictures of a batch in flight, refilled as they end, so that a plan costs a row and a cursor."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.attempts import seed_of
from agents.planner.rows import WORK, Batch, open_attempt, save
from agents.planner.tables import jobs, prompt_pages
from protocol.ids import image_id
from protocol.messages import GenerateImage, Job, MakeContactSheet, Prompt, Work, WritePrompts
from protocol.replies import GenerationStatus

PROMPT_PAGE = 100
"""Prompts asked for at once; a page of the longest prompts stays below the broker's 1 MB."""

_encode = msgspec.json.encode
PROMPTS = msgspec.json.Decoder(list[Prompt])

_ADD_JOB = sa.insert(jobs)
_OUTSTANDING = (
    sa.select(jobs.c.message)
    .where(jobs.c.hash == sa.bindparam("of_hash"), jobs.c.state.in_(("running", "cancelling")))
    .limit(1024)
)
_PAGE_OF = (
    sa.select(prompt_pages)
    .where(prompt_pages.c.hash == sa.bindparam("of_hash"), prompt_pages.c.first <= sa.bindparam("of_index"))
    .order_by(prompt_pages.c.first.desc())
    .limit(1)
)


@dataclass
class Change:
    """What follows from a transition: work to send, the status after it, whether the batch ended."""

    send: list[Work] = field(default_factory=list[Work])
    status: GenerationStatus | None = None
    client_id: str = ""
    finished: bool = False


def advance(connection: Connection, batch: Batch, window: int, now: float) -> Change:
    """Refill the window of a running batch, ask for further prompts, or end it; the batch is saved."""
    change = Change(client_id=batch.client_id)
    if batch.state == "running":
        first, batch.cursor = batch.cursor, min(batch.written, batch.cursor + window - batch.tally.in_flight)
        batch.cursor = max(first, batch.cursor)
        change.send.extend(_hand_out(connection, batch, index, now) for index in range(first, batch.cursor))
        batch.tally.in_flight += batch.cursor - first
        if wants_prompts(batch, window):
            change.send.append(write_prompts(batch))
    return settle(connection, batch, change, now)


def wants_prompts(batch: Batch, window: int) -> bool:
    """Whether the next page is needed; a cancelled batch has its cursor at the end and needs none."""
    return batch.cursor < batch.quantity and batch.written < min(batch.quantity, batch.cursor + window)


def write_prompts(batch: Batch) -> WritePrompts:
    """The request for the next page of prompts."""
    command, recipe = batch.command, batch.recipe
    return WritePrompts(
        hash=batch.hash,
        client_id=batch.client_id,
        first=batch.written,
        count=min(PROMPT_PAGE, batch.quantity - batch.written),
        seed=batch.seed,
        style=recipe.style,
        style_reference=recipe.style_reference,
        brief=command.brief,
        subjects=command.subjects,
        prompts=command.prompts,
        negative_prompt=command.negative_prompt,
        negative_supported=recipe.negative_supported,
        platform=recipe.platform,
    )


def _hand_out(connection: Connection, batch: Batch, index: int, now: float) -> Work:
    """The row and the message of a picture's first attempt."""
    work = GenerateImage(job=job_of(batch, prompt_of(connection, batch.hash, index), index, attempt=1))
    connection.execute(
        _ADD_JOB,
        {
            "hash": batch.hash,
            "index": index,
            "state": "running",
            "stage": "generator",
            "attempt": 1,
            "message": _encode(work),
            "resends": 0,
            "updated_at": now,
        },
    )
    open_attempt(connection, work.job)
    return work


def prompt_of(connection: Connection, name: str, index: int) -> Prompt:
    page = connection.execute(_PAGE_OF, {"of_hash": name, "of_index": index}).mappings().one()
    first: int = page["first"]
    return PROMPTS.decode(page["prompts"])[index - first]


def first_prompts(connection: Connection, name: str) -> list[Prompt]:
    """The first page of a batch's prompts; empty before they are written."""
    page = connection.execute(
        sa.select(prompt_pages.c.prompts).where(prompt_pages.c.hash == name, prompt_pages.c.first == 0)
    ).scalar_one_or_none()
    return PROMPTS.decode(page) if page else []


def job_of(batch: Batch, prompt: Prompt, index: int, attempt: int) -> Job:
    recipe = batch.recipe
    return Job(
        hash=batch.hash,
        client_id=batch.client_id,
        index=index,
        attempt=attempt,
        image_id=image_id(batch.hash, index),
        prompt=prompt,
        seed=seed_of(batch.seed, index, attempt),
        width=recipe.width,
        height=recipe.height,
        steps=recipe.steps,
        guidance=recipe.guidance,
        sampler=recipe.sampler,
        platform=recipe.platform,
        model=recipe.model,
        models=recipe.models,
        loras=recipe.loras,
        stand_in_for=recipe.stand_in_for,
        style=recipe.style,
        section=batch.command.section,
        min_score=recipe.min_score,
        created_at=datetime.fromtimestamp(batch.created_at, UTC).isoformat(timespec="seconds"),
        metadata=batch.command.metadata,
    )


def settle(connection: Connection, batch: Batch, change: Change, now: float) -> Change:
    """Save a changed batch and say where it stands; where its last picture is terminal, end it and ask for its
    contact sheet."""
    change.finished = batch.tally.finished
    if batch.tally.finished and batch.state in ("running", "held"):
        batch.state = "cancelled" if batch.tally.cancelled else "completed"
        if batch.tally.completed:
            change.send.append(MakeContactSheet(hash=batch.hash, client_id=batch.client_id))
        else:
            batch.contact_sheet = ""
    change.status = batch.status
    save(connection, batch, now)
    return change


def outstanding(connection: Connection, name: str) -> Change:
    """All work of a batch that is in flight, to be said again."""
    rows = connection.execute(_OUTSTANDING, {"of_hash": name})
    return Change([WORK.decode(message) for (message,) in rows])
