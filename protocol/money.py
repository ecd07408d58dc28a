"""Money: integer micro-dollars everywhere, dollars and cents for people only. Pure module."""

MICROS_PER_DOLLAR = 1_000_000
MICROS_PER_CENT = 10_000
SECONDS_PER_HOUR = 3600


def micros(dollars: float) -> int:
    """Micro-dollars of an amount in dollars, to the nearest."""
    return round(dollars * MICROS_PER_DOLLAR)


def dollars(amount: int) -> float:
    """An amount in dollars, for replies."""
    return amount / MICROS_PER_DOLLAR


def cents(amount: int) -> str:
    """An amount as people read it, exactly: `12¢`, `0.0417¢`."""
    whole, rest = divmod(abs(amount), MICROS_PER_CENT)
    fraction = f".{rest:04d}".rstrip("0").rstrip(".")
    return f"{'-' if amount < 0 else ''}{whole}{fraction}¢"


def device_cost(seconds: float, price_per_hour: float | None) -> int | None:
    """What `seconds` of a device cost, in micro-dollars; null where no price in dollars per hour is set."""
    if price_per_hour is None:
        return None
    return round(seconds * price_per_hour * MICROS_PER_DOLLAR / SECONDS_PER_HOUR)
