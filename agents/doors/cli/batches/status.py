"""`bottega status`, `list` and `result`: what runs, and where batches stand."""

import asyncio
import sys

from msgspec import Struct, convert
from rich.console import Console
from rich.table import Table

from agents.doors.cli.amounts import format_moment, format_money
from agents.doors.cli.batches.follow import fetch_page, follow
from agents.doors.cli.errors import ALL_STORED, NO_WORKSHOP, SOME_FAILED, Failure, bad_input
from agents.doors.cli.settings import load_settings
from agents.doors.cli.terminal.columns import format_rows
from agents.doors.cli.terminal.console import open_console
from agents.doors.cli.terminal.display import display_for, format_counts, state_of, words_of
from agents.doors.cli.terminal.image_table import show_images
from agents.doors.cli.terminal.progress_state import BatchProgress
from agents.doors.cli.workshop.connection import ask, connect_client, require_address
from agents.doors.cli.workshop.login import login_address
from agents.doors.cli.workshop.read_records import ask_or_read, list_everyones
from agents.shared.settings import Settings
from agents.shared.supervisor.address import find_workshop
from agents.shared.supervisor.disk_record import current_record, time_text
from agents.shared.supervisor.full_disks import FullDisk, describe, format_time, recent
from bus.client import Client
from bus.operator import Operator
from protocol.capabilities import CapabilityReport, ProcessInfo
from protocol.codec import encode
from protocol.commands import Capabilities, List, Result, Status
from protocol.messages import ROLES
from protocol.operator import ListBatches
from protocol.results import ENDED_STATES, BatchList, BatchSummary, GenerationResult, GenerationStatus

RECENT_BATCHES = 5
"""Batches that `bottega status` shows."""
EVERY_CLIENT = "all"
"""In place of a client: the operator's list of everyone's batches."""
LIST_HEADER = ("batch", "state", "stored", "when", "what")


class NatsInfo(Struct, frozen=True, kw_only=True):
    """The broker. `pid` is null where it is not the workshop's own."""

    pid: int | None
    url: str


class WorkshopStatus(Struct, frozen=True, kw_only=True):
    """What `bottega status --json` prints. `supervisor` is null where nobody supervises on this machine. `disks` are
    those of this machine that are full, or were within a day; `unstored_since` is null while the broker stores."""

    processes: list[ProcessInfo]
    nats: NatsInfo
    supervisor: int | None
    batches: list[BatchSummary]
    disks: list[FullDisk]
    unstored_since: str | None


def status(batch: str | None, watch: bool, client: str | None, json: bool) -> int:
    """Show the workshop, or a batch once, or a batch (the newest one) until its end; returns the exit code."""
    if watch:
        return asyncio.run(_watch_batch(batch, client, json))
    return asyncio.run(_show_workshop(client, json) if batch is None else _show_batch(batch, client, json))


def list_batches(count: int, client: str | None, json: bool) -> None:
    """Show a client's batches or, as the operator, those of all, newest first."""
    if client == EVERY_CLIENT:
        batches = asyncio.run(list_everyones(ListBatches(count=count)))
    else:
        batches = asyncio.run(ask_or_read(List(count=count), BatchList, client))
    if json:
        sys.stdout.write(encode(batches).decode() + "\n")
    elif batches.batch_list.batches:
        _print_batches(open_console(), batches.batch_list.batches)
    else:
        open_console().print('no batches yet; make one: bottega generate "a red car on a green field"', markup=False)


def result(batch: str, first: int, count: int, client: str | None, json: bool) -> None:
    """Show a page of a batch's pictures."""
    page = asyncio.run(ask_or_read(Result(hash=batch, first=first, count=count), GenerationResult, client))
    if json:
        sys.stdout.write(encode(page).decode() + "\n")
        return
    body = page.generation_result
    console = open_console()
    show_images(console, body.images)
    following = f"; more: bottega result {batch} --first {body.next}" if body.next is not None else ""
    console.print(
        f"{batch} · {words_of(body.state)} · {format_counts(body.generation_status)}{following}",
        markup=False,
        soft_wrap=True,
    )


async def _show_workshop(client: str | None, json: bool) -> int:
    settings = load_settings(client=client)
    address = find_workshop(settings.address_file)
    async with connect_client(settings) as connected:
        processes = sorted(await _processes(settings, connected), key=lambda one: (ROLES.index(one.role), one.pid))
        batches = await _recent_or_none(connected)
        record = current_record(settings)
        shown = WorkshopStatus(
            processes=processes,
            nats=NatsInfo(pid=address.nats if address else None, url=require_address(settings).url),
            supervisor=address.supervisor if address else None,
            batches=batches,
            disks=recent(record, time_text()),
            unstored_since=record.unstored_since,
        )
    if json:
        sys.stdout.write(encode(shown).decode() + "\n")
    else:
        _print_workshop(open_console(), shown)
    return ALL_STORED


async def _show_batch(batch: str, client: str | None, json: bool) -> int:
    answer = await ask_or_read(Status(hash=batch), GenerationStatus, client)
    print_status(answer, json)
    state = state_of(answer.generation_status)
    return ALL_STORED if state not in ENDED_STATES or state == "completed" else SOME_FAILED


async def _watch_batch(batch: str | None, client: str | None, json: bool) -> int:
    display = display_for(open_console(stderr=True), silent=json)
    async with connect_client(load_settings(client=client)) as connected:
        batch = batch or await _newest_hash(connected)
        seen = (await fetch_page(connected, batch)).generation_result
        if seen.state == "held":
            raise bad_input(
                f"the plan of {batch} is held: nothing is made before it is approved",
                hint=f"bottega approve {batch} APPROVAL, with the approval that the plan showed",
                code="wrong_state",
            )
        board = BatchProgress(quantity=seen.quantity)
        with display.show_batch(batch, board):
            followed = await follow(connected, batch, board, display)
    final = GenerationStatus(hash=batch, generation_status=followed.status)
    print_status(final, json)
    return ALL_STORED if followed.all_stored else SOME_FAILED


async def _processes(settings: Settings, client: Client) -> list[ProcessInfo]:
    """The live processes: as the operator sees them, who needs no planner for it; as a client's login what the planner
    says."""
    try:
        address = login_address("operator", settings)
    except Failure:
        return (await ask(client, Capabilities(), CapabilityReport)).capabilities.processes
    async with Operator.open(address, wait_s=settings.connect_s) as operator:
        return [convert(one, ProcessInfo, from_attributes=True) for one in await operator.presences()]


async def _newest_hash(client: Client) -> str:
    batches = (await ask(client, List(count=1), BatchList)).batch_list.batches
    if not batches:
        raise bad_input("there is no batch to watch", hint="make one: bottega generate BRIEF", code="unknown_batch")
    return batches[0].hash


async def _recent_or_none(client: Client) -> list[BatchSummary]:
    """The last batches; none while no planner answers, because that is when people most want to see which processes
    run."""
    try:
        return (await ask(client, List(count=RECENT_BATCHES), BatchList)).batch_list.batches
    except Failure as failure:
        if failure.exit_code != NO_WORKSHOP:
            raise
        return []


def print_status(status: GenerationStatus, json: bool) -> None:
    """Print a status as a table, or as the reply that it is."""
    if json:
        sys.stdout.write(encode(status).decode() + "\n")
        return
    body = status.generation_status
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_row("batch", status.hash)
    table.add_row("state", words_of(state_of(body)))
    if body.error:
        table.add_row("why", "; ".join(filter(None, (body.error.message, body.error.hint))))
    table.add_row("pictures", format_counts(body))
    for name, value in (
        ("mean score", body.quality_metrics.avg_score),
        ("consistency", body.quality_metrics.consistency),
        ("rejection rate", body.quality_metrics.rejection_rate),
        ("seconds each", body.performance.avg_time),
        ("gpu use", body.performance.gpu_util),
    ):
        table.add_row(name, "not measured" if value is None else f"{value:.3g}")
    cost = body.cost_per_image
    table.add_row("cost each", "not measured" if cost is None else format_money(cost))
    if body.stand_in:
        table.add_row("stand-in", body.stand_in)
    open_console().print(table)


def _print_workshop(console: Console, workshop: WorkshopStatus) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("process", "pid", "host", "busy"):
        table.add_column(name)
    for process in workshop.processes:
        table.add_row(process.role, str(process.pid), process.host, f"{process.busy}/{process.slots}")
    if workshop.nats.pid:
        table.add_row("nats", str(workshop.nats.pid), workshop.nats.url, "")
    if workshop.supervisor:
        table.add_row("supervisor", str(workshop.supervisor), "", "")
    console.print(table)
    if missing := [role for role in ROLES if role not in {process.role for process in workshop.processes}]:
        console.print(f"not here: {', '.join(missing)}", style="yellow")
    for disk in workshop.disks:
        console.print(describe(disk), style="yellow" if disk.until else "bold red", markup=False, soft_wrap=True)
    if workshop.unstored_since:
        todo = "it is started again by itself" if workshop.nats.pid else "make room on its disk, then start it again"
        console.print(
            f"{workshop.nats.url} has stored nothing since {format_time(workshop.unstored_since)}: {todo}",
            style="bold red",
            markup=False,
            soft_wrap=True,
        )
    if workshop.batches:
        console.print()
        _print_batches(console, workshop.batches)


def format_batches(batches: list[BatchSummary], width: int) -> list[str]:
    """The lines of a list, with whose each is where that is said. The brief is cut on a short line; a hash never is,
    because people copy it."""
    named = any(batch.client_id for batch in batches)
    rows = [
        (
            batch.hash,
            *([batch.client_id or ""] if named else []),
            words_of(batch.state),
            f"{batch.completed}/{batch.quantity}" + (f", {batch.failed} failed" if batch.failed else ""),
            format_moment(batch.created_at, year=False),
            " ".join((batch.brief or batch.style or batch.platform).split()),
        )
        for batch in batches
    ]
    return format_rows((LIST_HEADER[0], "client", *LIST_HEADER[1:]) if named else LIST_HEADER, rows, width)


def _print_batches(console: Console, batches: list[BatchSummary]) -> None:
    for line in format_batches(batches, console.width):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
