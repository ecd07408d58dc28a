# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
"""Every architecture in the step engine: alone the plain pipeline's picture, in company the same as alone in calls as
large."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from agents.generator.engine import Rendering
from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.orders.order import Order, order_of
from agents.generator.registry import registry
from protocol.messages import Job, Prompt
from tests.generator.engines.test_diffusers_engine import made, pixels
from tests.generator.platforms import PLATFORMS, install


@pytest.fixture
def orders(tmp_path: Path, job: Callable[..., Job]) -> Callable[..., Order]:
    """Makes an order for a platform's tiny model, by its own defaults; the job's fields by keyword."""

    def make(platform: str, **fields: Any) -> Order:
        name = PLATFORMS[platform][0]
        if not (tmp_path / "models" / name).exists():
            install(tmp_path / "models", platform)
        known = registry.load(tmp_path / "models", tmp_path / "loras", tmp_path / "models.toml")
        defaults = {"guidance": known.models[name].guidance, "sampler": known.models[name].sampler}
        return order_of(job(platform=platform, model=name, **(defaults | fields)), known)

    return make


def drawn(wanted: Order) -> np.ndarray:
    """The picture by diffusers alone."""
    job, model = wanted.job, wanted.model
    plain = diffusers.DiffusionPipeline.from_pretrained(wanted.folder, local_files_only=True)
    plain.set_progress_bar_config(disable=True)
    scheduler = getattr(diffusers, wanted.scheduler.name)
    plain.scheduler = scheduler.from_config(plain.scheduler.config, **wanted.scheduler.options)
    result = plain(
        prompt=job.prompt.text,
        width=job.width,
        height=job.height,
        num_inference_steps=job.steps,
        guidance_scale=job.guidance,
        generator=torch.Generator("cpu").manual_seed(job.seed),
        **({"negative_prompt": job.prompt.negative} if model.negative_prompt else {}),
    )
    return np.asarray(result.images[0])


def rooms(rendering: Rendering) -> set[int]:
    assert rendering.buckets is not None
    return {room for room, _ in rendering.buckets.denoise}


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_a_picture_alone_is_the_plain_pipelines(platform: str, orders: Callable[..., Order], tmp_path: Path):
    wanted = orders(platform, prompt=Prompt(text="a red mug", negative="blue"), steps=3)
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        rendering = await made(engine, wanted)
    assert rooms(rendering) == {1}
    assert np.array_equal(pixels(rendering), drawn(wanted))
    assert rendering.engine == "steps"


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_pictures_in_company_are_those_alone_in_calls_as_large(
    platform: str, orders: Callable[..., Order], tmp_path: Path
):
    texts = ("a red mug", "a blue car", "a mug")
    wanted = [
        orders(platform, prompt=Prompt(text=texts[number % 3]), seed=number, steps=3 + number % 2)
        for number in range(6)
    ]
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        alone = [await made(engine, one) for one in wanted]
        crowd = await asyncio.gather(*(made(engine, one) for one in wanted))
        again = [
            await made(engine, replace(one, buckets=rendering.buckets))
            for one, rendering in zip(wanted, crowd, strict=True)
        ]
    assert max(room for rendering in crowd for room in rooms(rendering)) > 1
    assert [rendering.data for rendering in again] == [rendering.data for rendering in crowd]
    for one, rendering in zip(alone, crowd, strict=True):
        assert np.abs(pixels(one).astype(int) - pixels(rendering)).max() <= 1
