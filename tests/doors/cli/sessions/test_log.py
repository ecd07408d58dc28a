"""Session logs and what is drawn of them: pure parts, without a workshop."""

import json
import re
import threading
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from agents.doors.cli.copies import copy_to_folder
from agents.doors.cli.errors import Failure
from agents.doors.cli.sessions.display import format_job, headline, render_session
from agents.doors.cli.sessions.log import (
    JobEntry,
    JobStatus,
    SessionConfig,
    SessionLog,
    SessionStore,
    Summary,
    job_of,
    with_jobs,
)
from agents.doors.cli.sessions.order import SessionOptions, command_of, config_of, split_prompt_path
from agents.doors.cli.sessions.tracker import SessionTracker
from agents.doors.cli.terminal.progress_state import BatchProgress
from bus.durable_files import replace_file
from protocol.catalogue import Catalogued
from protocol.commands import GenerateImages
from protocol.errors import ErrorBody
from protocol.messages import JobRef, Progress
from protocol.parameters import Combos
from protocol.results import Image, ImageMetadata

PLACE = Catalogued(
    catalogue="v3.2", prompt_id="ZH01_unboxing_experience", quality="1K",
    wardrobe="zip-hoodie", ui_style="Orange", combo="C-U-011",
)  # fmt: skip
NOW = "2025-01-15T14:30:30+00:00"


def job(number: int, status: JobStatus, attempts: int = 0, error: str | None = None) -> JobEntry:
    return JobEntry(
        id=f"{number:03d}", prompt_file="ZH01_unboxing_experience.md", combo="C-U-011", status=status,
        attempts=attempts, error=error, image_id=f"gen_batch_1_{number:06d}",
    )  # fmt: skip


def log(*jobs: JobEntry, session: str = "2025-01-15-14-30-00") -> SessionLog:
    config = SessionConfig(wardrobe="zip-hoodie", catalogs=["v3.2", "v4.2"], ui_style="Orange", quality="1K")
    empty = SessionLog(
        session_id=session, started=NOW, config=config, jobs=[], summary=Summary(), command=GenerateImages()
    )
    return with_jobs(empty, list(jobs))


def made(seconds: float = 3.0) -> ImageMetadata:
    return ImageMetadata(
        generated_at="2025-01-15T14:30:22+00:00", prompt_used="a mug", revised_prompt=None, model_version=None, seed=1,
        processing_time_s=seconds,
    )  # fmt: skip


def image(status: str, **fields: object) -> Image:
    return Image(id="gen_batch_1_000014", index=14, status=status, catalogued=PLACE, **fields)  # pyright: ignore


def text_of(tracker: SessionTracker, board: BatchProgress | None = None) -> str:
    console = Console(width=100, color_system=None, file=None, record=True, quiet=False)
    with console.capture() as captured:
        console.print(render_session(tracker, board or BatchProgress(quantity=len(tracker.log.jobs))))
    return captured.get()


def test_a_job_has_every_field_of_the_log() -> None:
    pending = job_of(image("pending"), None, NOW, None)
    running = job_of(image("running", attempts=1), pending, NOW, None)
    completed = job_of(image("completed", attempts=2, metadata=made()), running, "later", "out/x.png")

    assert (pending.id, pending.prompt_file, pending.combo) == ("015", "ZH01_unboxing_experience.md", "C-U-011")
    assert (pending.status, pending.attempts, pending.started, pending.completed) == ("pending", 0, None, None)
    assert (running.status, running.started, running.completed) == ("running", NOW, None)
    assert (completed.status, completed.attempts, completed.output) == ("completed", 2, "out/x.png")
    assert (completed.started, completed.completed) == (NOW, "2025-01-15T14:30:22+00:00")


def test_a_job_that_nobody_saw_running_began_as_long_before_its_end_as_was_measured() -> None:
    assert job_of(image("completed", metadata=made(2.0)), None, NOW, "x").started == "2025-01-15T14:30:20+00:00"
    assert job_of(image("cancelled"), None, NOW, None).started is None


def test_a_job_whose_picture_was_there_already_names_it() -> None:
    job = job_of(image("completed", metadata=made(), reused="gen_batch_0_000014"), None, NOW, "out/x.png")
    assert (job.status, job.reused) == ("completed", "gen_batch_0_000014")


def test_a_failed_job_says_why_and_has_no_output() -> None:
    error = ErrorBody(code="below_quality", message="too dark")
    failed = job_of(image("failed", error=error, attempts=3), None, NOW, "x")

    assert (failed.status, failed.error, failed.output, failed.completed) == ("failed", "too dark", None, NOW)


def test_the_counts_add_up_to_the_total() -> None:
    counted = log(job(1, "completed"), job(2, "failed"), job(3, "running"), job(4, "retry"), job(5, "pending")).summary

    assert counted == Summary(total=5, completed=1, failed=1, running=1, retry=1, pending=1)


def test_a_log_comes_back_as_it_was_written_and_leaves_no_other_file(tmp_path: Path) -> None:
    sessions = SessionStore(tmp_path)
    written = log(job(1, "running"), job(2, "completed"))
    sessions.save(written)
    sessions.save(written)

    assert sessions.load("2025-01-15-14-30-00") == written
    assert [file.name for file in sessions.folder.iterdir()] == ["2025-01-15-14-30-00-session.json"]
    assert list(json.loads(sessions.path(written.session_id).read_bytes()))[:5] == [
        "session_id",
        "started",
        "config",
        "jobs",
        "summary",
    ]


def test_whoever_reads_a_log_while_it_is_written_finds_a_whole_one(tmp_path: Path) -> None:
    target = tmp_path / "log.json"
    replace_file(target, b"0" * 200_000)
    over = threading.Event()
    seen: set[bytes] = set()

    def read() -> None:
        while not over.is_set():
            seen.add(target.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 30):
        replace_file(target, str(number % 10).encode() * 200_000)
    over.set()
    reader.join(timeout=10)

    assert seen
    assert all(len(data) == 200_000 and len(set(data)) == 1 for data in seen)


def test_a_session_is_driven_by_one_process_alone(tmp_path: Path) -> None:
    sessions = SessionStore(tmp_path)
    with sessions.lock("a"), pytest.raises(BlockingIOError), sessions.lock("a"):
        pass
    assert not sessions.is_locked("a")


def test_a_copy_is_found_again_and_what_a_person_changed_is_left_alone(tmp_path: Path) -> None:
    source = tmp_path / "made.png"
    source.write_bytes(b"pixels")
    folder = tmp_path / "a" / "b"
    first, again = copy_to_folder(str(source), folder), copy_to_folder(str(source), folder)
    assert first == again == str(folder / "made.png")

    (folder / "made.png").write_bytes(b"painted over")
    assert copy_to_folder(str(source), folder) == str(folder / "made_2.png")
    assert (folder / "made.png").read_bytes() == b"painted over"
    assert sorted(file.name for file in folder.iterdir()) == ["made.png", "made_2.png"]


async def test_a_picture_that_was_made_again_is_handed_over_again(tmp_path: Path) -> None:
    folder = tmp_path / "gen_batch_1"
    folder.mkdir()
    (folder / "first.png").write_bytes(b"1")
    (folder / "nearer.png").write_bytes(b"2")
    session = replace(log(job(15, "pending")), hash="gen_batch_1")
    tracker = SessionTracker(SessionStore(tmp_path / "out"), session)
    for name, attempts in (("first.png", 1), ("first.png", 1), ("nearer.png", 2)):
        await tracker.update_jobs([image("completed", attempts=attempts, metadata=made(), path=str(folder / name))])
    entry = tracker.job(14)
    assert entry is not None
    assert Path(entry.output or "").name == "nearer.png"


def test_the_display_shows_bar_counts_current_recent_and_what_is_not_measured(tmp_path: Path) -> None:
    jobs = [job(24, "completed"), job(25, "completed"), job(26, "running", 1), job(27, "retry", 2), job(28, "pending")]
    tracker = SessionTracker(SessionStore(tmp_path), log(*jobs, job(29, "failed", 3, "too dark")))
    drawn = text_of(tracker)

    assert re.search(r"Progress: +\S+ +50% \(3/6\)", drawn)
    assert "Running:  1 | Completed: 2 | Failed: 1 | Pending: 1 | Retry: 1" in drawn
    assert "rate not measured yet" in drawn
    assert "→ [026] ZH01_unboxing_experience + C-U-011 (attempt 1)" in drawn
    assert "→ [027] ZH01_unboxing_experience + C-U-011 (attempt 2)" in drawn
    assert "✓ [025] ZH01_unboxing_experience + C-U-011 → saved" in drawn
    assert "✗ [029] ZH01_unboxing_experience + C-U-011 → failed: too dark" in drawn
    assert headline(tracker.log).splitlines() == [
        "[Session: 2025-01-15-14-30-00]",
        "Wardrobe: zip-hoodie | UI: Orange | Quality: 1K",
        "Catalogues: v3.2, v4.2",
    ]


def test_how_far_the_first_picture_is_stands_there_until_one_has_ended(tmp_path: Path) -> None:
    tracker = SessionTracker(SessionStore(tmp_path), log(job(1, "running", 1), job(2, "pending")))
    board = BatchProgress(quantity=2)
    assert "waiting for the first picture" in text_of(tracker, board)
    board.apply_images([image("running", attempts=1)])
    ref = JobRef(hash="gen_batch_1", client_id="local", index=14, attempt=1, image_id="gen_batch_1_000014")
    board.apply_progress(Progress(ref=ref, stage="generator", step=4, steps=20))
    assert "the first picture is at step 5/20" in text_of(tracker, board)
    board.apply_images([image("completed", attempts=1)])
    assert "first picture" not in text_of(tracker, board)


async def test_rate_and_time_left_are_told_once_a_job_ended(tmp_path: Path) -> None:
    sessions = SessionStore(tmp_path)
    tracker = SessionTracker(sessions, log(job(15, "running", 1), job(16, "pending")))
    await tracker.update_jobs([image("completed", attempts=1, metadata=made())])

    assert re.search(r"[\d.]+ per minute · about .+ left", text_of(tracker))
    assert sessions.load(tracker.log.session_id) == tracker.log
    assert format_job(tracker.log.jobs[0]) == "[015] ZH01_unboxing_experience + C-U-011 → saved"


def test_the_flags_of_the_seed_become_a_command() -> None:
    wanted = SessionOptions(
        catalogs="v3.2, v4.2", wardrobe="zip-hoodie", ui_style="Orange", prompts="ZH01,ZH02_travel_ready.md"
    )
    command = command_of(wanted)

    assert command.catalogue is not None
    assert (command.catalogue.names, command.catalogue.prompts) == (["v3.2", "v4.2"], ["ZH01", "ZH02_travel_ready"])
    assert command.combos == Combos(wardrobe="zip-hoodie", ui_style="Orange")
    assert (command.requirements.resolution, config_of(wanted).quality) == (None, "native")
    assert command_of(SessionOptions(catalogs="v3.2")).combos is None
    assert config_of(wanted).catalogs == ["v3.2", "v4.2"]
    assert (command.reuse, command_of(SessionOptions(catalogs="v3.2", reuse=False)).reuse) == (True, False)


def test_a_single_prompt_is_named_with_its_catalogue() -> None:
    assert split_prompt_path("catalog_v3.2/ZH01_unboxing_experience.md") == ("catalog_v3.2", "ZH01_unboxing_experience")
    with pytest.raises(Failure):
        split_prompt_path("ZH01_unboxing_experience.md")
