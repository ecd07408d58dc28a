"""What may be removed: pixels of pictures that have ended, and batches of long ago.

Each function runs inside a transaction, reads or writes a page, and leaves the rest to the next. Spend and audit are
never removed.
"""

import re
from collections.abc import Sequence, Set
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from agents.planner.ledger.audit import note
from agents.planner.ledger.records import Outcome
from agents.planner.ledger.states import (
    ACTIVE_BATCH_STATES,
    ENDED_BATCH_STATES,
    OPEN_JOB_STATES,
    PROMPTS_PER_PAGE,
    IntentState,
    JobState,
    ReservationState,
)
from agents.planner.ledger.tables import attempts, batches, commands, intents, jobs, marks, prompt_pages, reservations
from agents.shared.database.insert_once import insert_once

PICTURES_PER_STEP = 200
"""Pictures in one step."""

MAX_OPEN_ROWS = 50_000
"""Rows about what has not ended, above which nothing is released: the names in them are in memory meanwhile."""

_BLOB = re.compile(rb'"([0-9a-f]{64})"')


PagePosition = tuple[float, str, int]
"""(time, hash, index) at which a page of ended pictures stopped."""


class EndedPixels(NamedTuple):
    """A page of blobs of ended pictures; those that are the only copy of a picture, because it has no file; and where
    the next page begins, null after the last."""

    blobs: list[str]
    blobs_without_file: list[str]
    next_position: PagePosition | None


class _Blob(Struct, frozen=True):
    blob: str


class _EvidencePart(Struct, frozen=True):
    """What is read of an attempt's evidence."""

    picture: _Blob


_EVIDENCE_DECODER = msgspec.json.Decoder(_EvidencePart)


class _RecipePart(Struct, frozen=True):
    """What is read of a recipe."""

    catalogue: _Blob | None = None


_RECIPE_DECODER = msgspec.json.Decoder(_RecipePart)


def read_mark(connection: Connection, name: str) -> float:
    """How far something has come, seconds since the epoch."""
    return connection.execute(sa.select(marks.c.at).where(marks.c.name == name)).scalar() or 0.0


def set_mark(connection: Connection, name: str, at: float) -> None:
    connection.execute(insert_once(marks), {"name": name, "at": at})
    connection.execute(sa.update(marks).where(marks.c.name == name).values(at=at))


def read_ended_pixels(
    connection: Connection, state: JobState, since: float, before: float, after: PagePosition | None
) -> EndedPixels:
    """Blobs of pictures that came to a state from `since` to `before`."""
    place = (jobs.c.updated_at, jobs.c.hash, jobs.c.index)
    page = sa.select(*place, jobs.c.outcome).where(
        jobs.c.state == state, jobs.c.updated_at >= since, jobs.c.updated_at < before
    )
    if after is not None:
        page = page.where(sa.tuple_(*place) > sa.tuple_(*after))
    rows = connection.execute(page.order_by(*place).limit(PICTURES_PER_STEP)).all()
    if not rows:
        return EndedPixels([], [], None)
    without_file = {(name, index, _attempt_without_file(outcome)) for _, name, index, outcome in rows}
    of_page = sa.tuple_(attempts.c.hash, attempts.c.index).in_([(name, index) for _, name, index, _ in rows])
    made = connection.execute(
        sa.select(attempts.c.hash, attempts.c.index, attempts.c.attempt, attempts.c.evidence).where(
            of_page, attempts.c.evidence.is_not(None)
        )
    )
    blobs: list[str] = []
    alone: list[str] = []
    for *attempt, evidence in made:
        (alone if tuple(attempt) in without_file else blobs).append(_EVIDENCE_DECODER.decode(evidence).picture.blob)
    at, name, index, _ = rows[-1]
    return EndedPixels(blobs, alone, (at, name, index))


def needed_blobs(connection: Connection, most: int = MAX_OPEN_ROWS) -> set[str] | None:
    """Every blob that is named where something has not ended: by outstanding messages and earlier attempts, by
    commands, recipes and prompts of what was not handed out. Null where that is more than `most` rows.

    Whatever looks like a blob's name counts, so that a new field of a message needs nothing here.
    """
    ahead = sa.and_(prompt_pages.c.hash == batches.c.hash, prompt_pages.c.first > batches.c.cursor - PROMPTS_PER_PAGE)
    earlier = sa.and_(attempts.c.hash == jobs.c.hash, attempts.c.index == jobs.c.index)
    named = (
        sa.select(jobs.c.message, attempts.c.evidence)
        .where(jobs.c.state.in_(OPEN_JOB_STATES))
        .join_from(jobs, attempts, earlier, isouter=True),
        sa.select(batches.c.command, batches.c.recipe).where(batches.c.state.in_(ACTIVE_BATCH_STATES)),
        sa.select(prompt_pages.c.prompts, prompt_pages.c.stored)
        .join_from(prompt_pages, batches, ahead)
        .where(batches.c.state.in_(ACTIVE_BATCH_STATES)),
    )
    found = set[str]()
    seen = 0
    for select in named:
        with connection.execution_options(yield_per=PICTURES_PER_STEP).execute(select) as rows:
            for row in rows:
                seen += 1
                if seen > most:
                    return None
                found.update(blob_names_in(*row))
    return found


def blobs_of_recipes(connection: Connection) -> set[str]:
    """Every blob that a recipe names, also that of a batch that has ended: its pictures may be tried again, upgraded,
    or made again from their files."""
    recipes = connection.execution_options(yield_per=PICTURES_PER_STEP).execute(sa.select(batches.c.recipe)).scalars()
    return {name for recipe in recipes for name in blob_names_in(recipe)}


def blob_names_in(*texts: bytes | None) -> set[str]:
    """Whatever looks like a blob's name in JSON texts."""
    return {name.decode() for text in texts if text for name in _BLOB.findall(text)}


def referenced_blobs(connection: Connection, blobs: Set[str]) -> set[str]:
    """Those of the blobs that any row names, of whatever state."""
    texts = (
        sa.select(batches.c.command, batches.c.recipe),
        sa.select(prompt_pages.c.prompts, prompt_pages.c.stored),
        sa.select(jobs.c.message),
        sa.select(attempts.c.evidence),
    )
    found = set[str]()
    for select in texts:
        for row in connection.execution_options(yield_per=PICTURES_PER_STEP).execute(select):
            found.update(blob_names_in(*row) & blobs)
    return found


def catalogue_blobs(connection: Connection) -> set[str]:
    """Blobs of the catalogues that batches run through. Each names blobs in its turn."""
    recipes = connection.execution_options(yield_per=PICTURES_PER_STEP).execute(sa.select(batches.c.recipe)).scalars()
    return {run.catalogue.blob for run in map(_RECIPE_DECODER.decode, recipes) if run.catalogue is not None}


def forgettable_batches(connection: Connection, before: float, limit: int | None) -> Sequence[tuple[str, str, int]]:
    """(hash, client, quantity) of batches that ended before then and that nothing open refers to, the oldest first. One
    whose removal was begun has no client any more."""
    return [
        (row.hash, row.client_id, row.quantity)
        for row in connection.execute(
            sa.select(batches.c.hash, batches.c.client_id, batches.c.quantity)
            .where(*_forgettable_conditions(before))
            .order_by(batches.c.updated_at)
            .limit(limit)
        )
    ]


def detach_client(connection: Connection, name: str, client: str, before: float, now: float) -> bool:
    """Begin to forget a batch: without a client nobody can ask for it or steer it while its rows go. False where it
    changed, or something open came to refer to it, meanwhile."""
    this = sa.update(batches).where(batches.c.hash == name, *_forgettable_conditions(before))
    changed = connection.execute(this.values(client_id="")).rowcount
    if changed == 1 and client:
        connection.execute(sa.delete(commands).where(commands.c.hash == name))
        note(connection, "forgotten", client, now, name)
    return changed == 1


def forget_pictures(connection: Connection, name: str, first: int) -> None:
    """Remove the rows of a page of a batch's pictures."""
    for table in (attempts, jobs):
        of_page = sa.and_(table.c.index >= first, table.c.index < first + PICTURES_PER_STEP)
        connection.execute(sa.delete(table).where(table.c.hash == name, of_page))
    of_page = sa.and_(prompt_pages.c.first >= first, prompt_pages.c.first < first + PICTURES_PER_STEP)
    connection.execute(sa.delete(prompt_pages).where(prompt_pages.c.hash == name, of_page))


def forget_batch(connection: Connection, name: str) -> None:
    """Remove what is left of a batch whose pictures are forgotten."""
    for table in (prompt_pages, intents, reservations, batches):
        connection.execute(sa.delete(table).where(table.c.hash == name))


def _forgettable_conditions(before: float) -> tuple[sa.ColumnElement[bool], ...]:
    """What is true of a batch that may be forgotten."""
    child = batches.alias()
    return (
        batches.c.state.in_(ENDED_BATCH_STATES),
        batches.c.updated_at < before,
        batches.c.contact_sheet.is_not(None),
        ~sa.exists().where(child.c.parent == batches.c.hash, child.c.state.in_(ACTIVE_BATCH_STATES)),
        ~sa.exists().where(reservations.c.hash == batches.c.hash, reservations.c.state == ReservationState.OPEN),
        ~sa.exists().where(intents.c.hash == batches.c.hash, intents.c.state == IntentState.OPEN),
    )


def _attempt_without_file(outcome: bytes | None) -> int | None:
    """The attempt whose blob is the filed picture itself; null where the picture has a file, or there is none."""
    if outcome is None:
        return None
    told = msgspec.json.decode(outcome, type=Outcome)
    return told.attempt if told.key is not None and told.path is None else None
