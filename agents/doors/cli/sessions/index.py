"""Which sessions a home knows, and where their logs lie: a small file for each in `sessions/` of the home, so that a
session is found by its id alone, wherever its output folder is."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from agents.doors.cli.copies import report_unwritable
from agents.doors.cli.errors import bad_input
from agents.doors.cli.sessions.log import SessionLog, SessionStore
from agents.shared.settings import Settings
from bus.durable_files import replace_file
from bus.durable_folders import make_folder

FOLDER = "sessions"
"""Of the index, in the home."""
DEFAULT_OUTPUT = "Result_images"
"""Output folder of sessions that name none, in the home."""
ID_FORMAT = "%Y-%m-%d-%H-%M-%S"
SUFFIX = ".json"
START_HINT = "start one: bottega batch start --catalogues NAMES"


class SessionPlace(Struct, frozen=True, kw_only=True):
    """An entry of the index: the output folder of a session, which has its log in `.sessions`."""

    session_id: str
    output: str


class SessionIndex:
    """The sessions of a home: those that the index names, and those in the home's own output folder."""

    def __init__(self, folder: Path, own_output: Path) -> None:
        self.folder = folder
        self.own = SessionStore(own_output)

    @classmethod
    def of_home(cls, settings: Settings) -> "SessionIndex":
        return cls(settings.home / FOLDER, settings.home / DEFAULT_OUTPUT)

    def store(self, output: Path | None) -> SessionStore:
        """The logs below an output folder; null is the home's own."""
        return self.own if output is None else SessionStore(output.absolute())

    @contextmanager
    def new_session(self, sessions: SessionStore, seconds: float) -> Generator[str]:
        """A new session's id after the time, in UTC, that no session of the home or of the output folder has:
        `2025-01-15-14-30-00`. The home knows it from then on; a session that has no log in the end never began."""
        session = self._claim_id(sessions, seconds)
        try:
            yield session
        finally:
            if not sessions.path(session).exists():
                self._entry(session).unlink(missing_ok=True)

    def add(self, session: str, sessions: SessionStore) -> None:
        """Have the home know where a session's log lies, also one that was begun for another home or was moved."""
        if self._places().get(session) != sessions.output:
            place = SessionPlace(session_id=session, output=str(sessions.output))
            replace_file(self._entry(session), msgspec.json.encode(place) + b"\n")

    def list_all(self, output: Path | None = None) -> list[tuple[str, SessionStore]]:
        """Every session with the logs that it is among, oldest first; only those of an output folder where one is
        named. The logs of some may be gone."""
        if output is not None:
            sessions = self.store(output)
            return [(session, sessions) for session in sorted(sessions.list_ids(), key=_age)]
        found = dict.fromkeys(self.own.list_ids(), self.own)
        found |= {session: SessionStore(place) for session, place in self._places().items() if session not in found}
        return sorted(found.items(), key=lambda one: _age(one[0]))

    def load(self, session: str | None, output: Path | None = None) -> tuple[SessionStore, SessionLog]:
        """A session's log, with those that it is among; the newest one's that is there where none is named.

        Raises:
            Failure: there is none, its folder is gone, or it cannot be read.
        """
        known = self.list_all(output)
        if session is None:
            known = [(name, sessions) for name, sessions in known if sessions.path(name).is_file()]
        found = next((one for one in reversed(known) if session in (None, one[0])), None)
        if found is None:
            where = self.store(output).folder if output is not None else f"the home {self.folder.parent}"
            names = ", ".join(name for name, _ in known[-5:])
            raise bad_input(
                f"there is no session {session} in {where}" if session else f"there is no session in {where}",
                hint=f"known: {names}" if known else START_HINT,
            )
        name, sessions = found
        if not sessions.path(name).is_file():
            raise bad_input(
                f"the log of session {name} is gone: {sessions.path(name)}",
                hint="bring its folder back, or name where it lies: --output FOLDER",
                code="wrong_state",
            )
        log = sessions.load(name)
        if output is not None:
            with suppress(OSError):  # a home without room does not keep a session from being looked at
                self.add(name, sessions)
        return sessions, log

    def list_unfinished(self) -> list[SessionLog]:
        """Sessions with open jobs that no process is driving, oldest first; logs that cannot be read are not."""
        logs = [(sessions, sessions.read(session)) for session, sessions in self.list_all()]
        return [log for sessions, log in logs if log and log.is_unfinished and not sessions.is_locked(log.session_id)]

    def _claim_id(self, sessions: SessionStore, seconds: float) -> str:
        with report_unwritable(sessions.output):  # told before the index names it
            make_folder(sessions.folder)
        make_folder(self.folder)
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = {*self._places(), *sessions.list_ids(), *self.own.list_ids()}
            first = datetime.fromtimestamp(seconds, UTC).strftime(ID_FORMAT)
            names = (first if number == 1 else f"{first}-{number}" for number in range(1, 1000))
            session = next(name for name in names if name not in known)
            self.add(session, sessions)
            return session

    def _places(self) -> dict[str, Path]:
        """Session -> output folder; entries that cannot be read name nothing."""
        found: dict[str, Path] = {}
        for file in self.folder.glob(f"*{SUFFIX}"):
            with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
                place = msgspec.json.decode(file.read_bytes(), type=SessionPlace)
                if place.session_id == file.name.removesuffix(SUFFIX):
                    found[place.session_id] = Path(place.output)
        return found

    def _entry(self, session: str) -> Path:
        return self.folder / f"{session}{SUFFIX}"


def _age(session: str) -> tuple[str, int]:
    """What sorts sessions by their beginning: the time, then the number of those of one second."""
    time, number = session[:19], session[20:]
    return time, int(number) if number.isascii() and number.isdecimal() else 0
