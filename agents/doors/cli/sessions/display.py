"""Progress of a session: a bar, counts, the current and the recent jobs, rate and time left."""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from agents.doors.cli.sessions.log import OPEN_STATUSES, JobEntry, SessionLog
from agents.doors.cli.sessions.tracker import ENDED_STATUSES, SessionTracker
from agents.doors.cli.terminal.display import Display, LiveDisplay, NullDisplay, PlainDisplay, live_view
from agents.doors.cli.terminal.plan_view import format_duration
from agents.doors.cli.terminal.progress_state import BatchProgress, Row
from protocol.counts import format_count

MAX_CURRENT_JOBS = 8
"""Jobs in hand that are shown; a workshop has about as many in flight."""
MAX_RECENT_JOBS = 5
MARKS = {"completed": ("✓", "green"), "failed": ("✗", "red"), "cancelled": ("-", "yellow")}


class LiveSessionDisplay(LiveDisplay):
    """Redraws a session on a terminal."""

    def __init__(self, console: Console, tracker: SessionTracker) -> None:
        super().__init__(console)
        self._terminal = console
        self._tracker = tracker

    @contextmanager
    def show_batch(self, title: str, board: BatchProgress) -> Generator[None]:
        self.print_line(title)
        with live_view(self._terminal, lambda: render_session(self._tracker, board)):
            yield


class PlainSessionDisplay(PlainDisplay):
    """A line per job that ended."""

    def __init__(self, console: Console, tracker: SessionTracker) -> None:
        super().__init__(console)
        self._tracker = tracker

    def show_batch(self, title: str, board: BatchProgress) -> AbstractContextManager[None]:
        self._finished = board.finished_count
        shown = super().show_batch(title, board)
        if start := format_start(board):
            self.print_line(f"{format_count(board.quantity, 'job')} · {start}")
        return shown

    def show_finished(self, row: Row, board: BatchProgress) -> None:
        self._finished += 1
        if job := self._tracker.job(row.index):
            self.print_line(f"[{self._finished}/{board.quantity}] {format_job(job)}")


def session_display(console: Console, tracker: SessionTracker, *, silent: bool) -> Display:
    """Redrawn on a terminal, plain lines elsewhere, nothing where lines would disturb."""
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveSessionDisplay(console, tracker)
    return NullDisplay() if silent else PlainSessionDisplay(console, tracker)


def headline(log: SessionLog) -> str:
    """What a session is about, in two lines."""
    config = log.config
    return (
        f"[Session: {log.session_id}]\n"
        f"Wardrobe: {config.wardrobe or 'all'} | UI: {config.ui_style or 'all'} | Quality: {config.quality}\n"
        f"Catalogues: {', '.join(config.catalogs)}"
    )


def render_session(tracker: SessionTracker, board: BatchProgress) -> RenderableType:
    """The session as it stands; `board` knows the steps of its pictures."""
    log, summary = tracker.log, tracker.log.summary
    ended = summary.completed + summary.failed + summary.cancelled
    bar = Table.grid(padding=(0, 1))
    share = f"{100 * ended // summary.total}%" if summary.total else "0%"
    bar.add_row(
        "Progress:",
        ProgressBar(total=summary.total or 1, completed=ended, width=20),
        f"{share} ({ended}/{summary.total})",
    )
    lines: list[RenderableType] = [bar, Text(format_counts(log)), Text(format_pace(tracker), style="dim")]
    lines += [Text(start)] if (start := format_start(board)) else []
    current = [job for job in log.jobs if job.status in ("running", "retry")]
    lines += [Text("\nCurrent:")] if current else []
    lines += [Text(f"  → {format_job(job)}", style="cyan") for job in current[:MAX_CURRENT_JOBS]]
    recent = sorted(
        (job for job in log.jobs if job.status in ENDED_STATUSES), key=lambda job: (job.completed or "", job.id)
    )
    lines += [Text("\nRecent:")] if recent else []
    for job in reversed(recent[-MAX_RECENT_JOBS:]):
        mark, style = MARKS[job.status]
        lines.append(Text(f"  {mark} {format_job(job)}", style=style))
    return Group(*lines)


def format_counts(log: SessionLog) -> str:
    """`Running: 3 | Completed: 24 | Failed: 0 | Pending: 18`, and what else there is."""
    summary = log.summary
    parts = [
        f"Running: {summary.running:>2}",
        f"Completed: {summary.completed}",
        f"Failed: {summary.failed}",
        f"Pending: {summary.pending}",
    ]
    others = (("Retry", summary.retry), ("Cancelled", summary.cancelled), ("Paused", summary.paused))
    return " | ".join([*parts, *(f"{name}: {count}" for name, count in others if count)])


def format_start(board: BatchProgress) -> str | None:
    """How far the first picture is, which may take minutes where models are loaded; null once one has ended."""
    if board.finished_count:
        return None
    drawn = [row for row in board.rows(MAX_CURRENT_JOBS) if row.step is not None and row.steps]
    if not drawn:
        return "waiting for the first picture: models may have to be loaded"
    first = max(drawn, key=lambda row: row.fraction_done or 0)
    return f"the first picture is at step {(first.step or 0) + 1}/{first.steps}"


def format_pace(tracker: SessionTracker) -> str:
    """Rate and time left, as measured since this process drives the session."""
    left = sum(job.status in OPEN_STATUSES for job in tracker.log.jobs)
    if not tracker.ended_now:
        return f"{format_duration(tracker.seconds)} · rate not measured yet"
    rate = tracker.ended_now / tracker.seconds
    return (
        f"{format_duration(tracker.seconds)} · {60 * rate:.1f} per minute · about {format_duration(left / rate)} left"
    )


def format_job(job: JobEntry) -> str:
    """`[025] ZH01_unboxing_experience + C-U-011 → saved`."""
    what = f"[{job.id}] {job.prompt_file.removesuffix('.md')}" + (f" + {job.combo}" if job.combo else "")
    match job.status:
        case "completed":
            return f"{what} → saved"
        case "failed" | "cancelled":
            return f"{what} → {job.status}: {job.error or 'no reason was given'}"
        case "running" | "retry":
            return f"{what} (attempt {max(1, job.attempts)})"
        case _:
            return what
