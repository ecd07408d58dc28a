"""Real processes: short Python programs that die, wait, or refuse to end."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agents.shared.supervisor.child import MAX_LOG_BYTES, Child, open_log
from agents.shared.supervisor.notice import Notice
from agents.shared.supervisor.restart import BackOff
from bus.disk_space import free_bytes
from tests.small_disk import small_disk

IMPATIENT = BackOff(first_s=0.01, factor=2.0, max_s=0.05, stable_s=30.0)
WAIT = "import signal; print('up', flush=True); signal.pause()"


class Chronicle:
    """Notices, and a way to wait for the next one of a kind."""

    def __init__(self) -> None:
        self.notices: asyncio.Queue[Notice] = asyncio.Queue()

    async def next(self, what: str) -> Notice:
        async with asyncio.timeout(20):
            while (notice := await self.notices.get()).what != what:
                pass
            return notice


@asynccontextmanager
async def kept(program: str, folder: Path) -> AsyncGenerator[tuple[Child, Chronicle]]:
    chronicle = Chronicle()
    child = Child(
        "qa",
        [sys.executable, "-c", program],
        lambda: os.environ,
        folder / "qa.log",
        IMPATIENT,
        chronicle.notices.put_nowait,
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(child.keep_alive())
        try:
            yield child, chronicle
        finally:
            child.drain()
            child.kill()


def pid_of(notice: Notice) -> int:
    return int(notice.detail.split()[1])


def test_a_log_that_has_no_room_is_lost_and_stops_nobody(tmp_path: Path):
    with small_disk(tmp_path / "logs", 64, files=1) as folder:
        (folder / "last").touch()
        assert free_bytes(folder) == 0
        with open_log(folder / "qa.log") as descriptor:
            assert os.write(descriptor, b"lost") == 4
        assert not (folder / "qa.log").exists()


async def test_a_killed_process_is_started_again(tmp_path: Path):
    async with kept(WAIT, tmp_path) as (child, chronicle):
        first = pid_of(await chronicle.next("started"))
        os.kill(first, signal.SIGKILL)
        assert "signal 9" in (await chronicle.next("died")).detail
        second = pid_of(await chronicle.next("started"))
        assert second != first
        assert child.pid == second


async def test_a_process_that_fails_at_once_is_counted_and_its_words_are_kept(tmp_path: Path):
    async with kept("import sys; sys.exit('no device')", tmp_path) as (child, chronicle):
        assert "exit code 1" in (await chronicle.next("died")).detail
        await chronicle.next("died")
        assert child.deaths >= 2
        assert child.last_error() == "no device"


async def test_a_drained_process_is_not_started_again(tmp_path: Path):
    async with kept(WAIT, tmp_path) as (child, chronicle):
        await chronicle.next("started")
        child.drain()
        assert "signal 15" in (await chronicle.next("stopped")).detail
    assert child.pid is None


async def test_a_process_that_does_not_end_is_killed(tmp_path: Path):
    stubborn = "import signal; signal.signal(15, signal.SIG_IGN)\nwhile True: signal.pause()"
    async with kept(stubborn, tmp_path) as (child, chronicle):
        await chronicle.next("started")
        child.kill()
        assert "signal 9" in (await chronicle.next("died")).detail


@pytest.mark.parametrize(
    ("log", "words"),
    [
        pytest.param("", "it said nothing", id="an empty log"),
        pytest.param("Traceback:\n  line\nKeyError: 3\n\n", "KeyError: 3", id="the last line"),
        pytest.param("error: no such device\n  try: cpu\n", "no such device", id="the sentence of an expected failure"),
    ],
)
def test_the_last_words_of_a_process_say_why_it_died(tmp_path: Path, log: str, words: str):
    (tmp_path / "qa.log").write_text(log)
    child = Child("qa", [], dict, tmp_path / "qa.log", IMPATIENT, lambda _: None)
    assert child.last_error() == words


def test_a_log_that_grew_too_large_is_set_aside(tmp_path: Path):
    log = tmp_path / "logs" / "qa.log"
    log.parent.mkdir()
    log.write_bytes(b"x" * (MAX_LOG_BYTES + 1))
    with open_log(log) as descriptor:
        os.write(descriptor, b"new")
    assert log.read_bytes() == b"new"
    assert (tmp_path / "logs" / "qa.old.log").stat().st_size == MAX_LOG_BYTES + 1


@pytest.mark.parametrize("obedient", [True, False])
def test_a_process_on_a_lifeline_ends_when_its_parent_is_gone(obedient: bool):
    program = (
        "import signal\nfrom agents.shared.supervisor.stdin_lifeline import terminate_with_stdin\n"
        f"{'' if obedient else 'signal.signal(signal.SIGTERM, signal.SIG_IGN)'}\n"
        "terminate_with_stdin(grace_s=0.1)\nprint('up', flush=True)\nwhile True: signal.pause()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "up\n"
        process.stdin.close()
        assert process.wait(timeout=20) == (-signal.SIGTERM if obedient else 1)
