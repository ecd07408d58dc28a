"""A workshop to be mistreated: a real nats-server, a proxy in front of it for each process, and the agents as processes
that the supervisor's own `Child` starts again whenever they die.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from agents.shared.supervisor.child import Child
from agents.shared.supervisor.notice import Notice
from agents.shared.supervisor.restart import BackOff
from bus import credentials, topology
from bus.client import Client
from bus.connection import Address, Connection, connect
from bus.consumers import answer_consumers
from bus.server import EmbeddedServer
from protocol import codec, subjects
from protocol.channels import ACP_EVENTS, ACP_WORK, PRESENCE_PREFIX
from protocol.errors import AcpError
from protocol.messages import ImageStored, Presence, Role
from tests.chaos.proxy import Proxy, proxied
from tests.doors.cli.conftest import environment_of

PATIENCE_S = 90.0
"""Longest wait for a process to be there again, on a machine that is busy with other work."""

RESTART = BackOff(first_s=0.2, factor=1.0)
"""Deaths are the matter here, so a process that died often is not made to wait longer."""


REMEMBERED = 4000
"""Messages that can be said once more."""

Said = tuple[str, bytes, dict[str, str]]
"""(subject, payload, headers) of something published."""


CLIENTS = ("anna", "ben", "mallory")
"""Clients with a login of their own; the last one misbehaves."""


@dataclass
class Member:
    """One process of the crew through all its lives. `arm` holds the failpoints of the lives to come, `condemned` is
    how many it held at first; `clock_s` is how far the clock of the next life is wrong."""

    name: str
    role: Role
    child: Child
    proxy: Proxy
    arm: deque[str] = field(default_factory=deque[str])
    condemned: int = 0
    clock_s: float = 0.0
    deaths: int = 0

    def send(self, sign: signal.Signals) -> bool:
        """Signal the life of the moment; false between two lives."""
        pid = self.child.pid
        if pid is None:
            return False
        os.kill(pid, sign)
        return True


class Workshop:
    """The running workshop and what is seen of it from outside, past the proxies."""

    def __init__(self, home: Path, server: EmbeddedServer, admin: Connection) -> None:
        self.home = home
        self.server = server
        self.admin = admin
        self.crew: dict[str, Member] = {}
        self.said = 0
        self.stored = 0
        self.heard: deque[Said] = deque(maxlen=REMEMBERED)
        self.dead_letters: list[Said] = []
        self.recoveries: defaultdict[str, list[float]] = defaultdict(list)
        self._ailing: dict[str, tuple[float, str]] = {}
        self._back: set[str] = set()
        self._present: set[int] = set()
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def watch(self) -> None:
        """Begin to listen; the connection takes the subscriptions up again by itself."""
        for subject in (subjects.WORK, subjects.EVENTS):
            await self.admin.subscribe(subject, self._on_message)
        await self.admin.subscribe(subjects.DEAD, self._on_dead_letter)
        await self.admin.subscribe(f"{PRESENCE_PREFIX}.>", self._on_presence)

    async def until(self, condition: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
        """Wait until something that was heard makes the condition true.

        Raises:
            TimeoutError: it did not within `seconds`.
        """
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def moment(self, seconds: float = 0.2) -> None:
        """Wait until something is heard, or `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                self._changed.clear()
                await self._changed.wait()

    async def quiet(self, seconds: float = PATIENCE_S) -> None:
        """Wait until the broker has no work and no event that is not acknowledged (I11).

        Raises:
            TimeoutError: it still has within `seconds`.
        """
        async with asyncio.timeout(seconds):
            while await self._pending():
                await self.moment()

    async def _pending(self) -> int:
        try:
            work = await self.admin.request_api(f"STREAM.INFO.{ACP_WORK}", {})
            events = await self.admin.request_api(f"CONSUMER.INFO.{ACP_EVENTS}.planner", {})
        except (NatsError, TimeoutError):
            return 1
        return int(work["state"]["messages"]) + int(events["num_pending"]) + int(events["num_ack_pending"])

    def ails(self, name: str, cause: str) -> None:
        """Begin to measure how long it takes until a picture is stored after something happened to `name`."""
        self._ailing.setdefault(name, (self._loop.time(), cause))
        self._back.discard(name)

    def is_back(self, name: str) -> None:
        """What happened to `name` is over: the next stored picture counts as its recovery."""
        if name in self._ailing:
            self._back.add(name)

    def alive(self, member: Member) -> bool:
        """Whether the present life of a process has announced itself."""
        return member.child.pid in self._present

    async def complete(self) -> None:
        """Wait until every process is there."""
        await self.until(lambda: all(self.alive(member) for member in self.crew.values()))

    async def kill_server(self, *, wipe: bool = False) -> None:
        """SIGKILL the server and start it again, with its store or without it."""
        self.ails("nats", "wipe" if wipe else "server")
        os.kill(self.server.pid, signal.SIGKILL)
        await self.server.wait()
        if wipe:
            shutil.rmtree(self.server.store_folder)
        await self.server.start()
        self.is_back("nats")

    async def repeat(self, without: Collection[tuple[str, int]] = ()) -> None:
        """Publish everything that is remembered once more, without the ids by which the broker would know it; not the
        work on the pictures `without`, each (hash of the batch, index)."""
        left_out = {f"{batch}.{index}" for batch, index in without}
        for subject, payload, headers in tuple(self.heard):
            if ".".join(subject.split(".")[-3:-1]) in left_out:
                continue
            plain = {name: value for name, value in headers.items() if not name.startswith("Nats-")}
            await self.admin.client.publish(subject, payload, headers=plain)
        await self.admin.client.flush()

    def notice(self, name: str, notice: Notice) -> None:
        """Take what the supervisor reports about a process."""
        if notice.what == "died":
            self.crew[name].deaths += 1
            self.ails(name, "death")
        self._changed.set()

    async def _on_message(self, message: Msg) -> None:
        self.said += 1
        self.heard.append((message.subject, message.data, dict(message.headers or {})))
        try:
            content = codec.decode_message(codec.unpack(message.data, message.headers))
        except AcpError:
            return
        if isinstance(content, ImageStored):
            self.stored += 1
            now = self._loop.time()
            for began, cause in map(self._ailing.pop, self._back):
                self.recoveries[cause].append(now - began)
            self._back.clear()
        self._changed.set()

    async def _on_dead_letter(self, message: Msg) -> None:
        self.dead_letters.append((message.subject, message.data, dict(message.headers or {})))

    async def _on_presence(self, message: Msg) -> None:
        if message.data:
            content = codec.decode_message(codec.unpack(message.data, message.headers))
            assert isinstance(content, Presence)
            self._present.add(content.pid)
            for member in self.crew.values():
                if member.child.pid == content.pid:
                    self.is_back(member.name)
            self._changed.set()


def command_of(role: Role, options: tuple[str, ...] = ()) -> tuple[str, ...]:
    """How a process of the crew is started: as the supervisor does, or by the launcher where it is to be wrong."""
    program = ("tests.chaos.launch", *options) if options else ("agents.doors.cli",)
    return (sys.executable, "-m", *program, "agent", role, "--lifeline")


@asynccontextmanager
async def workshop(
    home: Path,
    settings: Mapping[str, str],
    *,
    crew: Mapping[Role, int],
    arm: Mapping[str, deque[str]] | None = None,
    options: Mapping[Role, tuple[str, ...]] | None = None,
) -> AsyncGenerator[Workshop]:
    """A workshop for the time of an `async with`; it is complete when the block begins, and drained when it ends.

    `settings` are environment variables; `arm` failpoints of the lives by the name of a process, such as `storage-0`;
    `options` are those of the launcher by role.
    """
    async with AsyncExitStack() as stack:
        for client in CLIENTS:
            await asyncio.to_thread(credentials.put_client, home / "nats", client)
        server = await stack.enter_async_context(EmbeddedServer(home / "nats"))
        admin = await connect(server.address("admin"), name="chaos")
        stack.push_async_callback(admin.close)
        await topology.apply_topology(admin)
        await answer_consumers(admin)
        shop = Workshop(home, server, admin)
        await shop.watch()
        for role, count in crew.items():
            for number in range(count):
                proxy = await stack.enter_async_context(proxied(server.address(role).url))
                member = _member(shop, f"{role}-{number}", role, proxy, settings, (options or {}).get(role, ()))
                member.arm = (arm or {}).get(member.name, deque())
                member.condemned = len(member.arm)
                shop.crew[member.name] = member
        async with asyncio.TaskGroup() as group:
            care = group.create_task(topology.maintain_topology(admin))
            lives = [group.create_task(member.child.keep_alive()) for member in shop.crew.values()]
            try:
                await shop.complete()
                yield shop
            finally:
                for member in shop.crew.values():
                    member.proxy.mend()
                    member.send(signal.SIGCONT)
                    member.child.drain()
                await asyncio.wait(lives, timeout=20)
                for member in shop.crew.values():
                    member.child.kill()
                await asyncio.wait(lives)
                care.cancel()


def _member(
    shop: Workshop, name: str, role: Role, proxy: Proxy, settings: Mapping[str, str], options: tuple[str, ...]
) -> Member:
    direct: Address = shop.server.address(role)

    def environment() -> dict[str, str]:
        armed = shop.crew[name].arm
        return environment_of(
            shop.home,
            **settings,
            BOTTEGA_OPEN_DOOR="true",
            BOTTEGA_NATS_URL=proxy.address(direct).url_with_credentials,
            BOTTEGA_FAILPOINT=armed.popleft() if armed else "",
            CHAOS_CLOCK_S=str(shop.crew[name].clock_s),
        )

    child = Child(
        unit=role,
        command=command_of(role, options),
        environment=environment,
        log=shop.home / "logs" / f"{name}.log",
        policy=RESTART,
        announce=lambda notice: shop.notice(name, notice),
    )
    return Member(name, role, child, proxy)


@asynccontextmanager
async def clients_of(shop: Workshop) -> AsyncGenerator[dict[str, Client]]:
    """The clients of the workshop, each by its own login, past the proxies."""
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(Client.open(shop.server.address(f"client_{name}"), client_id=name))
            for name in (*CLIENTS, "local")
        }


@asynccontextmanager
async def customer(shop: Workshop) -> AsyncGenerator[Client]:
    """Whoever speaks for any client, past the proxies."""
    async with Client.open(shop.server.address("operator")) as client:
        yield client
