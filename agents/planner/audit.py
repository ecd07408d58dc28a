"""The audit log: commands, how batches and failed pictures ended, and money. Rows are added and never changed."""

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.tables import audit

_ADD = sa.insert(audit)


def note(
    connection: Connection,
    what: str,
    client: str,
    now: float,
    batch: str | None = None,
    index: int | None = None,
    **detail: str | int | float | None,
) -> None:
    """Add a row in the transaction of what it tells of."""
    connection.execute(
        _ADD,
        {
            "at": now,
            "client_id": client,
            "hash": batch,
            "index": index,
            "what": what,
            "detail": msgspec.json.encode(detail).decode(),
        },
    )
