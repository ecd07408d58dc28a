"""`bottega generate`: a sentence becomes pictures."""

import asyncio
import secrets
import signal
import sys
from pathlib import Path
from tempfile import TemporaryFile

from msgspec.structs import replace

from agents.doors.cli.batches.follow import FinishedBatch, follow
from agents.doors.cli.copies import report_unwritable
from agents.doors.cli.errors import ALL_STORED, SOME_FAILED, Failure, bad_input
from agents.doors.cli.generate.report import copy_files, result_of, show_batch
from agents.doors.cli.settings import load_settings
from agents.doors.cli.terminal.console import open_console
from agents.doors.cli.terminal.display import Display, display_for, format_counts
from agents.doors.cli.terminal.phases import PhaseClock
from agents.doors.cli.terminal.plan_view import headline, refusal_of, show_plan
from agents.doors.cli.terminal.progress_state import BatchProgress
from agents.doors.cli.wording import GENERATE, with_flags
from agents.doors.cli.workshop.connection import ask, connect_or_start
from agents.shared.settings import Settings
from agents.shared.supervisor.address import find_workshop
from bus.client import Client
from protocol.codec import encode
from protocol.commands import Cancel, GenerateImages
from protocol.plans import GenerationPlan
from protocol.results import GenerationStatus

PATIENCE_S = 30.0
"""How long a workshop that is just starting, or restarting an agent, is waited for."""
MAX_CANCEL_WAIT_S = 5.0
"""How long Ctrl-C waits for the planner to hear of it."""


def generate(command: GenerateImages, out: Path | None, stand_in: str | None, client: str | None, json: bool) -> int:
    """Make the pictures, show them or print the JSON object; returns the exit code."""
    settings = load_settings(stand_in=stand_in, client=client)
    if out is not None:
        with report_unwritable(out):
            out.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=out):
                pass  # a folder that cannot be written is told before anything is made
    display, clock = display_for(open_console(stderr=True), silent=json), PhaseClock()
    if stand_in and find_workshop(settings.address_file):
        display.print_line(
            "note: --stand-in is for a workshop that is started now; the running one keeps its own setting"
        )
    try:
        made = asyncio.run(_generate(command, settings, display, clock))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    if isinstance(made, GenerationPlan):
        return _show_held(made, json)
    clock.end_phase("stopping")
    followed = copy_files(made, out)
    clock.end_phase("handing_over")
    phases = clock.phases(followed.device_seconds)
    if json:
        sys.stdout.write(encode(result_of(followed, phases)).decode() + "\n")
    else:
        show_batch(open_console(), followed, phases)
    return ALL_STORED if followed.all_stored else SOME_FAILED


def _show_held(plan: GenerationPlan, json: bool) -> int:
    """A plan that `--hold` asked for."""
    if json:
        sys.stdout.write(encode(plan).decode() + "\n")
    else:
        body = plan.generation_plan
        told = replace(
            body,
            warnings=[with_flags(note, GENERATE) for note in body.warnings],
            not_honoured=[with_flags(wish, GENERATE) for wish in body.not_honoured],
        )
        show_plan(open_console(), replace(plan, generation_plan=told))
    return ALL_STORED


async def _generate(
    command: GenerateImages, settings: Settings, display: Display, clock: PhaseClock
) -> FinishedBatch | GenerationPlan:
    """The batch at its end; its plan where `--hold` keeps that.

    Raises:
        Failure: the plan was refused, or the workshop holds it.
    """
    for sign in (signal.SIGTERM, signal.SIGHUP):  # SIGINT does the same through asyncio.run
        asyncio.get_running_loop().add_signal_handler(sign, _current_task().cancel)
    async with connect_or_start(settings, display) as client:
        clock.end_phase("starting")
        plan = await _request_plan(client, command)
        clock.end_phase("plan")
        body, batch = plan.generation_plan, plan.hash
        assert batch is not None, "an accepted plan has a hash"
        if command.hold:
            return plan
        for note in (*body.warnings, *(f"not honoured: {wish}" for wish in body.not_honoured)):
            display.print_line(f"note: {with_flags(note, GENERATE)}")
        if body.state == "held":
            raise bad_input(
                f"the plan of {batch} is held: nothing is made before it is approved",
                hint=f"bottega approve {batch} {body.approval}",
                code="wrong_state",
            )
        board = BatchProgress(quantity=body.quantity)
        try:
            with display.show_batch(headline(plan), board):
                followed = await follow(client, batch, board, display)
        except asyncio.CancelledError:
            await _cancel(client, batch, display)
            raise
        clock.end_phase("making", followed.ended_at)
        clock.end_phase("handing_over")
        return followed


def _current_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None, "called from a coroutine"
    return task


async def _request_plan(client: Client, command: GenerateImages) -> GenerationPlan:
    """The plan; a refused one is a failure. The command has an id, so that asking twice makes one batch.

    Raises:
        Failure: the plan was refused, or the command is wrong.
    """
    once = replace(command, command_id=f"cli_{secrets.token_hex(8)}")
    plan = await ask(client, once, GenerationPlan, PATIENCE_S)
    if refusal := refusal_of(plan.generation_plan):
        raise refusal
    return plan


async def _cancel(client: Client, batch: str, display: Display) -> None:
    """Tell the planner that nobody waits for the batch any more."""
    try:
        async with asyncio.timeout(MAX_CANCEL_WAIT_S):
            answer = await ask(client, Cancel(hash=batch), GenerationStatus)
        display.print_line(f"cancelled · {format_counts(answer.generation_status)} · {batch}")
        if answer.generation_status.completed or answer.generation_status.processing:
            display.print_line(f"what is stored, and what was begun: bottega result {batch}")
    except (Failure, TimeoutError):
        display.print_line(f"the workshop did not answer; cancel it later with: bottega cancel {batch}")
