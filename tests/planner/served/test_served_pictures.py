"""Pictures made from pictures by commands, over a real broker, with the pocket model: from a picture, in a mask, around
a smaller one, along edges; and what is refused."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from agents.shared.edges import canny, edge_f_score
from agents.shared.picture import decode
from agents.shared.settings import Settings
from bus.client import Client
from bus.connection import Address
from bus.local_blobs import LocalBlobs
from protocol.commands import GenerateImages, Requirements, Upgrade
from protocol.parameters import ControlNet, ImageSource, Placement, Region
from protocol.plans import GenerationPlan
from protocol.replies import ErrorReply
from protocol.results import Image as Stored
from tests.planner.served.test_served import answered, finished, planned, small
from tests.workshop import bring, instant_settings, served

Pixels = NDArray[np.uint8]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def painting(home: Path) -> Settings:
    return instant_settings(home, generator="diffusers", device="cpu", torch_threads=1, stale_s=60.0)


def order(brief: str = "a red car on a white background", size: str | None = None, **fields: object) -> GenerateImages:
    return small(1, brief=brief, seed=5, requirements=Requirements(resolution=size), **fields)


async def stored(client: Client, command: GenerateImages) -> tuple[Stored, Pixels]:
    """The one picture of a command."""
    batch, _ = await planned(client, command)
    [image] = (await finished(client, batch)).images
    assert image.path is not None, image
    return image, decode(Path(image.path).read_bytes()).rgb


async def put(login: Callable[[str], Address], blobs: LocalBlobs, pixels: Pixels) -> ImageSource:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return await bring(login("operator"), blobs, file.getvalue())


async def test_pictures_are_made_from_pictures_by_command(tmp_path: Path, login: Callable[[str], Address]) -> None:
    settings = painting(tmp_path / "home")
    async with served(settings, login) as client:
        blobs = LocalBlobs(settings.blobs)
        car, car_pixels = await stored(client, order())
        source = ImageSource(image_id=car.id)

        again, blue = await stored(client, order("a blue car on a white background", init_image=source, strength=0.6))
        assert blue.shape == (128, 128, 3)
        assert edge_f_score(canny(car_pixels), canny(blue)) > 0.6
        record = json.loads(Path(again.path or "").with_suffix(".json").read_text())
        assert record["init_image"]["strength"] == 0.6
        assert record["engine"] == "steps"

        mask = np.zeros((128, 128, 3), np.uint8)
        mask[:40] = 255
        _, half = await stored(client, order(init_image=source, mask=await put(login, blobs, mask)))
        assert np.array_equal(half[40:], car_pixels[40:])
        assert not np.array_equal(half[:40], car_pixels[:40])

        wide = order(size="192x128", init_image=source, placement=Placement(left=32))
        batch, _ = await planned(client, wide)
        [around] = (await finished(client, batch)).images
        wide_pixels = decode(Path(around.path or "").read_bytes()).rgb
        assert wide_pixels.shape == (128, 192, 3)
        assert np.array_equal(wide_pixels[:, 32:160], car_pixels)

        edges = ControlNet(kind="canny", image=await put(login, blobs, car_pixels))
        _, followed = await stored(client, order("a green car on a pink background", controls=[edges]))
        _, free = await stored(client, order("a green car on a pink background"))
        lines = canny(car_pixels)
        assert edge_f_score(lines, canny(followed)) > edge_f_score(lines, canny(free))

        mug, star = (f"a {thing} on a white background" for thing in ("red mug", "blue star"))
        halves = [Region(prompt=mug, box=[0, 0, 0.5, 1]), Region(prompt=star, box=[0.5, 0, 0.5, 1])]
        both, side_by_side = await stored(client, order("a white background", "192x128", regions=halves))
        means = [side_by_side[:, part].mean((0, 1)) for part in (slice(0, 96), slice(96, None))]
        assert means[0][0] > means[0][2] + 20
        assert means[1][2] > means[1][0] + 20
        record = json.loads(Path(both.path or "").with_suffix(".json").read_text())
        assert [region["prompt"] for region in record["regions"]] == [mug, star]

        plan = await answered(client, Upgrade(hash=batch, resolution="240x160"), GenerationPlan)
        assert plan.hash is not None, plan
        [larger] = (await finished(client, plan.hash)).images
        assert larger.dimensions is not None
        assert (larger.dimensions.width, larger.dimensions.height) == (240, 160)


async def test_a_source_that_leads_nowhere_is_refused_with_the_field_and_what_to_do(
    tmp_path: Path, login: Callable[[str], Address]
) -> None:
    settings = instant_settings(tmp_path / "home")
    async with served(settings, login) as client:
        blobs = LocalBlobs(settings.blobs)
        grey = await put(login, blobs, np.full((128, 128, 3), 128, np.uint8))
        batch, _ = await planned(client, order())
        [mine] = (await finished(client, batch)).images
        refused = {
            "$.init_image.url": order(init_image=ImageSource(url="https://example.com/car.png")),
            "$.init_image.image_id": order(init_image=ImageSource(image_id="gen_batch_0_000000")),
            "$.init_image": order(init_image=ImageSource(blob="0" * 64)),
            "$.controls[0].image": order(controls=[ControlNet(kind="canny", image=grey)]),
            "$.controls[0].kind": order(controls=[ControlNet(kind="depth", image=grey, preprocessed=True)]),
        }
        for path, command in refused.items():
            plan = (await answered(client, command, GenerationPlan)).generation_plan
            assert plan.state == "refused"
            assert plan.refusal is not None
            assert (plan.refusal.path, bool(plan.refusal.hint)) == (path, True)

        both = order(init_image=ImageSource(image_id=mine.id, blob=grey.blob))
        assert (await answered(client, both, ErrorReply)).error.path == "$.init_image"

        theirs = order(init_image=ImageSource(image_id=mine.id))
        reply = await client.request(theirs, client_id="rival", timeout=35)
        assert isinstance(reply, GenerationPlan)
        assert reply.generation_plan.refusal is not None
        assert reply.generation_plan.refusal.code == "unknown_image"

        text = await bring(login("operator"), blobs, b"no picture at all")
        plan = await answered(client, order(init_image=text), GenerationPlan)
        assert plan.generation_plan.refusal is not None
        assert "PNG, JPEG, WEBP" in (plan.generation_plan.refusal.hint or "")


async def test_a_picture_whose_pixels_left_the_blob_store_is_started_from_by_its_file(
    tmp_path: Path, login: Callable[[str], Address]
) -> None:
    settings = instant_settings(tmp_path / "home")
    async with served(settings, login) as client:
        batch, _ = await planned(client, order())
        [made] = (await finished(client, batch)).images
        for blob in settings.blobs.glob("*/*"):
            blob.unlink()
        _, plan = await planned(client, order(init_image=ImageSource(image_id=made.id)))
        assert plan.state == "accepted"
