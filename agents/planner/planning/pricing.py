"""The most that a batch may cost, and how much of that is still held while it is made. Pure module.

Money is integer micro-dollars. An unknown price is null, and so is every figure that would follow from it.
"""

from dataclasses import dataclass, replace

from protocol.errors import Refused
from protocol.messages import ModelInfo
from protocol.money import cents, device_cost

LOCAL_PROVIDER = "local"
"""The provider whose pictures cost device seconds; every other one names its price."""


@dataclass(frozen=True)
class Price:
    """Of one attempt: what is to be expected, and what is held for it."""

    expected: int | None
    highest: int | None


@dataclass(frozen=True)
class Hold:
    """A reservation: all that was ever held for a batch, what its attempts cost, what was released."""

    amount: int
    settled: int = 0
    released: int = 0

    @property
    def remaining(self) -> int:
        """What is still held; attempts that cost more than was held leave nothing."""
        return max(0, self.amount - self.settled - self.released)


def price_of(model: ModelInfo, price_per_hour: float | None, max_seconds: float) -> Price:
    """The price of one attempt: a provider's own, or measured device seconds at the device's price in dollars per hour.
    While nothing was measured, `max_seconds` are held and nothing is expected."""
    if model.provider != LOCAL_PROVIDER:
        return Price(model.price_micros, model.price_micros)
    if model.seconds_per_image is None:
        return Price(None, device_cost(max_seconds, price_per_hour))
    expected = device_cost(model.seconds_per_image, price_per_hour)
    return Price(expected, expected)


def highest_cost(quantity: int, max_attempts: int, highest: int | None) -> int | None:
    """The most that `quantity` pictures may cost, all attempts used; null where an attempt has no price."""
    return None if highest is None else quantity * max_attempts * highest


def settle_hold(hold: Hold, spent: int, needed: int) -> Hold:
    """The hold after `spent` in all, when the pictures that have not ended may need `needed` at the most.

    It never grows, and it stays at or above what is needed as long as no attempt costs more than its highest price.
    """
    after = replace(hold, settled=spent)
    return replace(after, released=after.released + max(0, after.remaining - needed))


def over_budget_refusal(cost: int, left: int) -> Refused:
    """The refusal of a batch that may cost more than what is left of a budget."""
    return Refused(
        "exceeds_budget",
        f"Generation cost ({cents(cost)}) exceeds budget ({cents(max(0, left))})",
        hint="the cost counts every attempt at its highest price: lower quantity or max_attempts, or raise the budget",
    )


def unknown_cost_refusal(provider: str) -> Refused:
    """The refusal of a batch under a budget whose attempts a provider makes at a price that nobody knows."""
    return Refused(
        "exceeds_budget",
        f"the price of {provider} is not known, so no budget can be kept",
        hint="ask for another platform, or leave out budget",
    )
