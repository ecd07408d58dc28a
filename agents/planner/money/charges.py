"""The journal of what attempts cost. Each cost is counted once, however often it is reported."""

from sqlalchemy import Connection

from agents.planner.ledger.batches import Batch
from agents.planner.ledger.states import ChargeKind
from agents.planner.ledger.tables import spend
from agents.shared.database.insert_once import insert_once
from protocol.messages import JobRef

_ADD = insert_once(spend)


def charge(
    connection: Connection, batch: Batch, ref: JobRef, provider: str, kind: ChargeKind, micros: int, now: float
) -> bool:
    """Write a cost of an attempt down and count it in the batch, which is not saved; false where it was there."""
    added = connection.execute(
        _ADD,
        {
            "client_id": batch.client_id,
            "hash": ref.hash,
            "index": ref.index,
            "attempt": ref.attempt,
            "provider": provider,
            "model": batch.recipe.pixels.model,
            "kind": kind,
            "micros": micros,
            "at": now,
        },
    ).rowcount
    if added == 1:
        batch.tally.count_cost(micros)
    return added == 1
