# pyright: basic, reportOptionalMemberAccess=false, reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
"""Pictures of several stages in the step engine: the stock pipelines' bits in sequence, calls that are shared, and what
becomes of them when they are stopped or memory is short."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from agents.generator.engine import GenerationStopped
from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.images.colour_transfer import transfer_colours
from agents.generator.images.placement import StartImage
from agents.generator.orders.order import Order
from agents.generator.orders.post_stages import Refinement, order_with_stages
from agents.generator.registry import registry
from agents.generator.upscale.network import Network
from agents.generator.upscale.rrdb import Rrdb
from agents.generator.upscale.tiles import process_in_tiles
from protocol.commands import Lora
from protocol.errors import AcpError
from protocol.messages import Job
from protocol.post import CorrectColour, Refine, RemoveArtefacts, RestoreFaces, Upscale
from tests.generator.engines.test_diffusers_engine import made, pixels
from tests.generator.step_engine.test_led import drawn
from tests.generator.step_engine.test_loop import before, fill_memory
from tests.generator.upscale.test_upscale import save_foreign, save_network

Orders = Callable[..., Order]


@pytest.fixture
def orders(home: Path, job: Callable[..., Job], load: Callable[[], registry.Registry]) -> Orders:
    """Makes an order for the tiny model with steps after it; two networks are there, `x2` and `clean`."""
    with (home / "models.toml").open("a") as file:
        file.write('[tools.x2]\nkind = "upscaler"\n[tools.clean]\nkind = "upscaler"\n')
    (home / "tools").mkdir()
    save_network(home / "tools" / "x2.safetensors", doublings=1)
    save_network(home / "tools" / "clean.safetensors", doublings=0)
    return lambda *post, **fields: order_with_stages(job(post=list(post), **fields), load())


@pytest.fixture
def engine(tmp_path: Path) -> DiffusersEngine:
    return DiffusersEngine("cpu", 1, tmp_path / "run")


def by_hand(order: Order) -> np.ndarray:
    """The picture by diffusers' own pipelines, one after the other, with networks and Lanczos between them."""
    picture = drawn(replace(order, stages=()))
    for stage in order.stages:
        if isinstance(stage, Refinement):
            picture = drawn(replace(stage.order, start_image=StartImage(picture, stage.strength)))
            continue
        if stage.network is not None:
            network = Network(stage.network.path, torch.device("cpu"))
            picture = process_in_tiles(picture, network.scale, 256, 32, network.apply)
        picture = np.asarray(Image.fromarray(picture).resize((stage.width, stage.height), Image.Resampling.LANCZOS))
    return picture


async def test_alone_a_picture_of_stages_is_the_stock_pipelines_in_sequence(orders: Orders, engine: DiffusersEngine):
    wanted = orders(
        Upscale(model="x2", scale=1.5),
        Refine(strength=0.5, guidance=3.0, prompt_suffix="in blue"),
        RemoveArtefacts(model="clean"),
        Upscale(scale=2.0),
    )
    steps: list[tuple[int, int]] = []
    async with engine.open():
        rendering = await engine.generate(wanted, lambda step, of: steps.append((step, of)), lambda: False)
    assert np.array_equal(pixels(rendering), by_hand(wanted))
    assert (rendering.width, rendering.height, rendering.engine) == (192, 192, "steps")
    assert {"denoise", "decode", "upscale", "refine", "artefact_removal"} <= rendering.stages.keys()
    assert steps == [(number, 6) for number in range(6)]
    assert len((rendering.model_version or "").split("+")) == 3


async def test_refinements_share_calls_and_are_made_again_in_the_same_ones(orders: Orders, engine: DiffusersEngine):
    wanted = [orders(Upscale(scale=2.0), Refine(strength=0.5), seed=number, steps=6) for number in range(3)]
    async with engine.open():
        crowd = await asyncio.gather(*(made(engine, one) for one in wanted))
        pairs = zip(wanted, crowd, strict=True)
        again = [await made(engine, replace(one, buckets=done.buckets)) for one, done in pairs]
    assert any(room > 1 for one in crowd for room, _ in one.buckets.denoise)
    assert [one.data for one in again] == [one.data for one in crowd]


async def test_a_picture_too_large_for_the_model_is_refined_tile_by_tile(orders: Orders, engine: DiffusersEngine):
    scaled = orders(Upscale(scale=4.0))
    tiled = orders(Upscale(scale=4.0), Refine(strength=0.5, tile=128))
    refinement = tiled.stages[1]
    assert isinstance(refinement, Refinement)
    assert (refinement.drawing_count, refinement.order.job.pixels.width) == (9, 128)
    assert len({refinement.tile_order(number).job.pixels.seed for number in range(9)}) == 9
    async with engine.open():
        plain, refined = pixels(await made(engine, scaled)), pixels(await made(engine, tiled))
    assert refined.shape == (256, 256, 3)
    corner = drawn(replace(refinement.order, start_image=StartImage(plain[:128, :128].copy(), 0.5)))
    assert np.array_equal(refined[:64, :64], corner[:64, :64])
    assert not np.array_equal(refined[64:, 64:], plain[64:, 64:])


async def test_colours_are_taken_from_the_picture_as_it_was_generated(orders: Orders, engine: DiffusersEngine):
    async with engine.open():
        generated = pixels(await made(engine, orders()))
        upscaled = pixels(await made(engine, orders(Upscale(model="x2", scale=2.0))))
        corrected = pixels(await made(engine, orders(Upscale(model="x2", scale=2.0), CorrectColour())))
    assert np.array_equal(corrected, transfer_colours(upscaled, generated, 1.0))
    assert abs(corrected.mean() - generated.mean()) < abs(upscaled.mean() - generated.mean())


async def test_a_picture_no_longer_wanted_is_left_between_its_stages(orders: Orders, engine: DiffusersEngine):
    taken: list[int] = []
    async with engine.open():
        with pytest.raises(GenerationStopped):
            await engine.generate(
                orders(Upscale(model="x2", scale=2.0), Refine(strength=1.0)),
                lambda step, of: taken.append(step),
                lambda: len(taken) >= 4,
            )
        assert taken == [0, 1, 2, 3]
        assert (await made(engine, orders())).width == 64


async def test_for_want_of_memory_a_network_takes_smaller_tiles_and_at_last_says_so(
    orders: Orders, engine: DiffusersEngine
):
    wanted = orders(Upscale(model="x2", scale=2.0), Upscale(model="x2", scale=2.0))
    seen: list[int] = []

    def full_over(side: int) -> Callable[[tuple[Any, ...]], None]:
        def see(arguments: tuple[Any, ...]) -> None:
            seen.append(max(arguments[0].shape[2:]))
            if seen[-1] > side:
                fill_memory()

        return see

    async with engine.open():
        plain = pixels(await made(engine, wanted))
        with before(Rrdb, full_over(100)):
            tiled = pixels(await made(engine, wanted))
        with before(Rrdb, full_over(32)), pytest.raises(AcpError) as failed:
            await made(engine, wanted)
        after = await made(engine, orders())
    assert np.abs(tiled.astype(int) - plain).max() <= 2
    assert {64, 128} == set(seen)
    assert failed.value.code == "out_of_memory"
    assert "x2" in failed.value.body.message
    assert after.width == 64


def test_what_a_step_names_has_to_be_there(orders: Orders):
    for step, path in (
        (Upscale(model="x9"), "$.job.pixels.post[0].model"),
        (RestoreFaces(model="gfpgan", faces=[[0, 0, 1, 1]]), "$.job.pixels.post[0].model"),
        (Refine(loras=[Lora(name="glow")]), "$.job.pixels.loras[0].name"),
    ):
        with pytest.raises(AcpError) as refused:
            orders(step)
        assert refused.value.body.path == path
        assert refused.value.body.hint


async def test_a_step_that_needs_the_extra_says_how_to_get_it(home: Path, orders: Orders, engine: DiffusersEngine):
    with (home / "models.toml").open("a") as file:
        file.write('[tools.faces]\nkind = "face_restorer"\nscale = 1\n')
    save_foreign(home / "tools" / "faces.safetensors")
    async with engine.open():
        with pytest.raises(AcpError) as refused:
            await made(engine, orders(RestoreFaces(model="faces", faces=[[0.2, 0.2, 0.5, 0.5]])))
    assert "bottega[restore]" in (refused.value.body.hint or "")
