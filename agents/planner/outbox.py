"""The outbox: what a transition makes the planner say is kept with it, until the broker has it.

A planner that dies between its commit and its messages leaves their rows; the next one says them at once. Ids follow
from the messages, so that what was said already is dropped by the broker.
"""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from agents.database.once import insert_once
from agents.planner.tables import outbox
from agents.planner.window import Change
from protocol import codec, subjects
from protocol.messages import Work
from protocol.replies import GenerationStatus

AT_ONCE = 1000
"""Messages read at once at a start."""

_ADD = insert_once(outbox)
_STRIKE = sa.delete(outbox).where(outbox.c.message_id.in_(sa.bindparam("said", expanding=True)))
_LEFT = sa.select(outbox).order_by(outbox.c.created_at, outbox.c.message_id).limit(AT_ONCE)

_work = msgspec.json.Decoder(Work)
_status = msgspec.json.Decoder(GenerationStatus)

Letter = tuple[str, Work | tuple[GenerationStatus, str]]
"""The id of a message, and work or a status with its client."""


def post(connection: Connection, change: Change, now: float) -> Change:
    """Keep what follows from a change: its work, and the statuses of batches that ended."""
    rows = [_row(subjects.message_id(work), "work", "", codec.encode(work), now) for work in change.send]
    rows += [
        _row(status_id(one), "status", one.client_id, codec.encode(one.status), now)
        for one in (change, *change.others)
        if one.finished and one.status is not None
    ]
    if rows:
        connection.execute(_ADD, rows)
    return change


def strike(connection: Connection, said: Sequence[str]) -> None:
    """Forget what the broker has."""
    connection.execute(_STRIKE, {"said": list(said)})


def left(connection: Connection) -> list[Letter]:
    """What was never said for certain, the oldest first, a page at a time."""
    return [
        (row.message_id, _work.decode(row.payload))
        if row.kind == "work"
        else (row.message_id, (_status.decode(row.payload), row.client_id))
        for row in connection.execute(_LEFT)
    ]


def status_id(change: Change) -> str:
    """The id under which the last status of a batch is kept."""
    assert change.status is not None
    return f"{subjects.status(change.client_id, change.status.hash)}.{change.revision}"


def _row(name: str, kind: str, client: str, payload: bytes, now: float) -> dict[str, object]:
    return {"message_id": name, "kind": kind, "client_id": client, "payload": payload, "created_at": now}
