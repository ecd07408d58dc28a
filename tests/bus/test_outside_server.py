"""A nats-server of one's own, with the accounts that `bottega deploy nats-config` prints."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bus import credentials, topology
from bus.agent import Delivery, Inbound, Outbound
from bus.connection import LoginRefused, connect
from bus.consumers import answer_consumers
from bus.credentials import outside_address
from bus.server import server_binary
from protocol.channels import ACP_EVENTS
from tests.bus.scripted import Scripted, put, served, until_stored, write_prompts, written


@asynccontextmanager
async def outside_server(home: Path, folder: Path) -> AsyncGenerator[str]:
    """Its URL, without a login."""
    said = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "agents.doors.cli", "deploy", "nats-config"],
        env={"BOTTEGA_HOME": str(home), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    (folder / "bottega.conf").write_text(said.stdout)
    port = credentials.free_port()
    configuration = folder / "server.conf"
    configuration.write_text(
        f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{folder / "store"}" }}\ninclude "bottega.conf"\n'
    )
    process = await asyncio.create_subprocess_exec(
        str(server_binary()), "-c", str(configuration), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield f"nats://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def test_a_server_of_ones_own_keeps_the_logins_apart_as_the_embedded_one_does(tmp_path: Path) -> None:
    home = tmp_path / "home"

    async def write(message: Inbound, _: Delivery) -> list[Outbound]:
        return [written(message)]

    async with asyncio.timeout(40), outside_server(home, tmp_path) as url:
        logins = {name: outside_address(url, home / "nats", name) for name in credentials.FIXED_LOGINS}
        admin = await connect(logins["admin"], name="tests", wait_s=10)
        await topology.apply_topology(admin)
        await answer_consumers(admin)
        agent = Scripted(handle=write)
        async with served(agent, logins["prompt"]):
            await put(admin, write_prompts())
            await until_stored(admin, ACP_EVENTS, 1)
        await admin.close()
        with pytest.raises(LoginRefused):
            await connect(outside_address(url, tmp_path / "elsewhere", "admin"), name="tests", wait_s=5)


def test_a_url_with_a_login_is_used_as_it_is(tmp_path: Path) -> None:
    credentials.ensure_credentials(tmp_path)
    assert outside_address("nats://me:secret@host:4222", tmp_path, "qa").user == "me"
    assert outside_address("nats://host:4222", tmp_path, "qa").user == "qa"
    assert outside_address("nats://host:4222", tmp_path, "client_unknown").user is None
