"""The workshop as people use it, `bottega up` with the pocket model, still files every picture once while each of its
processes is killed in mid-batch."""

import asyncio
import json
import os
import signal
from collections.abc import Callable

import pytest

from agents.shared.supervisor.address import find_workshop
from bus.client import Client
from bus.connection import Address
from protocol.commands import Command, GenerateImages, Quality, Requirements, Result
from protocol.errors import Unavailable
from protocol.messages import ROLES
from protocol.plans import GenerationPlan
from protocol.replies import Reply
from protocol.results import GenerationResult, GenerationStatus
from tests.chaos import later
from tests.chaos.checker import Found, check, store_holds_what_is_named
from tests.doors.cli.conftest import Home, line_with

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

QUANTITY = 24
VICTIMS = ("generator", "qa", "storage", "planner", "prompt", "nats")
POCKET = {"BOTTEGA_GENERATOR": "diffusers", "BOTTEGA_QA_SCORING": "true"}
"""The pocket model draws, and its scorer judges."""

Kill = tuple[int, str]
"""(finished pictures at which it happens, whom it hits)."""


def address_of(home: Home) -> Address:
    found = find_workshop(home.folder / "run" / "workshop.json")
    assert found is not None
    return Address(found.url, found.user, found.password)


def pids_of(home: Home) -> dict[str, int]:
    """Process ids by role, and the broker's, as `bottega status --json` tells them."""
    told = json.loads(home.run("status", "--json").stdout)
    return {process["role"]: process["pid"] for process in told["processes"]} | {"nats": told["nats"]["pid"]}


async def asked(client: Client, command: Command, fits: Callable[[Reply], bool]) -> Reply:
    """The first fitting reply; a planner that is just being restarted is asked again, within pytest's time."""
    while True:
        try:
            reply = await client.request(command, timeout=5)
        except Unavailable:
            continue
        if fits(reply):
            return reply


async def test_24_pictures_are_filed_once_while_every_process_and_the_broker_are_killed(home: Home) -> None:
    kills = [(3 * number, victim) for number, victim in enumerate(VICTIMS, start=1)]
    with home.start("up", **POCKET) as up:
        line_with(up, "workshop ready at")
        pids = await asyncio.to_thread(pids_of, home)
        assert set(pids) == {*ROLES, "nats"}
        async with Client.open(address_of(home)) as client:
            plan = await client.request(
                GenerateImages(
                    brief="a red mug on a blue background",
                    platform="pocket",
                    steps=8,
                    quality=Quality(min_score=0.0),
                    seed=7,
                    requirements=Requirements(quantity=QUANTITY),
                )
            )
            assert isinstance(plan, GenerationPlan)
            assert plan.hash is not None
            await follow_and_kill(client, plan.hash, pids, kills)
            result = await asked(client, Result(hash=plan.hash, wait_s=10), is_complete)
        assert isinstance(result, GenerationResult)
        images = result.generation_result.images
        assert [image.index for image in images] == list(range(QUANTITY))
        assert {image.status for image in images} == {"completed"}
        up.terminate()
        up.wait(timeout=60)
    found = Found.read(home.folder)
    assert check(found) == []
    later.upkeep(home.folder)
    assert store_holds_what_is_named(Found.read(home.folder)) == []
    assert {str(home.folder / "pictures" / row["path"]) for row in found.images.values()} == {
        image.path for image in images
    }


def is_complete(reply: Reply) -> bool:
    return (
        isinstance(reply, GenerationResult)
        and reply.generation_result.state == "completed"
        and reply.generation_result.contact_sheet is not None
    )


async def follow_and_kill(client: Client, batch: str, pids: dict[str, int], kills: list[Kill]) -> None:
    """Read the statuses to the end, and kill whose moment has come."""
    ahead = list(kills)
    async for status in client.watch_status("local", batch):
        assert total(status) == QUANTITY
        done = status.generation_status.completed
        while ahead and done >= ahead[0][0]:
            os.kill(pids[ahead.pop(0)[1]], signal.SIGKILL)
        if done == QUANTITY:
            break
    assert not ahead


def total(status: GenerationStatus) -> int:
    body = status.generation_status
    failed = body.failed if isinstance(body.failed, int) else 0
    cancelled = body.cancelled if isinstance(body.cancelled, int) else 0
    return body.completed + body.processing + body.queued + failed + cancelled
