"""Who had which pixels made. Owners are written many at once, since a row of its own with each picture's transition
would cost as much as the transition; until then they are known here, and after a death they are found again."""

import asyncio
import time
from collections.abc import Iterable

import structlog

from agents.planner.ledger.blob_owners import Place, add_owners, ended_owners, is_owner
from agents.planner.ledger.retention import read_mark, set_mark
from agents.shared.database.group_commit import GroupCommit

OWNERS_MARK = "owners"
"""Name of the mark up to which owners are written."""

WRITE_S = 1.0
"""Longest time that owners are in memory alone."""

MARGIN_S = 60.0
"""A picture's end is dated before its transition is committed, and known here after it: by less than this."""

log = structlog.get_logger()


class MadePixels:
    """One planner's. `run` must run as long as pictures are made."""

    def __init__(self, ledger: GroupCommit) -> None:
        self._ledger = ledger
        self._unwritten: dict[tuple[str, str], None] = {}
        self._has_unwritten = asyncio.Event()
        self._has_recovered = False

    def note(self, client: str, blobs: Iterable[str]) -> None:
        """Note what was made for a client, and is committed."""
        self._unwritten.update(dict.fromkeys((client, blob) for blob in blobs))
        if self._unwritten:
            self._has_unwritten.set()

    async def is_owner(self, client: str, blob: str) -> bool:
        """Whether a client brought these pixels, or had them made."""
        if (client, blob) in self._unwritten:
            return True
        return await self._ledger.read(lambda connection: is_owner(connection, client, blob))

    async def run(self) -> None:
        """Write what is known here alone, first what a planner that died did not; until cancelled, and once more
        then."""
        try:
            self._has_unwritten.set()
            while True:
                await self._has_unwritten.wait()
                await self.write()
                await asyncio.sleep(WRITE_S)
        finally:
            await self.write()

    async def write(self) -> None:
        """Write what is known here alone. Where the ledger fails it stays here for the next time."""
        owned, now = sorted(self._unwritten), time.time()
        self._has_unwritten.clear()
        try:
            if not self._has_recovered:
                await self.recover()
            if owned:
                await self._ledger.write(lambda connection: add_owners(connection, owned, now))
                await self._ledger.write(lambda connection: set_mark(connection, OWNERS_MARK, now - MARGIN_S))
        except Exception:
            self._has_unwritten.set()
            log.exception("owners of pictures stay in memory for now", count=len(owned))
            return
        for one in owned:
            del self._unwritten[one]

    async def recover(self) -> None:
        """Write the owners of pictures that ended since the mark."""
        place: Place | None = (await self._ledger.read(lambda c: read_mark(c, OWNERS_MARK)), "", -1)
        while place is not None:
            owned, place = await self._ledger.read(lambda connection, after=place: ended_owners(connection, after))
            now = time.time()
            await self._ledger.write(lambda connection, owned=owned, now=now: add_owners(connection, owned, now))
        self._has_recovered = True
