"""The same request twice, through five agents, a real broker and the pocket model."""

from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image as Pixels

from bus.client import Client
from bus.connection import Address
from protocol.commands import GenerateImages, Quality, Requirements, Result
from protocol.plans import GenerationPlan
from protocol.results import GenerationResult, Image, ResultBody
from tests.workshop import instant_settings, served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

ORDER = GenerateImages(
    brief="a magenta mug on a teal background",
    platform="pocket",
    seed=7,
    steps=4,
    determinism="strict",
    quality=Quality(min_score=0.0),
    requirements=Requirements(quantity=2),
)


@pytest.fixture
async def client(tmp_path: Path, login: Callable[[str], Address]) -> AsyncGenerator[Client]:
    real = {"generator": "diffusers", "qa_scoring": True, "device": "cpu", "torch_threads": 1}
    settings = instant_settings(tmp_path / "home", stale_s=60.0, **real)
    async with served(settings, login, ("planner", "prompt", "generator", "storage")) as client:
        # In one process two libraries load models through the same global switches: one after the other.
        plan = await client.request(msgspec.structs.replace(ORDER, seed=1), timeout=10)
        assert isinstance(plan, GenerationPlan), plan
        assert plan.hash is not None, plan
        while (await result_of(client, plan.hash, "local", 1)).generation_status.performance.avg_time is None:
            pass
        async with served(settings, login, ("qa",)):
            yield client


async def finished(client: Client, client_id: str = "local", **changes: object) -> ResultBody:
    """The result of the order with some changes."""
    plan = await client.request(msgspec.structs.replace(ORDER, **changes), client_id=client_id, timeout=10)
    assert isinstance(plan, GenerationPlan), plan
    assert plan.hash is not None, plan
    while (result := await result_of(client, plan.hash, client_id, 30)).state != "completed":
        pass
    return result


async def result_of(client: Client, batch: str, client_id: str, wait_s: float) -> ResultBody:
    """Where a batch stands at its end, or after `wait_s` seconds."""
    reply = await client.request(Result(hash=batch, wait_s=wait_s), client_id=client_id, timeout=wait_s + 10)
    assert isinstance(reply, GenerationResult), reply
    return reply.generation_result


def pixels(image: Image) -> bytes:
    assert image.path is not None
    with Pixels.open(image.path) as picture:
        return np.asarray(picture).tobytes()


def reused(result: ResultBody) -> list[str | None]:
    return [image.reused for image in result.images]


async def test_the_second_time_the_pictures_are_there_already(client: Client) -> None:
    first, again = await finished(client), await finished(client)
    ids = [image.id for image in first.images]
    assert reused(first) == [None, None]
    assert reused(again) == ids
    assert again.generation_status.reused == again.generation_status.completed == 2
    assert again.generation_status.performance.avg_time is None
    for before, after in zip(first.images, again.images, strict=True):
        assert after.path != before.path
        assert pixels(after) == pixels(before)
        assert after.quality_score == before.quality_score
    assert again.contact_sheet

    anew = await finished(client, reuse=False)
    assert (reused(anew), [pixels(image) for image in anew.images]) == (
        [None, None],
        [pixels(image) for image in first.images],
    )
    assert reused(await finished(client, client_id="rival")) == [None, None]
    assert reused(await finished(client, guidance=5.5)) == [None, None]
    made = {image.id for image in (*first.images, *anew.images)}
    *there, further = reused(await finished(client, requirements=Requirements(quantity=3)))
    assert (made.issuperset(there), further) == (True, None)

    for result in (first, again, anew):
        for image in result.images:
            Path(image.path or "").unlink()
    assert sum(name is None for name in reused(await finished(client))) == 0
