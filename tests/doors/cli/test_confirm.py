"""Orders of very many pictures are asked about, and refused where nobody can answer."""

import os
import pty
import subprocess
from pathlib import Path

import pytest

from agents.doors.cli.confirm import MAX_UNASKED, needs_answer
from agents.doors.cli.errors import BAD_INPUT, Failure
from tests.doors.cli.conftest import ANSWER_S, BOTTEGA, Home, environment_of


@pytest.mark.parametrize(
    ("pictures", "yes", "asked"),
    [(1, False, False), (MAX_UNASKED, False, False), (MAX_UNASKED + 1, False, True), (100_000, True, False)],
)
def test_more_than_a_thousand_pictures_are_asked_about_on_a_terminal(pictures: int, yes: bool, asked: bool):
    assert needs_answer(pictures, yes, interactive=True) == asked


def test_without_a_terminal_they_are_refused_with_the_flag_that_makes_them():
    with pytest.raises(Failure, match="100,000 pictures") as refused:
        needs_answer(100_000, False, interactive=False)
    assert refused.value.exit_code == BAD_INPUT
    assert "--yes" in (refused.value.body.hint or "")
    assert not needs_answer(100_000, True, interactive=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["generate", "a car", "-n", "100000"],
        ["generate", "a car", "-n", "100", "--sweep", "steps=1,2,3,4,5", "--sweep", "guidance=1,2,3"],
        ["batch", "start", "--catalogues", "v3.2", "-n", "100000"],
        ["amend", "gen_batch_1", "-n", "100000"],
    ],
)
def test_no_command_makes_very_many_pictures_of_a_mistyped_number(home: Home, arguments: list[str]):
    refused = home.run(*arguments)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert not home.folder.exists()


def test_a_person_who_says_no_gets_nothing(tmp_path: Path):
    ours, theirs = pty.openpty()
    environment = environment_of(tmp_path / "home")
    command = [*BOTTEGA, "generate", "a car", "-n", "100000"]
    with subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as asked:
        os.write(ours, b"n\n")
        assert asked.wait(timeout=ANSWER_S) == 130
    os.close(theirs)
    shown = os.read(ours, 4096).decode()
    os.close(ours)
    assert "Make 100,000 pictures?" in shown
    assert "nothing was made" in shown
    assert not (tmp_path / "home").exists()
