"""The planner's upkeep: in small steps, beside its work, what the ledger says is needed no more is removed."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass

import structlog

from agents.planner.ledger import retention
from agents.planner.ledger.retention import AT_ONCE, ENDED
from agents.shared.database.group_commit import GroupCommit
from agents.shared.settings import Settings
from bus.blobs import BlobMissing, Blobs

ROUND_S = 600.0
"""Pause between two rounds."""

PIXELS = "pixels_released"
"""The mark up to which pictures have ended whose pixels were released."""

ALONE = "pixels_alone"
"""The mark from which on pictures have ended that have no file, where there are any."""

STRAYS = "strays_released"
"""The mark of when blobs that no record names were looked for. They stay a day longer than pixels of ended pictures,
because the news of them may be on its way."""

COMMIT_S = 60.0
"""What ends pictures at a time may be committed as much later, and must not be passed over."""

FIRST_S = 1.0
"""A mark that is set, and before everything."""

DAY_S = 86_400.0

log = structlog.get_logger()


@dataclass
class Removed:
    """What a round removed, or would."""

    blobs: int = 0
    blob_bytes: int = 0
    batches: int = 0


class Upkeep:
    """One workshop's. Rounds may be cut off anywhere, and run in several processes at once."""

    def __init__(self, ledger: GroupCommit, blobs: Blobs, settings: Settings) -> None:
        self._ledger = ledger
        self._blobs = blobs
        self._settings = settings

    async def run(self) -> None:
        """A round now and then, until cancelled."""
        while True:
            try:
                removed = await self.round(time.time())
            except Exception:
                log.exception("upkeep failed; the next round tries again")
            else:
                if removed != Removed():
                    log.info("removed", blobs=removed.blobs, bytes=removed.blob_bytes, batches=removed.batches)
            await asyncio.sleep(ROUND_S)

    async def round(self, now: float, *, dry_run: bool = False) -> Removed:
        """Remove everything whose time is over at `now`; with `dry_run` only count it."""
        removed = Removed()
        released = await self._release(now, removed, dry_run)
        await self._collect(now, removed, dry_run)
        await self._forget(now, released, removed, dry_run)
        return removed

    async def _release(self, now: float, removed: Removed, dry_run: bool) -> float:
        """Pixels of pictures that ended long enough ago; returns the time up to which that is done. Where pictures stay
        in the blob store, all of it stays."""
        if not self._settings.storage_files:
            return now
        before = now - self._settings.retain_blobs_hours * 3600
        since = await self._mark(PIXELS)
        if before <= since:
            return since
        needed = await self._ledger.read(retention.needed_blobs)
        alone = await self._alone(since, before, dry_run)
        if needed is None or alone is None:
            log.info("too much is open, or without a file, to say which blobs are needed; nothing is released")
            return since
        kept = needed | alone | await self._ledger.read(retention.made_from)
        async for page in self._ended(since, before):
            await self._free((name for name in page.blobs if name not in kept), before, removed, dry_run)
        if not dry_run:
            until = min(before, now - COMMIT_S)
            await self._ledger.write(lambda connection: retention.set_mark(connection, PIXELS, until))
        return before

    async def _collect(self, now: float, removed: Removed, dry_run: bool) -> None:
        """Once a day, blobs that no record names: pixels of an attempt that was made again with others after its
        generator died, pictures that were brought and never ordered. All stay where a catalogue cannot be read, and
        where pictures lie in the blob store alone, since their records may be forgotten."""
        alone, last = [await self._mark(name) for name in (ALONE, STRAYS)]
        if alone or now - last < DAY_S or not self._settings.storage_files:
            return
        before = now - DAY_S - self._settings.retain_blobs_hours * 3600
        stale = {name async for names in self._blobs.stale(before) for name in names}
        if not stale:
            return
        stale -= await self._ledger.read(lambda connection: retention.named(connection, stale))
        try:
            for catalogue in await self._ledger.read(retention.catalogues):
                stale -= retention.names_in(await self._blobs.get(catalogue))
        except (BlobMissing, OSError) as error:
            log.warning("what a catalogue names is not known, so no stray is removed today", why=str(error))
        else:
            await self._free(stale, before, removed, dry_run)
        if not dry_run:
            await self._ledger.write(lambda connection: retention.set_mark(connection, STRAYS, now))

    async def _free(self, names: Iterable[str], before: float, removed: Removed, dry_run: bool) -> None:
        act = self._blobs.idle if dry_run else self._blobs.release
        for name in names:
            freed = await act(name, before)
            removed.blobs += freed > 0
            removed.blob_bytes += freed

    async def _mark(self, name: str) -> float:
        return await self._ledger.read(lambda connection: retention.mark(connection, name))

    async def _alone(self, since: float, before: float, dry_run: bool) -> set[str] | None:
        """Blobs that are pictures themselves, from a time when storage filed none; others may have the same pixels.
        Null where they are too many to keep in memory."""
        marked = await self._mark(ALONE)
        found = set[str]()
        async for page in self._ended(marked or since, before):
            found.update(page.alone)
            if len(found) > retention.MOST_OPEN:
                return None
        if found and not marked and not dry_run:
            first = max(since, FIRST_S)
            await self._ledger.write(lambda connection: retention.set_mark(connection, ALONE, first))
        return found

    async def _ended(self, since: float, before: float) -> AsyncGenerator[retention.Pixels]:
        for state in ENDED:
            place: retention.Place | None = None
            while True:
                page = await self._ledger.read(
                    lambda connection, state=state, place=place: retention.ended_pixels(
                        connection, state, since, before, place
                    )
                )
                yield page
                if (place := page.following) is None:
                    break

    async def _forget(self, now: float, released: float, removed: Removed, dry_run: bool) -> None:
        """Batches that ended long ago, once their pixels were released."""
        if self._settings.retain_ledger_days is None:
            return
        before = min(released, now - self._settings.retain_ledger_days * DAY_S)
        limit = None if dry_run else AT_ONCE
        while found := await self._ledger.read(lambda connection: retention.forgettable(connection, before, limit)):
            gone = [dry_run or await self._forget_one(*one, before, now) for one in found]
            removed.batches += sum(gone)
            if dry_run or not all(gone):
                return

    async def _forget_one(self, name: str, client: str, quantity: int, before: float, now: float) -> bool:
        """Whether it is gone; a batch that was taken up again meanwhile stays."""
        if not await self._ledger.write(lambda connection: retention.disown(connection, name, client, before, now)):
            return False
        for first in range(0, quantity, AT_ONCE):
            await self._ledger.write(lambda connection, first=first: retention.forget_pictures(connection, name, first))
        await self._ledger.write(lambda connection: retention.forget_batch(connection, name))
        return True
