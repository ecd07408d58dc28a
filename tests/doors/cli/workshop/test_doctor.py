"""What `bottega doctor` says while it looks."""

import io
from pathlib import Path

from rich.console import Console

from agents.doors.cli.terminal.display import PlainDisplay
from agents.doors.cli.workshop.doctor import SLOW_CHECKS, run_checks
from agents.shared.settings import Settings


def test_a_check_that_takes_long_is_told_of_before_its_answer(tmp_path: Path) -> None:
    lines = io.StringIO()
    for check in run_checks(Settings(home=tmp_path), PlainDisplay(Console(file=lines))):
        if check.name == "nats-server":
            break
    assert lines.getvalue() == f"{SLOW_CHECKS['check_nats_server']} …\n"
    assert all(name in run_checks.__code__.co_names for name in SLOW_CHECKS), "each is one of the checks"
