# pyright: basic
"""Reference pictures: what an engine that follows some gets to see, and what it is kept from."""

import io
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image

from agents.generator import references
from agents.generator.agent import Generator
from agents.generator.engine import Progressed, Rendering, Stop
from agents.generator.instant import InstantEngine
from agents.generator.orders import Order
from agents.generator.registry import Registry
from bus.agent import Delivery
from bus.local_blobs import LocalBlobs
from protocol.catalogue import ReferenceBlob
from protocol.errors import AcpError
from protocol.messages import GenerateImage, Job, Prompt

ONCE = Delivery(subject="acp.v1.work.generate.stable_diffusion_1_5.gen_batch_1.0.1", delivered=1)


class Follower:
    """An engine that follows two pictures and remembers what it was given."""

    device = None
    references = 2

    def __init__(self) -> None:
        self.seen: list[Order] = []

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None]:
        yield

    async def known_version(self, place: Path) -> str | None:
        return None

    async def warm(self, order: Order) -> None:
        pass

    async def generate(self, order: Order, progressed: Progressed, stop: Stop) -> Rendering:
        self.seen.append(order)
        return await InstantEngine().generate(order, progressed, stop)


def encoded(colour: str, kind: str, size: tuple[int, int] = (8, 4)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, kind)
    return buffer.getvalue()


async def reference(blobs: LocalBlobs, data: bytes) -> ReferenceBlob:
    return ReferenceBlob(blob=await blobs.put(data), media_type="image/png", asset="ui")


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_an_engine_gets_as_many_pictures_as_it_follows(
    blobs: LocalBlobs, load: Callable[[], Registry], job: Callable[..., Job], kind: str
) -> None:
    three = [await reference(blobs, encoded(colour, kind)) for colour in ("red", "green", "blue")]
    engine = Follower()
    agent = Generator(engine, load(), blobs)
    await agent.handle(GenerateImage(job=job(prompt=Prompt(text="a mug", references=three))), ONCE)

    [order] = engine.seen
    assert [one.said for one in order.references] == three[:2]
    assert [one.rgb.shape for one in order.references] == [(4, 8, 3)] * 2
    assert all(model.references == 2 for model in agent.presence("generator_1").models)


async def test_an_engine_that_follows_none_is_spared_them(
    blobs: LocalBlobs, load: Callable[[], Registry], job: Callable[..., Job]
) -> None:
    nowhere = ReferenceBlob(blob="0" * 64, media_type="image/png")
    agent = Generator(InstantEngine(), load(), blobs)

    made = await agent.handle(GenerateImage(job=job(prompt=Prompt(text="a mug", references=[nowhere]))), ONCE)

    assert len(made) == 2
    assert all(model.references == 0 for model in agent.presence("generator_1").models)


@pytest.mark.parametrize(
    "data",
    [b"no picture", encoded("red", "GIF"), encoded("red", "PNG")[:-20], encoded("red", "PNG", (9000, 4000))],
    ids=["text", "another format", "cut off", "too many pixels"],
)
async def test_what_is_no_usable_picture_is_refused_for_good(blobs: LocalBlobs, data: bytes) -> None:
    with pytest.raises(AcpError) as refused:
        await references.load(blobs, [await reference(blobs, data)], most=1)

    assert refused.value.code == "invalid_value"
    assert not refused.value.retryable


async def test_a_picture_that_is_not_there_yet_is_waited_for(blobs: LocalBlobs) -> None:
    with pytest.raises(AcpError) as refused:
        await references.load(blobs, [ReferenceBlob(blob="0" * 64, media_type="image/png")], most=1)

    assert refused.value.retryable
