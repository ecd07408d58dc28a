"""What pictures cost, from the journal of charges: a page of groups and their total, with one statement.

Money is summed in integer micro-dollars and reported in dollars. Spend and audit are kept for good, so the answer about
a past span stays the same when its batches are forgotten.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from agents.planner.ledger.states import ChargeKind
from agents.planner.ledger.tables import audit, clients, spend
from agents.planner.planning.time_limits import epoch_seconds
from protocol.accounts import Charges, CostGroup, CostReport, CostsBody
from protocol.commands import Costs
from protocol.errors import BadCommand
from protocol.money import dollars
from protocol.operator import ShowCosts
from protocol.parameters import CostsBy

_EPOCH = date(1970, 1, 1)
_DAY_MICROSECONDS = 86_400_000_000

_KEYS: dict[CostsBy, sa.ColumnElement[Any]] = {
    "provider": spend.c.provider,
    "model": spend.c.model,
    # Whole microseconds, because PostgreSQL rounds and SQLite cuts where a fraction becomes a whole number.
    "day": sa.cast(spend.c.at * 1_000_000, sa.BigInteger) // _DAY_MICROSECONDS,
    "batch": spend.c.hash,
}

_later_charge = spend.alias("later")
_completion_note = audit.alias("ended")
_COMPLETED = sa.exists().where(
    _completion_note.c.hash == spend.c.hash,
    _completion_note.c.index == spend.c.index,
    _completion_note.c.what == "picture_completed",
)
_TRIED_AGAIN = sa.exists().where(
    _later_charge.c.hash == spend.c.hash,
    _later_charge.c.index == spend.c.index,
    _later_charge.c.attempt > spend.c.attempt,
)
_ATTEMPT = spend.c.kind != ChargeKind.CORRECTION
"""A correction belongs to an attempt that has a charge already."""
_ZERO, _ONE = sa.literal_column("0", sa.Integer), sa.literal_column("1", sa.Integer)


def report(connection: Connection, client: str, asked: Costs | ShowCosts) -> CostReport:
    """What the pictures of one client cost, as it or the operator asks.

    Raises:
        BadCommand: the span ends before it begins.
    """
    if asked.since is not None and asked.until is not None and asked.since >= asked.until:
        raise BadCommand(
            "invalid_value",
            f"the span ends at {asked.until.isoformat()} and begins at {asked.since.isoformat()}",
            path="$.until",
            hint="name a later time, or leave it out for now",
        )
    rows = connection.execute(_page_query(client, asked)).mappings().all()
    return CostReport(costs=_body(client, asked, rows))


def _page_query(client: str, asked: Costs | ShowCosts) -> sa.Select[Any]:
    """A row for each group of the page, beside the total and the client; one row without a group where it has none.

    Completed pictures are rows of their own beside the charges: as a condition on rows, and not on a column, PostgreSQL
    joins them where it would look each up.
    """
    wanted = [spend.c.client_id == client]
    if (since := epoch_seconds(asked.since)) is not None:
        wanted.append(spend.c.at >= since)
    if (until := epoch_seconds(asked.until)) is not None:
        wanted.append(spend.c.at < until)
    if asked.hash is not None:
        wanted.append(spend.c.hash == asked.hash)
    name = _KEYS[asked.by].label("name")
    attempt = sa.case((_ATTEMPT, 1), else_=0)
    told = sa.union_all(
        sa.select(name, spend.c.micros, attempt.label("attempts"), _ZERO.label("completed")).where(*wanted),
        sa.select(name, _ZERO, _ZERO, _ONE).where(*wanted, _ATTEMPT, _COMPLETED, ~_TRIED_AGAIN),
    ).subquery("told")
    groups = sa.select(told.c.name, *_sums(told)).group_by(told.c.name).cte("groups")
    total = sa.select(sa.func.count().label("groups"), *_sums(groups, "total_")).subquery("total")
    order = groups.c.name.desc() if asked.by == "day" else groups.c.micros.desc()
    shown = sa.select(groups).order_by(order, groups.c.name).offset(asked.first).limit(asked.count).subquery("shown")
    order = shown.c.name.desc() if asked.by == "day" else shown.c.micros.desc()
    return (
        sa.select(total, shown, clients.c.limit_micros, clients.c.held_micros, clients.c.spent_micros)
        .select_from(total.outerjoin(clients, clients.c.client_id == client).outerjoin(shown, sa.true()))
        .order_by(order, shown.c.name)
    )


def _sums(rows: sa.FromClause, prefix: str = "") -> list[sa.Label[Any]]:
    return [sa.func.sum(rows.c[name]).label(prefix + name) for name in ("micros", "attempts", "completed")]


def _body(client: str, asked: Costs | ShowCosts, rows: Sequence[RowMapping]) -> CostsBody:
    first = rows[0]
    groups = [
        CostGroup(
            name=_group_name(row["name"], asked.by),
            charges=_charges(row["micros"], row["attempts"], row["completed"]),
        )
        for row in rows
        if row["micros"] is not None
    ]
    following = asked.first + len(groups)
    limit, held, spent = first["limit_micros"], first["held_micros"] or 0, first["spent_micros"] or 0
    return CostsBody(
        client_id=client,
        since=asked.since.isoformat() if asked.since else None,
        until=asked.until.isoformat() if asked.until else None,
        hash=asked.hash,
        by=asked.by,
        groups=groups,
        next=following if groups and following < first["groups"] else None,
        total=_charges(first["total_micros"], first["total_attempts"], first["total_completed"]),
        limit=None if limit is None else dollars(limit),
        spent=dollars(spent),
        held=dollars(held),
        left=None if limit is None else dollars(max(0, limit - held - spent)),
    )


def _charges(micros: int | None, attempts: int | None, completed: int | None) -> Charges:
    """Sums as the database has them: PostgreSQL's are of a type of their own, those of no rows are null."""
    pictures = int(completed or 0)
    return Charges(
        cost=None if micros is None else dollars(int(micros)),
        attempts=int(attempts or 0),
        completed=pictures,
        cost_per_image=None if micros is None or not pictures else dollars(round(int(micros) / pictures)),
    )


def _group_name(key: Any, by: CostsBy) -> str | None:
    return (_EPOCH + timedelta(days=int(key))).isoformat() if by == "day" else key
