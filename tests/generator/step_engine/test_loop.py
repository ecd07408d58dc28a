# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false
"""The device's thread under bad luck: no memory, a companion that fails, a device that is lost; and what it saves."""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline
from diffusers.models.autoencoders.vae import Decoder
from diffusers.models.embeddings import TimestepEmbedding
from torch.nn.modules.module import register_module_forward_pre_hook
from transformers import CLIPTextModel

from agents.generator.engine import GenerationStopped, Rendering
from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.orders.order import Order
from protocol.commands import Lora
from protocol.errors import AcpError
from protocol.messages import Buckets, Prompt
from tests.generator.engines.test_diffusers_engine import made, pixels
from tests.generator.pipelines.test_loras import ATTENTION, save, tensors

Orders = Callable[..., Order]


@pytest.fixture
async def engine(home: Path) -> AsyncIterator[DiffusersEngine]:
    engine = DiffusersEngine("cpu", 1, home / "run")
    async with engine.open():
        yield engine


@contextmanager
def before(kind: type[torch.nn.Module], see: Callable[[tuple[Any, ...]], None]) -> Generator[None]:
    """Look at the positional arguments of every call of a kind of module. The denoiser itself is called by name; its
    embedding of the timestep is not, and has as many rows."""
    hook = register_module_forward_pre_hook(lambda module, args: see(args) if isinstance(module, kind) else None)
    try:
        yield
    finally:
        hook.remove()


def fill_memory() -> None:
    torch.empty(2**60)


async def together(engine: DiffusersEngine, *orders: Order) -> list[Rendering]:
    return list(await asyncio.gather(*(made(engine, order) for order in orders)))


def rooms(rendering: Rendering) -> set[int]:
    assert rendering.buckets is not None
    return {room for room, _ in rendering.buckets.denoise}


async def again(engine: DiffusersEngine, order: Order, rendering: Rendering) -> bytes:
    """The same picture, alone in calls as large."""
    return (await made(engine, replace(order, buckets=rendering.buckets))).data


async def test_calls_that_do_not_fit_are_halved_and_pictures_go_on(engine: DiffusersEngine, tiny_order: Orders):
    await made(engine, tiny_order())
    orders = [tiny_order(seed=seed, steps=12) for seed in range(6)]
    refused: list[int] = []

    def see(args: tuple[Any, ...]) -> None:
        if args[0].shape[0] > 4:
            refused.append(args[0].shape[0])
            fill_memory()

    with before(TimestepEmbedding, see):
        renderings = await together(engine, *orders)
    assert refused
    assert len(refused) < 3, "what did not fit is not tried at each step"
    for order, rendering in zip(orders, renderings, strict=True):
        assert max(rooms(rendering)) <= 2
        assert await again(engine, order, rendering) == rendering.data


async def test_one_picture_that_does_not_fit_fails_and_the_next_one_is_made(
    engine: DiffusersEngine, tiny_order: Orders
):
    with before(TimestepEmbedding, lambda _: fill_memory()), pytest.raises(AcpError) as failed:
        await made(engine, tiny_order())
    assert failed.value.code == "out_of_memory"
    assert "64x64" in failed.value.body.message
    assert (await made(engine, tiny_order())).data


async def test_a_picture_that_cannot_be_decoded_in_one_piece_is_decoded_in_tiles(
    engine: DiffusersEngine, tiny_order: Orders
):
    whole = await made(engine, tiny_order())
    with before(Decoder, lambda args: fill_memory() if args[0].shape[-1] > 4 else None):
        tiled = await made(engine, tiny_order())
    assert pixels(tiled).shape == pixels(whole).shape
    assert tiled.data != whole.data
    assert (await made(engine, tiny_order())).data == whole.data


async def test_a_companion_that_fails_fails_alone(engine: DiffusersEngine, tiny_order: Orders):
    def breaks(step: int, _: int) -> None:
        if step == 2:
            raise ValueError("told of the second step")

    sound = [tiny_order(seed=seed, steps=6) for seed in range(3)]
    broken = engine.generate(tiny_order(steps=6), breaks, lambda: False)
    failure, *renderings = await asyncio.gather(
        broken, *(made(engine, order) for order in sound), return_exceptions=True
    )
    assert isinstance(failure, ValueError)
    for order, rendering in zip(sound, renderings, strict=True):
        assert await again(engine, order, rendering) == rendering.data


async def test_a_call_that_fails_for_one_is_made_again_for_each(engine: DiffusersEngine, tiny_order: Orders):
    def see(args: tuple[Any, ...]) -> None:
        if args[0].shape[0] > 2:
            raise RuntimeError("a shape that nobody foresaw")

    orders = [tiny_order(seed=seed) for seed in range(4)]
    with before(TimestepEmbedding, see):
        renderings = await together(engine, *orders)
    assert {room for rendering in renderings for room in rooms(rendering)} == {1}


async def test_a_lost_device_ends_the_engine_and_no_picture_is_reported(home: Path, tiny_order: Orders):
    engine = DiffusersEngine("cpu", 1, home / "run")

    def lose(_: object) -> None:
        raise torch.AcceleratorError("device-side assert triggered")

    with before(TimestepEmbedding, lose), pytest.raises(ExceptionGroup) as lost:
        async with engine.open():
            await made(engine, tiny_order())
    assert lost.group_contains(torch.AcceleratorError)


async def test_a_prompt_is_encoded_once(engine: DiffusersEngine, tiny_order: Orders):
    calls: list[object] = []
    with before(CLIPTextModel, calls.append):
        first = await made(engine, tiny_order(prompt=Prompt(text="a red mug", negative="blue")))
        assert len(calls) == 2
        same = await made(engine, tiny_order(prompt=Prompt(text="a red mug", negative="blue")))
        await made(engine, tiny_order(prompt=Prompt(text="a red cup", negative="blue"), seed=8))
    assert len(calls) == 3
    assert same.data == first.data


async def test_pictures_with_other_adapters_are_not_mixed_up(engine: DiffusersEngine, tiny_order: Orders, home: Path):
    save(home / "loras", "glow", tensors(ATTENTION))
    orders = [tiny_order(loras=[Lora(name="glow", weight=weight)]) for weight in (0.5, 1.0, 0.5, 1.0)]
    orders += [tiny_order(), tiny_order()]
    alone = [await made(engine, order) for order in orders]
    renderings = await together(engine, *orders)
    for order, one, rendering in zip(orders, alone, renderings, strict=True):
        assert await again(engine, order, rendering) == rendering.data
        assert abs(pixels(rendering).astype(int) - pixels(one)).max() <= 1
    assert abs(pixels(renderings[0]).astype(int) - pixels(renderings[1])).max() > 1


async def test_a_picture_that_waits_between_steps_is_dropped_when_it_is_no_longer_wanted(
    engine: DiffusersEngine, tiny_order: Orders
):
    wanted = True

    def progressed(step: int, _: int) -> None:
        nonlocal wanted
        wanted = step < 3

    others = [tiny_order(seed=seed, steps=8, priority="interactive") for seed in range(2)]
    dropped = engine.generate(tiny_order(steps=100), lambda step, steps: None, lambda: not wanted)
    outcome, *renderings = await asyncio.gather(
        dropped,
        engine.generate(others[0], progressed, lambda: False),
        made(engine, others[1]),
        return_exceptions=True,
    )
    assert isinstance(outcome, GenerationStopped)
    assert all(isinstance(rendering, Rendering) for rendering in renderings)


async def test_pictures_of_two_models_are_made_beside_each_other(
    engine: DiffusersEngine, tiny_order: Orders, tiny_folder: Path, tmp_path: Path
):
    plain = StableDiffusionPipeline.from_pretrained(tiny_folder, local_files_only=True)
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in plain.unet.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    plain.save_pretrained(tmp_path / "second")
    first = [tiny_order(seed=seed) for seed in range(2)]
    model = first[0].model.model_copy(update={"name": "second"})
    second = [replace(order, model=model, folder=tmp_path / "second") for order in first]
    renderings = await together(engine, first[0], second[0], first[1], second[1])
    assert len({rendering.data for rendering in renderings}) == 4
    for order, rendering in zip([first[0], second[0], first[1], second[1]], renderings, strict=True):
        assert await again(engine, order, rendering) == rendering.data


async def test_pictures_are_made_in_the_buckets_that_are_asked_for(engine: DiffusersEngine, tiny_order: Orders):
    wanted = Buckets(denoise=[[1, 1], [3, 2], [2, 1]], decode=2)
    rendering = await made(engine, tiny_order(buckets=wanted))
    assert rendering.buckets == wanted
