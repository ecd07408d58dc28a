"""The outbox: the messages that follow from a transition are kept with it until the broker has them.

A planner that dies between its commit and its messages leaves their rows, and the next one sends them at once. Ids are
derived from the messages, so the broker drops a message that was sent before.
"""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.ledger.records import decode_work
from agents.planner.ledger.states import OutboxKind
from agents.planner.ledger.tables import outbox
from agents.planner.outbox.change import Change
from agents.shared.database.insert_once import insert_once
from protocol import codec, subjects
from protocol.messages import Work
from protocol.results import GenerationStatus

MESSAGES_PER_STATEMENT = 1000
"""Messages read, or struck out, by one statement."""

MAX_CLOCK_SKEW_S = 60.0
"""What was kept later than this was kept by another clock, before it was put back."""

_ADD = insert_once(outbox)
_DELETE = sa.delete(outbox).where(outbox.c.message_id.in_(sa.bindparam("said", expanding=True)))
_UNSENT = (
    sa.select(outbox)
    .where(
        sa.or_(
            outbox.c.created_at < sa.bindparam("before"),
            outbox.c.created_at > sa.bindparam("before") + MAX_CLOCK_SKEW_S,
        )
    )
    .order_by(outbox.c.created_at, outbox.c.message_id)
    .limit(MESSAGES_PER_STATEMENT)
)

_status_decoder = msgspec.json.Decoder(GenerationStatus)

OutboxMessage = tuple[str, Work | tuple[GenerationStatus, str]]
"""The id of a message, and work or a status with its client."""


def enqueue(connection: Connection, change: Change, now: float) -> Change:
    """Keep what follows from a change: its work, and the statuses of batches that ended."""
    rows = [_row(subjects.message_id(work), OutboxKind.WORK, change.client_id, work, now) for work in change.work]
    rows += [
        _row(_status_id(status, one), OutboxKind.STATUS, one.client_id, status, now)
        for status, one in _final_statuses(change)
    ]
    if rows:
        connection.execute(_ADD, rows)
    return change


def message_ids(change: Change) -> list[str]:
    """The ids of what `enqueue` kept of a change."""
    ended = [_status_id(status, one) for status, one in _final_statuses(change)]
    return [subjects.message_id(work) for work in change.work] + ended


def delete(connection: Connection, said: Sequence[str]) -> None:
    """Forget what the broker has."""
    for first in range(0, len(said), MESSAGES_PER_STATEMENT):
        connection.execute(_DELETE, {"said": list(said[first : first + MESSAGES_PER_STATEMENT])})


def load_unsent(connection: Connection, before: float) -> list[OutboxMessage]:
    """What was kept `before` and may never have been sent, the oldest first, a page at a time."""
    return [
        (row.message_id, decode_work(row.payload))
        if row.kind == OutboxKind.WORK
        else (row.message_id, (_status_decoder.decode(row.payload), row.client_id))
        for row in connection.execute(_UNSENT, {"before": before})
    ]


def _final_statuses(change: Change) -> list[tuple[GenerationStatus, Change]]:
    return [(one.status, one) for one in change.all_changes if one.finished and one.status is not None]


def _status_id(status: GenerationStatus, change: Change) -> str:
    return f"{subjects.status(change.client_id, status.hash)}.{change.revision}"


def _row(name: str, kind: OutboxKind, client: str, message: Work | GenerationStatus, now: float) -> dict[str, object]:
    payload = codec.encode(message)
    return {"message_id": name, "kind": kind, "client_id": client, "payload": payload, "created_at": now}
