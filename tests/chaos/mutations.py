"""Processes that lack one guard, so that a test can see that the checker notices.

Guards in SQL are taken away from the text of the statements on their way to the database, whichever code makes them;
those in memory are patched.
"""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import structs
from sqlalchemy import Engine, event, text

from agents.planner.ledger.unit_of_work import JobRow, UnitOfWork
from agents.storage.atomic_files import AtomicFiles
from bus.durable_folders import make_folder
from bus.failpoint import pass_failpoint
from protocol.messages import JobRef

Rewrite = tuple[str, str]
"""(regular expression, its replacement) in a statement."""


def rewriting(*rewrites: Rewrite) -> Callable[[], None]:
    """Rewrite every statement that this process sends to any database."""

    def install() -> None:
        patterns = [(re.compile(pattern, re.DOTALL), replacement) for pattern, replacement in rewrites]

        @event.listens_for(Engine, "before_cursor_execute", retval=True)
        def _rewrite(  # pyright: ignore[reportUnusedFunction] - a listener
            connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
        ) -> tuple[str, Any]:
            for pattern, replacement in patterns:
                statement = pattern.sub(replacement, statement)
            return statement, parameters

    return install


def without_fences() -> None:
    """An event of an earlier attempt changes the job of a later one."""

    def job(self: UnitOfWork, ref: JobRef) -> JobRow | None:
        current = self.connection.execute(
            text('SELECT attempt FROM jobs WHERE hash = :hash AND "index" = :index'),
            {"hash": ref.hash, "index": ref.index},
        ).scalar()
        return fenced(self, structs.replace(ref, attempt=current)) if current is not None else None

    fenced = UnitOfWork.current_job
    UnitOfWork.current_job = job
    rewriting((r"jobs\.attempt = \?", "? > 0"))()


def write_in_place() -> None:
    """Files get their final name before their content."""

    def create(self: AtomicFiles, target: Path, data: bytes) -> None:
        make_folder(target.parent)
        with target.open("xb") as file:
            _written_slowly(file, data)

    def replace(self: AtomicFiles, target: Path, data: bytes) -> None:
        make_folder(target.parent)
        with target.open("wb") as file:
            _written_slowly(file, data)

    AtomicFiles.create = create
    AtomicFiles.replace = replace


def _written_slowly(file: Any, data: bytes) -> None:
    file.write(data[: len(data) // 2])
    file.flush()
    pass_failpoint("file.written")
    file.write(data[len(data) // 2 :])


def losing_power(*, syncing: bool) -> Callable[[], None]:
    """A process that kills itself takes with it what it wrote among the pictures and did not sync: those files become
    empty, as after a power cut."""

    def install() -> None:
        began, synced, kill, fsync = time.time(), set[int](), os.kill, os.fsync

        def remember(descriptor: int) -> None:
            if syncing:
                fsync(descriptor)
                synced.add(os.fstat(descriptor).st_ino)

        def power_cut(pid: int, sign: int) -> None:
            for path in (Path(os.environ["BOTTEGA_HOME"]) / "pictures").rglob("*"):
                if path.is_file() and path.stat().st_mtime >= began and path.stat().st_ino not in synced:
                    os.truncate(path, 0)
            kill(pid, sign)

        os.fsync = remember  # pyright: ignore[reportAttributeAccessIssue]
        os.kill = power_cut

    return install


MUTATIONS: dict[str, Callable[[], None]] = {
    # The look-up and the unique key by which a command that is sent again is known.
    "no-unique-key": rewriting(
        (r"(FROM commands\s+WHERE)", r"\1 1 = 0 AND"), (r"INSERT INTO commands", "INSERT OR REPLACE INTO commands")
    ),
    # The attempt's number, by which a job is found and in each condition by which it changes.
    "no-fencing": without_fences,
    # What the process before this one committed and did not say.
    "no-outbox": rewriting((r"(FROM outbox\s+WHERE)", r"\1 1 = 0 AND")),
    # A paid call is allowed without being written down.
    "no-intent": rewriting(
        (
            r"^INSERT INTO intents (\(.*?\)) VALUES (\(.*\))$",
            r"INSERT INTO intents \1 SELECT * FROM (VALUES \2) WHERE 0",
        )
    ),
    # The limit in the statement that reserves.
    "no-reservation": rewriting(
        (r"clients\.held_micros \+ clients\.spent_micros \+ \? <= clients\.limit_micros", "? > 0")
    ),
    "no-rename": write_in_place,
    # Alone it does no harm: what was told was synced.
    "power-cut": losing_power(syncing=True),
    "power-cut-no-fsync": losing_power(syncing=False),
}
"""Name -> what takes the guard away from this process."""
