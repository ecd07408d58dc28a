"""The disk of the ledger is really full: a command is told that it may be sent again, and done once there is room."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bus.client import Client
from bus.connection import Address
from protocol.commands import GenerateImages, Requirements
from protocol.plans import GenerationPlan
from protocol.replies import ErrorReply, Reply
from tests.small_disk import fill, small_disk
from tests.workshop import instant_settings, served

pytestmark = pytest.mark.slow


@pytest.fixture
def ledger_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    with small_disk(tmp_path / "small", 2048) as folder:
        yield folder


def order(number: int) -> GenerateImages:
    brief = "a mug " * 600
    return GenerateImages(
        brief=brief, platform="pocket", requirements=Requirements(quantity=1), hold=True, command_id=f"order-{number}"
    )


async def refused(client: Client) -> tuple[int, Reply]:
    """The first command that finds no room: what the log of the database had room for before is used up."""
    number = 0
    while isinstance(reply := await client.request(order(number)), GenerationPlan):
        number += 1
    return number, reply


async def test_a_command_that_finds_the_disk_full_is_done_when_it_is_sent_again_once_there_is_room(
    ledger_disk: Path, tmp_path: Path, login: Callable[[str], Address]
) -> None:
    settings = instant_settings(tmp_path / "home", ledger_url=f"sqlite:///{ledger_disk / 'ledger.db'}")
    async with asyncio.timeout(50), served(settings, login) as client:
        ballast = fill(ledger_disk)
        number, reply = await refused(client)
        assert isinstance(reply, ErrorReply)
        assert (reply.error.code, reply.error.retryable) == ("disk_full", True)
        assert reply.error.hint is not None
        ballast.unlink()
        plan = await client.request(order(number))
        assert isinstance(plan, GenerationPlan)
        assert plan.generation_plan.state == "held"
