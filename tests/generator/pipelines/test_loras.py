# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false
"""LoRA adapters on the tiny model: by name and weight, kept hot, gone when not asked for, never used in part."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig, get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.orders.order import LoraAdapter, Order
from agents.generator.pipelines.loras import LoraAdapters
from agents.generator.pipelines.mounting import MountGuard
from protocol.commands import Lora
from protocol.errors import AcpError
from tests.generator.conftest import tiny_unet
from tests.generator.engines.test_diffusers_engine import made, pixels

Orders = Callable[..., Order]
ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
ALL_LAYERS = [*ATTENTION, "conv1", "conv2", "proj_in", "proj_out"]


@pytest.fixture
async def engine(home: Path) -> AsyncIterator[DiffusersEngine]:
    engine = DiffusersEngine("cpu", 1, home / "run")
    async with engine.open():
        yield engine


def tensors(targets: list[str], seed: int = 1) -> dict[str, torch.Tensor]:
    """Random LoRA weights for the tiny model, in peft's naming."""
    torch.manual_seed(seed)
    unet = tiny_unet()
    unet.add_adapter(LoraConfig(r=4, lora_alpha=4, init_lora_weights=False, target_modules=targets))
    return {key: tensor * 4 for key, tensor in get_peft_model_state_dict(unet).items()}


def save(folder: Path, name: str, layers: dict[str, torch.Tensor]) -> None:
    StableDiffusionPipeline.save_lora_weights(
        folder, unet_lora_layers=layers, weight_name=f"{name}.safetensors", safe_serialization=True
    )


async def test_a_lora_changes_the_picture_by_its_weight_and_leaves_no_trace(
    engine: DiffusersEngine, tiny_order: Orders, home: Path
):
    save(home / "loras", "glow", tensors(ATTENTION))
    before = await made(engine, tiny_order())
    half = await made(engine, tiny_order(loras=[Lora(name="glow", weight=0.5)]))
    full = await made(engine, tiny_order(loras=[Lora(name="glow", weight=1.0)]))
    after = await made(engine, tiny_order())
    again = await made(engine, tiny_order(loras=[Lora(name="glow", weight=0.5)]))
    assert len({before.data, half.data, full.data}) == 3
    assert after.data == before.data
    assert again.data == half.data


async def test_a_lora_gives_the_picture_that_the_plain_pipeline_gives_with_it(
    engine: DiffusersEngine, tiny_order: Orders, home: Path, tiny_folder: Path
):
    save(home / "loras", "glow", tensors(ATTENTION))
    ours = await made(engine, tiny_order(loras=[Lora(name="glow", weight=0.7)]))
    plain = StableDiffusionPipeline.from_pretrained(tiny_folder, local_files_only=True)
    plain.scheduler = DPMSolverMultistepScheduler.from_config(plain.scheduler.config, use_karras_sigmas=True)
    plain.load_lora_weights(home / "loras", weight_name="glow.safetensors", adapter_name="glow")
    plain.set_adapters(["glow"], [0.7])
    generator = torch.Generator("cpu").manual_seed(7)
    theirs = plain("a red mug", width=64, height=64, num_inference_steps=4, guidance_scale=5.0, generator=generator)
    assert np.array_equal(pixels(ours), np.asarray(theirs.images[0]))


async def test_two_loras_act_together(engine: DiffusersEngine, tiny_order: Orders, home: Path):
    save(home / "loras", "glow", tensors(ATTENTION))
    save(home / "loras", "other", tensors(ALL_LAYERS, seed=2))
    glow, other = Lora(name="glow"), Lora(name="other")
    alone = await made(engine, tiny_order(loras=[glow]))
    both = await made(engine, tiny_order(loras=[glow, other]))
    assert both.data != alone.data
    assert (await made(engine, tiny_order(loras=[glow]))).data == alone.data
    assert (both.model_version or "").count("+") == 2


async def test_every_layer_of_a_file_in_two_namings_is_used(engine: DiffusersEngine, tiny_order: Orders, home: Path):
    layers = tensors(ALL_LAYERS)
    mixed = convert_state_dict_to_diffusers(layers)
    assert {"lora_A" in key for key in mixed} == {True, False}
    save(home / "loras", "glow", layers)
    save(home / "loras", "other", mixed)
    plain = await made(engine, tiny_order(loras=[Lora(name="glow")]))
    converted = await made(engine, tiny_order(loras=[Lora(name="other")]))
    assert converted.data == plain.data


async def test_a_file_in_kohyas_naming_draws_the_same_picture(engine: DiffusersEngine, tiny_order: Orders, home: Path):
    layers = tensors(ATTENTION)
    save(home / "loras", "glow", layers)
    kohya = {}
    for name, tensor in layers.items():
        layer, kind, _ = name.rsplit(".", 2)
        layer = f"lora_unet_{layer.replace('.', '_')}"
        kohya[f"{layer}.{'lora_down' if kind == 'lora_A' else 'lora_up'}.weight"] = tensor
        kohya[f"{layer}.alpha"] = torch.tensor(4.0)
    save_file(kohya, home / "loras" / "other.safetensors")
    peft = await made(engine, tiny_order(loras=[Lora(name="glow", weight=0.7)]))
    theirs = await made(engine, tiny_order(loras=[Lora(name="other", weight=0.7)]))
    assert np.array_equal(pixels(peft), pixels(theirs))


def test_loras_that_are_switched_are_not_loaded_again(home: Path, tiny_folder: Path):
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_folder, local_files_only=True)
    adapters = LoraAdapters(pipeline, MountGuard(pipeline))
    files = [home / "loras" / f"{name}.safetensors" for name in ("glow", "other")]
    glow, other = (LoraAdapter(file.stem, file, 0.8) for file in files)
    for seed, file in enumerate(files):
        save(file.parent, file.stem, tensors(ATTENTION, seed))

    def held() -> dict[str, int]:
        return {name: tensor.data_ptr() for name, tensor in pipeline.unet.named_parameters() if "lora_" in name}

    adapters.activate([glow, other])
    before = held()
    for wanted in ([glow], [other], [], [other, glow]):
        adapters.activate(wanted)
    assert held() == before
    assert before


async def test_the_scale_in_a_files_metadata_is_kept(engine: DiffusersEngine, tiny_order: Orders, home: Path):
    layers = convert_state_dict_to_diffusers(tensors(ALL_LAYERS))
    loras = home / "loras"
    save(loras, "glow", layers)
    StableDiffusionPipeline.save_lora_weights(
        loras,
        unet_lora_layers=layers,
        weight_name="other.safetensors",
        unet_lora_adapter_metadata={"r": 4, "lora_alpha": 1, "target_modules": ALL_LAYERS},
    )
    quarter = await made(engine, tiny_order(loras=[Lora(name="glow", weight=0.25)]))
    scaled = await made(engine, tiny_order(loras=[Lora(name="other", weight=1.0)]))
    assert np.abs(pixels(scaled).astype(int) - pixels(quarter)).max() <= 1


async def test_a_file_that_fits_only_in_part_is_refused_and_leaves_no_trace(
    engine: DiffusersEngine, tiny_order: Orders, home: Path
):
    before = await made(engine, tiny_order())
    save(home / "loras", "glow", tensors(ATTENTION))
    file = home / "loras" / "glow.safetensors"
    layers = load_file(file)
    strangers = {key.replace("mid_block", "far_block"): tensor for key, tensor in layers.items()}
    assert strangers.keys() != layers.keys()
    save_file(strangers, file)
    with pytest.raises(AcpError) as refused:
        await made(engine, tiny_order(loras=[Lora(name="glow")]))
    assert refused.value.code == "not_installed"
    assert "glow" in refused.value.body.message
    assert (await made(engine, tiny_order())).data == before.data
    save(home / "loras", "glow", tensors(ATTENTION))
    assert (await made(engine, tiny_order(loras=[Lora(name="glow")]))).data != before.data


async def test_values_that_are_no_numbers_are_refused_before_they_reach_the_model(
    engine: DiffusersEngine, tiny_order: Orders, home: Path
):
    layers = tensors(ATTENTION)
    next(iter(layers.values()))[0, 0] = float("nan")
    save(home / "loras", "glow", layers)
    with pytest.raises(AcpError) as refused:
        await made(engine, tiny_order(loras=[Lora(name="glow")]))
    assert "not numbers" in refused.value.body.message


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"not safetensors at all", id="rubbish"),
        pytest.param(b"\xff" * 64, id="header-of-absurd-size"),
        pytest.param(b"", id="empty"),
    ],
)
async def test_a_file_that_is_no_lora_is_refused(
    engine: DiffusersEngine, tiny_order: Orders, home: Path, content: bytes
):
    (home / "loras" / "glow.safetensors").write_bytes(content)
    with pytest.raises(AcpError) as refused:
        await made(engine, tiny_order(loras=[Lora(name="glow")]))
    assert refused.value.code == "not_installed"
    assert not refused.value.retryable
    assert refused.value.body.hint


async def test_tensors_of_another_model_are_refused(engine: DiffusersEngine, tiny_order: Orders, home: Path):
    layers = {key: torch.zeros(3, 5) for key in tensors(ATTENTION)}
    save(home / "loras", "glow", layers)
    with pytest.raises(AcpError) as refused:
        await made(engine, tiny_order(loras=[Lora(name="glow")]))
    assert refused.value.code == "not_installed"
    assert (await made(engine, tiny_order())).data


async def test_a_changed_file_is_loaded_again(engine: DiffusersEngine, tiny_order: Orders, home: Path):
    save(home / "loras", "glow", tensors(ATTENTION, seed=1))
    first = await made(engine, tiny_order(loras=[Lora(name="glow")]))
    save(home / "loras", "glow", tensors(ATTENTION, seed=9))
    second = await made(engine, tiny_order(loras=[Lora(name="glow")]))
    assert first.data != second.data
    assert first.model_version != second.model_version
