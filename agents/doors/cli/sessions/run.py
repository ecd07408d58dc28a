"""`bottega batch`: sessions, driven through the workshop's own commands."""

import asyncio
import secrets
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from agents.doors.cli.batches.follow import MAX_UNANSWERED_S, fetch_page, follow
from agents.doors.cli.errors import ALL_STORED, SOME_FAILED, Failure, bad_input
from agents.doors.cli.sessions import display as batch_display
from agents.doors.cli.sessions.index import SessionIndex
from agents.doors.cli.sessions.log import JobEntry, SessionLog, SessionStore, Summary, format_time
from agents.doors.cli.sessions.order import SessionOptions, command_of, config_of
from agents.doors.cli.sessions.report import show_end, show_status
from agents.doors.cli.sessions.tracker import SessionTracker
from agents.doors.cli.settings import load_settings
from agents.doors.cli.terminal.console import open_console
from agents.doors.cli.terminal.display import Display, display_for
from agents.doors.cli.terminal.phases import PhaseClock
from agents.doors.cli.terminal.plan_view import refusal_of
from agents.doors.cli.terminal.progress_state import BatchProgress
from agents.doors.cli.wording import SESSION, with_flags
from agents.doors.cli.workshop.connection import ask, connect_client, connect_or_start, workshop_address
from agents.shared.settings import Settings
from bus.client import Client
from protocol.commands import Cancel, Pause, Resume, Retry, Upgrade
from protocol.plans import GenerationPlan
from protocol.results import GenerationStatus, Image

PATIENCE_S = 30.0
"""How long a workshop that is just starting is waited for."""
MAX_PAUSE_WAIT_S = 5.0
"""How long Ctrl-C waits for the planner to hear of it."""
MAX_JOBS = 20_000
"""Jobs of a session: its log has a line for each, and is written again with every news."""


@dataclass(frozen=True)
class SessionContext:
    """Where sessions are kept, who makes them, and whose they are."""

    output: Path | None = None
    stand_in: str | None = None
    json: bool = False
    client: str | None = None


def start(wanted: SessionOptions, place: SessionContext) -> int:
    """Begin a session and drive it to its end; returns the exit code."""
    settings, index = _open_index(place)
    command = command_of(wanted)
    console = open_console(stderr=True)
    for log in index.list_unfinished():
        ended = log.summary.completed + log.summary.failed + log.summary.cancelled
        console.print(
            f"note: session {log.session_id} is unfinished ({ended}/{log.summary.total}); "
            f"go on with: bottega batch resume {log.session_id}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    now = time.time()
    sessions = index.store(place.output)
    with index.new_session(sessions, now) as session:
        log = SessionLog(
            session_id=session,
            started=format_time(now),
            config=config_of(wanted),
            jobs=[],
            summary=Summary(),
            command=replace(command, command_id=_command_id(session), client_id=settings.client),
        )
        return _drive(sessions, log, settings, place)


def resume(session: str | None, place: SessionContext) -> int:
    """Go on with a session, its failed jobs included; returns the exit code."""
    settings, index = _open_index(place)
    sessions, log = index.load(session, place.output)
    return _drive(sessions, log, settings, place, again=True)


def retry(session: str | None, job: str | None, place: SessionContext) -> int:
    """Try the failed jobs of a session again, or one of them; returns the exit code."""
    settings, index = _open_index(place)
    sessions, log = index.load(session, place.output)
    failed = [one for one in log.jobs if one.status == "failed"]
    if job is not None:
        failed = [one for one in failed if one.id == job.zfill(3)]
    if not failed:
        raise bad_input(
            f"{f'job {job}' if job else 'no job'} of session {log.session_id} has {'not ' if job else ''}failed",
            hint=f"see bottega batch status {log.session_id}",
            code="wrong_state",
        )
    image_id = failed[0].image_id if job is not None else None
    return _drive(sessions, log, settings, place, again=True, image_id=image_id)


def upgrade(session: str | None, quality: str, place: SessionContext) -> int:
    """Make the completed pictures of a session again at a higher quality, as a session of its own; returns the exit
    code."""
    settings, index = _open_index(place)
    sessions, parent = index.load(session, place.output)
    made = [job for job in parent.jobs if job.status == "completed"]
    if parent.hash is None or not made:
        raise bad_input(f"session {parent.session_id} has no completed job", code="wrong_state")
    now = time.time()
    with index.new_session(sessions, now) as name:
        log = SessionLog(
            session_id=name,
            started=format_time(now),
            config=replace(parent.config, quality=quality),
            jobs=[_upgraded_job(job, number) for number, job in enumerate(made)],
            summary=Summary(total=len(made), pending=len(made)),
            command=Upgrade(
                hash=parent.hash, resolution=quality, command_id=_command_id(name), client_id=parent.command.client_id
            ),
            parent=parent.session_id,
        )
        return _drive(sessions, log, settings, place)


def status(session: str | None, place: SessionContext) -> int:
    """Where a session stands; the workshop is asked where one runs. Returns the exit code."""
    settings, index = _open_index(place)
    sessions, log = index.load(session, place.output)
    if log.hash is not None and workshop_address(settings) is not None and not sessions.is_locked(log.session_id):
        with suppress(Failure, BlockingIOError), sessions.lock(log.session_id):
            log = asyncio.run(_refresh_log(sessions, log, settings))
    show_status(log, sessions, place.json)
    return SOME_FAILED if log.summary.failed or log.summary.cancelled else ALL_STORED


def _command_id(session: str) -> str:
    """Sessions of other folders may begin in the same second; the log keeps the id, so a session sends it again."""
    return f"session_{session}_{secrets.token_hex(4)}"


def _open_index(place: SessionContext) -> tuple[Settings, SessionIndex]:
    settings = load_settings(stand_in=place.stand_in, client=place.client)
    return settings, SessionIndex.of_home(settings)


def _drive(
    sessions: SessionStore,
    log: SessionLog,
    settings: Settings,
    place: SessionContext,
    *,
    again: bool = False,
    image_id: str | None = None,
) -> int:
    try:
        with sessions.lock(log.session_id):
            log = asyncio.run(_drive_batch(sessions, log, settings, place.json, again, image_id))
    except BlockingIOError:
        raise bad_input(
            f"another process drives session {log.session_id}",
            hint=f"watch it: bottega batch status {log.session_id}",
            code="wrong_state",
        ) from None
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    show_end(log, sessions, place.json)
    return ALL_STORED if log.summary.completed == log.summary.total else SOME_FAILED


async def _drive_batch(
    sessions: SessionStore, log: SessionLog, settings: Settings, silent: bool, again: bool, image_id: str | None
) -> SessionLog:
    task = asyncio.current_task()
    assert task is not None, "called from a coroutine"
    for sign in (signal.SIGTERM, signal.SIGHUP):  # SIGINT does the same through asyncio.run
        asyncio.get_running_loop().add_signal_handler(sign, task.cancel)
    console, clock = open_console(stderr=True), PhaseClock()
    tracker = SessionTracker(sessions, log)
    display = batch_display.session_display(console, tracker, silent=silent)
    await tracker.write()  # before anything is asked for, so that nothing is made that no log knows of
    async with connect_or_start(_speaking_for(log, settings), display_for(console, silent=silent)) as client:
        clock.end_phase("starting")
        known = {int(job.id) - 1: job for job in log.jobs}
        quantity = await _ensure_planned(client, sessions, tracker, display)
        images = await _fetch_all_images(client, tracker)
        clock.end_phase("plan")
        if again and await _resume_and_retry(client, tracker, image_id):
            images = await _fetch_all_images(client, tracker)
        board = BatchProgress(quantity=quantity)
        board.apply_images([image for image in images if tracker.job(image.index) == known.get(image.index)])
        assert tracker.log.hash is not None
        try:
            with display.show_batch(batch_display.headline(tracker.log), board):
                followed = await follow(client, tracker.log.hash, board, display, tracker.update_jobs)
        except asyncio.CancelledError:
            await _pause(client, tracker, display)
            raise
        clock.end_phase("making", followed.ended_at)
        await tracker.update_jobs(followed.images)
        clock.end_phase("handing_over")
        phases = clock.phases(followed.device_seconds)
        await tracker.update_head(ended=format_time(time.time()), phases=phases, cost=tracker.cost)
    return tracker.log


async def _ensure_planned(client: Client, sessions: SessionStore, tracker: SessionTracker, display: Display) -> int:
    """The number of pictures in a session's batch, which is created if it does not exist yet. The command has an id, so
    a session that died meanwhile finds the batch that it asked for.

    Raises:
        Failure: the plan was refused, or is held.
    """
    log = tracker.log
    if log.hash is not None:
        return (await fetch_page(client, log.hash)).generation_result.quantity
    try:
        with display.show_waiting("planning the session: its catalogues and combos are read"):
            plan = await ask(client, log.command, GenerationPlan, PATIENCE_S)
        if refusal := refusal_of(plan.generation_plan):
            raise refusal
    except Failure as failure:
        if not failure.body.retryable:
            sessions.path(log.session_id).unlink()  # what was never begun is no session
        raise
    body = plan.generation_plan
    for note in (*body.warnings, *(f"not honoured: {wish}" for wish in body.not_honoured)):
        display.print_line(f"note: {with_flags(note, SESSION)}")
    if body.quantity > MAX_JOBS and plan.hash is not None:
        await ask(client, Cancel(hash=plan.hash), GenerationStatus)
        sessions.path(log.session_id).unlink()
        raise bad_input(f"{body.quantity} jobs are more than the {MAX_JOBS} of a session", hint="use bottega send")
    await tracker.update_head(hash=plan.hash)
    if body.state == "held":
        raise bad_input(
            f"the plan of session {log.session_id} is held: nothing is made before it is approved",
            hint=f"bottega approve {plan.hash} {body.approval}, then bottega batch resume {log.session_id}",
            code="wrong_state",
        )
    return body.quantity


async def _fetch_all_images(client: Client, tracker: SessionTracker) -> list[Image]:
    """Every picture of the batch as the planner knows it now."""
    assert tracker.log.hash is not None
    result = (await fetch_page(client, tracker.log.hash)).generation_result
    images = [*result.images]
    last = result
    while last.next is not None:
        last = (await fetch_page(client, tracker.log.hash, first=last.next)).generation_result
        images += last.images
    await tracker.update_jobs(images)
    return images


async def _resume_and_retry(client: Client, tracker: SessionTracker, image_id: str | None) -> bool:
    """Let a paused batch go on, and try failed pictures again; returns whether there was anything of it to do."""
    assert tracker.log.hash is not None
    paused = (await fetch_page(client, tracker.log.hash)).generation_result.state == "paused"
    if paused:
        await ask(client, Resume(hash=tracker.log.hash), GenerationStatus, MAX_UNANSWERED_S)
    failed = any(job.status == "failed" for job in tracker.log.jobs)
    if failed:
        await ask(client, Retry(hash=tracker.log.hash, image_id=image_id), GenerationStatus, MAX_UNANSWERED_S)
    return paused or failed


async def _pause(client: Client, tracker: SessionTracker, display: Display) -> None:
    """Tell the planner that nobody drives the session any more."""
    assert tracker.log.hash is not None
    with suppress(Failure, TimeoutError):
        async with asyncio.timeout(MAX_PAUSE_WAIT_S):
            await ask(client, Pause(hash=tracker.log.hash), GenerationStatus)
            await _fetch_all_images(client, tracker)
    display.print_line(f"paused; go on with: bottega batch resume {tracker.log.session_id}")


async def _refresh_log(sessions: SessionStore, log: SessionLog, settings: Settings) -> SessionLog:
    tracker = SessionTracker(sessions, log)
    async with connect_client(_speaking_for(log, settings)) as client:
        await _fetch_all_images(client, tracker)
    return tracker.log


def _speaking_for(log: SessionLog, settings: Settings) -> Settings:
    """The settings; where nobody says who speaks, it is the client whose session it is."""
    whose = log.command.client_id
    return settings if settings.client is not None or whose is None else settings.model_copy(update={"client": whose})


def _upgraded_job(job: JobEntry, number: int) -> JobEntry:
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
