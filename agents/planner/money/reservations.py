"""Money held for batches: reserved by one conditional statement, settled and released in the transaction of the
transition that causes it, so that no crash leaves anything held.

Each function runs inside a transaction of the writer. Money is integer micro-dollars.
"""

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from agents.planner.ledger.audit import note
from agents.planner.ledger.batches import Batch
from agents.planner.ledger.states import ENDED_BATCH_STATES, ReservationState
from agents.planner.ledger.tables import clients, reservations
from agents.planner.money.clients import client_row
from agents.planner.planning.pricing import (
    LOCAL_PROVIDER,
    HighestCost,
    Hold,
    check_budget,
    over_limit_refusal,
    settle_hold,
    unpriced_refusal,
)

_OF_CLIENT = clients.c.client_id == sa.bindparam("of_client")
_AMOUNT = sa.bindparam("amount", type_=sa.BigInteger)
_RESERVE = (
    sa.update(clients)
    .where(
        _OF_CLIENT,
        sa.or_(
            clients.c.limit_micros.is_(None),
            clients.c.held_micros + clients.c.spent_micros + _AMOUNT <= clients.c.limit_micros,
        ),
    )
    .values(held_micros=clients.c.held_micros + _AMOUNT, updated_at=sa.bindparam("now"))
)
_SETTLE = (
    sa.update(clients)
    .where(_OF_CLIENT)
    .values(
        held_micros=clients.c.held_micros - sa.bindparam("freed", type_=sa.BigInteger),
        spent_micros=clients.c.spent_micros + sa.bindparam("cost", type_=sa.BigInteger),
        updated_at=sa.bindparam("now"),
    )
)
_HOLD = sa.select(reservations).where(reservations.c.hash == sa.bindparam("of_hash"))
_UPDATE_RESERVATION = sa.update(reservations).where(
    reservations.c.hash == sa.bindparam("of_hash"),
    reservations.c.settled_micros == sa.bindparam("of_settled"),
    reservations.c.released_micros == sa.bindparam("of_released"),
)


def highest_cost(batch: Batch, pictures: int) -> HighestCost | None:
    """The most that so many pictures of a batch may cost; null where an attempt has no price."""
    recipe = batch.recipe
    if recipe.highest_micros is None:
        return None
    return HighestCost(pictures, recipe.max_attempts, recipe.highest_micros, recipe.price_micros, recipe.provider)


def check_room(connection: Connection, batch: Batch) -> None:
    """See that the highest cost of a new batch could be held, and hold nothing.

    Raises:
        Refused: as `reserve`.
    """
    cost = _cost_within_budget(connection, batch)
    row = client_row(connection, batch.client_id)
    if cost is None or row is None or row["limit_micros"] is None:
        return
    if row["held_micros"] + row["spent_micros"] + cost.total > row["limit_micros"]:
        raise over_limit_refusal(cost, row["limit_micros"], row["held_micros"], row["spent_micros"])


def reserve(connection: Connection, batch: Batch, now: float) -> None:
    """Hold the highest cost of a new batch; one whose attempts have no price holds nothing.

    Raises:
        Refused: `exceeds_budget` where the batch may cost more than its own budget or what its client has left;
            `unpriced` where its cost is not known and its budget does not allow that, or its client has a limit and
            somebody else than this workshop will charge it.
    """
    cost = _cost_within_budget(connection, batch)
    if cost is None:
        return
    _hold_for_client(connection, batch.client_id, cost, now)
    connection.execute(
        sa.insert(reservations).values(
            hash=batch.hash,
            client_id=batch.client_id,
            amount_micros=cost.total,
            settled_micros=0,
            released_micros=0,
            state=ReservationState.OPEN,
        )
    )
    note(connection, "reserved", batch.client_id, now, batch.hash, micros=cost.total)


def reserve_more(connection: Connection, batch: Batch, pictures: int, now: float) -> None:
    """Hold the highest cost of further pictures of a batch, such as failed ones that are tried again.

    Raises:
        Refused: as for a new batch; the budget of the batch counts all that it spent and holds.
    """
    if not pictures:
        return
    cost = highest_cost(batch, pictures)
    if cost is None or not cost.total:
        check_budget(batch.command.budget, cost, batch.recipe.provider)
        return
    row = connection.execute(_HOLD, {"of_hash": batch.hash}).mappings().one()
    hold = _decode_hold(row)
    check_budget(batch.command.budget, cost, batch.recipe.provider, used=hold.remaining + hold.settled)
    _hold_for_client(connection, batch.client_id, cost, now)
    connection.execute(
        sa.update(reservations)
        .where(reservations.c.hash == batch.hash)
        .values(amount_micros=max(hold.amount, hold.settled + hold.released) + cost.total, state=ReservationState.OPEN)
    )
    note(connection, "reserved", batch.client_id, now, batch.hash, micros=cost.total)


def settle_reservation(connection: Connection, batch: Batch, now: float) -> None:
    """Settle what the batch's attempts cost so far and give back what its remaining pictures cannot need."""
    if batch.recipe.highest_micros is None:
        return
    row = connection.execute(_HOLD, {"of_hash": batch.hash}).mappings().first()
    if row is None:
        return
    before = _decode_hold(row)
    left = batch.quantity - batch.tally.ended_pictures
    needed = left * batch.recipe.max_attempts * batch.recipe.highest_micros
    # A completed picture that is unlike the others may be made again until its batch has ended.
    if batch.least_likeness is not None and batch.state not in ENDED_BATCH_STATES:
        completed = batch.tally.completed - batch.tally.closed
        needed += completed * (batch.recipe.max_attempts - 1) * batch.recipe.highest_micros
    after = settle_hold(before, batch.tally.cost_micros, needed)
    state = ReservationState.OPEN if left else ReservationState.CLOSED
    if after == before and state == row["state"]:
        return
    changed = connection.execute(
        _UPDATE_RESERVATION,
        {
            "of_hash": batch.hash,
            "of_settled": before.settled,
            "of_released": before.released,
            "settled_micros": after.settled,
            "released_micros": after.released,
            "state": state,
        },
    ).rowcount
    assert changed == 1, "another writer was let in"
    connection.execute(
        _SETTLE,
        {
            "of_client": batch.client_id,
            "freed": before.remaining - after.remaining,
            "cost": after.settled - before.settled,
            "now": now,
        },
    )
    if state == ReservationState.CLOSED:
        note(connection, "settled", batch.client_id, now, batch.hash, micros=after.settled, released=after.released)


def hold_of(connection: Connection, batch: str) -> Hold | None:
    """The reservation of a batch; null where it holds nothing and never did."""
    row = connection.execute(_HOLD, {"of_hash": batch}).mappings().first()
    return _decode_hold(row) if row else None


def _cost_within_budget(connection: Connection, batch: Batch) -> HighestCost | None:
    """The highest cost of a new batch, which its budget allows."""
    cost, provider = highest_cost(batch, batch.quantity), batch.recipe.provider
    check_budget(batch.command.budget, cost, provider)
    if cost is None and provider != LOCAL_PROVIDER:
        row = client_row(connection, batch.client_id)
        if row is not None and row["limit_micros"] is not None:
            raise unpriced_refusal(provider, limited=True)
    return cost


def _hold_for_client(connection: Connection, client: str, cost: HighestCost, now: float) -> None:
    changed = connection.execute(_RESERVE, {"of_client": client, "amount": cost.total, "now": now}).rowcount
    if changed != 1:
        row = client_row(connection, client)
        assert row is not None, "a batch without a client"
        raise over_limit_refusal(cost, row["limit_micros"], row["held_micros"], row["spent_micros"])


def _decode_hold(row: RowMapping) -> Hold:
    return Hold(row["amount_micros"], row["settled_micros"], row["released_micros"])
