"""Background work of an agent that is done again and again."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

ROUND_INTERVAL_S = 600.0
"""Pause between two rounds, unless the caller names another."""

log = structlog.get_logger()


async def run_periodically(
    run_round: Callable[[], Awaitable[None]], failure: str, interval_s: float = ROUND_INTERVAL_S
) -> None:
    """Run a round at once and then after every pause, until cancelled. A round that fails is logged as `failure`, and
    the next one tries again: a full disk or an absent broker must not end the agent."""
    while True:
        try:
            await run_round()
        except Exception:
            log.exception(failure)
        await asyncio.sleep(interval_s)
