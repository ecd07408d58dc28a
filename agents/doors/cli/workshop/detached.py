"""`bottega up -d` and `bottega down`: a workshop that outlives the terminal, and its end."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from msgspec import Struct

from agents.doors.cli.errors import Failure, bad_input, no_workshop
from agents.doors.cli.settings import load_settings
from agents.doors.cli.terminal.console import open_console
from agents.doors.cli.terminal.display import Display, display_for
from agents.doors.cli.terminal.logs import silence_logs
from agents.doors.cli.workshop.login import login_address
from agents.shared.settings import Settings
from agents.shared.supervisor.address import HomeTaken, WorkshopAddress, find_workshop
from agents.shared.supervisor.child import open_log
from bus.operator import Operator
from protocol.codec import encode
from protocol.errors import AcpError
from protocol.messages import ROLES

POLL_S = 0.1
"""Pause between two looks whether a workshop is ready, or gone."""
MAX_START_S = 120.0
"""Longest wait for a detached workshop: agents import torch, on a slow disk for a long time."""
GRACE_S = 10.0
"""Seconds beyond the drain within which a workshop that was asked to end has ended."""
MAX_TOLD_LINES = 5


class StoppedWorkshop(Struct, frozen=True, kw_only=True):
    """What `bottega down --json` prints: the process that supervised the workshop, and the home."""

    supervisor: int
    home: str


def start_detached(stand_in: str | None) -> None:
    """Start a workshop in a process of its own, wait until it is ready, and print where it is and where its logs are.

    Raises:
        Failure: it ended before it was ready, or took too long.
        HomeTaken: a workshop runs in this home already.
    """
    silence_logs()
    settings = load_settings(stand_in=stand_in)
    if find_workshop(settings.address_file):
        raise HomeTaken(settings.home)
    log = settings.home / "logs" / "up.log"
    arguments = [sys.executable, "-m", "agents.doors.cli", "up", *(["--stand-in", stand_in] if stand_in else [])]
    with open_log(log) as descriptor:
        began = os.fstat(descriptor).st_size
        supervisor = subprocess.Popen(  # noqa: S603 - this program
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
        )
    display = display_for(open_console(stderr=True), silent=False)
    with display.show_waiting("starting a workshop: nats-server and five agents"):
        try:
            address = asyncio.run(_wait_until_ready(supervisor, settings, log, began))
        finally:
            supervisor.returncode = 0  # it outlives this process, which will not wait for its end
    open_console().print(
        f"workshop ready at {address.url} · home {settings.home}\n"
        f"logs in {log.parent}: bottega logs; stop it with: bottega down",
        soft_wrap=True,
        markup=False,
        highlight=False,
    )


def stop(json: bool) -> None:
    """Let the workshop of this home finish what is in hand, and end it.

    Raises:
        Failure: none runs, it is that of another command, or it does not end.
    """
    silence_logs()
    settings = load_settings()
    address = find_workshop(settings.address_file)
    if address is None:
        raise no_workshop(f"no workshop runs in {settings.home}", hint="there is nothing to stop")
    if not address.stays:
        raise bad_input(
            f"the workshop belongs to a command, process {address.supervisor}, and ends with it",
            hint="wait for that command, or press Ctrl-C where it runs",
            code="wrong_state",
        )
    display = display_for(open_console(stderr=True), silent=json)
    _end(address, settings, display)
    told = StoppedWorkshop(supervisor=address.supervisor, home=str(settings.home))
    sys.stdout.write((encode(told).decode() if json else f"the workshop of {settings.home} has ended") + "\n")


def _end(address: WorkshopAddress, settings: Settings, display: Display) -> None:
    try:
        os.kill(address.supervisor, signal.SIGTERM)
    except ProcessLookupError:
        return  # it ended by itself
    except PermissionError:
        raise bad_input(
            f"the workshop is process {address.supervisor} of somebody else", hint="ask its owner to stop it"
        ) from None
    deadline = time.monotonic() + settings.drain_s + GRACE_S
    with display.show_waiting(f"letting the workshop finish what is in hand, at most {settings.drain_s:g} s"):
        while (found := find_workshop(settings.address_file)) and found.supervisor == address.supervisor:
            if time.monotonic() > deadline:
                raise no_workshop(
                    f"the workshop, process {address.supervisor}, has not ended",
                    hint=f"see bottega logs supervisor; end it by force: kill -9 {address.supervisor}",
                )
            time.sleep(POLL_S)


async def _wait_until_ready(
    supervisor: subprocess.Popen[bytes], settings: Settings, log: Path, began: int
) -> WorkshopAddress:
    deadline = time.monotonic() + MAX_START_S
    while True:
        if supervisor.poll() is not None:
            raise _failure_of(log, began, "the workshop ended before it was ready")
        address = find_workshop(settings.address_file)
        if address and address.supervisor == supervisor.pid and await _is_complete(settings):
            return address
        if time.monotonic() > deadline:
            hint = "it goes on trying: see bottega logs, and stop it with: bottega down"
            raise no_workshop(f"the workshop is not ready after {MAX_START_S:g} s", hint=hint)
        await asyncio.sleep(POLL_S)


async def _is_complete(settings: Settings) -> bool:
    """Whether an agent of every role has announced itself."""
    try:
        async with Operator.open(login_address("operator", settings), wait_s=1.0) as operator:
            return set(ROLES) <= {one.role for one in await operator.presences()}
    except AcpError:
        return False


def _failure_of(log: Path, began: int, message: str) -> Failure:
    """What the process said at its end, in its own words."""
    with log.open("rb") as opened:
        opened.seek(began)
        lines = opened.read().decode(errors="replace").split("\n")
    told = [line.strip() for line in lines if line.strip()][-MAX_TOLD_LINES:]
    return no_workshop(": ".join([message, *(line.removeprefix("error: ") for line in told)]), hint=f"see {log}")
