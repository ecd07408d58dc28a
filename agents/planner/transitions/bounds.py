"""How much of the ledger one client may have: what is refused before it is written. Runs inside the transaction that
accepts a plan, so that no two that come at once get past it."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.ledger.batches import Batch
from agents.planner.ledger.states import ACTIVE_BATCH_STATES, BatchState
from agents.planner.ledger.tables import batches, clients
from protocol.errors import Unavailable


@dataclass(frozen=True)
class Bounds:
    """Plans that wait for an approval and batches that have not ended, of one client; and clients that came in through
    an open door, of a workshop."""

    held_plans: int = 100
    unfinished_batches: int = 1000
    known_clients: int = 1000


def refuse_too_many(connection: Connection, batch: Batch, bounds: Bounds) -> None:
    """See that a client has room for one more batch.

    Raises:
        Unavailable: `queue_full`; what is there stays as it is.
    """
    if batch.state == BatchState.HELD and _has(connection, batch.client_id, (BatchState.HELD,), bounds.held_plans):
        raise Unavailable(
            "queue_full",
            f"{bounds.held_plans} plans of {batch.client_id} wait for an approval already",
            hint="approve or cancel some of them; a plan that nobody approves ends after an hour",
        )
    if _has(connection, batch.client_id, ACTIVE_BATCH_STATES, bounds.unfinished_batches):
        raise Unavailable(
            "queue_full",
            f"{bounds.unfinished_batches} batches of {batch.client_id} have not ended yet",
            hint="wait for some of them, or cancel them; larger batches in place of many small ones are made as soon",
        )


def refuse_more_clients(connection: Connection, bounds: Bounds) -> None:
    """See that a workshop has room for one more client that nobody created.

    Raises:
        Unavailable: `queue_full`.
    """
    known = connection.execute(sa.select(sa.func.count()).select_from(clients)).scalar_one()
    if known >= bounds.known_clients:
        raise Unavailable(
            "queue_full",
            f"{known} clients are known here, and no further one is let in by its name alone",
            hint="ask whoever runs the workshop: bottega clients create",
        )


def _has(connection: Connection, client: str, states: tuple[BatchState, ...], count: int) -> bool:
    """Whether a client has so many batches in these states."""
    found = sa.select(sa.literal(1)).where(batches.c.client_id == client, batches.c.state.in_(states))
    return connection.execute(found.offset(count - 1).limit(1)).first() is not None
