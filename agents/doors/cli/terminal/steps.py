"""Work of one process that takes steps: a line that changes on a terminal, a line at each quarter elsewhere."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

OnStep = Callable[[int, int], None]
"""Told the number of the step that ended, from 0, and how many there are; from any thread."""


@contextmanager
def show_steps(console: Console, text: str, *, silent: bool) -> Generator[OnStep]:
    """Show what is being done until the context ends, and how far it is. `silent` shows nothing without a terminal."""
    if console.is_terminal and not console.is_dumb_terminal:
        with console.status(escape(text), spinner="dots") as status:
            yield lambda step, steps: status.update(f"{escape(text)} · {format_step(step, steps)}")
        return
    if silent:
        yield lambda step, steps: None
        return

    def print_line(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    def print_quarter(step: int, steps: int) -> None:
        if ends_quarter(step, steps):
            print_line(f"{text} · {format_step(step, steps)}")

    print_line(f"{text} …")
    yield print_quarter


def format_step(step: int, steps: int) -> str:
    """`step 5/20`."""
    return f"step {step + 1}/{steps}"


def ends_quarter(step: int, steps: int) -> bool:
    """Whether a step, counted from 0, is the last of a quarter of all."""
    return steps > 0 and 4 * (step + 1) // steps > 4 * step // steps
