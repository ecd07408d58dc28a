"""The journal of what attempts cost. Each cost is counted once, however often it is reported."""

import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.ledger.batches import Batch
from agents.planner.ledger.states import IN_FLIGHT_JOB_STATES, ChargeKind, JobStage
from agents.planner.ledger.tables import jobs, spend
from agents.shared.database.insert_once import insert_once
from protocol.messages import JobRef

_ADD = insert_once(spend)
_CHARGED = sa.exists().where(
    spend.c.hash == jobs.c.hash, spend.c.index == jobs.c.index, spend.c.attempt == jobs.c.attempt
)
_UNPAID = (
    sa.select(sa.func.count())
    .select_from(jobs)
    .where(
        jobs.c.hash == sa.bindparam("of_hash"),
        jobs.c.index != sa.bindparam("of_index"),
        jobs.c.state.in_(IN_FLIGHT_JOB_STATES),
        jobs.c.stage == JobStage.GENERATOR,
        ~_CHARGED,
    )
)


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


def count_unpaid(connection: Connection, batch: str, *, besides: int) -> int:
    """How many attempts in flight may still cost something, `besides` that at one picture. An attempt costs nothing
    more once its pixels exist, or its provider charged it."""
    return connection.execute(_UNPAID, {"of_hash": batch, "of_index": besides}).scalar_one()
