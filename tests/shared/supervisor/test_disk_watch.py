"""The watch over disks and broker: a real nats-server whose disk is full, or that stores nothing for another reason."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from agents.shared.settings import Settings
from agents.shared.supervisor.broker import Broker
from agents.shared.supervisor.disk_record import read_record, record_file
from agents.shared.supervisor.disk_watch import DiskWatch
from agents.shared.supervisor.notice import Notice
from agents.shared.supervisor.restart import BackOff
from bus import topology
from bus.connection import Connection, connect
from bus.local_blobs import LocalBlobs
from bus.server import EmbeddedServer
from bus.store_probe import is_storing
from protocol.channels import PRESENCE_STREAM
from tests.small_disk import fill, small_disk

POLICY = BackOff(first_s=0.01, factor=1.0, max_s=0.05)


class Watched:
    """A broker, the watch over it, and what they announced."""

    def __init__(self, settings: Settings, broker: Broker, server: EmbeddedServer, admin: Connection) -> None:
        self.settings, self.server, self.admin = settings, server, admin
        self.notices: list[Notice] = []
        self._announced = asyncio.Event()
        self.watch = DiskWatch(settings, broker, admin, self.announce, wait_s=0.3)

    async def look_until(self, verdict: str) -> None:
        async with asyncio.timeout(20):
            while await self.watch.look() != verdict:
                pass

    async def until_storing(self) -> None:
        async with asyncio.timeout(20):
            while not await is_storing(self.admin, 0.5):
                await asyncio.to_thread(lambda: None)

    def said(self, what: str) -> int:
        return sum(notice.what == what for notice in self.notices)

    async def until_said(self, what: str, times: int) -> None:
        async with asyncio.timeout(20):
            while self.said(what) < times:
                self._announced.clear()
                await self._announced.wait()

    def announce(self, notice: Notice) -> None:
        self.notices.append(notice)
        self._announced.set()


@asynccontextmanager
async def watched(home: Path, *, own: bool = True) -> AsyncGenerator[Watched]:
    """A watch over a broker of the workshop's own, or over one of somebody else's."""
    settings = Settings(home=home)
    async with EmbeddedServer(settings.nats_folder) as server:
        broker = Broker(server.address, server if own else None)
        admin = await connect(server.address("admin"), name="watch")
        await topology.apply_topology(admin)
        found = Watched(settings, broker, server, admin)
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(broker.keep_alive(found.announce, POLICY, lambda: None))
            try:
                yield found
            finally:
                keeping.cancel()
                await admin.close()


async def test_a_broker_whose_disk_was_full_is_started_again_once_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "home", 4096) as home:
        async with watched(home) as found:
            assert await found.watch.look() == "fine"
            first = found.server.pid
            ballast = fill(home)
            assert await LocalBlobs(tmp_path / "blobs").has_room()
            assert not await LocalBlobs(found.settings.blobs).has_room()
            async with asyncio.timeout(20):
                while await is_storing(found.admin, 0.2):
                    pass
            assert await found.watch.look() == "full"
            assert (found.server.pid, found.said("full")) == (first, 1)
            ballast.unlink()
            await found.look_until("restart")
            await found.until_storing()
            assert found.server.pid != first
            assert await found.watch.look() == "fine"
            [full] = read_record(record_file(found.settings)).full
            assert full.folder == str(home)
            assert full.until is not None
            assert full.since <= full.until


async def test_a_broker_that_dies_on_a_full_disk_is_started_once_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "home", 4096) as home:
        async with watched(home) as found:
            ballast = fill(home)
            os.kill(found.server.pid, signal.SIGKILL)
            await found.until_said("full", 2)
            ballast.unlink()
            await found.until_said("started", 1)
            await found.until_storing()


async def test_a_broker_that_stores_nothing_although_there_is_room_is_started_again(tmp_path: Path) -> None:
    async with watched(tmp_path) as found:
        first = found.server.pid
        await found.admin.request_api(f"STREAM.DELETE.{PRESENCE_STREAM}", {})
        await found.look_until("restart")
        await found.until_said("started", 1)
        assert found.server.pid != first
        assert found.said("died") == 0
        assert read_record(record_file(found.settings)).unstored_since is not None
        await topology.apply_topology(found.admin)
        await found.until_storing()
        assert await found.watch.look() == "fine"
        assert read_record(record_file(found.settings)).unstored_since is None


async def test_a_broker_of_somebody_else_is_left_alone_and_its_owner_told(tmp_path: Path) -> None:
    async with watched(tmp_path, own=False) as found:
        first = found.server.pid
        await found.admin.request_api(f"STREAM.DELETE.{PRESENCE_STREAM}", {})
        await found.look_until("restart")
        await found.watch.look()
        assert found.server.pid == first
        [notice] = found.notices
        assert notice.what == "stuck"
        assert "start that server again" in notice.detail
        assert read_record(record_file(found.settings)).unstored_since is not None


async def test_a_death_after_a_restart_of_a_dead_broker_is_told_with_its_pause(tmp_path: Path) -> None:
    async with EmbeddedServer(Settings(home=tmp_path).nats_folder) as server:
        broker = Broker(server.address, server)
        await server.end()
        await broker.restart()
        died = asyncio.Event()
        keeping = asyncio.create_task(
            broker.keep_alive(lambda notice: died.set() if notice.what == "died" else None, POLICY, lambda: None)
        )
        async with asyncio.timeout(20):
            await died.wait()
        keeping.cancel()
