# pyright: basic
"""Pictures that a job follows: what an engine gets to see, and what it is kept from."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from transformers import CLIPImageProcessorPil, CLIPVisionConfig

from agents.generator.orders.ip_adapter_choice import IpAdapter
from agents.generator.orders.order import order_of
from agents.generator.orders.reference_images import crop_for_encoder
from agents.generator.orders.source_images import load_source_images as loaded
from agents.generator.registry.registry import Registry
from agents.shared.picture import Undecodable
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

    ready = await loaded(blobs, order_of(job(image_prompts=following(*names)), load()))

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
        await loaded(blobs, order_of(job(image_prompts=following(await blobs.put(data))), load()))

    assert (refused.value.code, refused.value.body.path) == ("invalid_value", "$.job.pixels.image_prompts[0]")
    assert not refused.value.retryable


async def test_a_picture_that_is_not_there_yet_is_waited_for(
    blobs: LocalBlobs, load: Callable[[], Registry], job: Callable[..., Job]
) -> None:
    with pytest.raises(AcpError) as refused:
        await loaded(blobs, order_of(job(image_prompts=following("0" * 64)), load()))

    assert (refused.value.code, refused.value.retryable) == ("pixels_missing", True)
    assert "0" * 64 in refused.value.body.message


@pytest.mark.parametrize("size", [(41, 67), (67, 40), (32, 32), (9, 80), (200, 12)])
async def test_of_a_picture_that_is_followed_stays_what_its_encoder_looks_at(
    size: tuple[int, int], blobs: LocalBlobs, load: Callable[[], Registry], job: Callable[..., Job], tmp_path: Path
) -> None:
    encoder = tmp_path / "image_encoder"
    CLIPVisionConfig(image_size=32).save_pretrained(encoder)
    picture = Image.merge("RGB", [Image.effect_noise(size, 90) for _ in range(3)])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    wanted = order_of(job(image_prompts=following(await blobs.put(buffer.getvalue()))), load())
    adapter = IpAdapter("mine", tmp_path, tmp_path / "mine.safetensors", encoder, "", 1.0, (0,))
    [kept] = (await loaded(blobs, replace(wanted, ip_adapters=(adapter,)))).references

    look = CLIPImageProcessorPil(size=32, crop_size=32)
    assert kept.shape == (32, 32, 3)
    assert np.array_equal(look(Image.fromarray(kept)).pixel_values, look(picture).pixel_values)


def test_a_thread_of_a_picture_is_not_made_as_wide_as_an_encoder_would() -> None:
    with pytest.raises(Undecodable):
        crop_for_encoder(np.zeros((1, 16_000, 3), np.uint8), 224)
