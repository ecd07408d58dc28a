"""The journal of what attempts cost: each cost once, whoever tells of it how often."""

from typing import Literal

from sqlalchemy import Connection

from agents.planner.ledger.batches import Batch
from agents.planner.ledger.tables import spend
from agents.shared.database.insert_once import insert_once
from protocol.messages import JobRef

ChargeKind = Literal["gpu", "provider", "correction"]
"""Device seconds; a provider's charge; the difference to a charge that was first taken to be the highest."""

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
        batch.tally.cost_micros += micros
        batch.tally.costed += 1
    return added == 1
