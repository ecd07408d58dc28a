"""The audit log: commands, how pictures and batches ended, money, clients. Rows are added and never changed."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.ledger.tables import audit

_ADD = sa.insert(audit)

AuditRow = dict[str, Any]
"""A row of the log."""


def new_row(
    what: str,
    client: str,
    now: float,
    batch: str | None = None,
    index: int | None = None,
    **detail: str | int | float | None,
) -> AuditRow:
    """A row that tells of something."""
    return {
        "at": now,
        "client_id": client,
        "hash": batch,
        "index": index,
        "what": what,
        "detail": msgspec.json.encode(detail).decode(),
    }


def add_rows(connection: Connection, entries: Sequence[AuditRow]) -> None:
    """Add rows in the transaction of what they tell of, with one statement."""
    connection.execute(_ADD, entries)


def note(
    connection: Connection,
    what: str,
    client: str,
    now: float,
    batch: str | None = None,
    index: int | None = None,
    **detail: str | int | float | None,
) -> None:
    """Add one row."""
    add_rows(connection, [new_row(what, client, now, batch, index, **detail)])
