"""Whose pixels a blob has: a client names by hash only what it brought or had made. Each function runs inside a
transaction."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.ledger.tables import blob_owners
from agents.shared.database.insert_once import insert_once

_ADD = insert_once(blob_owners)

MAX_NAMES = 500
"""Names in one statement."""


def add_owners(connection: Connection, owned: Iterable[tuple[str, str]], now: float) -> None:
    """Note (client, blob) pairs; those that are known stay as they are."""
    rows = [{"client_id": client, "blob": blob, "at": now} for client, blob in owned]
    if rows:
        connection.execute(_ADD, rows)


def is_owner(connection: Connection, client: str, blob: str) -> bool:
    """Whether a client brought these pixels, or had them made."""
    found = sa.select(1).where(blob_owners.c.client_id == client, blob_owners.c.blob == blob)
    return connection.execute(found).first() is not None


def forget_owners(connection: Connection, blobs: Iterable[str]) -> None:
    """Forget whose the pixels were that are gone."""
    names = sorted(blobs)
    for first in range(0, len(names), MAX_NAMES):
        connection.execute(sa.delete(blob_owners).where(blob_owners.c.blob.in_(names[first : first + MAX_NAMES])))
