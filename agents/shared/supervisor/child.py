"""One process of the workshop: started, its log kept, started again when it dies, drained at the end."""

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path

from agents.shared.supervisor.notice import Notice, UnitName
from agents.shared.supervisor.restart import BackOff
from protocol.errors import is_disk_full

MAX_LOG_BYTES = 8 * 1024 * 1024
"""A log larger than this is set aside as `<name>.old.log`."""

LOG_LOOK_S = 5.0
"""Pause between two looks at the size of the log of a process that lives."""

OLD_SUFFIX = ".old.log"

DEATHS_TOLD = 3
"""Deaths in a row after which it is told what the process said: it has no accident but a reason."""

MAX_LOG_TAIL_BYTES = 2000
"""How much of a log's end is looked at for its last line."""


class Child:
    """A process that is kept alive. `deaths` counts its deaths in a row."""

    def __init__(
        self,
        unit: UnitName,
        command: Sequence[str],
        environment: Callable[[], Mapping[str, str]],
        log: Path,
        policy: BackOff,
        announce: Callable[[Notice], None],
    ) -> None:
        self.unit: UnitName = unit
        self.deaths = 0
        self.log = log
        self._command = command
        self._environment = environment
        self._policy = policy
        self._announce = announce
        self._draining = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the current life, null between two."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def keep_alive(self) -> None:
        """Run the process, again and again, until it is drained."""
        while not self._draining.is_set():
            born = time.monotonic()
            code = await self._run_once()
            if self._draining.is_set():
                self._announce(Notice(self.unit, "stopped", _format_exit(code)))
                return
            self.deaths = self._policy.deaths_in_a_row(self.deaths, time.monotonic() - born)
            pause = self._policy.pause_s(self.deaths)
            why = f"; {self.last_error()}" if self.deaths == DEATHS_TOLD else ""
            told = f"{_format_exit(code)}; again in {pause:.1f} s; log: {self.log}{why}"
            self._announce(Notice(self.unit, "died", told))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._draining.wait()

    def drain(self) -> None:
        """Ask the process to finish what it has in hand and end; it is not started again."""
        self._draining.set()
        if self._process and self._process.returncode is None:
            self._process.terminate()

    def kill(self) -> None:
        """End the process at once, where it still lives."""
        if self._process and self._process.returncode is None:
            self._announce(Notice(self.unit, "killed", "did not finish in time"))
            self._process.kill()

    def last_error(self) -> str:
        """The last error in the log, else its last line: the answer when a person asks why."""
        with contextlib.suppress(OSError), self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - MAX_LOG_TAIL_BYTES))
            lines = [line.strip() for line in log.read().decode(errors="replace").splitlines()]
            errors = [line for line in lines if line.startswith("error: ")]
            if said := errors or [line for line in lines if line]:
                return said[-1].removeprefix("error: ")
        return "it said nothing"

    async def _run_once(self) -> int:
        with open_log(self.log) as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=dict(self._environment()),
                start_new_session=True,
            )
        self._announce(Notice(self.unit, "started", f"pid {self._process.pid}"))
        if self._draining.is_set():
            self._process.terminate()
        looking = asyncio.create_task(self._bound_log())
        try:
            return await self._process.wait()
        finally:
            looking.cancel()

    async def _bound_log(self) -> None:
        """Set the log aside whenever it has grown too large; runs until cancelled."""
        while True:
            await asyncio.sleep(LOG_LOOK_S)
            await asyncio.to_thread(set_aside_full_log, self.log)


def set_aside_full_log(path: Path) -> None:
    """Keep what a log that grew too large holds as the old one, and empty it. The process goes on writing into the same
    file, at its end; what it writes in the moment between the two is lost."""
    with contextlib.suppress(OSError):
        if path.stat().st_size > MAX_LOG_BYTES:
            shutil.copyfile(path, path.with_suffix(OLD_SUFFIX))
            os.truncate(path, 0)


@contextlib.contextmanager
def open_log(path: Path) -> Generator[int]:
    """A descriptor that appends to the log; one that grew too large is set aside first. Where a full disk has no room
    for the file, what is said is lost."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_size > MAX_LOG_BYTES:
                path.replace(path.with_suffix(OLD_SUFFIX))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        if not is_disk_full(error):
            raise
        descriptor = os.open(os.devnull, os.O_WRONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _format_exit(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
