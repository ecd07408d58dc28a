# pyright: basic
"""Pictures that a job follows: what an engine gets to see, and what it is kept from."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from agents.generator.orders import order
from agents.generator.registry import Registry
from agents.generator.sources import load as loaded
from bus.local_blobs import LocalBlobs
from protocol.errors import AcpError
from protocol.messages import Job
from protocol.sources import ImagePrompt


def encoded(colour: str, kind: str, size: tuple[int, int] = (8, 4)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


def following(*blobs: str) -> list[ImagePrompt]:
    """What an engine follows by itself, without an IP-Adapter."""
    return [ImagePrompt(blob=blob, role="style") for blob in blobs]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_an_engine_gets_the_pictures_that_a_job_follows(
    blobs: LocalBlobs, load: Callable[[], Registry], job: Callable[..., Job], kind: str
) -> None:
    names = [await blobs.put(encoded(colour, kind)) for colour in ("red", "blue")]

    ready = await loaded(blobs, order(job(image_prompts=following(*names)), load()))

    assert [rgb.shape for rgb in ready.references] == [(4, 8, 3)] * 2
    assert [int(rgb[0, 0].argmax()) for rgb in ready.references] == [0, 2]


@pytest.mark.parametrize(
    "data",
    [b"no picture", encoded("red", "GIF"), encoded("red", "PNG")[:-20], encoded("red", "PNG", (9000, 4000))],
    ids=["text", "another format", "cut off", "too many pixels"],
)
async def test_what_is_no_usable_picture_is_refused_for_good(
    blobs: LocalBlobs, load: Callable[[], Registry], job: Callable[..., Job], data: bytes
) -> None:
    with pytest.raises(AcpError) as refused:
        await loaded(blobs, order(job(image_prompts=following(await blobs.put(data))), load()))

    assert (refused.value.code, refused.value.body.path) == ("invalid_value", "$.job.image_prompts[0]")
    assert not refused.value.retryable


async def test_a_picture_that_is_not_there_yet_is_waited_for(
    blobs: LocalBlobs, load: Callable[[], Registry], job: Callable[..., Job]
) -> None:
    with pytest.raises(AcpError) as refused:
        await loaded(blobs, order(job(image_prompts=following("0" * 64)), load()))

    assert refused.value.retryable
