"""Budgets: what is held for a batch is enough to the end, and all that was not needed is given back."""

import random

import pytest

from agents.planner.planning.pricing import Hold, Price, highest_cost, over_budget_refusal, price_of, settle_hold
from protocol.messages import ModelInfo
from protocol.money import cents, micros


def model(provider: str = "local", *, price: int | None = None, seconds: float | None = None) -> ModelInfo:
    return ModelInfo(
        name="m", platform="m", installed=True, native_sizes=[(128, 128)], steps=20, guidance=4.0,
        guidance_range=(1.0, 9.0), sampler="Euler", negative_prompt=True, max_pixels=16384,
        provider=provider, price_micros=price, seconds_per_image=seconds,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("info", "per_hour", "price"),
    [
        pytest.param(model("openai", price=40_000), 3.6, Price(40_000, 40_000), id="a provider names its price"),
        pytest.param(model("openai"), 3.6, Price(None, None), id="or it has none"),
        pytest.param(model(seconds=2.0), 3.6, Price(2000, 2000), id="measured seconds have the device's price"),
        pytest.param(model(), 3.6, Price(None, 120_000), id="before a measurement the longest time is held"),
        pytest.param(model(seconds=2.0), None, Price(None, None), id="a device without a price costs nothing known"),
    ],
)
def test_the_price_of_an_attempt_is_measured_named_or_unknown(
    info: ModelInfo, per_hour: float | None, price: Price
) -> None:
    assert price_of(info, per_hour, max_seconds=120.0) == price


def test_the_highest_cost_counts_every_attempt_at_every_picture_and_stays_unknown_without_a_price() -> None:
    assert highest_cost(10, 3, 40_000) == 1_200_000
    assert highest_cost(10, 3, None) is None


@pytest.mark.parametrize("seed", range(50))
def test_what_is_held_suffices_for_all_that_may_come_and_is_given_back_at_the_end(seed: int) -> None:
    dice = random.Random(seed)
    quantity, attempts, price = dice.randint(1, 20), dice.randint(1, 4), dice.randint(1, 50_000)
    hold, spent = Hold(quantity * attempts * price), 0
    for picture in range(quantity):
        for attempt in range(dice.randint(0, attempts)):
            spent += dice.randint(0, price)
            before = hold
            hold = settle_hold(hold, spent, (quantity - picture) * attempts * price)
            unused = (quantity - picture) * attempts - attempt - 1
            assert unused * price <= hold.remaining <= before.remaining
        hold = settle_hold(hold, spent, (quantity - picture - 1) * attempts * price)
    assert (hold.remaining, hold.settled, hold.released) == (0, spent, hold.amount - spent)


def test_an_attempt_that_costs_more_than_was_held_is_settled_in_full_and_leaves_nothing_held() -> None:
    assert settle_hold(Hold(100), 130, 100) == Hold(100, settled=130)
    assert settle_hold(Hold(100), 130, 100).remaining == 0


def test_over_budget_is_said_in_cents() -> None:
    refusal = over_budget_refusal(micros(0.125), micros(0.10)).body
    assert (refusal.code, refusal.message) == ("exceeds_budget", "Generation cost (12.5¢) exceeds budget (10¢)")


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0¢"), (10_000, "1¢"), (417, "0.0417¢"), (1_000_000, "100¢"), (-5_000, "-0.5¢")]
)
def test_cents_are_exact(amount: int, text: str) -> None:
    assert cents(amount) == text
