"""Sessions are known to their home wherever their output lies, and are listed with their state."""

import json
import shutil
from pathlib import Path

import pytest

from agents.doors.cli.errors import Failure
from agents.doors.cli.sessions.index import SessionIndex
from agents.doors.cli.sessions.listing import state_of
from agents.doors.cli.sessions.log import JobStatus, SessionStore
from tests.doors.cli.conftest import Home
from tests.doors.cli.sessions.test_log import job, log

SECOND = 1736951400.0
NAME = "2025-01-15-14-30-00"


@pytest.fixture
def index(tmp_path: Path) -> SessionIndex:
    return SessionIndex(tmp_path / "home" / "sessions", tmp_path / "home" / "Result_images")


def begin(index: SessionIndex, output: Path | None, *statuses: JobStatus, seconds: float = SECOND) -> SessionStore:
    """A session with a log."""
    sessions = index.store(output)
    with index.new_session(sessions, seconds) as session:
        sessions.save(log(*(job(number, status) for number, status in enumerate(statuses, 1)), session=session))
    return sessions


def test_a_session_is_found_by_its_id_alone_wherever_its_output_lies(index: SessionIndex, tmp_path: Path):
    begin(index, tmp_path / "elsewhere", "paused")
    sessions, found = SessionIndex(index.folder, index.own.output).load(NAME)

    assert (sessions.output, found.session_id) == (tmp_path / "elsewhere", NAME)


def test_the_newest_session_of_all_folders_is_meant_where_none_is_named(index: SessionIndex, tmp_path: Path):
    begin(index, None, "completed", seconds=SECOND)
    begin(index, tmp_path / "b", "completed", seconds=SECOND + 120)
    begin(index, tmp_path / "a", "completed", seconds=SECOND + 60)

    assert index.load(None)[0].output == tmp_path / "b"
    assert index.load(None, tmp_path / "a")[0].output == tmp_path / "a"


def test_a_session_is_named_after_its_second_and_never_twice(index: SessionIndex, tmp_path: Path):
    for output in (tmp_path / "a", tmp_path / "b", None, *[tmp_path / "a"] * 8):
        begin(index, output, "completed")

    assert [session for session, _ in index.list_all()] == [NAME, *(f"{NAME}-{number}" for number in range(2, 12))]


def test_a_session_that_never_began_is_not_known(index: SessionIndex, tmp_path: Path):
    with pytest.raises(ZeroDivisionError), index.new_session(index.store(tmp_path / "a"), SECOND):
        raise ZeroDivisionError

    assert index.list_all() == []


def test_a_session_whose_folder_is_gone_is_told_and_is_not_the_newest(index: SessionIndex, tmp_path: Path):
    begin(index, tmp_path / "here", "completed", seconds=SECOND)
    begin(index, tmp_path / "gone", "pending", seconds=SECOND + 1)
    shutil.rmtree(tmp_path / "gone")

    assert index.load(None)[1].session_id == NAME
    assert index.list_unfinished() == []
    with pytest.raises(Failure, match="2025-01-15-14-30-01 is gone"):
        index.load("2025-01-15-14-30-01")
    assert not (tmp_path / "gone").exists()


def test_a_folder_that_was_moved_is_known_once_it_was_named(index: SessionIndex, tmp_path: Path):
    begin(index, tmp_path / "before", "pending")
    (tmp_path / "before").rename(tmp_path / "after")
    index.load(NAME, tmp_path / "after")

    assert index.load(NAME)[0].output == tmp_path / "after"


def test_an_entry_that_cannot_be_read_or_is_of_another_session_names_nothing(index: SessionIndex, tmp_path: Path):
    begin(index, tmp_path / "a", "pending")
    entry = index.folder / f"{NAME}.json"
    (index.folder / "broken.json").write_bytes(b"\xff{")
    (index.folder / "other.json").write_bytes(entry.read_bytes())

    assert [session for session, _ in index.list_all()] == [NAME]


def test_only_unfinished_sessions_that_nobody_drives_are_pointed_out(index: SessionIndex, tmp_path: Path):
    sessions = begin(index, tmp_path / "a", "pending")
    begin(index, tmp_path / "a", "completed", seconds=SECOND + 1)
    begin(index, tmp_path / "a", "running", seconds=SECOND + 2)
    (sessions.folder / "broken-session.json").write_text("{")

    with sessions.lock("2025-01-15-14-30-02"):
        assert [one.session_id for one in index.list_unfinished()] == [NAME]
    assert [one.session_id for one in index.list_unfinished()] == [NAME, "2025-01-15-14-30-02"]


def test_a_folder_that_cannot_be_written_keeps_no_session_from_being_pointed_out(index: SessionIndex, tmp_path: Path):
    sessions = begin(index, tmp_path / "a", "pending")
    (sessions.folder / f".{NAME}.lock").mkdir()

    assert [one.session_id for one in index.list_unfinished()] == [NAME]


@pytest.mark.parametrize("session", ["nobody", "../../etc/passwd", ""])
def test_a_session_that_is_not_there_is_told_with_those_that_are(index: SessionIndex, tmp_path: Path, session: str):
    with pytest.raises(Failure) as failure:
        index.load(session)
    assert "bottega batch start" in (failure.value.body.hint or "")

    begin(index, tmp_path / "a", "pending")
    for output in (None, tmp_path / "a"):
        with pytest.raises(Failure) as failure:
            index.load(session, output)
        assert NAME in (failure.value.body.hint or "")


@pytest.mark.parametrize(
    ("statuses", "driven", "state"),
    [
        (["completed", "completed"], False, "completed"),
        (["completed", "failed"], False, "failed"),
        (["completed", "cancelled"], False, "failed"),
        (["completed", "paused"], False, "unfinished"),
        (["completed", "pending"], True, "running"),
        ([], False, "unfinished"),
    ],
)
def test_a_session_has_a_state(statuses: list[JobStatus], driven: bool, state: str):
    assert state_of(log(*(job(1, status) for status in statuses)), driven=driven) == state


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_the_list_names_each_session_of_the_home_with_state_count_and_time(home: Home, tmp_path: Path, columns: str):
    index = SessionIndex(home.folder / "sessions", home.folder / "Result_images")
    assert "bottega batch start" in home.run("batch", "list").stdout
    begin(index, tmp_path / "a", "completed", "paused")
    begin(index, tmp_path / "b", "completed", seconds=SECOND + 1)
    shutil.rmtree(tmp_path / "b")

    shown = " ".join(home.run("batch", "list", COLUMNS=columns).stdout.split())
    listed = json.loads(home.run("batch", "list", "--json").stdout)["sessions"]

    assert f"{NAME} unfinished 1/2 2025-01-15 14:30 UTC" in shown
    assert "2025-01-15-14-30-01 missing" in shown
    assert [(one["session_id"], one["state"]) for one in listed] == [
        ("2025-01-15-14-30-01", "missing"),
        (NAME, "unfinished"),
    ]
    assert listed[1]["output"] == str(tmp_path / "a")
    assert listed[1]["summary"]["paused"] == 1
    assert len(json.loads(home.run("batch", "list", "-n", "1", "--json").stdout)["sessions"]) == 1
