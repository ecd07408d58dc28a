"""A workshop: the broker, its streams, five agents; kept running, and drained with the broker last, so that what
the agents say at their end is still heard."""

import asyncio
import contextlib
import os
import socket
import stat
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import structlog

from agents.shared.settings import Settings
from agents.shared.supervisor.address import WorkshopAddress, lock_home, write_address
from agents.shared.supervisor.broker import Broker, open_broker
from agents.shared.supervisor.child import Child
from agents.shared.supervisor.disk_watch import DiskWatch
from agents.shared.supervisor.environment import environment_of
from agents.shared.supervisor.notice import Notice
from agents.shared.supervisor.restart import BackOff
from bus import topology
from bus.accounts import LOCAL_CLIENT, client_login
from bus.connection import Address, connect
from bus.consumers import answer_consumers
from bus.disk_space import FULL_BYTES, free_bytes
from bus.presence import PresenceBoard
from protocol.errors import Unavailable
from protocol.messages import ROLES, Presence, Role

log = structlog.get_logger()

POLL_S = 0.05
"""Pause between two checks that every agent is there."""

MAX_EARLY_DEATHS = 3
"""Deaths in a row after which an agent that was never ready is considered unable to start."""


class CannotStart(Unavailable):
    """An agent dies again and again before it is ready."""

    def __init__(self, child: Child) -> None:
        super().__init__(
            "timeout", f"the {child.unit} agent does not start: {child.last_error()}", hint=f"see {child.log}"
        )


class NoRoom(Unavailable):
    """A workshop cannot be started on a full disk."""

    def __init__(self, home: Path) -> None:
        super().__init__(
            "disk_full",
            f"no workshop can be started: the disk of {home} is full",
            hint="make room there, or name a folder on another disk in BOTTEGA_HOME",
        )


class Workshop:
    """A running workshop: where clients find it, and whether it is complete."""

    def __init__(self, client: Address, children: Sequence[Child], board: PresenceBoard) -> None:
        self.client = client
        self._children = children
        self._board = board

    async def wait_until_ready(self, patience: int | None = MAX_EARLY_DEATHS) -> None:
        """Wait until every agent has announced itself; for ever where `patience` is null.

        Raises:
            CannotStart: an agent died `patience` times in a row.
        """
        here = socket.gethostname()
        while True:
            present = {one.pid for one in await self.presences() if one.host == here}
            if all(child.pid in present for child in self._children):
                return
            for child in self._children:
                if patience is not None and child.deaths >= patience:
                    raise CannotStart(child)
            await asyncio.sleep(POLL_S)

    async def presences(self) -> list[Presence]:
        """Every live process of the workshop."""
        return await self._board.presences()

    def kill(self) -> None:
        """End every agent at once."""
        for child in self._children:
            child.kill()


@asynccontextmanager
async def run_workshop(
    settings: Settings, announce: Callable[[Notice], None], policy: BackOff | None = None, *, stays: bool = True
) -> AsyncGenerator[Workshop]:
    """Run a workshop as long as the context is open. `stays` is what its address says of that.

    Raises:
        HomeTaken: a workshop runs in this home already.
        NoRoom: the disk of the home is full.
        Unavailable: nats-server cannot be started, or the server of `nats_url` does not answer.
    """
    policy = policy or BackOff()
    if free_bytes(settings.home) < FULL_BYTES:
        raise NoRoom(settings.home)
    with lock_home(settings.address_file):
        _close_home(settings)
        async with open_broker(settings, announce) as broker:
            admin = await connect(broker.address("admin"), name="supervisor")
            try:
                await topology.apply_topology(admin, settings.presence_ttl_s)
                await answer_consumers(admin)
                if broker.pid is None:
                    announce(Notice("nats", "ready", f"{broker.address('admin').url} (not ours)"))
                _publish_address(settings, broker, stays)
                children = [_child_of(role, settings, broker, policy, announce) for role in ROLES]
                board = PresenceBoard(admin, settings.presence_ttl_s)
                async with asyncio.TaskGroup() as group:
                    care = (
                        group.create_task(board.run()),
                        group.create_task(topology.maintain_topology(admin, settings.presence_ttl_s)),
                        group.create_task(
                            broker.keep_alive(announce, policy, lambda: _publish_address_again(settings, broker, stays))
                        ),
                        group.create_task(DiskWatch(settings, broker, admin, announce).run()),
                    )
                    lives = [group.create_task(child.keep_alive()) for child in children]
                    try:
                        yield Workshop(broker.address(client_login(LOCAL_CLIENT)), children, board)
                    finally:
                        await _drain_children(children, lives, settings.drain_s)
                        for task in care:
                            task.cancel()
            finally:
                await admin.close()


def _close_home(settings: Settings) -> None:
    """Take from others what they may do in a home that was made with wider rights, and with what lies directly in it. A
    home of somebody else stays as it is, and so does one on a file system without rights."""
    kept = 0o750 if settings.shared_home else 0o700
    with contextlib.suppress(OSError):
        for path in (settings.home, *settings.home.iterdir()):
            if not path.is_symlink():
                path.chmod(stat.S_IMODE(path.stat().st_mode) & kept)


async def _drain_children(children: Sequence[Child], lives: Sequence[asyncio.Task[None]], seconds: float) -> None:
    """Let every agent finish what it has in hand; those that have not after `seconds` are killed."""
    for child in children:
        child.drain()
    await asyncio.wait(lives, timeout=seconds)
    for child in children:
        child.kill()
    await asyncio.wait(lives)


def _child_of(
    role: Role, settings: Settings, broker: Broker, policy: BackOff, announce: Callable[[Notice], None]
) -> Child:
    return Child(
        unit=role,
        command=(sys.executable, "-m", "agents.doors.cli", "agent", role, "--lifeline"),
        environment=lambda: environment_of(
            role, str(settings.home), settings.stand_in, broker.address(role), os.environ
        ),
        log=settings.home / "logs" / f"{role}.log",
        policy=policy,
        announce=announce,
    )


def _publish_address_again(settings: Settings, broker: Broker, stays: bool) -> None:
    """Only the process id of the broker is another one: a full disk does not end a workshop for that."""
    try:
        _publish_address(settings, broker, stays)
    except OSError as error:
        log.warning("the address cannot be written", error=repr(error))


def _publish_address(settings: Settings, broker: Broker, stays: bool) -> None:
    client = broker.address(client_login(LOCAL_CLIENT))
    write_address(
        settings.address_file,
        WorkshopAddress(
            url=client.url,
            user=client.user,
            password=client.password,
            supervisor=os.getpid(),
            nats=broker.pid,
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            stays=stays,
        ),
    )
