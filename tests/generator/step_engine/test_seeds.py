# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false
"""The promise about seeds: alone, a picture is the plain diffusers pipeline's bit for bit, whatever the sampler."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import diffusers
import numpy as np
import pytest
import pytest_asyncio
import torch
from diffusers import StableDiffusionPipeline

from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.orders.order import Order
from agents.generator.registry import samplers
from protocol.messages import Buckets, Prompt
from tests.generator.engines.test_diffusers_engine import made, pixels

pytestmark = pytest.mark.asyncio(loop_scope="module")

Orders = Callable[..., Order]
SAMPLERS = [sampler for sampler in samplers.SAMPLERS if sampler.diffusion]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DiffusersEngine]:
    engine = DiffusersEngine("cpu", 1, tmp_path_factory.mktemp("run"))
    async with engine.open():
        yield engine


@pytest.fixture(scope="module")
def plain(tiny_folder: Path) -> StableDiffusionPipeline:
    """Diffusers' own pipeline of the tiny model."""
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_folder, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def drawn(plain: StableDiffusionPipeline, order: Order) -> np.ndarray:
    """The same picture by diffusers alone."""
    job, configuration = order.job.pixels, dict(plain.scheduler.config)
    plain.scheduler = getattr(diffusers, order.scheduler.name).from_config(configuration, **order.scheduler.options)
    try:
        result = plain(
            job.prompt,
            negative_prompt=job.negative_prompt or None,
            width=job.width,
            height=job.height,
            num_inference_steps=job.steps,
            guidance_scale=job.guidance,
            generator=torch.Generator("cpu").manual_seed(job.seed),
        )
    finally:
        plain.scheduler = diffusers.DDIMScheduler.from_config(configuration)
    return np.asarray(result.images[0])


@pytest.mark.parametrize("guidance", [5.0, 1.0], ids=["guided", "unguided"])
@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.name)
async def test_a_picture_alone_is_the_plain_pipelines(
    engine: DiffusersEngine,
    tiny_order: Orders,
    plain: StableDiffusionPipeline,
    sampler: samplers.Sampler,
    guidance: float,
):
    prompt = Prompt(text="a red mug", negative="blue")
    order = tiny_order(prompt=prompt, sampler=sampler.name, seed=2**53 - 1, steps=4, guidance=guidance)
    told: list[tuple[int, int]] = []
    async with asyncio.timeout(30):
        rendering = await engine.generate(order, lambda step, steps: told.append((step, steps)), lambda: False)
    assert [step for step, _ in told] == list(range(told[0][1]))
    assert rendering.engine == "steps"
    assert rendering.buckets is not None
    assert {room for room, _ in rendering.buckets.denoise} == {1}
    assert np.array_equal(pixels(rendering), drawn(plain, order))


async def test_a_larger_bucket_is_another_sum_and_the_same_picture_to_tolerance(
    engine: DiffusersEngine, tiny_order: Orders
):
    alone = await made(engine, tiny_order(steps=6))
    for room in (2, 4, 8):
        larger = await made(engine, tiny_order(steps=6, buckets=Buckets(denoise=[[room, 6]], decode=room)))
        assert larger.buckets == Buckets(denoise=[[room, 6]], decode=room)
        assert np.abs(pixels(larger).astype(int) - pixels(alone)).max() <= 1
