"""Whose pixels a blob has: a client names by hash only what it brought or had made. Each function runs inside a
transaction."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.ledger.tables import blob_owners
from agents.shared.database.insert_once import insert_newest

_ADD = insert_newest(blob_owners, blob_owners.c.at)

MAX_NAMES = 500
"""Names in one statement."""


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
