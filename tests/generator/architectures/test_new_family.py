# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false
"""A family that is added is an entry in the table and draws: what it lacks is announced as lacking, what it calls
otherwise is called so, and nothing is announced that was not measured."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.generator.architectures import ARCHITECTURES
from agents.generator.architectures.architecture import Architecture, Pipelines
from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.images.placement import StartImage
from agents.generator.orders.order import Order, order_of
from agents.generator.registry import registry
from protocol.errors import AcpError
from protocol.messages import Job, Prompt
from tests.generator.architectures.test_contract import announced, counted_calls, drawn
from tests.generator.engines.test_diffusers_engine import made, pixels
from tests.generator.platforms import PLATFORMS

FLUX, KANDINSKY, STABLE_DIFFUSION = (ARCHITECTURES[name] for name in ("flux", "kandinsky_3", "stable_diffusion"))


class NewFamily:
    """A family called `new`, its tiny model, and orders for it."""

    def __init__(self, home: Path, family: Architecture, platform: str, job: Callable[..., Job]) -> None:
        ARCHITECTURES["new"] = replace(family, name="new")
        PLATFORMS[platform][1]().save_pretrained(home / "models" / "newest")
        (home / "models.toml").write_text(
            '[platforms.new]\narchitecture = "new"\nsteps = 3\nguidance = 4.0\nguidance_range = [0.0, 20.0]\n'
            'sampler = "Euler"\nnative_sizes = [[64, 64]]\nnegative_prompt = true\nmultiple_of = 8\n'
            'max_pixels = 65_536\n[models.newest]\nplatform = "new"\n'
        )
        self._job = job
        self.registry = registry.load(home / "models", home / "loras", home / "models.toml")

    def order(self, **fields: Any) -> Order:
        defaults = {"model": "newest", "platform": "new", "sampler": "Euler", "steps": 3, "guidance": 4.0}
        return order_of(self._job(**(defaults | fields)), self.registry)


@pytest.fixture
def new_family(tmp_path: Path, job: Callable[..., Job]):
    yield lambda family, platform: NewFamily(tmp_path, family, platform, job)
    ARCHITECTURES.pop("new", None)


async def test_a_family_whose_rows_are_not_known_to_be_independent_is_announced_and_drawn_one_by_one(
    new_family: Callable[..., NewFamily], tmp_path: Path
):
    new = new_family(replace(STABLE_DIFFUSION, shared_models={}), "stable_diffusion_1_5")
    orders = [new.order(seed=seed) for seed in range(3)]
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        with counted_calls(STABLE_DIFFUSION.denoiser) as single:
            alone = [await made(engine, one) for one in orders]
        with counted_calls(STABLE_DIFFUSION.denoiser) as together:
            crowd = await asyncio.gather(*(made(engine, one) for one in orders))
    assert len(together) == len(single) == 9
    assert [one.data for one in crowd] == [one.data for one in alone]
    assert {one.engine for one in crowd} == {announced(new.registry, "newest").engine} == {"pipeline"}


async def test_a_family_is_asked_for_guidance_by_its_own_name_of_it(
    new_family: Callable[..., NewFamily], tmp_path: Path
):
    new = new_family(replace(FLUX, guidance_argument="true_cfg_scale"), "flux_1_dev")
    prompt = Prompt(text="a red mug", negative="blue")
    wanted = new.order(prompt=prompt)
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        rendering = await made(engine, wanted)
        weaker = await made(engine, new.order(prompt=prompt, guidance=1.0))
    assert np.array_equal(pixels(rendering), drawn(wanted))
    assert rendering.data != weaker.data


async def test_a_family_without_a_pipeline_from_pictures_starts_from_noise_alone_and_says_so(
    new_family: Callable[..., NewFamily], tmp_path: Path
):
    new = new_family(
        replace(STABLE_DIFFUSION, pipelines=Pipelines(noise=STABLE_DIFFUSION.pipelines.noise)), "stable_diffusion_1_5"
    )
    assert announced(new.registry, "newest").starts == []
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        rendering = await made(engine, new.order())
        with pytest.raises(AcpError) as refused:
            await made(engine, replace(new.order(), start_image=StartImage(pixels(rendering), 0.5)))
    assert rendering.engine == announced(new.registry, "newest").engine == "steps"
    assert (refused.value.code, refused.value.body.path) == ("not_supported", "$.job.pixels.init_image")
    assert "stable_diffusion_xl" in (refused.value.body.hint or "")
    assert "new" not in (refused.value.body.hint or "")


@pytest.mark.parametrize(
    ("family", "starts"),
    [
        (STABLE_DIFFUSION, ["picture", "mask"]),
        (replace(STABLE_DIFFUSION, latent_stride=None), ["picture"]),
        (KANDINSKY, []),
    ],
)
def test_a_mask_is_taken_where_latents_have_the_shape_of_a_picture_that_is_started_from(
    new_family: Callable[..., NewFamily], family: Architecture, starts: list[str]
):
    new = new_family(family, "stable_diffusion_1_5")
    assert announced(new.registry, "newest").starts == starts


def test_an_architecture_that_is_not_in_the_table_is_refused_with_those_that_are(tmp_path: Path):
    (tmp_path / "models.toml").write_text('[models.flux_dev]\narchitecture = "fluxx"\n')
    with pytest.raises(registry.RegistryError) as wrong:
        registry.load(tmp_path / "models", tmp_path / "loras", tmp_path / "models.toml")
    assert wrong.value.body.path == "models.flux_dev.architecture"
    assert "'fluxx'" in wrong.value.body.message
    assert all(name in wrong.value.body.message for name in ARCHITECTURES)
