"""Live progress of a batch: a bar and a line per picture on a terminal, plain lines where there is none.

Written to standard error, so that standard output holds results alone.
"""

import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from agents.doors.cli.terminal.progress_state import FINAL_PHASES, BatchProgress, Phase, Row
from protocol.results import BatchState, StatusBody

REFRESH_PER_S = 8
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
NON_ROW_LINES = 7
"""Lines of the terminal that are not a picture's."""

MARKS: dict[Phase, tuple[str, str]] = {
    "waiting": ("·", "dim"),
    "starting": (SPINNER[0], "cyan"),
    "drawing": (SPINNER[0], "cyan"),
    "judging": (SPINNER[0], "magenta"),
    "again": ("↻", "yellow"),
    "stored": ("✓", "green"),
    "failed": ("✗", "red"),
    "cancelled": ("-", "yellow"),
}


class Display(Protocol):
    """Where news of a batch is shown."""

    def print_line(self, text: str) -> None:
        """One line that stays."""
        ...

    def show_waiting(self, text: str) -> AbstractContextManager[None]:
        """Show that something is being waited for."""
        ...

    def show_batch(self, title: str, board: BatchProgress) -> AbstractContextManager[None]:
        """Show the board as long as the context is open."""
        ...

    def show_finished(self, row: Row, board: BatchProgress) -> None:
        """A picture became final."""
        ...


class PlainDisplay:
    """Plain lines: one per picture that is done. For logs, pipes and dumb terminals."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._finished = 0

    def print_line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show_waiting(self, text: str) -> AbstractContextManager[None]:
        self.print_line(f"{text} …")
        return nullcontext()

    def show_batch(self, title: str, board: BatchProgress) -> AbstractContextManager[None]:
        self.print_line(title)
        return nullcontext()

    def show_finished(self, row: Row, board: BatchProgress) -> None:
        self._finished += 1
        self.print_line(f"[{self._finished}/{board.quantity}] picture {row.index}: {' · '.join(_facts(row))}")


class NullDisplay:
    """No progress at all: `--json` with nobody watching."""

    def print_line(self, text: str) -> None:
        pass

    def show_waiting(self, text: str) -> AbstractContextManager[None]:
        return nullcontext()

    def show_batch(self, title: str, board: BatchProgress) -> AbstractContextManager[None]:
        return nullcontext()

    def show_finished(self, row: Row, board: BatchProgress) -> None:
        pass


class LiveDisplay:
    """A display that redraws itself on a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def print_line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def show_waiting(self, text: str) -> Generator[None]:
        with self._console.status(escape(text), spinner="dots"):
            yield

    @contextmanager
    def show_batch(self, title: str, board: BatchProgress) -> Generator[None]:
        started = time.monotonic()
        self.print_line(title)

        def picture() -> RenderableType:
            rows = max(3, min(self._console.height - NON_ROW_LINES, 24))
            return render_batch(board, time.monotonic() - started, rows)

        with live_view(self._console, picture):
            yield

    def show_finished(self, row: Row, board: BatchProgress) -> None:
        pass


def live_view(console: Console, picture: Callable[[], RenderableType]) -> Live:
    """A terminal that shows what `picture` says, several times a second."""
    return Live(console=console, get_renderable=picture, refresh_per_second=REFRESH_PER_S)


def display_for(console: Console, *, silent: bool) -> Display:
    """Redrawn on a terminal, plain lines elsewhere, nothing where lines would disturb."""
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveDisplay(console)
    return NullDisplay() if silent else PlainDisplay(console)


def render_batch(board: BatchProgress, seconds: float, rows: int) -> RenderableType:
    """The board as a bar, a line of counts, and a line per picture."""
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", style="dim")
    table.add_column(width=1)
    table.add_column(no_wrap=True, overflow="ellipsis")
    for row in board.rows(rows):
        table.add_row(str(row.index), _mark(row, seconds), _line(row))
    return Group(_bar(board, seconds), table)


def format_counts(status: StatusBody) -> str:
    """`2 stored · 1 being made · 1 waiting`; what is zero is left out."""
    parts = (
        (status.completed, "stored"),
        (status.processing, "being made"),
        (status.queued, "waiting"),
        (status.failed or 0, "failed"),
        (status.cancelled or 0, "cancelled"),
    )
    return " · ".join(f"{count} {word}" for count, word in parts if count)


def state_of(status: StatusBody) -> BatchState:
    """How a batch stands, also where its status leaves that out."""
    if isinstance(status.state, str):
        return status.state
    return "running" if status.processing or status.queued else "completed"


def words_of(state: BatchState) -> str:
    """A state as people write it: `partly failed`."""
    return state.replace("_", " ")


def _bar(board: BatchProgress, seconds: float) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    counts = format_counts(board.status) if board.status else "waiting for the first news"
    grid.add_row(
        ProgressBar(total=board.quantity, completed=board.finished_count, width=28),
        Text(f"{board.finished_count}/{board.quantity}", style="bold"),
        Text(f"{counts} · {seconds:.0f} s", style="dim"),
    )
    return grid


def _mark(row: Row, seconds: float) -> Text:
    mark, style = MARKS[row.phase]
    if row.phase in ("starting", "drawing", "judging"):
        mark = SPINNER[int(seconds * REFRESH_PER_S) % len(SPINNER)]
    return Text(mark, style=style)


def _line(row: Row) -> RenderableType:
    _, style = MARKS[row.phase]
    if row.fraction_done is None or row.phase in FINAL_PHASES:
        return Text(" · ".join(_facts(row)), style=style if row.phase != "stored" else "")
    grid = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=1.0, completed=row.fraction_done, width=20)
    grid.add_row(Text(f"{row.phase:<8}", style=style), bar, Text(_step(row), style="dim"))
    return grid


def _step(row: Row) -> str:
    again = f" · attempt {row.attempt}" if row.attempt > 1 else ""
    return f"step {(row.step or 0) + 1}/{row.steps}{again}"


def _facts(row: Row) -> list[str]:
    facts: list[str] = [row.phase]
    if row.score is not None:
        facts.append(f"score {row.score:.2f}")
    if row.seed is not None:
        facts.append(f"seed {row.seed}")
    if row.phase in FINAL_PHASES and row.attempt > 1:
        facts.append(f"{row.attempt} attempts")
    if row.seconds is not None:
        facts.append(f"{row.seconds:.1f} s")
    if row.error:
        facts.append(row.error)
    return facts
