"""The outbox: what a planner committed is said by the next one, at once, and what the broker has is forgotten."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from agents.planner.ledger.tables import outbox as kept
from agents.planner.outbox import outbox
from agents.planner.outbox.change import Change
from agents.planner.outbox.relay import Relay
from agents.planner.scheduling.window import Window
from agents.planner.scheduling.work_messages import prompts_request
from agents.planner.transitions import accept
from agents.shared.database.group_commit import GroupCommit
from bus.connection import Address
from protocol import subjects
from tests.planner.workbench import new_batch, new_engine
from tests.storage.making import Silent
from tests.workshop import instant_settings, served


class Broker(Silent):
    """A broker that takes all work."""

    async def publish(self, *messages: object, resend: int = 0) -> None:
        pass


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    engine = new_engine(database)
    yield engine
    engine.dispose()


def test_what_follows_from_a_change_is_kept_until_it_is_struck_out(engine: Engine) -> None:
    batch = new_batch(3)
    change = Change([prompts_request(batch)], status=batch.status, client_id="local", finished=True)
    with engine.begin() as connection:
        outbox.enqueue(connection, change, 1.0)
        outbox.enqueue(connection, change, 2.0)
        letters = dict(outbox.load_unsent(connection, 3.0))
        assert letters == {
            subjects.message_id(prompts_request(batch)): prompts_request(batch),
            "acp.v1.status.local.gen_batch_1.0": (batch.status, "local"),
        }
        assert outbox.load_unsent(connection, 1.0) == []
        outbox.delete(connection, outbox.message_ids(change))
        assert outbox.load_unsent(connection, 3.0) == []


def test_any_number_of_messages_is_struck_out_at_once(engine: Engine) -> None:
    change = Change([prompts_request(new_batch(3))])
    with engine.begin() as connection:
        outbox.enqueue(connection, change, 1.0)
        outbox.delete(connection, [f"other.{number}" for number in range(70_000)] + outbox.message_ids(change))
        assert outbox.load_unsent(connection, 2.0) == []


def test_a_transition_that_is_undone_says_nothing(engine: Engine) -> None:
    with engine.connect() as connection:
        undone = connection.begin()
        outbox.enqueue(connection, Change([prompts_request(new_batch(3))]), 1.0)
        undone.rollback()
    with engine.begin() as connection:
        assert outbox.load_unsent(connection, 2.0) == []


async def test_what_the_ledger_could_not_strike_out_is_struck_out_with_what_is_said_next(engine: Engine) -> None:
    first, second = [Change([prompts_request(new_batch(3, name=name))]) for name in ("gen_1", "gen_2")]
    with engine.begin() as connection:
        for change in (first, second):
            outbox.enqueue(connection, change, 1.0)
    async with GroupCommit(engine) as ledger:
        relay = Relay(ledger, Broker())
        with engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE outbox RENAME TO unreachable"))
        await relay.publish(first)
        await relay.delete_delivered()
        with engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE unreachable RENAME TO outbox"))
        await relay.publish(second)
        await relay.delete_delivered()
        assert await ledger.read(lambda connection: outbox.load_unsent(connection, 2.0)) == []


async def test_a_planner_says_at_its_start_what_the_one_before_it_committed_and_never_said(
    tmp_path: Path, login: Callable[[str], Address]
) -> None:
    """Nothing else would: the reconciler looks for the first time in an hour."""
    settings = instant_settings(tmp_path / "home", reconcile_s=3600, stale_s=3600)
    engine = new_engine(settings.ledger_url)
    with engine.begin() as connection:
        batch, change = accept.accept(connection, new_batch(3), "c1", "payload", Window(4), 1.0)
        outbox.enqueue(connection, change, 1.0)
    async with served(settings, login) as client, asyncio.timeout(40):
        async for status in client.watch_status("local", batch.hash):
            if status.generation_status.completed == 3:
                break
    with engine.begin() as connection:
        assert connection.execute(sa.select(kept.c.message_id)).all() == []
    engine.dispose()
