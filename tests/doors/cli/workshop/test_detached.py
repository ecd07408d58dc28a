"""A workshop that outlives the terminal, its end, and its records after it."""

import json
import os
import re
from collections.abc import Generator

import pytest

from agents.shared.supervisor.address import WorkshopAddress, find_workshop, lock_home, write_address
from tests.doors.cli.conftest import Home

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture
def stopped(home: Home) -> Generator[Home]:
    """A home in which no workshop is left."""
    yield home
    home.run("down")


def test_a_workshop_outlives_the_terminal_until_down_and_its_records_are_readable_after(stopped: Home) -> None:
    home = stopped
    started = home.run("up", "-d")
    assert started.returncode == 0, started.stderr
    assert f"logs in {home.folder / 'logs'}" in started.stdout
    address = find_workshop(home.folder / "run" / "workshop.json")
    assert address is not None
    assert os.getsid(address.supervisor) == address.supervisor, "it has a session of its own"
    assert re.match("nats://", home.run("url").stdout)
    assert home.run("up", "-d").returncode == 2

    name = json.loads(home.run("generate", "a red car", "-n", "2", "--json").stdout)["hash"]
    questions = (["list"], ["status", name], ["result", name], ["costs"], ["costs", "--batch", name])
    answers = [home.run(*question, "--json") for question in questions]
    assert all(answer.stderr == "" for answer in answers)

    ended = home.run("down", "--json")
    assert json.loads(ended.stdout) == {"supervisor": address.supervisor, "home": str(home.folder)}
    assert find_workshop(home.folder / "run" / "workshop.json") is None
    for question, answer in zip(questions, answers, strict=True):
        read = home.run(*question, "--json")
        assert (read.returncode, read.stdout) == (0, answer.stdout), question
        assert f"no workshop runs in {home.folder}" in read.stderr
    assert name in home.run("list").stdout
    unknown = home.run("status", "gen_nobody", "--json")
    assert (unknown.returncode, json.loads(unknown.stdout)["error"]["code"]) == (2, "unknown_batch")
    assert home.run("status", name, "--watch").returncode == 3
    assert "ended" in home.run("logs", "planner", "-n", "1").stdout
    assert home.run("down").returncode == 3


def test_a_workshop_that_cannot_start_says_why_and_leaves_nothing_running(home: Home) -> None:
    home.folder.mkdir()
    (home.folder / "nats").write_text("in the way of a folder")
    done = home.run("up", "-d")
    assert done.returncode == 3
    assert f"ended before it was ready: {home.folder / 'nats'}" in done.stderr
    assert str(home.folder / "logs" / "up.log") in done.stderr
    assert find_workshop(home.folder / "run" / "workshop.json") is None


def test_a_workshop_that_another_command_started_for_itself_is_not_ended(home: Home) -> None:
    file = home.folder / "run" / "workshop.json"
    with lock_home(file):
        address = WorkshopAddress(
            url="nats://x", user=None, password=None, supervisor=os.getpid(), nats=None, started_at="", stays=False
        )
        write_address(file, address)
        done = home.run("down", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "wrong_state")
