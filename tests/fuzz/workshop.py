"""Planner, prompt and an instant generator as processes of their own, on a nats-server of their own."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from nats.aio.msg import Msg

from bus import topology
from bus.connection import Address, connect
from bus.consumers import answer_consumers
from bus.server import EmbeddedServer
from protocol.channels import PRESENCE_PREFIX
from protocol.messages import Role

ROLES_TAKING_PART: tuple[Role, ...] = ("planner", "prompt", "generator")

READY_S = 60.0
"""Bound of the start of a process on a machine that is busy with other work."""


@dataclass(frozen=True)
class Workshop:
    """Where a client reaches it, and its processes by role."""

    address: Address
    processes: dict[Role, asyncio.subprocess.Process]

    @property
    def planner_pid(self) -> int:
        return self.processes["planner"].pid

    def dead(self) -> list[Role]:
        """Roles whose process has ended."""
        return [role for role, process in self.processes.items() if process.returncode is not None]


@asynccontextmanager
async def workshop(home: Path) -> AsyncGenerator[Workshop]:
    """What a command meets, without pictures being made: no QA, no storage, no model."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(EmbeddedServer(home / "nats"))
        admin = await connect(server.address("admin"), name="fuzz")
        stack.push_async_callback(admin.close)
        await topology.apply_topology(admin)
        await answer_consumers(admin)
        missing, complete = set(ROLES_TAKING_PART), asyncio.Event()

        async def announced(message: Msg) -> None:
            missing.discard(message.subject.split(".")[2])
            if not missing:
                complete.set()

        await admin.subscribe(f"{PRESENCE_PREFIX}.>", announced)
        processes: dict[Role, asyncio.subprocess.Process] = {
            role: await stack.enter_async_context(_process(role, server, home)) for role in ROLES_TAKING_PART
        }
        async with asyncio.timeout(READY_S):
            await complete.wait()
        yield Workshop(server.address("operator"), processes)


@asynccontextmanager
async def _process(role: Role, server: EmbeddedServer, home: Path) -> AsyncGenerator[asyncio.subprocess.Process]:
    environment = {
        **os.environ,
        "BOTTEGA_HOME": str(home),
        "BOTTEGA_NATS_URL": server.address(role).url_with_credentials,
        "BOTTEGA_GENERATOR": "instant",
        "BOTTEGA_STAND_IN": "pocket",
        "BOTTEGA_OPEN_DOOR": "true",
        "BOTTEGA_GPU_PRICE_PER_HOUR": "0",
        "BOTTEGA_LOG_LEVEL": "error",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agents.doors.cli", "agent", role, env=environment
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
