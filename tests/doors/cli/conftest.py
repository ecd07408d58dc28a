"""Real workshops for the command line: `bottega up` as a child process, in a home of its own."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from agents.doors.cli.app import app

BOTTEGA = (sys.executable, "-m", "agents.doors.cli")
INSTANT = {"BOTTEGA_GENERATOR": "instant", "BOTTEGA_QA_SCORING": "false", "BOTTEGA_WINDOW": "4"}
"""Flat pictures without a model, accepted unseen: what is tested is the command line."""

ANSWER_S = 50.0
"""Longest life of a command that a test waits for."""


def environment_of(home: Path, **more: str) -> dict[str, str]:
    """The settings of a test, over a person's environment without theirs."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOTTEGA_")}
    return {**inherited, "BOTTEGA_HOME": str(home), "COLUMNS": "200", **INSTANT, **more}


@dataclass(frozen=True)
class Outcome:
    """What a command said, and how it ended."""

    returncode: int
    stdout: str
    stderr: str


class Home:
    """A home folder and the commands that are run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> Outcome:
        """Run a command to its end, in this process: most of a command's time is imports."""
        logs = structlog.get_config()
        inherited = {name: None for name in os.environ if name.startswith("BOTTEGA_")}
        done = CliRunner().invoke(
            app, arguments, input=stdin, env={**inherited, **environment_of(self.folder, **environment)}
        )
        structlog.configure(**logs)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Outcome(done.exit_code, done.stdout, done.stderr)

    @contextmanager
    def start(self, *arguments: str, **environment: str) -> Generator[subprocess.Popen[str]]:
        """Start `bottega`; what is left of it at the end is killed, which ends its children too."""
        with subprocess.Popen(
            [*BOTTEGA, *arguments],
            env=environment_of(self.folder, **environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()


def line_with(process: subprocess.Popen[str], *words: str) -> str:
    """The next line that the process says with all of these words; pytest's timeout bounds the wait."""
    assert process.stdout is not None
    said: list[str] = []
    for line in process.stdout:
        said.append(line)
        if all(word in line for word in words):
            return line
    raise AssertionError(f"ended without saying {words}: {''.join(said)}")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return Home(tmp_path / "home")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Generator[Home]:
    """A home in which a workshop runs, for the tests of a module that leave it as it is."""
    home = Home(tmp_path_factory.mktemp("home"))
    with home.start("up") as up:
        line_with(up, "workshop ready at")
        yield home
        up.terminate()
        assert up.wait(timeout=ANSWER_S) == 0
