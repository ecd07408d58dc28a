"""Follow a batch to its end: progress as it is published, and what the planner itself says of each picture."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from msgspec import Struct

from agents.doors.cli.errors import NO_WORKSHOP, Failure, no_workshop
from agents.doors.cli.terminal.display import Display
from agents.doors.cli.terminal.progress_state import BatchProgress, count_finished
from agents.doors.cli.workshop.connection import ask
from bus.client import Client
from protocol.commands import Result
from protocol.results import GenerationResult, Image, ResultBody, StatusBody

PAGE_SIZE = 200
"""Pictures in one reply. Of a larger batch, those from the first unfinished one on are asked for."""
POLL_S = 3.0
"""How often the planner is asked while no progress arrives: progress may be lost, the ledger is not."""
MAX_UNANSWERED_S = 60.0
"""How long a workshop may not answer before the command gives up; a planner restarts well within it."""
WAIT_S = 5.0
"""How long one request waits for the end of a batch."""
MAX_SHEET_WAIT_S = 20.0
"""How long the contact sheet of a finished batch is waited for."""


class FinishedBatch(Struct, frozen=True, kw_only=True):
    """A finished batch: its pictures in order; `ended_at` is when its last picture was seen to end, by the monotonic
    clock, `device_seconds` the time of devices for all attempts, null where none was measured."""

    hash: str
    quantity: int
    images: list[Image]
    status: StatusBody
    contact_sheet: str | None
    ended_at: float
    device_seconds: float | None = None

    @property
    def all_stored(self) -> bool:
        return self.status.completed == self.quantity


OnImages = Callable[[list[Image]], Awaitable[None]]
"""Called with each page of pictures that the planner returns."""


async def _ignore_images(images: list[Image]) -> None:
    """The default: nobody else is interested."""


async def follow(
    client: Client, batch: str, board: BatchProgress, display: Display, seen: OnImages = _ignore_images
) -> FinishedBatch:
    """Show a batch until none of its pictures is left to make, and return all of it.

    Raises:
        Failure: the workshop is gone, or does not know the batch.
    """
    news = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        watchers = [
            group.create_task(_watch_progress(client, batch, board)),
            group.create_task(_watch_status(client, batch, board, news)),
        ]
        await _follow_until_over(client, batch, board, display, news, seen)
        for watcher in watchers:
            watcher.cancel()
    return await _fetch_finished(client, batch, time.monotonic())


async def fetch_page(client: Client, batch: str, first: int = 0, wait_s: float = 0.0) -> GenerationResult:
    """One page of a batch's pictures; a planner that is being restarted is asked again.

    Raises:
        Failure: the workshop is gone, or does not know the batch.
    """
    try:
        return await ask(
            client, Result(hash=batch, first=first, count=PAGE_SIZE, wait_s=wait_s), GenerationResult, MAX_UNANSWERED_S
        )
    except Failure as failure:
        if failure.exit_code != NO_WORKSHOP:
            raise
        raise no_workshop(
            "the workshop does not answer any more",
            hint=f"the batch is safe; go on with: bottega up, then bottega status {batch} --watch",
        ) from failure


async def _follow_until_over(
    client: Client, batch: str, board: BatchProgress, display: Display, news: asyncio.Event, seen: OnImages
) -> None:
    while True:
        result = (await fetch_page(client, batch, first=board.first_open)).generation_result
        over = count_finished(result.generation_status) >= result.quantity
        await _show_page(result, board, display, seen)
        while over and result.next is not None:  # what finished beyond this page is shown before its end
            result = (await fetch_page(client, batch, first=result.next)).generation_result
            await _show_page(result, board, display, seen)
        if over:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_S):
                await news.wait()
        news.clear()


async def _show_page(result: ResultBody, board: BatchProgress, display: Display, seen: OnImages) -> None:
    fresh = board.apply_images(result.images)
    board.apply_status(result.generation_status)
    await seen(result.images)
    for row in fresh:
        display.show_finished(row, board)


async def _watch_progress(client: Client, batch: str, board: BatchProgress) -> None:
    async for progress in client.watch_progress(client.client_id, batch):
        board.apply_progress(progress)


async def _watch_status(client: Client, batch: str, board: BatchProgress, news: asyncio.Event) -> None:
    async for status in client.watch_status(client.client_id, batch):
        board.apply_status(status.generation_status)
        news.set()


def _is_sheet_due(result: ResultBody) -> bool:
    return result.contact_sheet is None and result.generation_status.completed > 0


async def _fetch_finished(client: Client, batch: str, ended_at: float) -> FinishedBatch:
    """Every page of the batch, its contact sheet waited for."""
    deadline = time.monotonic() + MAX_SHEET_WAIT_S
    result = (await fetch_page(client, batch, wait_s=WAIT_S)).generation_result
    while _is_sheet_due(result) and time.monotonic() < deadline:
        result = (await fetch_page(client, batch, wait_s=WAIT_S)).generation_result
    images = [*result.images]
    last = result
    while last.next is not None:
        last = (await fetch_page(client, batch, first=last.next)).generation_result
        images += last.images
    return FinishedBatch(
        hash=batch,
        quantity=result.quantity,
        images=images,
        status=result.generation_status,
        contact_sheet=result.contact_sheet,
        ended_at=ended_at,
        device_seconds=result.device_seconds if isinstance(result.device_seconds, float) else None,
    )
