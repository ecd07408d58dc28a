"""A file system that is really full: nothing half written is to be seen, and the work goes on once there is room."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.messages import Role
from tests.chaos.checker import Found, check
from tests.chaos.customers import Customers
from tests.chaos.schedule import Order
from tests.chaos.workshop import customer, workshop

pytestmark = [pytest.mark.slow, pytest.mark.chaos, pytest.mark.timeout(300)]

CREW: dict[Role, int] = {"planner": 1, "prompt": 1, "generator": 1, "qa": 1, "storage": 1}
ORDER = Order("local", "more-than-fits", quantity=40, seed=1)


def mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True, timeout=20, check=False).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A home whose pictures lie on a file system of 96 KiB: room for about ten."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=96k", "tmpfs", str(pictures)):
        pytest.skip("mounting a file system is not allowed here")
    yield tmp_path
    subprocess.run(["umount", str(pictures)], timeout=20, check=True)


async def test_a_full_disk_leaves_no_partial_picture_and_the_batch_ends_once_there_is_room(small_disk: Path) -> None:
    async with workshop(small_disk, {}, crew=CREW) as shop, customer(shop) as client:
        customers = Customers(shop, client)
        serving = asyncio.create_task(customers.serve([ORDER], asyncio.Event()))
        pictures = small_disk / "pictures"
        async with asyncio.timeout(90):
            while "No space left" not in (small_disk / "logs" / "storage-0.log").read_text():
                await shop.moment()
        full = [path for path in pictures.rglob("*.png") if path.is_file()]
        assert mount("-o", "remount,size=8m", str(pictures))
        async with asyncio.timeout(150):
            await serving
    found = Found.read(small_disk)

    assert 0 < len(full) < ORDER.quantity
    assert found.count("completed") == ORDER.quantity
    assert customers.problems + check(found, customers.answers) == []
