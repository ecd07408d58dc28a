# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false
"""Pictures with several prompts in the step engine, of every architecture: one picture, each prompt in its place."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.images.placement import StartImage
from agents.generator.orders.order import SINGLE_PICTURE_BUCKETS, ControlModel, Order
from agents.generator.step_engine.regional_prompts import RegionalPrompts
from protocol.errors import AcpError
from protocol.messages import Prompt
from protocol.parameters import Region
from tests.generator.architectures.test_contract import orders as orders
from tests.generator.engines.test_diffusers_engine import made, pixels
from tests.generator.platforms import PLATFORMS
from tests.generator.step_engine.test_image_prompts import follow as follow
from tests.generator.step_engine.test_led import controls as controls
from tests.generator.step_engine.test_led import left_half, noise

Orders = Callable[..., Order]

BASE = Prompt(text="a red mug", negative="blue")
SAME = [Region(prompt=BASE.text, box=[0, 0, 1, 1])]
TWO = [Region(prompt="a car", box=[0, 0, 0.5, 1]), Region(prompt="blue blue", box=[0.5, 0, 0.5, 1])]
DIFFUSION = "stable_diffusion_1_5"


def apart(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(one.astype(int) - other).max())


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_a_region_changes_its_place_and_one_with_the_same_prompt_nothing(
    platform: str, orders: Orders, tmp_path: Path
):
    wanted = orders(platform, prompt=BASE, steps=3)
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        plain, same, two = [
            await made(engine, replace(wanted, job=orders(platform, prompt=BASE, steps=3, regions=regions).job))
            for regions in ([], SAME, TWO)
        ]
    assert apart(pixels(plain), pixels(same)) <= 1
    assert pixels(two).shape == pixels(plain).shape
    assert apart(pixels(two), pixels(plain)) > 0
    assert two.engine == ("steps" if wanted.model.family.shares_calls else "pipeline")


def test_cells_that_a_model_packs_row_by_row_get_the_prompt_of_their_place():
    mixture = RegionalPrompts(TWO, 64, 32)
    rows = torch.arange(3.0).reshape(3, 1, 1).expand(3, 32, 5)
    mixed = mixture.mix_rows((rows,))[0]
    assert mixed.shape == (3, 32, 5)
    for row in mixed:
        assert torch.allclose(row.reshape(4, 8, 5)[:, :3], torch.tensor(1.0))
        assert torch.allclose(row.reshape(4, 8, 5)[:, 5:], torch.tensor(2.0))
    with pytest.raises(AcpError) as refused:
        RegionalPrompts(TWO, 64, 32).mix_rows(torch.zeros(3, 33, 5))
    assert refused.value.body.path == "$.job.pixels.regions"


def test_rows_without_a_prompt_are_asked_for_once():
    mixture = RegionalPrompts(TWO, 16, 16)
    asked = mixture.narrow_rows({"sample": torch.arange(6.0), "more": {"ids": torch.arange(6.0)}, "t": 3}, ())
    assert asked["sample"].tolist() == asked["more"]["ids"].tolist() == [0, 3, 4, 5]
    assert asked["t"] == 3
    assert mixture.widen_rows([torch.arange(4.0)])[0].tolist() == [0, 0, 0, 1, 2, 3]


@pytest.mark.parametrize("sampler", ["Euler a", "DPM++ 2M SDE Karras", "LCM"])
async def test_the_rows_of_a_picture_stay_one_under_samplers_that_draw_noise(
    sampler: str, orders: Orders, tmp_path: Path
):
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        plain, same = [
            pixels(await made(engine, orders(DIFFUSION, prompt=BASE, sampler=sampler, regions=regions)))
            for regions in ([], SAME)
        ]
    assert apart(plain, same) <= 1


async def test_among_others_it_is_the_picture_that_it_is_alone_in_calls_as_large(orders: Orders, tmp_path: Path):
    wanted = [
        orders(
            DIFFUSION,
            prompt=BASE,
            seed=number,
            steps=3 + number % 2,
            guidance=1.0 if number % 3 == 0 else 5.0,
            regions=([], SAME, TWO)[number % 3],
        )
        for number in range(9)
    ]
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        crowd = await asyncio.gather(*(made(engine, one) for one in wanted))
        again = [
            await made(engine, replace(one, buckets=rendering.buckets))
            for one, rendering in zip(wanted, crowd, strict=True)
        ]
        alone = [await made(engine, replace(one, buckets=SINGLE_PICTURE_BUCKETS)) for one in wanted]
    assert [rendering.data for rendering in again] == [rendering.data for rendering in crowd]
    assert [rendering.buckets for rendering in again] == [rendering.buckets for rendering in crowd]
    for one, rendering in zip(alone, crowd, strict=True):
        assert apart(pixels(one), pixels(rendering)) <= 1
    # Rows of a picture with two regions: three, and one without a prompt.
    shared = [one.buckets for one in crowd[2::3] if one.buckets is not None]
    assert max(rows for buckets in shared for rows, _ in buckets.denoise) > 4
    assert {rows for one in alone[2::3] if one.buckets for rows, _ in one.buckets.denoise} == {4}


@pytest.mark.parametrize("kind", ["from a picture", "in a mask", "along edges", "after the look of one"])
async def test_regions_go_with_pictures_that_are_given(
    kind: str, orders: Orders, controls: Callable[..., ControlModel], follow: Callable[..., Order], tmp_path: Path
):
    def order(regions: list[Region]) -> Order:
        wanted = orders(DIFFUSION, prompt=BASE, regions=regions)
        if kind == "along edges":
            return replace(wanted, controls=(controls(DIFFUSION, "first"),), maps=(noise(3),))
        if kind == "after the look of one":
            return follow(wanted, ([1], 0.7, ""))
        return replace(wanted, start_image=StartImage(noise(), 0.75, left_half() if kind == "in a mask" else None))

    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        plain, same, two = [pixels(await made(engine, order(regions))) for regions in ([], SAME, TWO)]
    assert apart(plain, same) <= 1
    assert apart(plain, two) > 0
    if kind == "in a mask":
        assert np.array_equal(two[:, 32:], noise()[:, 32:])
