"""`bottega batch list`: the sessions of a home, wherever their output lies."""

import sys
from pathlib import Path
from typing import Literal

from msgspec import Struct

from agents.doors.cli.amounts import format_moment
from agents.doors.cli.sessions.index import START_HINT, SessionIndex
from agents.doors.cli.sessions.log import SessionLog, SessionStore, Summary
from agents.doors.cli.settings import load_settings
from agents.doors.cli.terminal.columns import format_rows
from agents.doors.cli.terminal.console import open_console
from protocol.codec import encode

SessionState = Literal["running", "unfinished", "completed", "failed", "missing"]
"""`running`: a process drives it; `failed`: it ended without some of its pictures; `missing`: its log is gone or cannot
be read."""

HEADER = ("session", "state", "stored", "started", "what")


class SessionSummary(Struct, frozen=True, kw_only=True):
    """A session of a list. What its log says is null where that is missing."""

    session_id: str
    state: SessionState
    output: str
    started: str | None = None
    ended: str | None = None
    catalogs: list[str] | None = None
    summary: Summary | None = None
    hash: str | None = None


class SessionList(Struct, frozen=True, kw_only=True):
    """What `bottega batch list --json` prints, newest first."""

    sessions: list[SessionSummary]


def list_sessions(count: int, output: Path | None, json: bool) -> None:
    """Show the newest sessions of the home, or of an output folder."""
    index = SessionIndex.of_home(load_settings())
    newest = list(reversed(index.list_all(output)))[:count]
    shown = SessionList(sessions=[_summary_of(session, sessions) for session, sessions in newest])
    if json:
        sys.stdout.write(encode(shown).decode() + "\n")
        return
    console = open_console()
    rows = [_row(session) for session in shown.sessions]
    lines = format_rows(HEADER, rows, console.width) if rows else [f"no sessions yet; {START_HINT}"]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def state_of(log: SessionLog, *, driven: bool) -> SessionState:
    """Where a session stands."""
    if log.is_unfinished:
        return "running" if driven else "unfinished"
    return "failed" if log.summary.failed or log.summary.cancelled else "completed"


def _summary_of(session: str, sessions: SessionStore) -> SessionSummary:
    log = sessions.read(session)
    if log is None:
        return SessionSummary(session_id=session, state="missing", output=str(sessions.output))
    return SessionSummary(
        session_id=session,
        state=state_of(log, driven=sessions.is_locked(session)),
        output=str(sessions.output),
        started=log.started,
        ended=log.ended,
        catalogs=log.config.catalogs,
        summary=log.summary,
        hash=log.hash,
    )


def _row(session: SessionSummary) -> tuple[str, ...]:
    if session.summary is None or session.started is None:
        return (session.session_id, session.state, "-", "-", session.output)
    lost = session.summary.failed + session.summary.cancelled
    stored = f"{session.summary.completed}/{session.summary.total}" + (f", {lost} lost" if lost else "")
    what = f"{', '.join(session.catalogs or [])} → {session.output}"
    return (session.session_id, session.state, stored, format_moment(session.started), what)
