"""Logins of clients while the server runs: made, changed, taken away, at once and without harm to the others."""

import asyncio
import gc
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from nats.aio.client import Client as Nats
from nats.errors import Error as NatsError

from bus import client_logins, credentials
from bus.connection import Address, LoginRefused, connect
from bus.server import EmbeddedServer, signal_reload, write_configuration
from protocol.channels import ACP_DEAD
from tests.bus.scripted import Scripted, admin_of, operator_of, raw_endpoint, served, stored

UNCLOSED = "ignore::pytest.PytestUnraisableExceptionWarning"
"""nats-py leaves the sockets of refused connections to the garbage collector, which complains of them."""

pytestmark = pytest.mark.filterwarnings(UNCLOSED)


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """What a test leaves is complained of in that test, and in none after it."""
    yield
    gc.collect()


Login = Callable[[str], Address]


async def answer(payload: bytes, headers: Mapping[str, str], subject: str) -> tuple[bytes, Mapping[str, str]]:
    return subject.encode(), {}


def planner() -> Scripted:
    return Scripted("planner", intakes=(), endpoints=[raw_endpoint("acp.v1.command.*", answer)])


async def test_a_new_client_reaches_the_planner_with_nothing_but_its_url(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    async with asyncio.timeout(20), served(planner(), login("planner")):
        address = await client_logins.put_client(workshop_server.folder, "acme")
        assert address is not None
        assert address == workshop_server.address("client_acme")
        plain = Nats()
        await plain.connect(address.url_with_credentials)
        assert (await plain.request("acp.v1.command.acme", b"{}", timeout=5)).data == b"acp.v1.command.acme"
        await plain.close()


async def test_a_changed_password_ends_the_old_one_and_its_connections(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    async with asyncio.timeout(20), served(planner(), login("planner")):
        before = await client_logins.put_client(workshop_server.folder, "acme")
        assert before is not None
        ended = asyncio.Event()
        plain = Nats()

        async def note() -> None:
            ended.set()

        await plain.connect(before.url_with_credentials, disconnected_cb=note, allow_reconnect=False)
        after = await client_logins.put_client(workshop_server.folder, "acme")
        await ended.wait()
        assert after is not None
        assert after.password != before.password
        with pytest.raises(LoginRefused):
            await connect(before, name="test", wait_s=5)
        again = await connect(after, name="test", wait_s=5)
        assert (await again.client.request("acp.v1.command.acme", b"{}", timeout=5)).data == b"acp.v1.command.acme"
        await again.close()
        await plain.close()


async def test_a_login_that_is_taken_away_is_disconnected_and_refused(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    async with asyncio.timeout(20), served(planner(), login("planner")):
        address = await client_logins.put_client(workshop_server.folder, "acme")
        assert address is not None
        ended = asyncio.Event()
        plain = Nats()

        async def note() -> None:
            ended.set()

        await plain.connect(address.url_with_credentials, disconnected_cb=note, allow_reconnect=False)
        await client_logins.remove_client(workshop_server.folder, "acme")
        await ended.wait()
        with pytest.raises(LoginRefused):
            await connect(address, name="test", wait_s=5)
        await client_logins.remove_client(workshop_server.folder, "acme")  # harmless a second time
        await plain.close()


async def test_others_work_on_while_logins_come_and_go(workshop_server: EmbeddedServer, login: Login) -> None:
    async with (
        asyncio.timeout(40),
        served(planner(), login("planner")),
        operator_of(workshop_server) as operator,
    ):
        asked = answered = 0
        changing = asyncio.create_task(_come_and_go(workshop_server))
        while not changing.done():
            asked += 1
            for _ in range(500):  # a moment without imports is answered with "nobody is there", or not at all
                try:
                    await operator.client.request("acp.v1.command.other", b"{}", timeout=1)
                except (NatsError, TimeoutError):
                    continue
                else:
                    answered += 1
                    break
        await changing
    assert asked > 50
    assert answered == asked


async def _come_and_go(server: EmbeddedServer) -> None:
    for number in range(10):
        await client_logins.put_client(server.folder, f"client-{number % 3}")
        if number % 3 == 2:
            await client_logins.remove_client(server.folder, f"client-{number % 3}")
        for _ in range(5):
            assert signal_reload(server.folder.absolute())


async def test_where_no_server_runs_a_login_counts_from_the_next_start(tmp_path: Path) -> None:
    folder = tmp_path / "nats"
    assert await client_logins.put_client(folder, "acme") is None
    async with asyncio.timeout(20), EmbeddedServer(folder) as server:
        connection = await connect(server.address("client_acme"), name="test", wait_s=5)
        await connection.close()


def test_credentials_of_an_earlier_version_keep_their_port_and_get_what_is_missing(tmp_path: Path) -> None:
    credentials.write_private(
        credentials.credentials_file(tmp_path), '{"port": 4555, "passwords": {"admin": "a", "client": "c", "qa": "q"}}'
    )
    found = credentials.read_credentials(tmp_path)
    assert found is not None
    assert found.port == 4555
    assert set(found.passwords) == set(credentials.FIXED_LOGINS)
    assert (found.passwords["admin"], found.passwords["qa"]) == ("a", "q")
    assert credentials.ensure_credentials(tmp_path) == credentials.ensure_credentials(tmp_path)


async def test_streams_of_a_home_without_accounts_are_still_there(
    workshop_server: EmbeddedServer, tmp_path: Path
) -> None:
    async with asyncio.timeout(30):
        async with admin_of(workshop_server) as admin:
            await admin.client.request("acp.v1.dead.qa", b"kept", timeout=5)
        await workshop_server.end()
        store = workshop_server.store_folder / "jetstream"
        (store / "ACP").rename(store / "$G")
        await workshop_server.start()
        async with admin_of(workshop_server) as admin:
            assert await stored(admin, ACP_DEAD) == 1
        assert not (store / "$G").exists()


def test_of_two_changes_at_once_neither_brings_back_what_the_other_took_away(tmp_path: Path) -> None:
    for client in ("acme", "mallory"):
        credentials.put_client(tmp_path, client)
    stale = credentials.read_credentials(tmp_path)
    assert stale is not None
    credentials.remove_client(tmp_path, "mallory")
    write_configuration(tmp_path, stale)

    asyncio.run(client_logins.put_client(tmp_path, "acme"))
    assert "client_mallory" not in (tmp_path / "nats.conf").read_text()
    assert "client_acme" in (tmp_path / "nats.conf").read_text()
