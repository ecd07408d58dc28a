# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
"""Pictures from pictures in the step engine: the plain pipelines' bits alone, their own way in company."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers import ControlNetModel
from PIL import Image

from agents.generator.architectures import ARCHITECTURES
from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.images.placement import StartImage
from agents.generator.orders.order import ControlModel, Order
from agents.generator.pipelines.inpaint import Inpainter
from agents.generator.registry.samplers import SAMPLERS
from agents.shared.picture import Rgb
from protocol.errors import AcpError
from protocol.sources import ControlImage
from tests.generator.architectures.test_contract import orders as orders
from tests.generator.engines.test_diffusers_engine import made, pixels

Orders = Callable[..., Order]

STARTING = ("stable_diffusion_1_5", "stable_diffusion_xl", "stable_diffusion_3_5", "flux_1_dev")
FOLLOWING = STARTING[:2]


def noise(seed: int = 0) -> Rgb:
    return np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)


def left_half() -> np.ndarray:
    anew = np.zeros((64, 64), np.float32)
    anew[:, :32] = 1
    return anew


@pytest.fixture
def controls(orders: Orders, tmp_path: Path) -> Callable[..., ControlModel]:
    """Makes a ControlNet of random weights for a platform's tiny model."""

    def make(platform: str, name: str, **fields: Any) -> ControlModel:
        folder = tmp_path / "controls" / name
        if not folder.exists():
            torch.manual_seed(len(name))
            plain = diffusers.DiffusionPipeline.from_pretrained(orders(platform).folder, local_files_only=True)
            net = ControlNetModel.from_unet(plain.unet, conditioning_embedding_out_channels=(4, 4, 8, 8))
            for parameter in net.parameters():
                # Fresh ones end in zeros and lead nothing.
                torch.nn.init.normal_(parameter, std=0.2)
            net.save_pretrained(folder)
        return ControlModel(ControlImage(kind="canny", model=name, blob="c" * 64, **fields), folder)

    return make


def drawn(wanted: Order, along: bool = False) -> np.ndarray:
    """The picture by diffusers alone."""
    job, start = wanted.job.pixels, wanted.start_image
    base = diffusers.DiffusionPipeline.from_pretrained(wanted.folder, local_files_only=True)
    name = wanted.model.family.pipelines.class_for(picture=start is not None, along=along)
    nets = {"controlnet": ControlNetModel.from_pretrained(wanted.controls[0].folder)} if along else {}
    plain = getattr(diffusers, name).from_pipe(base, **nets)
    plain.set_progress_bar_config(disable=True)
    plain.scheduler = getattr(diffusers, wanted.scheduler.name).from_config(
        base.scheduler.config, **wanted.scheduler.options
    )
    lines = Image.fromarray(wanted.maps[0]) if along else None
    options = {} if start is None else {"image": Image.fromarray(start.rgb), "strength": start.strength}
    if along:
        options["image" if start is None else "control_image"] = lines
        said = wanted.controls[0].spec
        options |= {
            "controlnet_conditioning_scale": said.weight,
            "control_guidance_start": said.start,
            "control_guidance_end": said.end,
        }
    if wanted.job.platform in STARTING[2:] or start is None:
        options |= {"width": job.width, "height": job.height}
    result = plain(
        prompt=job.prompt,
        num_inference_steps=job.steps,
        guidance_scale=job.guidance,
        generator=torch.Generator("cpu").manual_seed(job.seed),
        **options,
    )
    return np.asarray(result.images[0])


@pytest.mark.parametrize("platform", STARTING)
async def test_a_picture_from_a_picture_is_the_plain_pipelines(platform: str, orders: Orders, tmp_path: Path):
    wanted = replace(orders(platform, steps=4), start_image=StartImage(noise(), 0.5))
    steps = []
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        rendering = await engine.generate(wanted, lambda step, of: steps.append((step, of)), lambda: False)
    assert np.array_equal(pixels(rendering), drawn(wanted))
    assert rendering.engine == "steps"
    assert steps == [(0, 2), (1, 2)]


@pytest.mark.parametrize("platform", [*STARTING[:3]])
async def test_what_lies_outside_the_mask_keeps_every_bit(platform: str, orders: Orders, tmp_path: Path):
    start = StartImage(noise(), 1.0, left_half())
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        whole = pixels(
            await made(engine, replace(orders(platform, steps=4), start_image=replace(start, repaint_mask=None)))
        )
        part = pixels(await made(engine, replace(orders(platform, steps=4), start_image=start)))
    assert np.array_equal(part[:, 32:], noise()[:, 32:])
    assert not np.array_equal(part[:, :32], noise()[:, :32])
    # The kept half led the other one: by itself that came out otherwise.
    assert not np.array_equal(part[:, :32], whole[:, :32])


@pytest.mark.parametrize("along", [False, True], ids=["from noise", "from a picture"])
@pytest.mark.parametrize("platform", FOLLOWING)
async def test_a_picture_along_a_controlnet_is_the_plain_pipelines(
    platform: str, along: bool, orders: Orders, controls: Callable[..., ControlModel], tmp_path: Path
):
    control = controls(platform, "first", weight=0.7, end=0.8)
    start = StartImage(noise(), 0.75) if along else None
    wanted = replace(orders(platform, steps=4), controls=(control,), maps=(noise(3),), start_image=start)
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        rendering = await made(engine, wanted)
        free = await made(engine, replace(wanted, controls=(), maps=()))
    assert np.array_equal(pixels(rendering), drawn(wanted, along=True))
    assert not np.array_equal(pixels(rendering), pixels(free))
    assert rendering.engine == "steps"
    assert rendering.model_version is not None
    assert free.model_version == rendering.model_version.split("+")[0]


async def test_pictures_along_several_controlnets_share_no_call_of_them(
    orders: Orders, controls: Callable[..., ControlModel], tmp_path: Path
):
    wanted = [
        replace(
            orders(FOLLOWING[0], steps=3, seed=number),
            controls=(controls(FOLLOWING[0], ("first", "another")[number % 2]),),
            maps=(noise(number),),
        )
        for number in range(6)
    ]
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        crowd = await asyncio.gather(*(made(engine, one) for one in wanted))
        again = [
            await made(engine, replace(one, buckets=rendering.buckets))
            for one, rendering in zip(wanted, crowd, strict=True)
        ]
        alone = [await made(engine, one) for one in wanted]
    assert [rendering.data for rendering in again] == [rendering.data for rendering in crowd]
    for one, rendering in zip(alone, crowd, strict=True):
        assert np.abs(pixels(one).astype(int) - pixels(rendering)).max() <= 2


@pytest.mark.parametrize("platform", FOLLOWING)
async def test_pictures_from_pictures_are_in_company_what_they_are_alone_in_calls_as_large(
    platform: str, orders: Orders, tmp_path: Path
):
    plain = [orders(platform, seed=seed, steps=4, guidance=1.0) for seed in range(9)]
    wanted = [
        replace(one, start_image=StartImage(noise(), 0.75)) if seed % 4 else one for seed, one in enumerate(plain)
    ]
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        crowd = await asyncio.gather(*(made(engine, one) for one in wanted))
        again = [
            await made(engine, replace(one, buckets=rendering.buckets))
            for one, rendering in zip(wanted, crowd, strict=True)
        ]
    assert [rendering.data for rendering in again] == [rendering.data for rendering in crowd]


async def test_two_controlnets_at_once_are_both_followed(
    orders: Orders, controls: Callable[..., ControlModel], tmp_path: Path
):
    both = (controls(FOLLOWING[0], "first"), controls(FOLLOWING[0], "another"))
    wanted = replace(orders(FOLLOWING[0], steps=3), controls=both, maps=(noise(1), noise(2)))
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        together = await made(engine, wanted)
        one = await made(engine, replace(wanted, controls=both[:1], maps=wanted.maps[:1]))
    assert together.data != one.data


async def test_a_controlnet_for_another_model_is_refused_by_name(
    orders: Orders, controls: Callable[..., ControlModel], tmp_path: Path
):
    foreign = controls("stable_diffusion_xl", "foreign")
    wanted = replace(orders("stable_diffusion_1_5"), controls=(foreign,), maps=(noise(),))
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        with pytest.raises(AcpError) as caught:
            await made(engine, wanted)
    assert caught.value.body.path == "$.job.pixels.controls"
    assert "foreign" in caught.value.body.message
    assert "cross_attention_dim" in caught.value.body.message


def test_every_architecture_that_keeps_parts_starts_from_pictures():
    keeping = [family for family in ARCHITECTURES.values() if family.keeps_parts]
    assert all(family.pipelines.class_for(picture=True, along=False) for family in keeping)


@pytest.mark.parametrize("sampler", [one for one in SAMPLERS if one.diffusion], ids=lambda one: one.name)
def test_what_stays_is_as_noisy_as_the_next_step_expects_and_clean_after_the_last(sampler: Any):
    scheduler = getattr(diffusers, sampler.diffusion.name)(
        **{"beta_schedule": "scaled_linear", **sampler.diffusion.options}
    )
    scheduler.set_timesteps(6)
    torch.manual_seed(0)
    latents, noises = torch.ones(1, 4, 8, 8), torch.randn(1, 4, 8, 8)
    anew = np.zeros((64, 64), np.float32)
    keeper = Inpainter(scheduler, anew, stride=8)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    now = scheduler.add_noise(latents, noises, scheduler.timesteps[:1])
    far: list[float] = []
    for step, timestep in enumerate(scheduler.timesteps):
        model = torch.zeros_like(latents)
        scheduler.step(model, timestep, scheduler.scale_model_input(now, timestep))
        kept = keeper.restore_unmasked(step, timestep, torch.zeros_like(latents))
        far.append(float((kept - latents).abs().mean()))
    assert far == sorted(far, reverse=True)
    assert far[0] > 0.05
    assert far[-1] == 0
