"""`bottega batch`: sessions of seed 004, driven through the workshop's own commands."""

import asyncio
import secrets
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace
from rich.console import Console

from agents.doors.cli.batches.follow import SILENCE_S, follow, page
from agents.doors.cli.errors import ALL_STORED, SOME_FAILED, Failure, bad_input
from agents.doors.cli.sessions import display as batch_display
from agents.doors.cli.sessions.log import JobEntry, Phases, SessionLog, Sessions, Summary, moment
from agents.doors.cli.sessions.order import Wanted, command_of, config_of
from agents.doors.cli.sessions.report import show, told
from agents.doors.cli.sessions.tracker import Tracker
from agents.doors.cli.settings import configured
from agents.doors.cli.terminal.display import Display, display_for
from agents.doors.cli.terminal.plan_view import refusal_of
from agents.doors.cli.terminal.progress_state import Board
from agents.doors.cli.workshop.connection import asked, connected, own_or_running, workshop_address
from agents.shared.settings import Settings
from bus.client import Client
from protocol.commands import Cancel, Pause, Resume, Retry, Upgrade
from protocol.replies import GenerationPlan, GenerationStatus, Image

PATIENCE_S = 30.0
"""How long a workshop that is just starting is waited for."""
PAUSE_S = 5.0
"""How long Ctrl-C waits for the planner to hear of it."""
MAX_JOBS = 20_000
"""Jobs of a session: its log has a line for each, and is written again with every news."""
OUTPUT = "Result_images"


@dataclass(frozen=True)
class Place:
    """Where sessions are kept, and who makes them."""

    output: Path | None = None
    stand_in: str | None = None
    json: bool = False


def start(wanted: Wanted, place: Place) -> int:
    """Begin a session and drive it to its end; returns the exit code."""
    settings, sessions = _at(place)
    command = command_of(wanted)
    console = Console(stderr=True)
    for log in sessions.unfinished():
        ended = log.summary.completed + log.summary.failed + log.summary.cancelled
        console.print(
            f"note: session {log.session_id} is unfinished ({ended}/{log.summary.total}); "
            f"go on with: bottega batch resume {log.session_id}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    now = time.time()
    session = sessions.new_id(now)
    log = SessionLog(
        session_id=session,
        started=moment(now),
        config=config_of(wanted),
        jobs=[],
        summary=Summary(),
        command=replace(command, command_id=_command_id(session)),
    )
    return _drive(sessions, log, settings, place)


def resume(session: str | None, place: Place) -> int:
    """Go on with a session, its failed jobs included; returns the exit code."""
    settings, sessions = _at(place)
    return _drive(sessions, sessions.load(session), settings, place, again=True)


def retry(session: str | None, job: str | None, place: Place) -> int:
    """Try the failed jobs of a session again, or one of them; returns the exit code."""
    settings, sessions = _at(place)
    log = sessions.load(session)
    failed = [one for one in log.jobs if one.status == "failed"]
    if job is not None:
        failed = [one for one in failed if one.id == job.zfill(3)]
    if not failed:
        raise bad_input(
            f"{f'job {job}' if job else 'no job'} of session {log.session_id} has {'not ' if job else ''}failed",
            hint=f"see bottega batch status {log.session_id}",
            code="wrong_state",
        )
    return _drive(sessions, log, settings, place, again=True, image_id=failed[0].image_id if job is not None else None)


def upgrade(session: str | None, quality: str, place: Place) -> int:
    """Make the completed pictures of a session again at a higher quality, as a session of its own; returns the exit
    code."""
    settings, sessions = _at(place)
    parent = sessions.load(session)
    made = [job for job in parent.jobs if job.status == "completed"]
    if parent.hash is None or not made:
        raise bad_input(f"session {parent.session_id} has no completed job", code="wrong_state")
    now = time.time()
    name = sessions.new_id(now)
    log = SessionLog(
        session_id=name,
        started=moment(now),
        config=replace(parent.config, quality=quality),
        jobs=[_to_upgrade(job, number) for number, job in enumerate(made)],
        summary=Summary(total=len(made), pending=len(made)),
        command=Upgrade(hash=parent.hash, resolution=quality, command_id=_command_id(name)),
        parent=parent.session_id,
    )
    return _drive(sessions, log, settings, place)


def status(session: str | None, place: Place) -> int:
    """Where a session stands; the workshop is asked where one runs. Returns the exit code."""
    settings, sessions = _at(place)
    log = sessions.load(session)
    if log.hash is not None and workshop_address(settings) is not None and not sessions.driven(log.session_id):
        with suppress(Failure, BlockingIOError), sessions.driving(log.session_id):
            log = asyncio.run(_refreshed(sessions, log, settings))
    told(log, sessions, place.json)
    return SOME_FAILED if log.summary.failed or log.summary.cancelled else ALL_STORED


def _command_id(session: str) -> str:
    """Sessions of other folders may begin in the same second; the log keeps the id, so a session sends it again."""
    return f"session_{session}_{secrets.token_hex(4)}"


def _at(place: Place) -> tuple[Settings, Sessions]:
    settings = configured(stand_in=place.stand_in)
    return settings, Sessions((place.output or settings.home / OUTPUT).absolute())


def _drive(
    sessions: Sessions,
    log: SessionLog,
    settings: Settings,
    place: Place,
    *,
    again: bool = False,
    image_id: str | None = None,
) -> int:
    try:
        with sessions.driving(log.session_id):
            log = asyncio.run(_driven(sessions, log, settings, place.json, again, image_id))
    except BlockingIOError:
        raise bad_input(
            f"another process drives session {log.session_id}",
            hint=f"watch it: bottega batch status {log.session_id}",
            code="wrong_state",
        ) from None
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    show(log, sessions, place.json)
    return ALL_STORED if log.summary.completed == log.summary.total else SOME_FAILED


async def _driven(
    sessions: Sessions, log: SessionLog, settings: Settings, silent: bool, again: bool, image_id: str | None
) -> SessionLog:
    task = asyncio.current_task()
    assert task is not None, "called from a coroutine"
    for sign in (signal.SIGTERM, signal.SIGHUP):  # SIGINT does the same through asyncio.run
        asyncio.get_running_loop().add_signal_handler(sign, task.cancel)
    console = Console(stderr=True)
    tracker = Tracker(sessions, log)
    display = batch_display.session_display(console, tracker, silent=silent)
    await tracker.write()  # before anything is asked for, so that nothing is made that no log knows of
    async with own_or_running(settings, display_for(console, silent=silent)) as client:
        before = tracker.seconds
        quantity = await _planned(client, sessions, tracker, display)
        images = await _see_all(client, tracker)
        planned = tracker.seconds
        if again and await _go_on(client, tracker, image_id):
            images = await _see_all(client, tracker)
        board = Board(quantity=quantity)
        board.see_images(images)
        assert tracker.log.hash is not None
        try:
            with display.batch(batch_display.headline(tracker.log), board):
                followed = await follow(client, tracker.log.hash, board, display, tracker.see)
        except asyncio.CancelledError:
            await _pause(client, tracker, display)
            raise
        made = tracker.seconds
        await tracker.see(followed.images)
        phases = Phases(
            plan=round(planned - before, 3),
            making=round(made - planned, 3),
            handing_over=round(tracker.seconds - made, 3),
        )
        await tracker.note(ended=moment(time.time()), **tracker.measured(phases))
    return tracker.log


async def _planned(client: Client, sessions: Sessions, tracker: Tracker, display: Display) -> int:
    """The number of pictures of a session's batch, which is made where it is not there yet. Its command has an id, so
    that a session which died meanwhile finds the batch that it asked for.

    Raises:
        Failure: the plan was refused, or is held.
    """
    log = tracker.log
    if log.hash is not None:
        return (await page(client, log.hash)).generation_result.quantity
    try:
        plan = await asked(client, log.command, GenerationPlan, PATIENCE_S)
        if refusal := refusal_of(plan.generation_plan):
            raise refusal
    except Failure as failure:
        if not failure.body.retryable and not log.jobs:
            sessions.path(log.session_id).unlink()  # what was never begun is no session
        raise
    body = plan.generation_plan
    for note in (*body.warnings, *(f"not honoured: {wish}" for wish in body.not_honoured)):
        display.say(f"note: {note}")
    if body.quantity > MAX_JOBS and plan.hash is not None:
        await asked(client, Cancel(hash=plan.hash), GenerationStatus)
        sessions.path(log.session_id).unlink()
        raise bad_input(f"{body.quantity} jobs are more than the {MAX_JOBS} of a session", hint="use bottega send")
    await tracker.note(hash=plan.hash)
    if body.state == "held":
        raise bad_input(
            f"the plan of session {log.session_id} is held: nothing is made before it is approved",
            hint=f"bottega approve {plan.hash} {body.approval}, then bottega batch resume {log.session_id}",
            code="wrong_state",
        )
    return body.quantity


async def _see_all(client: Client, tracker: Tracker) -> list[Image]:
    """Every picture of the batch as the planner knows it now."""
    assert tracker.log.hash is not None
    result = (await page(client, tracker.log.hash)).generation_result
    images = [*result.images]
    last = result
    while last.next is not None:
        last = (await page(client, tracker.log.hash, first=last.next)).generation_result
        images += last.images
    await tracker.see(images)
    return images


async def _go_on(client: Client, tracker: Tracker, image_id: str | None) -> bool:
    """Let a paused batch go on, and try failed pictures again; returns whether there was anything of it to do."""
    assert tracker.log.hash is not None
    paused = (await page(client, tracker.log.hash)).generation_result.state == "paused"
    if paused:
        await asked(client, Resume(hash=tracker.log.hash), GenerationStatus, SILENCE_S)
    failed = any(job.status == "failed" for job in tracker.log.jobs)
    if failed:
        await asked(client, Retry(hash=tracker.log.hash, image_id=image_id), GenerationStatus, SILENCE_S)
    return paused or failed


async def _pause(client: Client, tracker: Tracker, display: Display) -> None:
    """Tell the planner that nobody drives the session any more."""
    assert tracker.log.hash is not None
    with suppress(Failure, TimeoutError):
        async with asyncio.timeout(PAUSE_S):
            await asked(client, Pause(hash=tracker.log.hash), GenerationStatus)
            await _see_all(client, tracker)
    display.say(f"paused; go on with: bottega batch resume {tracker.log.session_id}")


async def _refreshed(sessions: Sessions, log: SessionLog, settings: Settings) -> SessionLog:
    tracker = Tracker(sessions, log)
    async with connected(settings) as client:
        await _see_all(client, tracker)
    return tracker.log


def _to_upgrade(job: JobEntry, number: int) -> JobEntry:
    """The job that makes a picture again; the upgraded batch has them in the same order."""
    return JobEntry(
        id=f"{number + 1:03d}",
        prompt_file=job.prompt_file,
        combo=job.combo,
        status="pending",
        catalog=job.catalog,
        wardrobe=job.wardrobe,
        ui_style=job.ui_style,
        image_id=job.image_id,
    )
