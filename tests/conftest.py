"""Fixtures for tests that talk to a real nats-server, a fresh one per test, on a free port, with the streams made; and
to real databases, an empty one per test."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from bus import telemetry, topology
from bus.connection import Address, connect
from bus.consumers import answer_consumers
from bus.server import EmbeddedServer
from tests.blocking_calls import BlockingCalls
from tests.shared.database import server

telemetry.configure_logging("tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first: most mistakes are found in seconds, before whole processes are started."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.fixture(scope="session")
def blocking_calls() -> Iterator[BlockingCalls]:
    calls = BlockingCalls()
    calls.activate()
    yield calls
    calls.deactivate()


@pytest.fixture(autouse=True)
def unblocked_loop(blocking_calls: BlockingCalls) -> Iterator[None]:
    """Fails a test during which a coroutine of ours stopped its event loop for a file, a database or a nap."""
    blocking_calls.noted.clear()
    yield
    assert not blocking_calls.noted, "in an event loop; call it in a thread:\n" + "\n".join(blocking_calls.noted)


@pytest.fixture
async def nats_server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A running server without streams."""
    async with EmbeddedServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def workshop_server(nats_server: EmbeddedServer) -> AsyncIterator[EmbeddedServer]:
    """A running server with streams and presence bucket, whose agents get their consumers."""
    admin = await connect(nats_server.address("admin"), name="tests", wait_s=5)
    await topology.apply_topology(admin)
    await answer_consumers(admin)
    yield nats_server
    await admin.close()


@pytest.fixture
def login(workshop_server: EmbeddedServer) -> Callable[[str], Address]:
    """`login(role)`: the address of the server with that login's credentials."""
    return workshop_server.address


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server of this session's own."""
    programs = server.binaries()
    if programs is None:
        missing = "PostgreSQL is not installed; on Debian and Ubuntu: apt-get install postgresql"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with server.running(programs) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database: what it says of one, the code must do on both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    return server.fresh_schema(request.getfixturevalue("postgresql"))
