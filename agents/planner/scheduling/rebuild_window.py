"""Rebuilds the in-flight window from the ledger at start-up and periodically, so errors left by rolled-back
transactions, suspensions or expired delays do not persist."""

from collections.abc import Iterator

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from agents.planner.ledger.states import BatchState, ClientState
from agents.planner.ledger.tables import batches, clients
from agents.planner.ledger.unit_of_work import UnitOfWork
from agents.planner.outbox.change import Change
from agents.planner.scheduling.hand_out import count_fresh, fill_window
from agents.planner.scheduling.window import BatchDemand, Share, Window


class _RecipePart(Struct):
    platform: str


class _TallyCounts(Struct):
    in_flight: int = 0
    waiting: int = 0


_recipe_decoder = msgspec.json.Decoder(_RecipePart)
_tally_decoder = msgspec.json.Decoder(_TallyCounts)

_RUNNING = sa.select(
    batches.c.hash,
    batches.c.client_id,
    batches.c.priority,
    batches.c.recipe,
    batches.c.tally,
    batches.c.cursor,
    batches.c.written,
    batches.c.quantity,
    batches.c.not_before,
).where(batches.c.state == BatchState.RUNNING)
_SHARES = sa.select(clients.c.client_id, clients.c.state, clients.c.weight, clients.c.max_in_flight).where(
    sa.or_(clients.c.weight != 1, clients.c.max_in_flight.is_not(None), clients.c.state != ClientState.ACTIVE)
)


def rebuild_window(connection: Connection, window: Window, now: float) -> Change:
    """Take what the ledger says, and give away the places that are free."""
    window.replace_all(_running_demands(connection, now), _shares(connection), now)
    change, books = Change(), UnitOfWork(connection)
    for platform in window.platforms:
        fill_window(books, platform, window, now, change)
    books.write_changes(now)
    return change


def _running_demands(connection: Connection, now: float) -> Iterator[BatchDemand]:
    for row in connection.execute(_RUNNING).all():
        name, client, priority, recipe, tally, cursor, written, quantity, not_before = row
        places = _tally_decoder.decode(tally)
        early = not_before is not None and not_before > now
        ready = 0 if early else count_fresh(cursor, written, quantity) + places.waiting
        yield BatchDemand(name, client, _recipe_decoder.decode(recipe).platform, priority, ready, places.in_flight)


def _shares(connection: Connection) -> dict[str, Share]:
    return {
        name: Share(weight, most if state == ClientState.ACTIVE else 0)
        for name, state, weight, most in connection.execute(_SHARES)
    }
