"""File systems that are really full: nothing half written is to be seen, people are told from when until when, and the
work goes on by itself once there is room."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol.messages import Role
from tests.chaos.checker import Found, check
from tests.chaos.customers import Customers
from tests.chaos.schedule import Order
from tests.chaos.workshop import clients_of, workshop
from tests.doors.cli.conftest import ANSWER_S, Home, line_with
from tests.small_disk import enlarge, fill, small_disk

pytestmark = [pytest.mark.slow, pytest.mark.chaos, pytest.mark.timeout(300)]

CREW: dict[Role, int] = {"planner": 1, "prompt": 1, "generator": 1, "qa": 1, "storage": 1}
ORDER = Order("local", "more-than-fits", quantity=40, seed=1)
QUANTITY = 120
FILLED_AT = 10
"""Of a batch during which a disk is filled, and freed again."""


@pytest.fixture
def little_room(tmp_path: Path) -> Iterator[Path]:
    """A home whose pictures lie on a file system of 96 KiB: room for about ten."""
    with small_disk(tmp_path / "pictures", 96):
        yield tmp_path


async def test_a_full_disk_leaves_no_partial_picture_and_the_batch_ends_once_there_is_room(little_room: Path) -> None:
    async with workshop(little_room, {}, crew=CREW) as shop, clients_of(shop) as clients:
        customers = Customers(shop, clients)
        serving = asyncio.create_task(customers.serve([ORDER], asyncio.Event()))
        pictures = little_room / "pictures"
        async with asyncio.timeout(90):
            while "disk_full" not in (little_room / "logs" / "storage-0.log").read_text():
                await shop.moment()
        full = [path for path in pictures.rglob("*.png") if path.is_file()]
        enlarge(pictures, 8192)
        async with asyncio.timeout(150):
            await serving
    found = Found.read(little_room)

    assert 0 < len(full) < ORDER.quantity
    assert found.count("completed") == ORDER.quantity
    assert customers.problems + check(found, customers.answers) == []


def told(home: Home, *command: str) -> dict[str, Any]:
    return json.loads(home.run(*command, "--json").stdout)


def disk_check(home: Home) -> dict[str, Any]:
    [check] = [one for one in told(home, "doctor")["checks"] if one["name"] == "disk"]
    return check


def end(up: subprocess.Popen[str]) -> None:
    up.terminate()
    assert up.wait(timeout=ANSWER_S) == 0


@pytest.mark.parametrize(
    ("place", "kibibytes"),
    [pytest.param("nats", 8 * 1024, id="of-the-broker"), pytest.param("", 24 * 1024, id="of-the-home")],
)
def test_a_disk_that_was_full_in_mid_batch_costs_nothing_but_time(home: Home, place: str, kibibytes: int) -> None:
    with small_disk(home.folder / place, kibibytes) as folder, home.start("up") as up:
        line_with(up, "workshop ready at")
        with home.start("generate", "a red car", "-n", str(QUANTITY)) as generate:
            line_with(generate, f"[{FILLED_AT}/{QUANTITY}]")
            ballast = fill(folder)
            assert str(folder) in line_with(up, "workshop", "full", "is full since")
            [full] = told(home, "status")["disks"]
            assert (full["folder"], full["until"]) == (str(folder), None)
            looked = disk_check(home)
            assert (looked["state"], str(folder) in looked["detail"]) == ("failed", True)

            ballast.unlink()
            line_with(up, "workshop", "room", "was full from")
            line_with(up, "nats", "started")
            said, _ = generate.communicate(timeout=150)
        assert generate.returncode == 0, said
        assert f"{QUANTITY} stored" in said
        [full] = told(home, "status")["disks"]
        assert full["until"] > full["since"]
        assert "was full from" in disk_check(home)["detail"]
        assert home.run("generate", "a blue car", "-n", "2").returncode == 0
        end(up)
        found = Found.read(home.folder)
        assert found.count("completed") == QUANTITY + 2
        assert check(found) == []


def test_an_output_folder_that_is_full_costs_no_picture(home: Home, tmp_path: Path) -> None:
    with small_disk(tmp_path / "out", 64) as output, home.start("up") as up:
        line_with(up, "workshop ready at")
        done = home.run("generate", "a red car", "-n", str(QUANTITY), "--out", str(output), "--json")
        assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "disk_full")
        assert list(output.rglob("*.partial")) == []
        end(up)
    found = Found.read(home.folder)
    assert found.count("completed") == QUANTITY
    assert check(found) == []
