"""Money: nothing is spent beyond a limit, each attempt is charged once, and what was not needed is given back."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
import sqlalchemy as sa
from msgspec import UNSET
from sqlalchemy import Connection, Engine

from agents.planner.ledger.batches import Batch
from agents.planner.ledger.states import BatchState, ChargeKind
from agents.planner.ledger.tables import audit, batches, clients
from agents.planner.money.charges import charge, count_unpaid
from agents.planner.planning.pricing import BUDGET_USED_UP
from agents.planner.requests.replies import plan_reply
from agents.planner.scheduling.window import Window
from agents.planner.transitions import accept, client_commands
from agents.shared.database.engine import open_engine
from agents.shared.database.group_commit import GroupCommit
from protocol.commands import Cancel, Retry
from protocol.errors import AcpError
from protocol.messages import GenerateImage, ScoreImage, ref_of
from tests.planner.priced import PRICE, PricedWorld, priced_batch, priced_world
from tests.planner.workbench import new_batch, new_engine

RACES = int(os.environ.get("BUDGET_RACES", "50"))
"""`make races` runs 1,000."""

RIVALS = 10
ROOM_FOR = 5


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    engine = new_engine(database)
    yield engine
    engine.dispose()


@pytest.fixture
def world(engine: Engine) -> PricedWorld:
    return priced_world(engine)


def refusal(world: PricedWorld, batch: Batch) -> str:
    """The words in which a batch is refused."""
    with pytest.raises(AcpError) as caught:
        world.start(batch)
    assert caught.value.code == "exceeds_budget"
    return caught.value.body.message


def test_the_highest_cost_is_held_from_the_start_and_only_what_was_spent_stays_at_the_end(world: PricedWorld) -> None:
    world.start(priced_batch(4))
    assert world.money() == (4 * 3 * PRICE, 0)
    world.run("gen_batch_1")
    assert world.money() == (0, world.charged())
    assert 0 < world.charged() <= 4 * PRICE
    assert world.open_reservations() == 0


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_lost_or_repeated_each_attempt_is_charged_once_and_the_limit_holds_throughout(
    engine: Engine, seed: int
) -> None:
    world = priced_world(engine, seed, loses=0.1, repeats=0.3, rejects=0.4, breaks=0.1)
    limit = 10 * 3 * PRICE
    world.limit(limit)
    world.start(priced_batch(10))

    def look(_: Batch) -> bool:
        assert sum(world.money()) <= limit
        return False

    batch = world.run("gen_batch_1", until=look)
    timed = [row for row in world.attempts() if row["cost_micros"] is not None]
    assert world.money() == (0, sum(row["cost_micros"] for row in timed))
    assert world.charged() == batch.tally.cost_micros == world.money()[1]


def test_a_batch_over_its_own_budget_is_refused_in_cents_and_leaves_nothing_behind(world: PricedWorld) -> None:
    assert refusal(world, priced_batch(10, budget=1.19)) == "Generation cost (120¢) exceeds budget (119¢)"
    assert world.rows(batches) == world.rows(clients) == []
    world.start(priced_batch(10, budget=1.20))
    assert world.money() == (1_200_000, 0)


def test_pictures_that_cost_more_than_was_held_end_their_batch_before_its_budget_is_exceeded(engine: Engine) -> None:
    world = priced_world(engine, rejects=0.4)
    world.window, world.dear = Window(1), 4
    world.start(priced_batch(10, budget=1.20))
    batch = world.run("gen_batch_1")
    assert 1_200_000 - 4 * PRICE < world.charged() <= 1_200_000
    assert world.money() == (0, world.charged())
    assert batch.state == BatchState.CANCELLED
    assert batch.tally.completed + batch.tally.failed + batch.tally.cancelled == 10
    assert batch.tally.completed
    assert "budget_used_up" in [row["what"] for row in world.rows(audit)]
    assert world.refused(Retry(hash=batch.hash)).code == "wrong_state"


def test_a_batch_that_its_budget_ended_says_so_in_its_status_its_pictures_and_the_refusal_of_a_retry(
    world: PricedWorld,
) -> None:
    world.window, world.dear = Window(1), 12
    world.start(priced_batch(3, budget=0.48))
    batch = world.run("gen_batch_1")
    told = batch.status.generation_status
    assert (told.state, told.completed, told.cancelled, told.error) == ("cancelled", 1, 2, BUDGET_USED_UP)
    assert world.statuses[-1].error == BUDGET_USED_UP
    assert [image.error for image in world.images()] == [None, BUDGET_USED_UP, BUDGET_USED_UP]
    refused = world.refused(Retry(hash=batch.hash))
    assert "its budget is used up" in refused.message
    assert refused.hint == BUDGET_USED_UP.hint


def test_a_batch_that_its_client_cancelled_says_nothing_of_a_budget(world: PricedWorld) -> None:
    world.start(priced_batch(3, budget=0.48))
    world.steer(Cancel(hash="gen_batch_1", what="pending"))
    batch = world.run("gen_batch_1")
    assert (batch.status.generation_status.error, batch.tally.cancelled) == (UNSET, 3)
    assert {image.error for image in world.images()} == {None}
    assert "a cancelled batch" in world.refused(Retry(hash=batch.hash)).message


def handed_out(world: PricedWorld, quantity: int, budget: float) -> Batch:
    """A batch whose pictures are all with generators."""
    world.start(priced_batch(quantity, budget=budget))
    return world.run("gen_batch_1", until=lambda batch: batch.tally.in_flight == quantity)


def handle(world: PricedWorld, kind: type[GenerateImage] | type[ScoreImage], *indices: int) -> None:
    """Generate or judge pictures, and let the planner hear of it."""
    for subject, message in list(world.queue.items()):
        if isinstance(message, kind) and message.job.index in indices:
            world.act(world.queue.pop(subject))
    while world.inbox:
        world.deliver(world.inbox.pop(0))


def test_a_rejected_picture_is_not_made_again_with_the_money_of_attempts_in_flight(engine: Engine) -> None:
    world = priced_world(engine, rejects=1.1)
    world.dear = 3
    handed_out(world, 2, budget=0.24)
    handle(world, GenerateImage, 0)
    handle(world, ScoreImage, 0)
    assert len(world.attempts()) == 2
    world.run("gen_batch_1")
    assert world.charged() == 240_000


def test_pictures_in_flight_that_are_paid_already_keep_no_other_from_another_attempt(engine: Engine) -> None:
    world = priced_world(engine, rejects=1.1)
    world.dear = 2
    handed_out(world, 3, budget=0.36)
    handle(world, GenerateImage, 0, 1, 2)
    handle(world, ScoreImage, 0)
    assert len(world.attempts()) == 4
    handle(world, ScoreImage, 1, 2)
    assert len(world.attempts()) == 4
    world.run("gen_batch_1")
    assert world.charged() == 320_000


def test_an_attempt_that_its_provider_charged_before_its_pixels_came_is_paid(world: PricedWorld) -> None:
    batch = handed_out(world, 3, budget=0.36)
    ref = ref_of(world.jobs_made()[1])
    world.transact(lambda c: charge(c, batch, ref, "openai", ChargeKind.PROVIDER, PRICE, world.now))
    assert world.transact(lambda c: count_unpaid(c, batch.hash, besides=0)) == 1


@pytest.mark.parametrize("seed", range(4))
def test_no_order_of_events_spends_more_than_a_budget_whose_attempts_cost_as_much_as_those_before(
    engine: Engine, seed: int
) -> None:
    world = priced_world(engine, seed, rejects=0.7)
    world.dear = 2
    world.start(priced_batch(6, budget=0.72))
    world.run("gen_batch_1")
    assert world.charged() <= 720_000


def test_a_rejected_picture_is_not_made_again_where_the_budget_pays_for_no_further_attempt(engine: Engine) -> None:
    world = priced_world(engine, rejects=1.1)
    world.dear = 3
    world.start(priced_batch(1, budget=0.12))
    assert world.run("gen_batch_1").tally.failed == 1
    assert len(world.attempts()) == 1
    (image,) = world.images()
    assert image.error
    assert (image.error.code, image.error.path) == ("exceeds_budget", "$.budget.amount")


def test_a_client_gets_no_more_than_its_limit_over_all_its_batches(world: PricedWorld) -> None:
    world.limit(2_000_000)
    world.start(priced_batch(10, name="gen_first"))
    assert refusal(world, priced_batch(10, name="gen_second")) == "Generation cost (120¢) exceeds budget (80¢)"
    world.run("gen_first")
    world.start(priced_batch(10, name="gen_second"))
    assert world.money()[0] == 1_200_000


def test_cancelling_gives_back_at_once_what_was_not_handed_out(world: PricedWorld) -> None:
    world.start(priced_batch(100))
    begun = world.run("gen_batch_1", until=lambda batch: batch.tally.completed >= 3)
    world.follow(
        world.transact(
            lambda c: client_commands.apply_batch_command(
                c, begun, Cancel(hash=begun.hash, what="pending"), world.window, world.now
            )
        )
    )
    assert world.money()[0] <= begun.tally.in_flight * 3 * PRICE
    world.run("gen_batch_1")
    assert world.money() == (0, world.charged())


def test_failed_pictures_are_tried_again_only_if_their_money_can_be_held(world: PricedWorld) -> None:
    world.breaks = 2.0
    world.limit(2 * 3 * PRICE)
    world.start(priced_batch(2))
    failed = world.run("gen_batch_1", until=lambda batch: batch.tally.failed == 2)
    assert world.money() == (0, 0)
    world.start(priced_batch(1, name="gen_other"))
    again = Retry(hash=failed.hash)
    with pytest.raises(AcpError, match="exceeds budget"):
        world.transact(lambda c: client_commands.apply_batch_command(c, failed, again, world.window, world.now))
    world.run("gen_other", until=lambda batch: batch.tally.failed == 1)
    world.breaks = 0.0
    failed = world.load("gen_batch_1")
    world.follow(
        world.transact(lambda c: client_commands.apply_batch_command(c, failed, again, world.window, world.now))
    )
    assert world.money() == (2 * 3 * PRICE, 0)
    world.run("gen_batch_1")
    assert world.money() == (0, world.charged())


def test_a_held_plan_that_expires_gives_its_money_back(world: PricedWorld) -> None:
    held = priced_batch(5)
    held.state, held.approval, held.expires_at = BatchState.HELD, "token", 100.0
    world.start(held)
    assert world.money()[0] == 5 * 3 * PRICE
    world.transact(lambda c: client_commands.expire_batches(c, world.window, 101.0))
    assert world.money() == (0, 0)


def test_pictures_without_a_price_hold_nothing_and_cost_null(world: PricedWorld) -> None:
    world.limit(0)
    unpriced = new_batch(3)
    world.start(unpriced)
    assert world.money() == (0, 0)
    assert plan_reply(unpriced, [], 1).generation_plan.estimated_cost is None


def test_a_suspended_client_is_refused(world: PricedWorld) -> None:
    world.limit(None, state="suspended")
    with pytest.raises(AcpError) as caught:
        world.start(priced_batch(1))
    assert caught.value.code == "suspended"


def test_the_audit_log_tells_what_was_asked_how_it_ended_and_where_the_money_went(world: PricedWorld) -> None:
    world.start(priced_batch(2))
    world.run("gen_batch_1")
    told = [row["what"] for row in world.rows(audit) if row["what"] != "picture_rejected"]
    assert told == ["reserved", "accepted", "picture_completed", "picture_completed", "completed", "settled"]


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_of_ten_commands_at_once_on_a_budget_for_five_never_more_than_five_are_admitted(
    engine: Engine, database: str
) -> None:
    """Each command comes through a connection of its own, as from as many planners."""
    async with AsyncExitStack() as stack:
        engines = [open_engine(database) for _ in range(RIVALS)]
        for each in engines:
            stack.callback(each.dispose)
        ledgers = [await stack.enter_async_context(GroupCommit(each)) for each in engines]
        for race in range(RACES):
            client = f"client_{race}"
            await ledgers[0].write(lambda connection, client=client: _client(connection, client))
            outcomes = await asyncio.gather(
                *(ledger.write(_command(client, race, number)) for number, ledger in enumerate(ledgers)),
                return_exceptions=True,
            )
            refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
            assert all(isinstance(error, AcpError) and error.code == "exceeds_budget" for error in refused), refused
            assert len(outcomes) - len(refused) == ROOM_FOR
            held = await ledgers[0].read(lambda connection, client=client: _held(connection, client))
            assert held == ROOM_FOR * 3 * PRICE


def _client(connection: Connection, name: str) -> None:
    limit = ROOM_FOR * 3 * PRICE + PRICE
    row = {"client_id": name, "state": "active", "limit_micros": limit, "held_micros": 0, "spent_micros": 0}
    connection.execute(sa.insert(clients).values(**row, weight=1, created_at=0.0, updated_at=0.0))


def _held(connection: Connection, name: str) -> int:
    return connection.execute(sa.select(clients.c.held_micros).where(clients.c.client_id == name)).scalar_one()


def _command(client: str, race: int, number: int):
    def write(connection: Connection) -> str:
        batch = priced_batch(1, name=f"gen_{race}_{number}", client=client)
        accepted, _ = accept.accept(connection, batch, None, "payload", Window(4), 1.0)
        return accepted.hash

    return write
