"""Budgets: what is held for a batch is enough to the end, and all that was not needed is given back."""

import random

import pytest

from agents.planner.planning.pricing import (
    HighestCost,
    Hold,
    Price,
    affordable_attempts,
    check_budget,
    over_limit_refusal,
    price_of,
    settle_hold,
    unpriced_refusal,
)
from protocol.errors import Refused
from protocol.messages import ModelInfo
from protocol.money import cents, micros
from protocol.parameters import Budget


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
        pytest.param(model(seconds=2.0), 3.6, Price(2000, 4000), id="twice the measured seconds are held"),
        pytest.param(model(), 3.6, Price(None, 120_000), id="before a measurement the longest time is held"),
        pytest.param(model(seconds=2.0), None, Price(None, None), id="a device without a price costs nothing known"),
    ],
)
def test_the_price_of_an_attempt_is_measured_named_or_unknown(
    info: ModelInfo, per_hour: float | None, price: Price
) -> None:
    assert price_of(info, per_hour, max_seconds=120.0) == price


def cost(highest: int = 40_000, *, pictures: int = 10, expected: int | None = None, provider: str = "local"):
    return HighestCost(pictures, 3, highest, expected, provider)


def test_the_highest_cost_counts_every_attempt_at_every_picture() -> None:
    assert cost().total == 1_200_000


@pytest.mark.parametrize(
    ("known", "words"),
    [
        pytest.param(
            cost(expected=20_000),
            "a hold of 10 pictures x 3 attempts x 4¢ (2 times what was measured), of which about 20¢ is expected",
            id="measured",
        ),
        pytest.param(
            cost(pictures=1),
            "a hold of 1 picture x 3 attempts x 4¢ (the time of BOTTEGA_MAX_SECONDS_PER_IMAGE, since none was measured",
            id="not measured yet",
        ),
        pytest.param(
            cost(expected=40_000, provider="openai"),
            "a hold of 10 pictures x 3 attempts x 4¢ (the price of openai), of which about 40¢ is expected",
            id="a provider's price",
        ),
    ],
)
def test_a_hold_is_called_a_hold_and_said_how_it_is_made(known: HighestCost, words: str) -> None:
    assert words in known.describe()
    assert known.describe().endswith("what is not needed is given back")


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
    with pytest.raises(Refused) as caught:
        check_budget(Budget(amount=0.15), cost(12_500, pictures=3, expected=6_000), "local", used=micros(0.05))
    refusal = caught.value.body
    assert (refusal.code, refusal.message) == ("exceeds_budget", "Generation cost (11.25¢) exceeds budget (10¢)")
    assert refusal.path == "$.budget.amount"
    assert "a hold of 3 pictures x 3 attempts x 1.25¢" in (refusal.hint or "")


def test_what_is_left_of_a_limit_is_said_with_what_is_held_and_spent() -> None:
    refusal = over_limit_refusal(cost(pictures=1), micros(2.0), micros(1.8), micros(0.1)).body
    assert (refusal.code, refusal.message) == ("exceeds_budget", "Generation cost (12¢) exceeds budget (10¢)")
    assert "the client's limit of 200¢, 180¢ is held for batches and 10¢ was spent" in (refusal.hint or "")


@pytest.mark.parametrize(
    ("budget", "known", "provider", "code", "told"),
    [
        pytest.param(None, None, "local", None, "", id="no budget and no price"),
        pytest.param(Budget(amount=1.2), cost(), "local", None, "", id="a budget that suffices"),
        pytest.param(
            Budget(amount=1.1), cost(), "local", "exceeds_budget", "raise the budget", id="too small a budget"
        ),
        pytest.param(
            Budget(amount=9), None, "local", "unpriced", "BOTTEGA_GPU_PRICE_PER_HOUR", id="a device without a price"
        ),
        pytest.param(
            Budget(amount=9, unpriced="refuse"), None, "local", "unpriced", '"unpriced": "allow"', id="refused by name"
        ),
        pytest.param(Budget(amount=9), None, "openai", "unpriced", "another platform", id="a provider without a price"),
        pytest.param(Budget(amount=0, unpriced="allow"), None, "local", None, "", id="no price, and that is allowed"),
        pytest.param(
            Budget(amount=1.1, unpriced="allow"),
            cost(),
            "local",
            "exceeds_budget",
            "raise the budget",
            id="allowing no price does not soften one that is known",
        ),
    ],
)
def test_a_budget_is_kept_or_the_command_refused_with_what_to_set(
    budget: Budget | None, known: HighestCost | None, provider: str, code: str | None, told: str
) -> None:
    if code is None:
        check_budget(budget, known, provider)
        return
    with pytest.raises(Refused) as caught:
        check_budget(budget, known, provider)
    assert caught.value.code == code
    assert told in (caught.value.body.hint or "")
    assert (caught.value.body.path or "").startswith("$.budget")


@pytest.mark.parametrize(
    ("budget", "highest", "spent", "costed", "in_flight", "affordable"),
    [
        pytest.param(None, 4, 0, 0, 0, None, id="no budget"),
        pytest.param(Budget(amount=1e-5, unpriced="allow"), None, 0, 0, 0, None, id="no price"),
        pytest.param(Budget(amount=1e-5), 0, 0, 0, 0, None, id="at no cost"),
        pytest.param(Budget(amount=1e-5), 4, 0, 0, 0, 2, id="at the highest price"),
        pytest.param(Budget(amount=1e-5), 4, 2, 2, 1, 1, id="beside one in flight"),
        pytest.param(Budget(amount=1e-5), 4, 5, 1, 0, 1, id="at what they cost where that is more"),
        pytest.param(Budget(amount=1e-5), 4, 6, 1, 0, 0, id="not one more"),
        pytest.param(Budget(amount=1e-5), 4, 16, 2, 3, 0, id="never below none"),
    ],
)
def test_a_budget_pays_for_as_many_attempts_as_it_surely_can(
    budget: Budget | None, highest: int | None, spent: int, costed: int, in_flight: int, affordable: int | None
) -> None:
    assert affordable_attempts(budget, highest, spent, costed, in_flight) == affordable


def test_a_limit_of_a_client_is_not_kept_by_a_provider_without_a_price() -> None:
    refusal = unpriced_refusal("openai", limited=True).body
    assert (refusal.code, refusal.path) == ("unpriced", None)
    assert "limit of this client cannot be kept" in refusal.message


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0¢"), (10_000, "1¢"), (417, "0.0417¢"), (1_000_000, "100¢"), (-5_000, "-0.5¢")]
)
def test_cents_are_exact(amount: int, text: str) -> None:
    assert cents(amount) == text
