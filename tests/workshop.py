"""Five agents in this process over a real broker: the whole protocol in well under a second."""

import asyncio
import importlib
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from agents.shared.settings import Settings
from bus.agent import Agent
from bus.client import Client
from bus.connection import Address
from bus.local_blobs import LocalBlobs
from bus.operator import Operator
from bus.runner import RunnerOptions, serve
from protocol.accounts import ClientReply
from protocol.messages import ROLES, Presence, Role
from protocol.operator import OwnBlob
from protocol.parameters import ImageSource


def instant_settings(home: Path, **changes: object) -> Settings:
    """Flat pictures without a model, accepted unseen, short waits, and clients of any name."""
    values: dict[str, object] = {
        "home": home,
        "generator": "instant",
        "qa_scoring": False,
        "reconcile_s": 0.5,
        "stale_s": 2.0,
        "drain_s": 5.0,
        "open_door": True,
    }
    return Settings(**(values | changes))  # pyright: ignore[reportArgumentType]


def build(role: Role, settings: Settings) -> Agent:
    """An agent as `bottega agent ROLE` builds it."""
    return importlib.import_module(f"agents.{role}.agent").build(settings)


@asynccontextmanager
async def served(
    settings: Settings,
    login: Callable[[str], Address],
    roles: tuple[Role, ...] = ROLES,
    instead: Mapping[Role, Agent] | None = None,
) -> AsyncGenerator[Client]:
    """A client of a workshop whose agents of `roles` are all there; `instead` are agents other than the usual ones."""
    others = instead or {}
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        ready = {role: asyncio.Event() for role in roles}
        for role in roles:
            options = RunnerOptions(
                drain_s=settings.drain_s,
                signals=False,
                stop=stop,
                on_ready=ready[role].set,
                ack_wait_s=5.0,
                backoff=(0.1, 0.5),
            )
            group.create_task(serve(others.get(role) or build(role, settings), login(role), options))
        try:
            async with asyncio.timeout(30):
                for event in ready.values():
                    await event.wait()
            await all_announced(login("operator"), roles)
            async with Client.open(login("operator")) as client:
                yield client
        finally:
            stop.set()


async def bring(operator: Address, blobs: LocalBlobs, data: bytes, client: str = "local") -> ImageSource:
    """A picture that a client brought, as a command names it."""
    blob = await blobs.put(data)
    async with Operator.open(operator) as asking:
        assert isinstance(await asking.request(OwnBlob(client_id=client, blob=blob)), ClientReply)
    return ImageSource(blob=blob)


async def presences(operator: Address) -> list[Presence]:
    """Who is there, as the operator sees it."""
    async with Operator.open(operator) as looking:
        return await looking.presences()


async def all_announced(operator: Address, roles: tuple[Role, ...]) -> None:
    """Wait until each role is in the presence bucket, where the planner sees it too."""
    async with asyncio.timeout(30), Operator.open(operator) as looking:
        while not {presence.role for presence in await looking.presences()} >= set(roles):
            await asyncio.to_thread(lambda: None)
