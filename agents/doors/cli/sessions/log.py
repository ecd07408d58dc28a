"""The session log of a batch: what was asked for, and where each job stands.

`{output}/.sessions/{session_id}-session.json` is replaced as a whole, so that it is true and readable whenever the
process dies.
"""

import fcntl
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agents.doors.cli.copies import report_unwritable
from agents.doors.cli.errors import Failure, bad_input
from agents.doors.cli.terminal.phases import Phases
from bus.durable_files import replace_file
from bus.durable_folders import make_folder
from protocol.commands import GenerateImages, Upgrade
from protocol.plans import Cost
from protocol.results import Image

SESSIONS_FOLDER = ".sessions"
LOG_SUFFIX = "-session.json"

JobStatus = Literal["pending", "running", "completed", "failed", "retry", "cancelled", "paused"]
OPEN_STATUSES: frozenset[JobStatus] = frozenset({"pending", "running", "retry", "paused"})


class SessionConfig(Struct, frozen=True, kw_only=True):
    """What the session is about; null means every one."""

    wardrobe: str | None
    catalogs: list[str]
    ui_style: str | None
    quality: str


class JobEntry(Struct, frozen=True, kw_only=True):
    """One picture. `output` is its file once it is completed, `error` the last cause. `started` is when a process was
    first seen at work on it, else its end less the seconds that were measured; `completed` when it ended; `reused` the
    stored picture that was returned instead of making one."""

    id: str
    prompt_file: str
    combo: str | None
    status: JobStatus
    attempts: int = 0
    output: str | None = None
    error: str | None = None
    started: str | None = None
    completed: str | None = None
    catalog: str = ""
    wardrobe: str | None = None
    ui_style: str | None = None
    image_id: str
    reused: str | None = None


class Summary(Struct, frozen=True, kw_only=True):
    """Jobs by status; the counts add up to the total."""

    total: int = 0
    completed: int = 0
    failed: int = 0
    pending: int = 0
    running: int = 0
    retry: int = 0
    cancelled: int = 0
    paused: int = 0


class SessionLog(Struct, frozen=True, kw_only=True):
    """The whole log. `command` makes the batch again under the same id; `hash` is its batch once that is known;
    `parent` is the session whose pictures are made again; `cost` is null if nothing was priced."""

    session_id: str
    started: str
    config: SessionConfig
    jobs: list[JobEntry]
    summary: Summary
    command: GenerateImages | Upgrade
    hash: str | None = None
    parent: str | None = None
    ended: str | None = None
    phases: Phases = Phases()
    cost: Cost | None = None

    @property
    def is_unfinished(self) -> bool:
        return not self.jobs or any(job.status in OPEN_STATUSES for job in self.jobs)


def job_of(image: Image, before: JobEntry | None, now: str, output: str | None) -> JobEntry:
    """A job as the planner tells of its picture now; `output` is where its file was handed over to."""
    place = image.catalogued
    ended = image.metadata.generated_at if image.metadata else None
    status: JobStatus = image.status
    started = before.started if before else None
    if started is None and status in ("running", "retry"):
        started = now
    seconds = image.metadata.processing_time_s if image.metadata else None
    if started is None and ended and seconds is not None:
        started = format_time(datetime.fromisoformat(ended).timestamp() - seconds)
    known = before or JobEntry(
        id=f"{image.index + 1:03d}",
        prompt_file=f"{place.prompt_id}.md" if place else "",
        combo=place.combo if place else None,
        status=status,
        catalog=place.catalogue if place else "",
        wardrobe=place.wardrobe if place else None,
        ui_style=place.ui_style if place else None,
        image_id=image.id,
    )
    return replace(
        known,
        image_id=image.id,
        status=status,
        attempts=image.attempts,
        output=output if status == "completed" else None,
        error=image.error.message if image.error else None,
        started=started,
        completed=(ended or now) if status not in OPEN_STATUSES else None,
        reused=image.reused,
    )


def with_jobs(log: SessionLog, jobs: list[JobEntry]) -> SessionLog:
    """The log with its jobs, counted."""
    counts = Counter(job.status for job in jobs)
    return replace(log, jobs=jobs, summary=Summary(total=len(jobs), **counts))


def format_time(seconds: float) -> str:
    """A time in UTC, as the log writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


class SessionStore:
    """The logs below an output folder."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = output / SESSIONS_FOLDER

    def path(self, session: str) -> Path:
        return self.folder / f"{session}{LOG_SUFFIX}"

    def list_ids(self) -> list[str]:
        """Every session, oldest first."""
        return sorted(file.name.removesuffix(LOG_SUFFIX) for file in self.folder.glob(f"*{LOG_SUFFIX}"))

    def load(self, session: str) -> SessionLog:
        """The log of a session that is there.

        Raises:
            Failure: it cannot be read.
        """
        path = self.path(session)
        try:
            return msgspec.json.decode(path.read_bytes(), type=SessionLog)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise bad_input(f"{path} is no session log: {error}", hint="mend it or move it away") from None

    def read(self, session: str) -> SessionLog | None:
        """The log of a session; null where it is gone or cannot be read."""
        try:
            return self.load(session)
        except (OSError, Failure):
            return None

    def save(self, log: SessionLog) -> None:
        """Replace a session's log, durably."""
        make_folder(self.folder)
        replace_file(self.path(log.session_id), msgspec.json.format(msgspec.json.encode(log), indent=2) + b"\n")

    def is_locked(self, session: str) -> bool:
        """Whether a process drives the session now."""
        try:
            with self.lock(session):
                return False
        except BlockingIOError:
            return True
        except Failure:  # a folder that cannot be written: nobody drives a session in it
            return False

    @contextmanager
    def lock(self, session: str) -> Generator[None]:
        """Drive a session alone, as long as the context is open; the system ends it with the process.

        Raises:
            BlockingIOError: another process drives it.
        """
        with report_unwritable(self.output):
            make_folder(self.folder)
            lock = (self.folder / f".{session}.lock").open("w")
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
