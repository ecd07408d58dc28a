"""Whose pixels a blob has: a client names by hash only what it brought or had made. Each function runs inside a
transaction."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.ledger.records import decode_evidence
from agents.planner.ledger.states import JobState
from agents.planner.ledger.tables import attempts, batches, blob_owners, jobs
from agents.shared.database.insert_once import insert_newest

_ADD = insert_newest(blob_owners, blob_owners.c.at)

MAX_NAMES = 500
"""Names in one statement, pictures in one page."""

Place = tuple[float, str, int]
"""Where a page of ended pictures ends: when the last of them ended, its batch and index."""

_ENDED = (
    sa.select(jobs.c.updated_at, jobs.c.hash, jobs.c.index, batches.c.client_id, attempts.c.evidence)
    .join(batches, batches.c.hash == jobs.c.hash)
    .join(
        attempts,
        sa.and_(attempts.c.hash == jobs.c.hash, attempts.c.index == jobs.c.index, attempts.c.attempt == jobs.c.attempt),
    )
    .where(
        jobs.c.state.in_((JobState.COMPLETED, JobState.FAILED)),
        sa.tuple_(jobs.c.updated_at, jobs.c.hash, jobs.c.index)
        > sa.tuple_(sa.bindparam("at"), sa.bindparam("name"), sa.bindparam("number")),
    )
    .order_by(jobs.c.updated_at, jobs.c.hash, jobs.c.index)
    .limit(sa.bindparam("count"))
)


def add_owners(connection: Connection, owned: Iterable[tuple[str, str]], now: float) -> None:
    """Note (client, blob) pairs; of those that are known the time."""
    rows = [{"client_id": client, "blob": blob, "at": now} for client, blob in owned]
    if rows:
        connection.execute(_ADD, rows)


def is_owner(connection: Connection, client: str, blob: str) -> bool:
    """Whether a client brought these pixels, or had them made."""
    found = sa.select(1).where(blob_owners.c.client_id == client, blob_owners.c.blob == blob)
    return connection.execute(found).first() is not None


def forget_owners(connection: Connection, blobs: Iterable[str], before: float) -> None:
    """Forget whose the pixels were that are gone. Who brought or made them again since `before` still has them."""
    names = sorted(blobs)
    for first in range(0, len(names), MAX_NAMES):
        named = blob_owners.c.blob.in_(names[first : first + MAX_NAMES])
        connection.execute(sa.delete(blob_owners).where(named, blob_owners.c.at < before))


def ended_owners(
    connection: Connection, after: Place, count: int = MAX_NAMES
) -> tuple[list[tuple[str, str]], Place | None]:
    """(client, blob) of the pictures that ended after a place, `count` of them, and where these end; null after the
    last."""
    at, name, number = after
    rows = connection.execute(_ENDED, {"at": at, "name": name, "number": number, "count": count}).all()
    owned = [(row.client_id, decode_evidence(row.evidence).picture.blob) for row in rows if row.evidence]
    last: Any = rows[-1] if len(rows) == count else None
    return owned, None if last is None else (last.updated_at, last.hash, last.index)
