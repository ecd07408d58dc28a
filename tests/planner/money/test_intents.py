"""Paid calls: written down before they are made, made once, and counted as spent where nobody heard their end."""

from collections.abc import Iterator

import pytest
from msgspec import UNSET
from sqlalchemy import Engine

from agents.planner.ledger.tables import intents
from agents.planner.money.intents import close_intent, mark_silent_ambiguous, note_intent, open_intent
from protocol.errors import ErrorBody
from protocol.messages import GenerateImage, ImageGenerated, Job, JobFailed, ref_of
from protocol.spending import CloseIntent, IntentReply, NoteIntent, OpenIntent
from tests.planner.priced import PRICE, PricedWorld, priced_batch, priced_world
from tests.planner.workbench import new_engine


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    engine = new_engine(database)
    yield engine
    engine.dispose()


@pytest.fixture
def world(engine: Engine) -> PricedWorld:
    """One picture, with its generator."""
    world = priced_world(engine)
    world.start(priced_batch(1, provider="openai"))
    world.run("gen_batch_1", until=lambda batch: batch.tally.in_flight == 1)
    return world


def job_of(world: PricedWorld) -> Job:
    return next(work.job for work in world.queue.values() if isinstance(work, GenerateImage))


def opened(world: PricedWorld, job: Job, key: str = "one", micros: int = PRICE) -> IntentReply:
    call = OpenIntent(ref=ref_of(job), provider="openai", request="a" * 64, max_micros=micros, key=key)
    return world.transact(lambda c: open_intent(c, call, world.now))


def closed(world: PricedWorld, job: Job, key: str = "one", micros: int | None = 30_000) -> IntentReply:
    """Said to have cost so much; null: refused by the provider at no cost."""
    outcome = "refused" if micros is None else "captured"
    call = CloseIntent(ref=ref_of(job), key=key, outcome=outcome, micros=micros or 0, provider_reference="img_1")
    return world.transact(lambda c: close_intent(c, call, world.now))


def noted(world: PricedWorld, job: Job, reference: str, key: str = "one") -> IntentReply:
    call = NoteIntent(ref=ref_of(job), key=key, provider_reference=reference)
    return world.transact(lambda c: note_intent(c, call))


def state(world: PricedWorld) -> list[str]:
    return [row["state"] for row in world.rows(intents)]


def code(reply: IntentReply) -> str | None:
    return reply.error.code if reply.error else None


def test_a_call_is_allowed_and_allowed_again_to_the_same_caller_whose_answer_was_lost(world: PricedWorld) -> None:
    job = job_of(world)
    assert opened(world, job) == opened(world, job) == IntentReply(state="open")
    assert state(world) == ["open"]
    assert world.charged() == 0


def test_what_a_call_cost_is_charged_once_however_often_it_is_said(world: PricedWorld) -> None:
    job = job_of(world)
    opened(world, job)
    assert closed(world, job).state == closed(world, job).state == "captured"
    assert (world.charged(), world.money()[1]) == (30_000, 30_000)
    world.queue.clear()
    world.deliver(ImageGenerated(ref=ref_of(job), picture=world.pictured(job)))
    assert world.charged() == 30_000


def test_a_second_caller_makes_no_second_call_and_the_first_counts_as_charged(world: PricedWorld) -> None:
    job = job_of(world)
    opened(world, job, "one")
    assert code(opened(world, job, "two")) == "ambiguous_charge"
    assert code(opened(world, job, "three")) == "ambiguous_charge"
    assert state(world) == ["ambiguous"]
    assert (world.charged(), world.money()[1]) == (PRICE, PRICE)


def test_a_caller_that_was_only_slow_corrects_what_was_assumed_of_its_call(world: PricedWorld) -> None:
    job = job_of(world)
    opened(world, job, "one")
    opened(world, job, "two")
    assert closed(world, job, "one", 30_000).state == "resolved"
    assert closed(world, job, "one", 30_000).state == "resolved"
    assert (world.charged(), world.money()[1]) == (30_000, 30_000)
    assert code(opened(world, job, "three")) == "ambiguous_charge"


def test_a_call_that_the_provider_refused_costs_nothing_and_may_be_made_again(world: PricedWorld) -> None:
    job = job_of(world)
    opened(world, job, "one")
    assert closed(world, job, "one", None).state == "refused"
    assert opened(world, job, "two") == IntentReply(state="open")
    assert closed(world, job, "one").error is not None
    assert closed(world, job, "two", 10_000).state == "captured"
    assert world.charged() == 10_000


def test_a_call_whose_end_nobody_heard_in_time_counts_as_charged(world: PricedWorld) -> None:
    opened(world, job_of(world))
    assert world.transact(lambda c: mark_silent_ambiguous(c, world.now, world.now)) == 0
    assert world.transact(lambda c: mark_silent_ambiguous(c, world.now + 1, world.now)) == 1
    assert state(world) == ["ambiguous"]
    assert world.charged() == PRICE


def test_no_further_attempt_is_paid_for_while_the_end_of_an_earlier_one_is_unknown(world: PricedWorld) -> None:
    first = job_of(world)
    opened(world, first)
    world.queue.clear()
    error = ErrorBody(code="internal", message="the process went away", retryable=True)
    world.deliver(JobFailed(ref=ref_of(first), stage="generator", error=error))
    second = job_of(world)
    assert second.attempt == 2
    denied = opened(world, second, "two")
    assert denied.error is not None
    assert denied.error.retryable
    closed(world, first)
    assert opened(world, second, "two") == IntentReply(state="open")


def test_no_call_is_made_for_a_picture_that_is_not_wanted_any_more(world: PricedWorld) -> None:
    job = job_of(world)
    world.run("gen_batch_1")
    assert code(opened(world, job)) == "cancelled"
    assert state(world) == []


def test_a_call_that_may_cost_more_than_is_held_is_not_made(world: PricedWorld) -> None:
    assert code(opened(world, job_of(world), micros=3 * PRICE + 1)) == "exceeds_budget"


def test_money_goes_back_when_the_pictures_end_whatever_their_calls_cost(world: PricedWorld) -> None:
    job = job_of(world)
    opened(world, job)
    closed(world, job, micros=3 * PRICE + 5)
    world.run("gen_batch_1")
    assert world.money() == (0, 3 * PRICE + 5)


def test_the_providers_name_of_a_call_is_kept_while_it_runs_and_told_to_who_finds_its_end_unknown(
    world: PricedWorld,
) -> None:
    job = job_of(world)
    opened(world, job)
    assert noted(world, job, "pred_7") == noted(world, job, "pred_7") == IntentReply(state="open")
    assert code(noted(world, job, "pred_8")) == "wrong_state"
    assert code(noted(world, job, "pred_7", key="two")) == "wrong_state"

    asked = opened(world, job, key="two")
    assert code(asked) == "ambiguous_charge"
    assert (asked.state, asked.key, asked.provider_reference) == ("ambiguous", "one", "pred_7")
    assert isinstance(asked.opened_at, float)


def test_a_call_that_counts_as_charged_takes_its_name_late_and_an_end_without_one_keeps_it(world: PricedWorld) -> None:
    job = job_of(world)
    opened(world, job)
    world.transact(lambda c: mark_silent_ambiguous(c, world.now + 1, world.now))
    assert noted(world, job, "pred_7") == IntentReply(state="ambiguous")
    call = CloseIntent(ref=ref_of(job), key="one", outcome="captured", micros=10)
    assert world.transact(lambda c: close_intent(c, call, world.now)).state == "resolved"
    assert [row["provider_reference"] for row in world.rows(intents)] == ["pred_7"]
    asked = opened(world, job, key="two")
    assert (asked.state, asked.key) == ("resolved", UNSET)
