"""What people are told of full disks, and of a broker elsewhere that stores nothing."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents.doors.cli.workshop.doctor import check_nats_server, check_space
from agents.shared.settings import Settings
from agents.shared.supervisor.disk_record import record_file, write_record
from agents.shared.supervisor.full_disks import DiskRecord, FullDisk
from tests.doors.cli.conftest import Home
from tests.small_disk import fill, small_disk


def time_ago(**much: float) -> str:
    return (datetime.now(UTC) - timedelta(**much)).isoformat(timespec="seconds")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", nats_url="nats://broker:4222")


def test_the_doctor_says_of_a_full_disk_that_it_is_full_and_then_that_it_was(settings: Settings) -> None:
    with small_disk(settings.home, 4096) as home:
        ballast = fill(home)
        full = check_space(settings)
        assert full.state == "failed"
        assert f"0.0 MiB free; the disk of {home} is full since " in full.detail
        assert "make room" in (full.advice or "")
        ballast.unlink()
        write_record(record_file(settings), DiskRecord(full=[FullDisk(folder=str(home), since=time_ago(hours=1))]))
        was = check_space(settings)
        assert was.state == "warning"  # for there is little room
        assert f"the disk of {home} was full from " in was.detail


def test_no_workshop_is_started_on_a_full_disk_and_the_disk_is_named(home: Home) -> None:
    with small_disk(home.folder, 512):
        done = home.run("generate", "a red car", "--json")
        error = json.loads(done.stdout)["error"]
        assert (done.returncode, error["code"]) == (3, "disk_full")
        assert error["message"] == f"no workshop can be started: the disk of {home.folder} is full"


def test_the_doctor_tells_for_a_day_that_a_disk_was_full(settings: Settings) -> None:
    old = FullDisk(folder="/old", since=time_ago(days=3), until=time_ago(days=2))
    new = FullDisk(folder="/new", since=time_ago(hours=3), until=time_ago(hours=2))
    write_record(record_file(settings), DiskRecord(full=[old, new]))
    detail = check_space(settings).detail
    assert "the disk of /new was full from " in detail
    assert "/old" not in detail


def test_the_doctor_says_what_to_do_about_a_broker_elsewhere_that_stores_nothing(settings: Settings) -> None:
    write_record(record_file(settings), DiskRecord(unstored_since=time_ago(minutes=5)))
    told = check_nats_server(settings)
    assert told.state == "failed"
    assert told.detail.startswith("nats://broker:4222 has stored nothing that was published since ")
    assert "make room on its disk, then start that server again" in (told.advice or "")
