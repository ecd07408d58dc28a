"""Failpoints: what the variable may say, and what a process does at a point."""

import errno
import signal
import subprocess
import sys

import pytest

from bus.failpoint import ArmedFailpoints, Rule, parse_rules

PROGRAM = """
from bus.failpoint import pass_failpoint
for number in range(1, 6):
    pass_failpoint("sql.committed")
    print(number, flush=True)
"""


def passing(value: str) -> subprocess.CompletedProcess[str]:
    """A process that passes the point sql.committed five times, and says each time that it did."""
    command = [sys.executable, "-c", PROGRAM]
    return subprocess.run(
        command, env={"BOTTEGA_FAILPOINT": value}, capture_output=True, text=True, timeout=50, check=False
    )


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", []),
        ("sql.committed=kill", [Rule("sql.committed", "kill")]),
        ("file.named=stop@3", [Rule("file.named", "stop", 3, 3)]),
        ("blob.written=full@2-", [Rule("blob.written", "full", 2, None)]),
        ("blob.written=fail@2-4", [Rule("blob.written", "fail", 2, 4)]),
        ("message.handled=delay:0.5@1-", [Rule("message.handled", "delay", 1, None, 0.5)]),
        ("a=kill@2, b=full", [Rule("a", "kill", 2, 2), Rule("b", "full")]),
    ],
)
def test_the_variable_names_points_actions_and_hits(text: str, rules: list[Rule]) -> None:
    assert parse_rules(text) == rules


@pytest.mark.parametrize("text", ["kill", "a=explode", "a=kill@0", "a=delay", "a=kill@1-0", "A=kill"])
def test_another_form_is_refused_with_a_right_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as sql\.committed=kill@3"):
        parse_rules(text)


def test_a_process_is_killed_when_it_passes_the_point_for_the_named_time() -> None:
    ended = passing("sql.committed=kill@3")

    assert ended.returncode == -signal.SIGKILL
    assert ended.stdout.split() == ["1", "2"]
    assert '"point": "sql.committed", "action": "kill"' in ended.stderr


@pytest.mark.parametrize("value", ["", "sql.committed=kill@6", "file.named=kill"])
def test_a_process_that_is_not_meant_goes_on(value: str) -> None:
    ended = passing(value)

    assert (ended.returncode, ended.stdout.split(), ended.stderr) == (0, ["1", "2", "3", "4", "5"], "")


@pytest.mark.parametrize(("action", "number"), [("full", errno.ENOSPC), ("fail", errno.EIO)])
def test_a_disk_is_full_or_broken_for_the_named_hits_only(action: str, number: int) -> None:
    armed = ArmedFailpoints(parse_rules(f"blob.written={action}@2-3"))

    armed.pass_failpoint("blob.written")
    for _ in range(2):
        with pytest.raises(OSError, match=r"blob\.written") as raised:
            armed.pass_failpoint("blob.written")
        assert raised.value.errno == number
    armed.pass_failpoint("blob.written")
