"""The event loop of an agent's process: that of uvloop, which handles the messages of the bus with less processor time,
or asyncio's own where uvloop has no build."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

if sys.platform != "win32":
    import uvloop


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a process's work until it ends, as `asyncio.run` does."""
    with asyncio.Runner(loop_factory=None if sys.platform == "win32" else uvloop.new_event_loop) as runner:
        runner.run(main)
