# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false
"""References of ControlNets that are no maps yet: a model on the device makes the map; without one it is said."""

import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel
from PIL import Image

from agents.generator.control.maps import normal_map
from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.orders import source_images
from agents.generator.orders.order import Order, order_of
from agents.generator.pipelines.annotators import Annotator, depth_map
from agents.generator.registry import registry
from agents.shared.picture import Rgb
from bus.local_blobs import LocalBlobs
from protocol.errors import AcpError
from protocol.messages import Job
from protocol.sources import ControlImage
from tests.generator.conftest import tiny_unet
from tests.generator.control.test_control import photograph, tiny_depth
from tests.generator.engines.test_diffusers_engine import made, pixels

PICTURE = np.asarray(Image.fromarray(photograph()).resize((64, 64)))


@pytest.fixture
async def engine(home: Path) -> AsyncIterator[DiffusersEngine]:
    engine = DiffusersEngine("cpu", 1, home / "run")
    async with engine.open():
        yield engine


@pytest.fixture
def blobs(home: Path) -> LocalBlobs:
    return LocalBlobs(home / "blobs")


@pytest.fixture
def ordered(home: Path, job: Callable[..., Job], blobs: LocalBlobs) -> Callable[..., object]:
    """Makes an order that follows a picture of a kind, through a ControlNet of random weights."""
    torch.manual_seed(5)
    net = ControlNetModel.from_unet(tiny_unet(), conditioning_embedding_out_channels=(4, 4, 8, 8))
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    for kind in ("depth", "normal"):
        net.save_pretrained(home / "controls" / f"{kind}_tiny")
        with (home / "models.toml").open("a") as file:
            file.write(f'[controls.{kind}_tiny]\nplatform = "stable_diffusion_1_5"\nkind = "{kind}"\n')

    async def make(kind: str, picture: Rgb, preprocessed: bool = False) -> Order:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "PNG")
        said = ControlImage(
            kind=kind, model=f"{kind}_tiny", blob=await blobs.put(buffer.getvalue()), preprocessed=preprocessed
        )
        known = registry.load(home / "models", home / "loras", home / "models.toml")
        return await source_images.load_source_images(blobs, order_of(job(controls=[said]), known))

    return make


@pytest.mark.parametrize("kind", ["depth", "normal"])
async def test_a_photograph_is_followed_by_the_map_that_a_model_makes_of_it(
    kind: str, engine: DiffusersEngine, home: Path, ordered: Callable
):
    torch.manual_seed(0)
    tiny_depth(home / "tools" / "depth")
    depth = Annotator("depth", home / "tools" / "depth", torch.device("cpu")).annotate(PICTURE)

    wanted = await ordered(kind, PICTURE)
    ours = await made(engine, wanted)

    assert wanted.missing_maps == {0}
    given = await ordered(kind, depth if kind == "depth" else normal_map(depth), preprocessed=True)
    assert not given.missing_maps
    assert np.array_equal(pixels(ours), pixels(await made(engine, given)))
    raw = await made(engine, await ordered(kind, PICTURE, preprocessed=True))
    assert raw.data != ours.data
    assert (await made(engine, wanted)).data == ours.data


async def test_a_map_needs_no_model_and_a_photograph_says_which(home: Path, ordered: Callable):
    depth = depth_map(np.repeat(np.arange(64, dtype=np.float32)[:, None], 64, axis=1))
    wanted = await ordered("depth", depth)
    assert not wanted.missing_maps
    assert np.array_equal(wanted.maps[0], depth)
    with pytest.raises(AcpError) as refused:
        await ordered("normal", PICTURE)
    assert refused.value.body.path == "$.job.pixels.controls[0]"
    assert "bottega models pull depth" in (refused.value.body.hint or "")


async def test_a_tool_that_cannot_be_loaded_fails_its_picture_alone(
    engine: DiffusersEngine, home: Path, ordered: Callable, tiny_order: Callable[..., Order]
):
    tiny_depth(home / "tools" / "depth")
    (home / "tools" / "depth" / "model.safetensors").unlink()
    with pytest.raises(AcpError) as refused:
        await made(engine, await ordered("depth", PICTURE))
    assert refused.value.code == "not_installed"
    assert (await made(engine, tiny_order())).data
