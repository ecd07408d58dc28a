"""The audit log: commands, how pictures and batches ended, money, clients. Rows are added and never changed."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, get_args

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.ledger.tables import audit
from protocol.accounts import ClientChanged, ClientChangeKind

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


def last_client_changes(connection: Connection, client: str, count: int) -> list[ClientChanged]:
    """What the operator changed about a client, newest first."""
    found = (
        sa.select(audit.c.at, audit.c.what, audit.c.detail)
        .where(audit.c.client_id == client, audit.c.what.in_(get_args(ClientChangeKind)))
        .order_by(audit.c.at.desc(), audit.c.id.desc())
        .limit(count)
    )
    return [
        ClientChanged(
            at=datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds"),
            what=what,
            detail=msgspec.json.decode(detail),
        )
        for at, what, detail in connection.execute(found)
    ]
