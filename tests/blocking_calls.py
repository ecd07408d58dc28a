"""Blocking calls in an event loop: what our coroutines call that stops every other one, noted while the tests run.

blockbuster wraps the calls; they are noted instead of refused, because an agent answers an exception by trying again.
"""

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from blockbuster import BlockBuster, BlockBusterFunction

ROOT = Path(__file__).parent.parent
OURS = tuple(f"{ROOT / package}{os.sep}" for package in ("agents", "bus", "protocol"))
ALONE = tuple(f"{ROOT / 'agents' / package}{os.sep}" for package in ("doors", "shared/supervisor"))
"""A person's command and the supervisor: the work of nobody else waits in their loops."""

TESTS = f"{ROOT / 'tests'}{os.sep}"

BRIEF = ("threading.", "os.path.", "os.stat", "os.access", "os.getcwd", "os.readlink")
"""Calls of blockbuster's list that are no matter: a look at a name, and the locks with which a thread is started."""

LOG = f"{os.sep}structlog{os.sep}"
"""Writes of the log are no matter either: lines to standard error."""

ALLOWED: dict[tuple[str, str], str] = {
    ("bus/server.py", "start"): "the first thing that a workshop does: nothing else is in its loop yet",
    ("bus/server.py", "_launch"): "part of `start`",
    ("bus/server.py", "_end_leftover"): "part of `start`",
    ("bus/server.py", "_wait_for_end"): "part of `start`; /proc is memory",
    ("bus/partial_files.py", "sweep"): "once, before an agent takes work",
    ("agents/shared/database/engine.py", "_sqlite_engine"): "makes a folder, once, before an agent takes work",
    ("agents/generator/device/lock.py", "lock_device"): "a line in a file, once, before the generator takes work",
    ("agents/generator/agent.py", "presence"): "the first bytes of a few files at each heartbeat",
    ("agents/prompt/agent.py", "presence"): "a listing of two folders at each heartbeat, and what changed in them",
}
"""A file and a function in it that may block the loop, and why."""

COROUTINE = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class BlockingCalls:
    """Notes each blocking call that one of our coroutines, or a callback of ours, makes in a running event loop."""

    def __init__(self) -> None:
        self.noted: dict[str, None] = {}
        self._wraps = BlockBuster()
        for name in [name for name in self._wraps.functions if name.startswith(BRIEF)]:
            del self._wraps.functions[name]
        self._wraps.functions["os.fsync"] = BlockBusterFunction(None, "os.fsync")
        for name, function in self._wraps.functions.items():
            function.can_block_predicate = self._note_unless(name, function.can_block_predicate)

    def activate(self) -> None:
        self._wraps.activate()

    def deactivate(self) -> None:
        self._wraps.deactivate()

    def _note_unless(self, name: str, harmless: Callable[..., bool]) -> Callable[..., bool]:
        """A predicate of blockbuster that lets every call pass, and notes those that do harm."""

        def note(*args: Any, **kwargs: Any) -> bool:
            if not harmless(*args, **kwargs) and (stack := our_stack(inspect.currentframe())):
                self.noted.setdefault(f"{name} in {' < '.join(stack)}")
            return True

        return note


def our_stack(frame: FrameType | None) -> list[str]:
    """Our functions between a call and the coroutine or callback of ours that makes it, from the inside out; none
    where a test makes the call itself, where it is allowed, and while a module is imported."""
    stack: list[str] = []
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(OURS):
            place = (os.path.relpath(code.co_filename, ROOT), code.co_name)
            if place in ALLOWED or code.co_filename.startswith(ALONE):
                return []
            stack.append(f"{place[0]}:{frame.f_lineno} {place[1]}")
            if code.co_flags & COROUTINE:
                return stack
        elif LOG in code.co_filename or (
            code.co_filename.startswith(("<frozen importlib", TESTS)) and code.co_filename != __file__
        ):
            return []
        frame = frame.f_back
    return stack
