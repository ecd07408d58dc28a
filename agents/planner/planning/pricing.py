"""The most that a batch may cost, and how much of that is still held while it is made. Pure module.

Money is integer micro-dollars. An unknown price is null, and so is every figure that would follow from it.
"""

from dataclasses import dataclass, replace
from math import ceil

from protocol.counts import format_count
from protocol.errors import ErrorBody, Refused
from protocol.messages import ModelInfo
from protocol.money import cents, device_cost, micros
from protocol.parameters import Budget

LOCAL_PROVIDER = "local"
"""The provider whose pictures cost device seconds; every other one names its price."""

HOLD_MARGIN = 2
"""Times the measured seconds that are held for an attempt: one may take longer than those before it, because others
share the device."""

BUDGET_USED_UP = ErrorBody(
    code="exceeds_budget",
    message="the budget is used up: pictures cost more than was held for them, and what is left pays no further one",
    path="$.budget.amount",
    hint="send a new command with a higher budget for what is missing",
)
"""Why a picture is not made, or not made again, and what then ended its batch."""


@dataclass(frozen=True)
class Price:
    """Of one attempt: what is to be expected, and what is held for it."""

    expected: int | None
    highest: int | None


@dataclass(frozen=True)
class HighestCost:
    """The most that pictures may cost: each of them all its `attempts`, each attempt `highest`. `expected` of a picture
    that needs one attempt is null before a measurement; `provider` names the price where it is not this workshop's."""

    pictures: int
    attempts: int
    highest: int
    expected: int | None
    provider: str

    @property
    def total(self) -> int:
        """What is held for them."""
        return self.pictures * self.attempts * self.highest

    def describe(self) -> str:
        """How the hold is made, in words."""
        if self.provider != LOCAL_PROVIDER:
            each = f"the price of {self.provider}"
        elif self.expected is None:
            each = "the time of BOTTEGA_MAX_SECONDS_PER_IMAGE, since none was measured yet"
        else:
            each = f"{HOLD_MARGIN} times what was measured"
        pictures, attempts = format_count(self.pictures, "picture"), format_count(self.attempts, "attempt")
        hold = f"the cost is a hold of {pictures} x {attempts} x {cents(self.highest)} ({each})"
        if self.expected is not None:
            hold += f", of which about {cents(self.pictures * self.expected)} is expected"
        return f"{hold}; what is not needed is given back"


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
    """The price of one attempt: a provider's own, or measured device seconds at the device's price in dollars per hour,
    held with a margin. While nothing was measured, `max_seconds` are held and nothing is expected."""
    if model.provider != LOCAL_PROVIDER:
        return Price(model.price_micros, model.price_micros)
    if model.seconds_per_image is None:
        return Price(None, device_cost(max_seconds, price_per_hour))
    seconds = model.seconds_per_image
    return Price(device_cost(seconds, price_per_hour), device_cost(HOLD_MARGIN * seconds, price_per_hour))


def check_budget(budget: Budget | None, cost: HighestCost | None, provider: str, used: int = 0) -> None:
    """See that a command's budget can be kept, of which `used` is spent or held already; null costs are not known.

    Raises:
        Refused: `exceeds_budget`; `unpriced` where no price is known and the budget does not allow that.
    """
    if budget is None:
        return
    if cost is None:
        if budget.unpriced != "allow":
            raise unpriced_refusal(provider)
        return
    left = micros(budget.amount) - used
    if cost.total > left:
        lower = "Lower requirements.quantity or max_attempts, or raise the budget"
        raise _over_budget_refusal(cost, left, lower, path="$.budget.amount")


def settle_hold(hold: Hold, spent: int, needed: int) -> Hold:
    """The hold after `spent` in all, when the pictures that have not ended may need `needed` at the most.

    It never grows, and it stays at or above what is needed as long as no attempt costs more than its highest price.
    """
    after = replace(hold, settled=spent)
    return replace(after, released=after.released + max(0, after.remaining - needed))


def affordable_attempts(
    budget: Budget | None, highest: int | None, spent: int, costed: int, in_flight: int = 0
) -> int | None:
    """How many attempts a budget surely pays beside those in flight, when `costed` attempts have `spent` so much; null
    where it bounds none. It is below what was planned only where attempts cost more than their highest price."""
    if budget is None or not highest:
        return None
    each = max(highest, ceil(spent / costed) if costed else 0)
    return max(0, (micros(budget.amount) - spent) // each - in_flight)


def over_limit_refusal(cost: HighestCost, limit: int, held: int, spent: int) -> Refused:
    """The refusal of pictures that may cost more than what a client has left of its limit."""
    others = f"Of the client's limit of {cents(limit)}, {cents(held)} is held for batches and {cents(spent)} was spent"
    lower = "wait for their end, cancel what waits for approval, or lower requirements.quantity or max_attempts"
    return _over_budget_refusal(cost, limit - held - spent, f"{others}: {lower}")


def unpriced_refusal(provider: str, *, limited: bool = False) -> Refused:
    """The refusal of pictures that nobody knows the price of under a budget, or for a client that is `limited`."""
    if limited:
        said, hint = "limit of this client", "ask for another platform, or whoever runs the workshop for no limit"
        return Refused("unpriced", f"the price of {provider} is not known, so the {said} cannot be kept", hint=hint)
    allow = 'to run without one: "unpriced": "allow" beside its amount'
    if provider == LOCAL_PROVIDER:
        return Refused(
            "unpriced",
            "no price is set for this workshop's device, so a budget cannot be kept",
            path="$.budget",
            hint=f"set BOTTEGA_GPU_PRICE_PER_HOUR in dollars, 0 where it costs nothing; or {allow}",
        )
    return Refused(
        "unpriced",
        f"the price of {provider} is not known, so a budget cannot be kept",
        path="$.budget",
        hint=f"ask for another platform; or {allow}",
    )


def _over_budget_refusal(cost: HighestCost, left: int, what_helps: str, path: str | None = None) -> Refused:
    return Refused(
        "exceeds_budget",
        f"Generation cost ({cents(cost.total)}) exceeds budget ({cents(max(0, left))})",
        path=path,
        hint=f"{cost.describe()}. {what_helps}",
    )
