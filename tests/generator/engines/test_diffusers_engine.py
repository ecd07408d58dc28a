# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false
"""The device engine on a tiny random model of the real classes."""

import asyncio
import io
import shutil
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from agents.generator.engine import GenerationStopped, Rendering
from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.orders.order import Order
from protocol.errors import AcpError
from protocol.messages import Buckets

Orders = Callable[..., Order]


@pytest.fixture
async def engine(home: Path) -> AsyncIterator[DiffusersEngine]:
    engine = DiffusersEngine("cpu", 1, home / "run")
    async with engine.open():
        yield engine


async def made(engine: DiffusersEngine, order: Order) -> Rendering:
    async with asyncio.timeout(30):
        return await engine.generate(order, lambda step, steps: None, lambda: False)


def pixels(rendering: Rendering) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(rendering.data)))


async def test_a_seed_gives_its_picture_whatever_was_made_in_between(engine: DiffusersEngine, tiny_order: Orders):
    first = await made(engine, tiny_order(seed=1))
    other = await made(engine, tiny_order(seed=2, sampler="UniPC", steps=6))
    again = await made(engine, tiny_order(seed=1))
    assert first.data == again.data
    assert first.data != other.data


async def test_pictures_asked_for_at_once_share_calls_and_are_made_again_alone_in_calls_as_large(
    engine: DiffusersEngine, tiny_order: Orders
):
    orders = [tiny_order(seed=seed, steps=2 + seed, guidance=(5.0, 1.0)[seed % 2]) for seed in range(6)]
    together = await asyncio.gather(*(made(engine, order) for order in orders))
    assert max(room for one in together if one.buckets for room, _ in one.buckets.denoise) > 1
    for order, rendering in zip(orders, together, strict=True):
        again = await made(engine, replace(order, buckets=rendering.buckets))
        assert (again.data, again.buckets) == (rendering.data, rendering.buckets)


async def test_a_strict_picture_is_alone_in_its_calls_whatever_is_asked_for_beside_it(
    engine: DiffusersEngine, tiny_order: Orders
):
    alone = await made(engine, tiny_order(seed=1))
    strict, *_ = await asyncio.gather(
        made(engine, tiny_order(seed=1, strict=True)), *(made(engine, tiny_order(seed=seed)) for seed in range(2, 6))
    )
    assert strict.data == alone.data
    assert strict.buckets == alone.buckets == Buckets(denoise=[[1, 4]])


async def test_what_was_measured_is_told_and_nothing_else(engine: DiffusersEngine, tiny_order: Orders):
    rendering = await made(engine, tiny_order())
    assert set(rendering.stages) == {"load", "encode", "denoise", "decode", "compress"}
    assert all(seconds >= 0 for seconds in rendering.stages.values())
    drawn = sum(rendering.stages[stage] for stage in ("encode", "denoise", "decode"))
    assert rendering.seconds == pytest.approx(drawn)
    assert (rendering.width, rendering.height, rendering.device, rendering.engine) == (64, 64, "cpu", "steps")
    assert (rendering.peak_memory, rendering.gpu_util, rendering.mfu, rendering.cost_micros) == (None,) * 4
    assert rendering.versions == {
        "torch": torch.__version__,
        "diffusers": rendering.versions["diffusers"],
        "threads": "1",
    }


async def test_the_model_stays_loaded(engine: DiffusersEngine, tiny_order: Orders):
    first, second = await made(engine, tiny_order()), await made(engine, tiny_order())
    assert second.stages["load"] < first.stages["load"] / 10


async def test_the_model_version_follows_the_weights(
    engine: DiffusersEngine,
    tiny_order: Orders,
    tiny_folder: Path,
    tmp_path: Path,
    broken_order: Callable[[Path], Order],
):
    first = await made(engine, tiny_order())
    copy = tmp_path / "copy"
    shutil.copytree(tiny_folder, copy)
    assert (await made(engine, broken_order(copy))).model_version == first.model_version
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert (await made(engine, broken_order(copy))).model_version != first.model_version


async def test_a_picture_no_longer_wanted_is_dropped_between_steps(engine: DiffusersEngine, tiny_order: Orders):
    seen: list[int] = []
    with pytest.raises(GenerationStopped):
        await engine.generate(tiny_order(steps=20), lambda step, _: seen.append(step), lambda: len(seen) > 2)
    assert seen == [0, 1, 2]
    assert (await made(engine, tiny_order())).data


async def test_a_picture_that_waits_for_the_device_is_never_begun_once_unwanted(
    engine: DiffusersEngine, tiny_order: Orders
):
    seen: list[int] = []
    running = asyncio.create_task(made(engine, tiny_order(steps=5)))
    with pytest.raises(GenerationStopped):
        await engine.generate(tiny_order(), lambda step, _: seen.append(step), lambda: True)
    await running
    assert seen == []


async def test_a_cancelled_call_frees_the_device_at_the_next_step(engine: DiffusersEngine, tiny_order: Orders):
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()
    seen: list[int] = []

    def progressed(step: int, _: int) -> None:
        seen.append(step)
        loop.call_soon_threadsafe(begun.set)

    call = asyncio.create_task(engine.generate(tiny_order(steps=150), progressed, lambda: False))
    async with asyncio.timeout(30):
        await begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await made(engine, tiny_order())
    assert len(seen) < 150


async def test_the_event_loop_stays_quick_while_the_device_works(engine: DiffusersEngine, tiny_order: Orders):
    await made(engine, tiny_order())
    work = asyncio.create_task(made(engine, tiny_order(steps=150)))
    late: list[float] = []
    while not work.done():
        asked = time.perf_counter()
        woken = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.005, woken.set_result, None)
        await woken
        late.append(time.perf_counter() - asked - 0.005)
    assert len(late) > 20
    assert sorted(late)[len(late) // 2] < 0.05
    assert max(late) < 10 / 3, "the heartbeat's pause"


async def test_pickled_weights_are_refused(
    engine: DiffusersEngine, tiny_folder: Path, tmp_path: Path, broken_order: Callable[[Path], Order]
):
    folder = tmp_path / "pickled"
    shutil.copytree(tiny_folder, folder)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save({}, weights.with_suffix(".bin"))
    weights.unlink()
    with pytest.raises(AcpError) as refused:
        await made(engine, broken_order(folder))
    assert refused.value.code == "not_installed"
    assert not refused.value.retryable
    assert str(folder) in refused.value.body.message


async def test_code_in_a_models_folder_is_not_run(
    engine: DiffusersEngine, tiny_folder: Path, tmp_path: Path, broken_order: Callable[[Path], Order]
):
    folder = tmp_path / "coded"
    shutil.copytree(tiny_folder, folder)
    index = folder / "model_index.json"
    index.write_text(index.read_text().replace('"diffusers",\n    "UNet2DConditionModel"', '"evil",\n    "Unet"'))
    assert "evil" in index.read_text()
    (folder / "unet" / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Unet: pass\n")
    with pytest.raises(AcpError) as refused:
        await made(engine, broken_order(folder))
    assert refused.value.code == "not_installed"
    assert not (tmp_path / "ran").exists()


async def test_half_precision_files_alone_are_enough(
    engine: DiffusersEngine, tiny_folder: Path, tmp_path: Path, broken_order: Callable[[Path], Order]
):
    plain = StableDiffusionPipeline.from_pretrained(tiny_folder, local_files_only=True)
    plain.to(torch.float16).save_pretrained(tmp_path / "half", variant="fp16")
    assert pixels(await made(engine, broken_order(tmp_path / "half"))).std() > 0


async def test_pixels_that_are_no_numbers_are_a_failure(
    engine: DiffusersEngine, tiny_folder: Path, tmp_path: Path, broken_order: Callable[[Path], Order]
):
    plain = StableDiffusionPipeline.from_pretrained(tiny_folder, local_files_only=True)
    with torch.no_grad():
        plain.vae.decoder.conv_out.bias.fill_(float("nan"))
    plain.save_pretrained(tmp_path / "nan")
    with pytest.raises(AcpError) as failed:
        await made(engine, broken_order(tmp_path / "nan"))
    assert failed.value.code == "internal"
    assert "not numbers" in failed.value.body.message


async def test_a_folder_of_another_architecture_is_refused(
    engine: DiffusersEngine, tiny_folder: Path, tmp_path: Path, broken_order: Callable[[Path], Order]
):
    folder = tmp_path / "other"
    shutil.copytree(tiny_folder, folder)
    index = folder / "model_index.json"
    index.write_text(index.read_text().replace('"StableDiffusionPipeline"', '"StableDiffusionXLPipeline"'))
    with pytest.raises(AcpError) as refused:
        await made(engine, broken_order(folder))
    assert refused.value.code == "not_installed"
    assert "StableDiffusionXLPipeline" in refused.value.body.message
