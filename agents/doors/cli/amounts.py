"""Money and times as a person reads them: money is always in USD, times say that they are UTC. Pure module."""

from datetime import UTC, datetime

from protocol.counts import format_count


def describe_reused(reused: int, total: int) -> str:
    """How many pictures of a batch were returned instead of made."""
    verb = "was" if reused == 1 else "were"
    return f"{reused} of {format_count(total, 'picture')} {verb} there already (reused, no cost)"


def format_money(amount: float) -> str:
    """`0.30 USD`; to the micro-dollar where a picture costs only a few of them: `0.000417 USD`."""
    whole, fraction = f"{amount:.6f}".split(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')} USD"


def format_moment(iso: str, *, year: bool = True) -> str:
    """`2026-11-30 20:06 UTC`, or without its year, of a moment in ISO 8601."""
    moment = datetime.fromisoformat(iso)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return f"{moment.astimezone(UTC):{'%Y-' if year else ''}%m-%d %H:%M} UTC"
