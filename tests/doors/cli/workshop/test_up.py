"""`bottega up`: five agents and a broker that come back, and an end that leaves nothing behind."""

import json
import os
import select
import signal
import subprocess

import pytest

from protocol.messages import ROLES
from tests.doors.cli.conftest import ANSWER_S, Home, line_with

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

UNITS = ("nats", *ROLES)


def started(up: subprocess.Popen[str]) -> dict[str, int]:
    """Process ids of broker and agents, as the supervisor tells them until the workshop is ready."""
    pids = {unit: pid_in(line_with(up, unit, "started")) for unit in UNITS}
    line_with(up, "workshop ready at")
    return pids


def pid_in(line: str) -> int:
    return int(line.split("pid ")[1])


def wait_for_end(pid: int) -> None:
    """Return when the process has ended."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        assert poll.poll(ANSWER_S * 1000), f"process {pid} still runs"
    finally:
        os.close(handle)


def pictures_made(home: Home, number: int) -> int:
    done = home.run("generate", "a red car", "-n", str(number), "--json")
    return len(json.loads(done.stdout)["images"])


def test_killed_agents_are_started_again_and_the_workshop_works_on(home: Home):
    with home.start("up") as up:
        pids = started(up)
        for role in ROLES:
            os.kill(pids[role], signal.SIGKILL)
            assert "signal 9" in line_with(up, role, "died")
            assert pid_in(line_with(up, role, "started")) != pids[role]
        assert pictures_made(home, 3) == 3


def test_a_killed_broker_comes_back_on_the_same_port_with_its_streams(home: Home):
    with home.start("up") as up:
        pids = started(up)
        url = home.run("url").stdout
        os.kill(pids["nats"], signal.SIGKILL)
        pid = pid_in(line_with(up, "nats", "started"))
        assert home.run("url").stdout == url
        assert json.loads(home.run("status", "--json").stdout)["nats"]["pid"] == pid
        assert pictures_made(home, 2) == 2


def test_ctrl_c_lets_the_agents_finish_and_ends_the_broker_last(home: Home):
    with home.start("up") as up:
        pids = started(up)
        up.send_signal(signal.SIGINT)
        said, _ = up.communicate(timeout=ANSWER_S)
        assert up.returncode == 0
        endings = [line.split()[1] for line in said.splitlines() if " stopped" in line]
        assert set(endings) == set(UNITS)
        assert endings[-1] == "nats"
        assert said.count("exit code 0") == len(ROLES)
        for pid in pids.values():
            wait_for_end(pid)
        assert not (home.folder / "run" / "workshop.json").exists()
        assert home.run("status").returncode == 3


def test_a_killed_supervisor_leaves_no_process_behind_and_the_home_free(home: Home):
    with home.start("up") as up:
        pids = started(up)
        up.kill()
        for pid in pids.values():
            wait_for_end(pid)
        assert home.run("status").returncode == 3
    with home.start("up", "--quiet") as again:
        assert again.stdout is not None
        assert again.stdout.readline().startswith("workshop ready at nats://127.0.0.1:")


def test_an_agent_that_cannot_start_is_named_with_its_last_words(home: Home):
    home.folder.mkdir()
    (home.folder / "models.toml").write_text("[models.mine]\nplatform = 'nowhere'\n")
    done = home.run("generate", "a red car", "--json", BOTTEGA_DRAIN_S="1")
    assert done.returncode == 3
    error = json.loads(done.stdout)["error"]
    assert "generator agent does not start" in error["message"]
    assert "models.toml" in error["message"]
