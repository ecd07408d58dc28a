"""The embedded server: what it keeps, how it starts beside leftovers, and that it ends with its parent."""

import asyncio
import os
import shutil
import signal
import socket
import stat
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from bus.accounts import LOGINS
from bus.connection import connect
from bus.server import EmbeddedServer, ServerUnavailable

PARENT = """
import asyncio, sys
from pathlib import Path
from bus.server import EmbeddedServer

async def main():
    server = EmbeddedServer(Path(sys.argv[1]))
    await server.start()
    print(server.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


ELSEWHERE = """
import sys
sys.platform = "elsewhere"
from bus import die_with_parent
die_with_parent.main(int(sys.argv[1]), sys.argv[2:])
"""


class Watched:
    """A process that is nobody's child here; made while it runs, so that its number cannot become another's."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._handle = os.pidfd_open(pid)

    async def end(self) -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._handle, ended.set)
        await ended.wait()
        loop.remove_reader(self._handle)
        os.close(self._handle)


async def start_parent(folder: Path) -> tuple[asyncio.subprocess.Process, Watched]:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, str(folder), stdout=PIPE)
    assert parent.stdout is not None
    return parent, Watched(int(await parent.stdout.readline()))


async def test_port_and_passwords_survive_a_restart(tmp_path: Path) -> None:
    async with asyncio.timeout(20):
        async with EmbeddedServer(tmp_path / "nats") as server:
            before = {name: server.address(name) for name in LOGINS}
        async with EmbeddedServer(tmp_path / "nats") as server:
            assert {name: server.address(name) for name in LOGINS} == before
            connection = await connect(before["operator"], name="test", wait_s=5)
            await connection.close()


async def test_nobody_else_may_read_its_folder_and_secrets(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path / "nats") as server:
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode)
            for path in (server.folder, server.folder / "credentials.json", server.folder / "nats.conf")
        }
        password = server.address("admin").password
    assert modes == {"nats": 0o700, "credentials.json": 0o600, "nats.conf": 0o600}
    assert password is not None
    assert password not in repr(server.address("admin"))
    assert password not in server.log_file.read_text()


async def test_every_login_has_a_password_of_its_own(nats_server: EmbeddedServer) -> None:
    assert len({nats_server.address(name).password for name in LOGINS}) == len(LOGINS)


async def test_another_port_is_taken_where_somebody_sits_on_the_kept_one(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path / "nats") as server:
        before = server.address("admin")
    with socket.create_server(("127.0.0.1", int(before.url.rpartition(":")[2]))):
        async with EmbeddedServer(tmp_path / "nats") as server:
            after = server.address("admin")
            connection = await connect(after, name="test", wait_s=5)
            await connection.close()
    assert after.url != before.url
    assert after.password == before.password


async def test_a_second_workshop_in_the_folder_is_refused_and_the_first_lives_on(
    nats_server: EmbeddedServer,
) -> None:
    with pytest.raises(ServerUnavailable, match="another workshop"):
        await EmbeddedServer(nats_server.folder).start()
    connection = await connect(nats_server.address("admin"), name="test", wait_s=5)
    await connection.close()


async def test_its_end_is_noticed_and_it_can_be_started_again(nats_server: EmbeddedServer) -> None:
    address = nats_server.address("admin")
    os.kill(nats_server.pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        assert await nats_server.wait() == -signal.SIGKILL
        await nats_server.start()
    assert nats_server.address("admin") == address


@pytest.mark.skipif(sys.platform != "linux", reason="looks at a process that is not its child through a pidfd")
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
async def test_it_ends_with_its_parent_however_the_parent_dies(tmp_path: Path, sign: signal.Signals) -> None:
    async with asyncio.timeout(20):
        parent, child = await start_parent(tmp_path / "nats")
        parent.send_signal(sign)
        await parent.wait()
        await child.end()


async def test_without_the_linux_kernels_help_it_ends_when_the_parents_pipe_closes() -> None:
    sleep = shutil.which("sleep")
    assert sleep is not None
    async with asyncio.timeout(10):
        tethered = await asyncio.create_subprocess_exec(
            sys.executable, "-c", ELSEWHERE, str(os.getpid()), sleep, "60", stdin=PIPE
        )
        assert tethered.stdin is not None
        tethered.stdin.close()
        assert await tethered.wait() == -signal.SIGTERM


@pytest.mark.skipif(sys.platform != "linux", reason="looks at a process that is not its child through a pidfd")
async def test_ctrl_c_in_the_terminal_does_not_reach_it(tmp_path: Path) -> None:
    parent, child = await start_parent(tmp_path / "nats")
    try:
        assert os.getpgid(child.pid) != os.getpgid(parent.pid)
    finally:
        parent.kill()
        await parent.wait()
        await child.end()


@pytest.mark.skipif(sys.platform != "linux", reason="freezes a process that is not its child")
async def test_a_server_left_over_from_a_dead_workshop_does_not_block_a_new_one(tmp_path: Path) -> None:
    folder = tmp_path / "nats"
    async with asyncio.timeout(30):
        parent, child = await start_parent(folder)
        os.kill(child.pid, signal.SIGSTOP)  # so that it does not obey the signal of its parent's death in time
        parent.kill()
        await parent.wait()
        async with EmbeddedServer(folder) as server:
            assert server.pid != child.pid
            await child.end()
            connection = await connect(server.address("admin"), name="test", wait_s=5)
            await connection.close()


async def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    folder = tmp_path / "nats"
    folder.mkdir()
    (folder / "store").write_text("a file where the store should be")
    with pytest.raises(ServerUnavailable, match="does not start"):
        await EmbeddedServer(folder).start()
