"""Costs: what was charged, summed exactly, counted once, told to its client alone."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event

from agents.planner.ledger import retention
from agents.planner.ledger.tables import audit, batches, clients, spend
from agents.planner.requests import cost_report
from protocol.accounts import Charges, CostsBody
from protocol.commands import Costs
from protocol.errors import AcpError
from tests.planner.priced import PRICE, PricedWorld, priced_batch, priced_world
from tests.planner.workbench import NAME, World, new_batch

NOTHING = Charges(cost=None, attempts=0, completed=0, cost_per_image=None)
DAY = 86_400.0


@pytest.fixture
def world(engine: Engine) -> PricedWorld:
    return priced_world(engine)


def told(world: PricedWorld, client: str = "local", **asked: Any) -> CostsBody:
    """The answer to a client."""
    return world.transact(lambda c: cost_report.report(c, client, Costs(**asked))).costs


def groups(body: CostsBody) -> dict[str | None, Charges]:
    return {group.name: group.charges for group in body.groups}


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def charge(
    world: PricedWorld,
    micros: int,
    *,
    index: int = 0,
    attempt: int = 1,
    at: float = 0.0,
    client: str = "local",
    name: str = NAME,
    provider: str = "local",
    model: str | None = "pocket",
    kind: str = "gpu",
) -> None:
    """A row of the journal."""
    row = {"client_id": client, "hash": name, "index": index, "attempt": attempt, "at": at, "micros": micros}
    world.transact(lambda c: c.execute(sa.insert(spend).values(**row, provider=provider, model=model, kind=kind)))


def complete(world: PricedWorld, index: int, name: str = NAME, client: str = "local") -> None:
    """The end of a picture in the audit log."""
    row = {"at": 0.0, "client_id": client, "hash": name, "index": index, "what": "picture_completed", "detail": "{}"}
    world.transact(lambda c: c.execute(sa.insert(audit).values(**row)))


def charges(cost: float, attempts: int, completed: int, each: float | None) -> Charges:
    return Charges(cost=cost, attempts=attempts, completed=completed, cost_per_image=each)


def test_costs_are_what_attempts_were_charged_and_pictures_are_counted_once(world: PricedWorld) -> None:
    world.rejects = 0.5
    world.start(priced_batch(8))
    batch = world.run(NAME)
    body = told(world)
    assert body.total.cost == world.charged() / 1e6
    assert body.total.attempts == len(world.rows(spend)) > body.total.completed == batch.tally.completed > 0
    assert body.total.cost_per_image == round(world.charged() / batch.tally.completed) / 1e6
    for by in ("provider", "model", "day", "batch"):
        (only,) = told(world, by=by).groups
        assert only.charges == body.total
    assert [told(world, by=by).groups[0].name for by in ("provider", "model", "day", "batch")] == [
        "local",
        "pocket",
        "1970-01-01",
        NAME,
    ]


def test_what_was_not_charged_is_null_and_never_nothing(world: PricedWorld) -> None:
    assert told(world).total == NOTHING
    unpriced = World(engine=world.engine, dice=world.dice)
    unpriced.start(new_batch(3))
    assert unpriced.run(NAME).tally.completed == 3
    body = told(world)
    assert (body.total, body.groups, body.next) == (NOTHING, [], None)
    charge(world, 0)
    assert told(world).total == charges(0.0, 1, 1, 0.0)


def test_an_attempt_whose_picture_was_not_completed_has_no_cost_per_picture(world: PricedWorld) -> None:
    charge(world, 300)
    assert told(world).total == charges(0.0003, 1, 0, None)


def test_each_group_has_its_own_sums_and_the_dearest_is_first(world: PricedWorld) -> None:
    charge(world, 100, provider="local", model="pocket")
    charge(world, 900, index=1, provider="acme", model="fast", kind="provider")
    charge(world, 500, index=2, provider="acme", model="fine", kind="provider")
    charge(world, 400, index=3, provider="acme", model=None, kind="provider")
    for index in (0, 1):
        complete(world, index)
    by_provider = told(world)
    assert groups(by_provider) == {"acme": charges(0.0018, 3, 1, 0.0018), "local": charges(0.0001, 1, 1, 0.0001)}
    assert by_provider.total == charges(0.0019, 4, 2, 0.00095)
    by_model = [(group.name, group.charges.cost) for group in told(world, by="model").groups]
    assert by_model == [("fast", 0.0009), ("fine", 0.0005), (None, 0.0004), ("pocket", 0.0001)]


def test_a_picture_counts_where_its_last_attempt_was_charged(world: PricedWorld) -> None:
    charge(world, 100, attempt=1, provider="dear", at=1.0)
    charge(world, 100, attempt=2, provider="cheap", at=2 * DAY)
    complete(world, 0)
    counted = {name: (one.attempts, one.completed) for name, one in groups(told(world)).items()}
    assert counted == {"dear": (1, 0), "cheap": (1, 1)}
    assert told(world, until=moment(DAY)).total.completed == 0
    assert told(world, since=moment(DAY)).total.completed == 1


def test_a_correction_changes_the_cost_and_is_no_attempt(world: PricedWorld) -> None:
    charge(world, 40_000, kind="provider")
    charge(world, -30_000, kind="correction")
    complete(world, 0)
    assert told(world).total == charges(0.01, 1, 1, 0.01)


def test_a_span_begins_with_its_first_moment_and_ends_before_its_last(world: PricedWorld) -> None:
    for index, at in enumerate((99.9, 100.0, 150.0, 200.0)):
        charge(world, 10**index, index=index, at=at)
    assert told(world, since=moment(100), until=moment(200)).total.cost == 110 / 1e6
    assert told(world, since=moment(100)).total.cost == 1110 / 1e6
    assert told(world, until=moment(200)).total.cost == 111 / 1e6
    assert told(world, since=moment(300)).total == NOTHING


def test_a_span_that_ends_before_it_begins_is_refused(world: PricedWorld) -> None:
    with pytest.raises(AcpError) as caught:
        told(world, since=moment(200), until=moment(200))
    assert (caught.value.code, caught.value.body.path) == ("invalid_value", "$.until")
    assert caught.value.body.hint


@pytest.mark.parametrize("midnight", [DAY, 20_778 * DAY], ids=["early", "2026"])
def test_a_day_is_from_midnight_to_midnight_utc_and_the_newest_is_first(world: PricedWorld, midnight: float) -> None:
    for index, at in enumerate((midnight - 0.001, midnight, midnight + DAY / 2, midnight + DAY - 0.001)):
        charge(world, 10**index, index=index, at=at)
    days = [(group.name, group.charges.cost) for group in told(world, by="day").groups]
    assert days == [
        (moment(midnight).date().isoformat(), 1110 / 1e6),
        (moment(midnight - 1).date().isoformat(), 1 / 1e6),
    ]


def test_a_client_sees_its_own_costs_alone(world: PricedWorld) -> None:
    charge(world, 100)
    charge(world, 7_000, name="gen_other", client="rival")
    assert told(world).total.cost == 0.0001
    assert told(world, hash="gen_other").total == NOTHING
    assert told(world, "rival").total.cost == 0.007
    assert told(world, "stranger").total == NOTHING


def test_costs_of_one_batch_leave_the_others_out(world: PricedWorld) -> None:
    charge(world, 100)
    charge(world, 200, name="gen_batch_2")
    assert told(world, hash="gen_batch_2", by="batch").total.cost == 0.0002
    assert groups(told(world, by="batch")).keys() == {NAME, "gen_batch_2"}


def test_pages_have_every_group_once_and_each_has_the_whole_total(world: PricedWorld) -> None:
    for number in range(7):
        charge(world, 100, name=f"gen_batch_{number}")
    seen: list[str | None] = []
    first: int | None = 0
    while first is not None:
        page = told(world, by="batch", first=first, count=3)
        assert page.total.cost == 0.0007
        seen += groups(page)
        first = page.next
    assert seen == [f"gen_batch_{number}" for number in range(7)]
    beyond = told(world, by="batch", first=7)
    assert (beyond.groups, beyond.next, beyond.total.cost) == ([], None, 0.0007)


def test_what_is_held_and_left_is_the_clients_at_the_moment(world: PricedWorld) -> None:
    body = told(world)
    assert (body.limit, body.held, body.spent, body.left) == (None, 0.0, 0.0, None)
    world.limit(2_000_000)
    world.start(priced_batch(10))
    begun = told(world, since=moment(1e9))
    assert (begun.limit, begun.held, begun.spent, begun.left) == (2.0, 30 * PRICE / 1e6, 0.0, 0.8)
    world.run(NAME)
    ended = told(world)
    assert (ended.held, ended.spent, ended.left) == (0.0, world.charged() / 1e6, (2_000_000 - world.charged()) / 1e6)
    world.transact(lambda c: c.execute(sa.update(clients).values(limit_micros=1)))
    assert told(world).left == 0.0


def test_what_was_made_before_models_were_written_down_has_none(world: PricedWorld) -> None:
    charge(world, 100, model=None)
    assert list(groups(told(world, by="model"))) == [None]


def test_a_batch_that_is_forgotten_leaves_its_costs_as_they_were(world: PricedWorld) -> None:
    world.rejects = 0.3
    world.start(priced_batch(6))
    world.run(NAME)
    before = told(world, by="batch")
    world.transact(lambda c: forget(c, world.now))
    assert world.rows(batches) == []
    assert told(world, by="batch") == before
    assert before.total.completed > 0


def forget(connection: Connection, now: float) -> None:
    assert retention.detach_client(connection, NAME, "local", now + 1, now)
    retention.forget_pictures(connection, NAME, 0)
    retention.forget_batch(connection, NAME)


def test_sums_are_exact_where_dollars_would_not_be(world: PricedWorld) -> None:
    for index in range(10):
        charge(world, 100_000 + index, index=index)
    assert told(world).total.cost == 1.000045


@contextmanager
def statements(engine: Engine) -> Generator[list[tuple[str, Any]]]:
    """What is said to the database about its tables, with the parameters."""
    said: list[tuple[str, Any]] = []

    def listen(_connection: object, _cursor: object, statement: str, parameters: object, *_rest: object) -> None:
        if "FROM" in statement:
            said.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", listen)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", listen)


def test_a_page_is_one_statement(world: PricedWorld) -> None:
    charge(world, 100)
    with statements(world.engine) as said:
        told(world, by="day", hash=NAME, since=moment(0))
    assert len(said) == 1


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_page_reads_no_rows_of_other_clients(world: PricedWorld) -> None:
    """And looks each picture up by an index: a million pictures would take hours else."""
    with statements(world.engine) as said:
        told(world, by="day", since=moment(0))
    ((statement, parameters),) = said
    explained = f"EXPLAIN QUERY PLAN {statement}"
    steps = world.transact(lambda c: [row.detail for row in c.exec_driver_sql(explained, parameters)])
    assert [step for step in steps if "spend_by_client (client_id=? AND at>?)" in step]
    assert [step for step in steps if "audit_by_picture (hash=? AND index=?)" in step]
    assert {step.split()[1] for step in steps if step.startswith("SCAN")} == {"told", "groups", "total", "shown"}
