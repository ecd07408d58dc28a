"""A workshop whose processes are killed in mid-batch still files every picture once.

`make test` kills each process once; `make chaos` does so in CHAOS_ROUNDS other orders and moments.
"""

import asyncio
import json
import os
import random
import re
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from agents.supervisor.address import running_workshop
from bus.client import Client
from bus.connection import Address
from protocol.commands import Command, GenerateImages, Quality, Requirements, Result
from protocol.errors import Unavailable
from protocol.messages import ROLES
from protocol.replies import GenerationPlan, GenerationResult, GenerationStatus, Reply
from tests.cli.conftest import Home, line_with

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

QUANTITY = 24
VICTIMS = ("generator", "qa", "storage", "planner", "prompt", "nats")
ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "10"))
INSTANT = {"BOTTEGA_GENERATOR": "instant"}
"""The generator draws flat pictures, and QA waves them through."""
POCKET = {"BOTTEGA_GENERATOR": "diffusers", "BOTTEGA_QA_SCORING": "true"}
"""The workshop as people use it: the pocket model draws, and its scorer judges."""

Kill = tuple[int, str]
"""(finished pictures at which it happens, whom it hits)."""

PICTURE = re.compile(r"\.png$")
BLOB = re.compile(r"^[0-9a-f]{64}$")


def address_of(home: Home) -> Address:
    found = running_workshop(home.folder / "run" / "workshop.json")
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


def any_kills(chance: random.Random) -> list[Kill]:
    """Every victim once, in any order, at any moments, also several at one."""
    moments = sorted(chance.choices(range(1, QUANTITY - 4), k=len(VICTIMS)))
    return list(zip(moments, chance.sample(VICTIMS, len(VICTIMS)), strict=True))


async def test_24_pictures_are_filed_once_while_every_process_and_the_broker_are_killed(home: Home):
    await check_survival(home, [(3 * number, victim) for number, victim in enumerate(VICTIMS, start=1)], POCKET)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_the_order_and_the_moments_of_the_kills_do_not_matter(home: Home, seed: int):
    await check_survival(home, any_kills(random.Random(seed)), INSTANT)


async def check_survival(home: Home, kills: list[Kill], environment: dict[str, str]) -> None:
    """Make a batch during which the kills happen, and look at everything that it left behind."""
    with home.start("up", **environment) as up:
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
    check_home(home.folder, plan.hash, {Path(image.path or "") for image in images})


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


def check_home(folder: Path, batch: str, told: set[Path]) -> None:
    """What an outsider finds: files, rows, nothing half written."""
    with sqlite3.connect(folder / "catalogue.db") as catalogue:
        rows = catalogue.execute('SELECT "index", path, blob FROM images WHERE hash = ?', (batch,)).fetchall()
    assert sorted(row[0] for row in rows) == list(range(QUANTITY))
    assert {folder / "pictures" / row[1] for row in rows} == told
    pictures = [path for path in (folder / "pictures").rglob("*") if path.is_file()]
    filed = {path for path in pictures if PICTURE.search(path.name) and path.name != "contact_sheet.png"}
    assert filed == told
    sidecars = {path for path in pictures if path.suffix == ".json"}
    assert {path.with_suffix(".png") for path in sidecars} == told
    assert len(pictures) == len(filed) + len(sidecars) + 1, "nothing but pictures, sidecars and the contact sheet"
    blobs = {path.name for path in (folder / "blobs").rglob("*") if path.is_file()}
    assert all(BLOB.match(name) for name in blobs), "a temporary file was left in the blob store"
    assert {row[2] for row in rows} <= blobs
