"""Rounds that are run again and again, whatever becomes of one."""

import asyncio

import pytest
from structlog.testing import capture_logs

from agents.shared.periodic import run_periodically


async def test_a_round_that_fails_is_logged_and_the_next_one_tries_again() -> None:
    rounds = 0
    again = asyncio.Event()

    async def fail_at_first() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise OSError("the disk is full")
        again.set()

    with capture_logs() as logs:
        running = asyncio.create_task(run_periodically(fail_at_first, "nothing was removed", 0.0))
        async with asyncio.timeout(10):
            await again.wait()
        running.cancel()

    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("nothing was removed", "error")]


async def test_a_round_begins_at_once_and_the_next_one_only_after_the_pause() -> None:
    rounds = asyncio.Semaphore(0)

    async def count() -> None:
        rounds.release()

    running = asyncio.create_task(run_periodically(count, "it failed", 3600.0))
    async with asyncio.timeout(10):
        await rounds.acquire()

    assert rounds.locked()
    running.cancel()


async def test_cancelling_ends_the_rounds_within_one() -> None:
    begun, never = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        await never.wait()

    running = asyncio.create_task(run_periodically(wait, "it failed", 0.0))
    async with asyncio.timeout(10):
        await begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
