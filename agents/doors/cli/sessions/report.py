"""A session's end, and where it stands, for a person and as JSON; and what a dry run would do."""

import sys

from agents.doors.cli.amounts import describe_reused, format_money
from agents.doors.cli.sessions.display import format_counts, format_job, headline
from agents.doors.cli.sessions.log import SessionLog, SessionStore
from agents.doors.cli.terminal.console import open_console
from agents.doors.cli.terminal.phases import format_phases
from protocol.codec import encode


def show_status(log: SessionLog, sessions: SessionStore, json: bool) -> None:
    """Where a session stands: its head, counts, and every job that did not end well."""
    if json:
        sys.stdout.write(encode(log).decode() + "\n")
        return
    lines = [headline(log), "", format_counts(log)]
    lines += [f"  {format_job(job)}" for job in log.jobs if job.status in ("running", "retry", "failed", "cancelled")]
    if log.is_unfinished:
        lines.append(f"go on with: bottega batch resume {log.session_id}")
    elif log.summary.failed:
        lines.append(f"try again: bottega batch retry {log.session_id}")
    lines.append(f"log: {sessions.path(log.session_id)}")
    _print(lines)


def show_end(log: SessionLog, sessions: SessionStore, json: bool) -> None:
    """The end of a session: as `told`, and what it took."""
    show_status(log, sessions, json)
    if json:
        return
    if reused := sum(job.reused is not None for job in log.jobs):
        _print([describe_reused(reused, log.summary.total)])
    made = any(job.status == "completed" for job in log.jobs)
    cost = format_money(log.cost.amount) if log.cost else "not priced" if made else "none, as no picture was made"
    _print([f"pictures: {sessions.output}", f"time: {format_phases(log.phases)}", f"cost: {cost}"])


def _print(lines: list[str]) -> None:
    console = open_console()
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
