"""`bottega up`: a workshop that stays, one line per event."""

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from rich.console import Console
from rich.text import Text

from agents.doors.cli.settings import load_settings
from agents.doors.cli.terminal.console import open_console
from agents.doors.cli.terminal.logs import log_to_file
from agents.shared.settings import Settings
from agents.shared.supervisor.notice import Notice, NoticeKind
from agents.shared.supervisor.supervise import Workshop, run_workshop

EVENT_STYLES: dict[NoticeKind, str] = {
    "started": "cyan",
    "ready": "green",
    "died": "red",
    "draining": "yellow",
    "killed": "red",
    "stopped": "dim",
    "full": "red",
    "room": "green",
    "stuck": "yellow",
}


def up(stand_in: str | None, quiet: bool) -> None:
    """Run until SIGINT, SIGTERM or SIGHUP; then let the agents finish. A second signal ends them at once."""
    settings = load_settings(stand_in=stand_in)
    with log_to_file(settings.home / "logs" / "supervisor.log"):
        asyncio.run(_up(settings, open_console(highlight=False), quiet))


async def _up(settings: Settings, console: Console, quiet: bool) -> None:
    def announce(notice: Notice) -> None:
        if not quiet:
            with suppress(OSError):  # a line for a file without room must not end a workshop
                console.print(format_notice(notice, time.strftime("%H:%M:%SZ", time.gmtime())), soft_wrap=True)

    stop = asyncio.Event()
    _call_on_signals(stop.set)
    async with run_workshop(settings, announce) as workshop:
        _call_on_signals(lambda: workshop.kill() if stop.is_set() else stop.set())
        if await _wait_until_ready(workshop, stop):
            announce(Notice("workshop", "ready"))
            console.print(f"workshop ready at {workshop.client.url} · home {settings.home}", soft_wrap=True)
        await stop.wait()
        announce(Notice("workshop", "draining", f"at most {settings.drain_s:g} s; Ctrl-C again ends it at once"))


def format_notice(notice: Notice, clock: str) -> Text:
    """`12:00:01Z  generator  died        signal 9; again in 0.2 s`."""
    text = Text(f"{clock}  ", style="dim")
    text.append(f"{notice.unit:<10} ", style="bold")
    text.append(f"{notice.what:<10} ", style=EVENT_STYLES[notice.what])
    text.append(notice.detail, style="")
    return text


async def _wait_until_ready(workshop: Workshop, stop: asyncio.Event) -> bool:
    """Wait for every agent; false when a signal came first."""
    ready = asyncio.ensure_future(workshop.wait_until_ready(patience=None))
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((ready, stopped), return_when=asyncio.FIRST_COMPLETED)
        return ready.done()
    finally:
        ready.cancel()
        stopped.cancel()


def _call_on_signals(act: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(sign, act)
