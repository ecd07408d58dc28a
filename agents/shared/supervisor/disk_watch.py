"""The watch over the disks of a workshop and over what its broker stores; what is to be done is decided in
`storing.py`."""

import asyncio
import time
from collections.abc import Callable

import structlog

from agents.shared.settings import Settings
from agents.shared.supervisor.broker import Broker
from agents.shared.supervisor.disk_record import (
    folders_of,
    look_at_disks,
    read_record,
    record_file,
    time_text,
    write_record,
)
from agents.shared.supervisor.full_disks import STORES_NOTHING, DiskRecord, describe, note_room, note_stored
from agents.shared.supervisor.notice import Notice
from agents.shared.supervisor.storing import Look, StoreState, Verdict, judge
from bus.connection import Connection
from bus.disk_space import FULL_BYTES, free_bytes
from bus.server_log import ServerLog
from bus.store_probe import PROBE_WAIT_S, is_storing

LOOK_S = 2.0
"""Pause between two looks."""

log = structlog.get_logger()


class DiskWatch:
    """Looks at disks and broker again and again, keeps the record, and starts the workshop's own broker again when it
    stores nothing although there is room. `wait_s` is how long the broker may take to store a message."""

    def __init__(
        self,
        settings: Settings,
        broker: Broker,
        admin: Connection,
        announce: Callable[[Notice], None],
        wait_s: float = PROBE_WAIT_S,
    ) -> None:
        self._wait_s = wait_s
        self._folders = folders_of(settings)
        self._file = record_file(settings)
        self._broker = broker
        self._admin = admin
        self._announce = announce
        self._log = ServerLog(broker.server.log_file) if broker.server else None
        self._state = StoreState()
        self._record = self._written = read_record(self._file)

    async def run(self, pause_s: float = LOOK_S) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except OSError as error:
                log.warning("the disks cannot be looked at", error=repr(error))
            await asyncio.sleep(pause_s)

    async def look(self) -> Verdict:
        """Look once, and do what follows from it."""
        free = await asyncio.to_thread(look_at_disks, self._folders)
        now = time_text()
        self._tell(note_room(self._record, free, now))
        look = await self._look_at_broker()
        self._state, verdict = judge(self._state, look)
        if look.stored or verdict in ("stuck", "restart"):
            self._tell(note_stored(self._record, look.stored is True, now))
        if verdict == "restart" and self._broker.server is not None:
            await self._restart_broker()
        await self._keep_record()
        return verdict

    async def _restart_broker(self) -> None:
        self._announce(Notice("nats", "stuck", "writes failed, and it takes no more before it is started again"))
        await self._broker.restart()
        if self._log is not None:
            self._log.count_failed_writes()  # what it said until its end is mended by that

    async def _look_at_broker(self) -> Look:
        server = self._broker.server
        free = await asyncio.to_thread(free_bytes, server.folder) if server else None
        failed = self._log.count_failed_writes() if self._log else 0
        full = free is not None and free < FULL_BYTES
        return Look(time.monotonic(), free, None if full else await is_storing(self._admin, self._wait_s), failed)

    def _tell(self, record: DiskRecord) -> None:
        """Take a new record over, and announce what it says beyond the old one."""
        for one in record.full:
            if one not in self._record.full:
                self._announce(Notice("workshop", "full" if one.until is None else "room", describe(one)))
        if record.unstored_since and not self._record.unstored_since and self._broker.server is None:
            self._announce(Notice("nats", "stuck", f"{self._broker.address('admin').url} {STORES_NOTHING}"))
        self._record = record

    async def _keep_record(self) -> None:
        """Write what changed; where there is no room for it, the next look tries again."""
        if self._record == self._written:
            return
        try:
            await asyncio.to_thread(write_record, self._file, self._record)
            self._written = self._record
        except OSError as error:
            log.warning("the record of full disks cannot be written", error=repr(error))
