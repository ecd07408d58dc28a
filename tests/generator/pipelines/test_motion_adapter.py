# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false
"""Sequences by a tiny random motion adapter of the real class: the plain pipeline's bits, and what is refused."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch
from diffusers import AnimateDiffPipeline, MotionAdapter, StableDiffusionPipeline
from peft import LoraConfig

from agents.generator import announce
from agents.generator.device.tuning import DEFAULT_TUNING, Tuning
from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.orders.order import SINGLE_PICTURE_BUCKETS, Order, order_of
from agents.generator.pipelines.motion_adapter import build_motion_denoiser
from agents.generator.registry import registry
from agents.generator.registry.registry import RegistryError
from agents.shared.picture import decode_frames
from agents.shared.settings import Offload
from protocol.animation import Motion
from protocol.errors import AcpError
from protocol.messages import Job, Prompt
from protocol.offers import MotionInfo, infos_of
from tests.generator.engines.test_diffusers_engine import made, pixels

Orders = Callable[..., Order]
Load = Callable[[], registry.Registry]
WAVE = Motion(model="wave", frames=5, fps=4)
PROMPT = Prompt(text="a red mug", negative="blue")


def tiny_motion(**fields: object) -> MotionAdapter:
    """An adapter of random weights for the tiny Stable Diffusion, which moves."""
    torch.manual_seed(3)
    shape = {"block_out_channels": (16, 32), "motion_layers_per_block": 1, "motion_num_attention_heads": 2}
    adapter = MotionAdapter(**(shape | {"motion_norm_num_groups": 4, "motion_max_seq_length": 8} | fields))
    for name, parameter in adapter.named_parameters():
        if "proj_out" in name:
            # Fresh ones end in zeros and move nothing.
            torch.nn.init.normal_(parameter, std=0.3)
    return adapter


def entered(home: Path, adapter: MotionAdapter, entry: str = "platform = 'stable_diffusion_1_5'") -> None:
    """Put an adapter into a home and its registry."""
    adapter.save_pretrained(home / "motions" / "wave")
    with (home / "models.toml").open("a") as file:
        file.write(f"[motions.wave]\n{entry}\n")


@pytest.fixture
def adapter(home: Path) -> MotionAdapter:
    adapter = tiny_motion()
    entered(home, adapter)
    return adapter


def drawn(tiny_folder: Path, adapter: MotionAdapter, wanted: Order) -> np.ndarray:
    """The same sequence by diffusers alone."""
    job = wanted.job.pixels
    still = StableDiffusionPipeline.from_pretrained(tiny_folder, local_files_only=True)
    parts = {name: getattr(still, name) for name in ("vae", "text_encoder", "tokenizer", "unet")}
    scheduler = getattr(diffusers, wanted.scheduler.name).from_config(
        still.scheduler.config, **wanted.scheduler.options, beta_schedule="linear"
    )
    plain = AnimateDiffPipeline(**parts, motion_adapter=adapter, scheduler=scheduler)
    plain.set_progress_bar_config(disable=True)
    result = plain(
        job.prompt,
        negative_prompt=job.negative_prompt,
        num_frames=WAVE.frames,
        width=job.width,
        height=job.height,
        num_inference_steps=job.steps,
        guidance_scale=job.guidance,
        generator=torch.Generator("cpu").manual_seed(job.seed),
    )
    return np.stack([np.asarray(frame) for frame in result.frames[0]])


@pytest.mark.parametrize(("sampler", "guidance"), [("DPM++ 2M Karras", 5.0), ("Euler a", 1.0)])
async def test_a_sequence_is_the_plain_pipelines_and_its_frames_differ(
    sampler: str, guidance: float, tiny_order: Orders, tiny_folder: Path, adapter: MotionAdapter, home: Path
):
    wanted = tiny_order(prompt=PROMPT, sampler=sampler, guidance=guidance, steps=3, motion=WAVE)
    steps = []
    engine = DiffusersEngine("cpu", 1, home / "run")
    async with engine.open():
        rendering = await engine.generate(wanted, lambda step, of: steps.append((step, of)), lambda: False)
    frames = decode_frames(rendering.data)
    assert np.array_equal(frames, drawn(tiny_folder, adapter, wanted))
    assert frames.shape == (5, 64, 64, 3)
    assert (rendering.width, rendering.height, rendering.media_type) == (64, 64, "image/png")
    assert not np.array_equal(frames[0], frames[1])
    assert rendering.engine == "pipeline"
    assert steps == [(0, 3), (1, 3), (2, 3)]


async def test_sequences_and_still_pictures_beside_each_other_change_nothing(
    tiny_order: Orders, adapter: MotionAdapter, home: Path
):
    wanted = [
        tiny_order(seed=number, steps=3, motion=Motion(model="wave", frames=2 + number, fps=4) if number % 2 else None)
        for number in range(6)
    ]
    engine = DiffusersEngine("cpu", 1, home / "run")
    async with engine.open():
        crowd = await asyncio.gather(*(made(engine, one) for one in wanted))
        again = [
            await made(engine, replace(one, buckets=rendering.buckets))
            for one, rendering in zip(wanted, crowd, strict=True)
        ]
        alone = [await made(engine, replace(one, buckets=SINGLE_PICTURE_BUCKETS)) for one in wanted]
    assert [rendering.data for rendering in again] == [rendering.data for rendering in crowd]
    assert [one.data for one in alone[1::2]] == [one.data for one in crowd[1::2]]
    [version] = {rendering.model_version for rendering in crowd[1::2]}
    assert version is not None
    assert version.split("+")[:-1] == [crowd[0].model_version]


@pytest.mark.parametrize("offload", ["model", "blocks"])
async def test_a_model_whose_parts_take_turns_makes_the_same_sequence(
    offload: Offload, tiny_order: Orders, adapter: MotionAdapter, home: Path
):
    wanted = tiny_order(steps=2, motion=WAVE)
    drawn = []
    for tuning in (DEFAULT_TUNING, Tuning(offload=offload)):
        engine = DiffusersEngine("cpu", 1, home / "run", tuning)
        async with engine.open():
            drawn.append([(await made(engine, one)).data for one in (wanted, tiny_order(steps=2), wanted)])
    assert drawn[0] == drawn[1]


def test_a_denoiser_for_sequences_holds_the_models_own_weights_wherever_they_are(
    tiny_order: Orders, adapter: MotionAdapter, tiny_folder: Path
):
    unet = StableDiffusionPipeline.from_pretrained(tiny_folder, local_files_only=True).unet
    own = {id(weight) for weight in unet.parameters()}
    seated = []
    unet.register_forward_pre_hook(lambda module, _: seated.append(module))
    unet.add_adapter(LoraConfig(r=2, target_modules=["to_q"]))
    model = build_motion_denoiser(tiny_order(motion=WAVE).motion, unet, torch.device("cpu"))
    assert own <= {id(weight) for weight in model.parameters()}
    assert not any("lora" in name for name in model.state_dict())
    model(torch.zeros(1, 4, 5, 8, 8), 1, torch.zeros(5, 8, 16))
    assert seated == [unet]
    unet.to(torch.float64)
    assert {weight.dtype for weight in model.parameters() if id(weight) in own} == {torch.float64}


@pytest.mark.parametrize(
    ("fields", "frames", "said"),
    [
        ({"block_out_channels": (16, 16)}, 4, "size mismatch"),
        ({"block_out_channels": (16, 32, 32), "motion_layers_per_block": 1}, 4, "different number of blocks"),
        ({}, 12, "keeps 8 frames together"),
    ],
)
async def test_an_adapter_that_does_not_fit_is_refused_by_name(
    fields: dict, frames: int, said: str, tiny_order: Orders, home: Path
):
    entered(home, tiny_motion(**fields))
    engine = DiffusersEngine("cpu", 1, home / "run")
    async with engine.open():
        with pytest.raises(AcpError) as refused:
            await made(engine, tiny_order(motion=Motion(model="wave", frames=frames, fps=8)))
        still = await made(engine, tiny_order())
    assert refused.value.body.path == "$.job.pixels.motion.model"
    assert "wave" in refused.value.body.message
    assert said in refused.value.body.message
    assert pixels(still).shape == (64, 64, 3)


def test_adapters_are_announced_and_the_missing_ones_say_how_to_get_them(
    load: Load, job: Callable[..., Job], home: Path
):
    offers = announce.announce(load(), announce.Versions(), announce.Speeds())
    known = {one.name: one for one in infos_of(offers, MotionInfo)}
    assert "bottega models pull animatediff_sd15" in (known["animatediff_sd15"].install or "")
    for name, hint in (("animatediff_sd15", "bottega models pull"), ("animatedif_sd15", "did you mean")):
        with pytest.raises(AcpError) as refused:
            order_of(job(motion=Motion(model=name, frames=4, fps=8)), load())
        assert refused.value.body.path == "$.job.pixels.motion.model"
        assert hint in (refused.value.body.hint or "")
    entered(home, tiny_motion(), "platform = 'stable_diffusion_xl'")
    with pytest.raises(RegistryError) as wrong:
        load()
    assert wrong.value.body.path == "motions.wave.platform"
