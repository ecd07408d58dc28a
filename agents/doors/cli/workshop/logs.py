"""`bottega logs`: what the processes of a home's workshop wrote, also after their end."""

import os
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from agents.doors.cli.errors import bad_input
from agents.doors.cli.settings import load_settings
from agents.shared.settings import Settings
from agents.shared.supervisor.child import OLD_SUFFIX
from protocol.messages import ROLES

POLL_S = 0.2
"""Pause between two looks for new lines."""
MAX_TAIL_BYTES = 1024 * 1024
"""How much of a log's end is looked at for its last lines."""


def show_logs(unit: str | None, lines: int, follow: bool) -> None:
    """Print the last lines of one log or of all, and those that come after them until Ctrl-C.

    Raises:
        Failure: nothing was logged in this home yet.
    """
    settings = load_settings()
    files = log_files(settings)
    tails = [LogTail(name, file) for name, file in files.items() if unit in (None, name)]
    if not follow and not any(tail.file.is_file() for tail in tails):
        where = ", ".join(str(tail.file) for tail in tails) if unit else settings.home / "logs"
        raise bad_input(f"nothing was logged yet: {where}", hint="logs are written by bottega up and generate")
    printer = _Printer(headed=len(tails) > 1)
    for tail in tails:
        printer.print_lines(tail, tail.last_lines(lines))
    while follow:
        time.sleep(POLL_S)
        for tail in tails:
            printer.print_lines(tail, tail.new_lines())


def log_files(settings: Settings) -> Mapping[str, Path]:
    """Every log of a home, by the process that writes it."""
    folder = settings.home / "logs"
    names = (*ROLES, "supervisor", "up")
    return {**{name: folder / f"{name}.log" for name in names}, "nats": settings.nats_folder / "nats.log"}


class LogTail:
    """The end of a log, as far as it was read; whole lines alone. A log that was set aside begins anew."""

    def __init__(self, name: str, file: Path) -> None:
        self.name, self.file = name, file
        self._inode, self._place, self._rest = 0, 0, b""

    def last_lines(self, count: int) -> list[str]:
        """The last lines that are there."""
        try:
            stat = self.file.stat()
        except OSError:
            return []
        self._inode, self._place = stat.st_ino, max(0, stat.st_size - MAX_TAIL_BYTES)
        found = self.new_lines()
        return found[-count:] if count else []

    def new_lines(self) -> list[str]:
        """The lines since the last look."""
        before = b""
        try:
            with self.file.open("rb") as opened:
                # Of the file that was opened, not of one that may have come in its place since.
                stat = os.fstat(opened.fileno())
                if stat.st_ino != self._inode or stat.st_size < self._place:
                    before = self._end_of_old()
                    self._inode, self._place = stat.st_ino, 0
                opened.seek(self._place)
                data = opened.read(MAX_TAIL_BYTES)
        except OSError:
            return []
        self._place += len(data)
        *whole, self._rest = (before + self._rest + data).split(b"\n")
        return [line.decode(errors="replace") for line in whole]

    def _end_of_old(self) -> bytes:
        """What was not read yet of the log that was set aside: the last words of a process that died."""
        rest, self._rest = self._rest, b""
        try:
            with self.file.with_suffix(OLD_SUFFIX).open("rb") as opened:
                if os.fstat(opened.fileno()).st_ino == self._inode:
                    opened.seek(self._place)
                    rest += opened.read(MAX_TAIL_BYTES)
        except OSError:
            pass
        return rest if not rest or rest.endswith(b"\n") else rest + b"\n"


class _Printer:
    """Prints lines; where several logs are shown, the name stands above those of each."""

    def __init__(self, headed: bool) -> None:
        self._headed = headed
        self._last: str | None = None

    def print_lines(self, tail: LogTail, lines: Iterable[str]) -> None:
        lines = list(lines)
        if lines and self._headed and tail.name != self._last:
            lines.insert(0, f"{'' if self._last is None else chr(10)}==> {tail.name}: {tail.file} <==")
            self._last = tail.name
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
