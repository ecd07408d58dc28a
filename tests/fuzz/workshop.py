"""The five agents as processes of their own, on a nats-server of their own: nothing is made by a model."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nats.aio.msg import Msg

from bus import client_logins, topology
from bus.connection import Address, connect
from bus.consumers import answer_consumers
from bus.server import EmbeddedServer
from protocol.channels import PRESENCE_PREFIX
from protocol.messages import ROLES, Role

READY_S = 120.0
"""Bound of the start of a process on a machine that is busy with other work."""

OTHER_CLIENT = "other"
"""Who sends nothing hostile."""


@dataclass
class Workshop:
    """Where its logins reach it, its processes by role, and where they write. `other` is the address of a client who
    takes no part."""

    server: EmbeddedServer
    other: Address
    processes: dict[Role, asyncio.subprocess.Process]
    logs: dict[Role, Path]
    _read: dict[Role, int] = field(default_factory=dict[Role, int])

    @property
    def planner_pid(self) -> int:
        return self.processes["planner"].pid

    def faults(self) -> list[tuple[str, str]]:
        """What went wrong since the last look, as cause and details: processes that ended, and what they wrote of
        failures that are no refusals."""
        found = [
            (f"the {role} ended", f"exit code {process.returncode}")
            for role, process in self.processes.items()
            if process.returncode is not None
        ]
        for role, log in self.logs.items():
            with log.open(encoding="utf-8", errors="replace") as opened:
                opened.seek(self._read.get(role, 0))
                lines = opened.readlines()
                self._read[role] = opened.tell()
            failed = [line for line in lines if "Traceback" in line or "Error: " in line]
            found += [(f"the {role} failed: {_last_words(line)}", line[:8000]) for line in failed]
        return found


def _last_words(line: str) -> str:
    """What kind of failure a line of a log ends in."""
    words = line.rstrip().replace("\\n", "\n").splitlines()
    return next((word[:60] for word in reversed(words) if "Error" in word and not word.startswith(" ")), "")


@asynccontextmanager
async def workshop(home: Path) -> AsyncGenerator[Workshop]:
    """What a message meets."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(EmbeddedServer(home / "nats"))
        admin = await connect(server.address("admin"), name="fuzz")
        stack.push_async_callback(admin.close)
        await topology.apply_topology(admin)
        await answer_consumers(admin)
        missing, complete = set(ROLES), asyncio.Event()

        async def announced(message: Msg) -> None:
            missing.discard(message.subject.split(".")[2])  # pyright: ignore[reportArgumentType] - a role's
            if not missing:
                complete.set()

        await admin.subscribe(f"{PRESENCE_PREFIX}.>", announced)
        logs: dict[Role, Path] = {role: home / f"{role}.log" for role in ROLES}
        processes: dict[Role, asyncio.subprocess.Process] = {
            role: await stack.enter_async_context(_process(role, server, home, logs[role])) for role in ROLES
        }
        async with asyncio.timeout(READY_S):
            await complete.wait()
        other = await client_logins.put_client(home / "nats", OTHER_CLIENT)
        if other is None:
            raise RuntimeError("the server does not run")
        yield Workshop(server, other, processes, logs)


@asynccontextmanager
async def _process(
    role: Role, server: EmbeddedServer, home: Path, log: Path
) -> AsyncGenerator[asyncio.subprocess.Process]:
    environment = {
        **os.environ,
        "BOTTEGA_HOME": str(home),
        "BOTTEGA_NATS_URL": server.address(role).url_with_credentials,
        "BOTTEGA_GENERATOR": "instant",
        "BOTTEGA_STAND_IN": "pocket",
        "BOTTEGA_QA_SCORING": "false",
        "BOTTEGA_OPEN_DOOR": "true",
        "BOTTEGA_GPU_PRICE_PER_HOUR": "0",
        "BOTTEGA_LOG_LEVEL": "warning",
    }
    with log.open("wb") as written:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "agents.doors.cli", "agent", role, env=environment, stdout=written, stderr=written
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
