"""Named points at which a test lets a process die, freeze, wait or fail; a function that does nothing unless
`BOTTEGA_FAILPOINT` is set when the process starts, or a test armed its own process.

The variable holds `point=action@hit`, several with commas between: `sql.committed=kill@3` kills the process when it
passes that point for the third time, `file.written=full@2-` finds the disk full from the second time on.
"""

import errno
import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, cast

Action = Literal["kill", "stop", "delay", "full", "fail"]
"""SIGKILL and SIGSTOP to this process; a pause of `seconds` in the calling thread; ENOSPC; EIO."""

_RULE_PATTERN = re.compile(
    r"(?P<point>[a-z_.]+)=(?P<action>kill|stop|full|fail|delay:(?P<seconds>\d+(?:\.\d+)?))"
    r"(?:@(?P<first>[1-9]\d*)(?P<last>-[1-9]\d*|-)?)?"
)


@dataclass(frozen=True)
class Rule:
    """What happens at a point, from the `first` to the `last` time it is passed; for ever where `last` is null."""

    point: str
    action: Action
    first: int = 1
    last: int | None = 1
    seconds: float = 0.0


def parse_rules(text: str) -> list[Rule]:
    """The rules in a value of the variable.

    Raises:
        ValueError: it has another form; the message shows a right one.
    """
    return [_parse_rule(part.strip()) for part in text.split(",") if part.strip()]


def _parse_rule(text: str) -> Rule:
    found = _RULE_PATTERN.fullmatch(text)
    if found is None:
        raise ValueError(
            f"BOTTEGA_FAILPOINT: {text!r} is no failpoint; write point=action@hit, such as sql.committed=kill@3,"
            " where action is kill, stop, full, fail or delay:SECONDS and hit is 3, 3-5 or 3-"
        )
    first, last = int(found["first"] or 1), found["last"]
    return Rule(
        point=found["point"],
        action=cast("Action", found["action"].partition(":")[0]),
        first=first,
        last=first if last is None else int(last[1:]) if last[1:] else None,
        seconds=float(found["seconds"] or 0),
    )


class ArmedFailpoints:
    """Counts how often each point is passed, from any thread, and does what its rule says."""

    def __init__(self, rules: list[Rule]) -> None:
        self._rules = {rule.point: rule for rule in rules}
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def pass_failpoint(self, point: str) -> None:
        """Pass a point.

        Raises:
            OSError: its rule is `full` (ENOSPC) or `fail` (EIO).
        """
        rule = self._rules.get(point)
        if rule is None:
            return
        with self._lock:
            self._counts[point] += 1
            passed = self._counts[point]
        if passed >= rule.first and (rule.last is None or passed <= rule.last):
            _perform(rule)


def _perform(rule: Rule) -> None:
    # Written past every buffer, so that it is said also by a process that is killed.
    os.write(2, f'{{"event": "failpoint", "point": "{rule.point}", "action": "{rule.action}"}}\n'.encode())
    match rule.action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "delay":
            time.sleep(rule.seconds)
        case "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), rule.point)
        case "fail":
            raise OSError(errno.EIO, os.strerror(errno.EIO), rule.point)


_rules = parse_rules(os.environ.get("BOTTEGA_FAILPOINT", ""))
_armed = ArmedFailpoints(_rules) if _rules else None


def pass_failpoint(point: str) -> None:
    """Pass a point of this process.

    Raises:
        OSError: its rule is `full` (ENOSPC) or `fail` (EIO).
    """
    if _armed is not None:
        _armed.pass_failpoint(point)


@contextmanager
def arm_failpoints(rules: str) -> Generator[None]:
    """Rules for this process alone, instead of those that it was started with, until the body ends."""
    global _armed
    before, _armed = _armed, ArmedFailpoints(parse_rules(rules))
    try:
        yield
    finally:
        _armed = before
