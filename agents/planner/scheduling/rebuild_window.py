"""The window's memory, looked up in the ledger at the start and at intervals: what an undone transaction, a suspended
client or the passing of time left in it does not last."""

from collections.abc import Iterator

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from agents.planner.ledger.tables import batches, clients
from agents.planner.ledger.unit_of_work import Books
from agents.planner.outbox.change import Change
from agents.planner.scheduling.hand_out import fill, ready_among
from agents.planner.scheduling.window import Share, Standing, Window


class _Platform(Struct):
    platform: str


class _Places(Struct):
    in_flight: int = 0
    waiting: int = 0


_platform = msgspec.json.Decoder(_Platform)
_places = msgspec.json.Decoder(_Places)

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
).where(batches.c.state == "running")
_SHARES = sa.select(clients.c.client_id, clients.c.state, clients.c.weight, clients.c.max_in_flight).where(
    sa.or_(clients.c.weight != 1, clients.c.max_in_flight.is_not(None), clients.c.state == "suspended")
)


def look(connection: Connection, window: Window, now: float) -> Change:
    """Take what the ledger says, and give away the places that are free."""
    window.survey(_standings(connection, now), _shares(connection), now)
    change, books = Change(), Books(connection)
    for platform in window.platforms:
        fill(books, platform, window, now, change)
    books.write(now)
    return change


def _standings(connection: Connection, now: float) -> Iterator[Standing]:
    for row in connection.execute(_RUNNING).all():
        name, client, priority, recipe, tally, cursor, written, quantity, not_before = row
        places = _places.decode(tally)
        early = not_before is not None and not_before > now
        ready = 0 if early else ready_among(cursor, written, quantity) + places.waiting
        yield Standing(name, client, _platform.decode(recipe).platform, priority, ready, places.in_flight)


def _shares(connection: Connection) -> dict[str, Share]:
    return {
        name: Share(weight, 0 if state == "suspended" else most)
        for name, state, weight, most in connection.execute(_SHARES)
    }
