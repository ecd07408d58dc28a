"""A file system that is really full: nothing half written is to be seen, and the work goes on once there is room."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.messages import Role
from tests.chaos.checker import Found, check
from tests.chaos.customers import Customers
from tests.chaos.schedule import Order
from tests.chaos.workshop import customer, workshop
from tests.small_disk import enlarge, small_disk

pytestmark = [pytest.mark.slow, pytest.mark.chaos, pytest.mark.timeout(300)]

CREW: dict[Role, int] = {"planner": 1, "prompt": 1, "generator": 1, "qa": 1, "storage": 1}
ORDER = Order("local", "more-than-fits", quantity=40, seed=1)


@pytest.fixture
def little_room(tmp_path: Path) -> Iterator[Path]:
    """A home whose pictures lie on a file system of 96 KiB: room for about ten."""
    with small_disk(tmp_path / "pictures", 96):
        yield tmp_path


async def test_a_full_disk_leaves_no_partial_picture_and_the_batch_ends_once_there_is_room(little_room: Path) -> None:
    async with workshop(little_room, {}, crew=CREW) as shop, customer(shop) as client:
        customers = Customers(shop, client)
        serving = asyncio.create_task(customers.serve([ORDER], asyncio.Event()))
        pictures = little_room / "pictures"
        async with asyncio.timeout(90):
            while "No space left" not in (little_room / "logs" / "storage-0.log").read_text():
                await shop.moment()
        full = [path for path in pictures.rglob("*.png") if path.is_file()]
        enlarge(pictures, 8192)
        async with asyncio.timeout(150):
            await serving
    found = Found.read(little_room)

    assert 0 < len(full) < ORDER.quantity
    assert found.count("completed") == ORDER.quantity
    assert customers.problems + check(found, customers.answers) == []
