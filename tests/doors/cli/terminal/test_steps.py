"""Steps of one process, as they are told without a terminal."""

import io

from rich.console import Console

from agents.doors.cli.terminal.steps import ends_quarter, show_steps


def told(steps: int, *, silent: bool) -> list[str]:
    lines = io.StringIO()
    with show_steps(Console(file=lines), "making it", silent=silent) as progressed:
        for step in range(steps):
            progressed(step, steps)
    return lines.getvalue().splitlines()


def test_a_line_is_said_at_the_beginning_and_at_each_quarter() -> None:
    assert told(20, silent=False) == ["making it …", *(f"making it · step {step}/20" for step in (5, 10, 15, 20))]
    assert told(2, silent=False) == ["making it …", "making it · step 1/2", "making it · step 2/2"]


def test_nothing_is_said_where_lines_would_disturb() -> None:
    assert told(20, silent=True) == []


def test_work_without_steps_has_no_quarters() -> None:
    assert not ends_quarter(0, 0)
