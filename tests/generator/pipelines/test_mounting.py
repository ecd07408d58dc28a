# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false
"""What is mounted on a model that is in memory, where mounting fails: at each stage, and half-way by a file. The
picture after it is the picture before it, bit for bit."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import ControlNetModel, StableDiffusionPipeline
from safetensors.torch import load_file, save_file

from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.images.placement import StartImage
from agents.generator.orders.ip_adapter_choice import IpAdapter
from agents.generator.orders.order import ControlModel, LoraAdapter, MotionModel, Order, TextualInversion
from agents.generator.pipelines.loras import LoraAdapters, check_active_loras
from agents.generator.pipelines.mounting import MountGuard
from bus.failpoint import arm_failpoints
from protocol.animation import Motion
from protocol.errors import AcpError
from protocol.messages import Prompt
from protocol.sources import ControlImage, ImagePrompt
from tests.generator import tiny_ip_adapter
from tests.generator.conftest import tiny_unet
from tests.generator.engines.test_diffusers_engine import made
from tests.generator.pipelines.test_loras import ATTENTION, save, tensors
from tests.generator.pipelines.test_motion_adapter import tiny_motion
from tests.generator.step_engine.test_led import noise

Orders = Callable[..., Order]
STRANGER = "text_encoder.text_model.encoder.layers.99.self_attn.q_proj.lora_"
STAGES = {
    "mount.model_tuned": "none",
    "mount.lora_loaded": "lora",
    "mount.lora_switched": "lora",
    "mount.word_loaded": "word",
    "mount.variant_built": "control",
    "mount.control_loaded": "control",
    "mount.motion_loaded": "motion",
    "mount.ip_adapter_read": "ip_adapter",
    "mount.ip_adapter_built": "ip_adapter",
    "mount.ip_adapter_switched": "ip_adapter",
}
"""Failpoint -> what is mounted there."""


@pytest.fixture
async def engine(home: Path) -> AsyncIterator[DiffusersEngine]:
    engine = DiffusersEngine("cpu", 1, home / "run")
    async with engine.open():
        yield engine


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Something of each kind for the tiny model."""
    folder = tmp_path_factory.mktemp("shelf")
    save(folder, "glow", tensors(ATTENTION))
    half = load_file(folder / "glow.safetensors")
    half |= {f"{STRANGER}A.weight": torch.zeros(4, 16), f"{STRANGER}B.weight": torch.zeros(16, 4)}
    save_file(half, folder / "half.safetensors")
    save_file({"<lime>": torch.randn(2, 16, generator=torch.Generator().manual_seed(3))}, folder / "lime.safetensors")
    unet = tiny_unet()
    net = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(4, 4, 8, 8))
    for parameter in net.parameters():
        # Fresh ones end in zeros and lead nothing.
        torch.nn.init.normal_(parameter, std=0.2)
    net.save_pretrained(folder / "edges")
    tiny_motion().save_pretrained(folder / "wave")
    tiny_ip_adapter.install(folder / "looks", unet)
    return folder


@pytest.fixture
def mounting(tiny_order: Orders, shelf: Path) -> Callable[[str], Order]:
    """An order for which something of a kind is mounted."""

    def make(kind: str) -> Order:
        plain = tiny_order(steps=2, prompt=Prompt(text="a <lime> mug" if kind == "word" else "a red mug"))
        looks = shelf / "looks"
        match kind:
            case "lora":
                return replace(plain, loras=(LoraAdapter("glow", shelf / "glow.safetensors", 0.7),))
            case "half":
                return replace(plain, loras=(LoraAdapter("half", shelf / "half.safetensors", 0.7),))
            case "word":
                return replace(
                    plain, textual_inversions=(TextualInversion("lime", "<lime>", shelf / "lime.safetensors"),)
                )
            case "control":
                said = ControlImage(model="edges", kind="canny", blob="0" * 64)
                return replace(plain, controls=(ControlModel(said, shelf / "edges"),), maps=(noise(1),))
            case "motion":
                said = Motion(model="wave", frames=3, fps=4)
                moving = replace(plain, motion=MotionModel(said, shelf / "wave", "linear"))
                return replace(moving, job=moving.job.with_pixels(motion=said))
            case "ip_adapter":
                prompt = ImagePrompt(blob="1" * 64, role="style", adapter="looks", weight=0.6)
                file, encoder = looks / "ip_adapter.safetensors", looks / "image_encoder"
                return replace(
                    plain,
                    job=plain.job.with_pixels(image_prompts=[prompt]),
                    ip_adapters=(IpAdapter("looks", looks, file, encoder, "", 0.6, (0,)),),
                    references=(noise(1),),
                )
            case _:
                return plain

    return make


@pytest.mark.parametrize("stage", STAGES)
async def test_a_picture_after_a_mount_that_failed_is_the_one_before_it(
    stage: str, engine: DiffusersEngine, mounting: Callable[[str], Order]
) -> None:
    plain, wanted = mounting("none"), mounting(STAGES[stage])
    before = None if STAGES[stage] == "none" else await made(engine, plain)
    with arm_failpoints(f"{stage}=fail"), pytest.raises(AcpError) as refused:
        await made(engine, wanted)
    after = await made(engine, plain)
    mounted = await made(engine, wanted)

    assert refused.value.code == "not_installed"
    assert refused.value.body.hint
    assert before is None or after.data == before.data
    assert (mounted.data == after.data) == (STAGES[stage] == "none")


async def test_a_lora_that_fails_half_way_is_refused_and_leaves_no_trace(
    engine: DiffusersEngine, mounting: Callable[[str], Order]
) -> None:
    before, glowing = await made(engine, mounting("none")), await made(engine, mounting("lora"))
    with pytest.raises(AcpError) as refused:
        await made(engine, mounting("half"))

    assert refused.value.code == "not_installed"
    assert "half.safetensors" in refused.value.body.message
    assert (await made(engine, mounting("none"))).data == before.data
    assert (await made(engine, mounting("lora"))).data == glowing.data


async def test_pictures_in_progress_on_a_model_that_a_mount_broke_are_begun_again(
    engine: DiffusersEngine, mounting: Callable[[str], Order], tiny_order: Orders
) -> None:
    long = [tiny_order(steps=steps, seed=steps) for steps in (6, 8)]
    before = [await made(engine, order) for order in long]
    with arm_failpoints("mount.lora_switched=fail"):
        *others, refused = await asyncio.gather(
            *(made(engine, order) for order in (*long, mounting("lora"))), return_exceptions=True
        )

    assert isinstance(refused, AcpError)
    assert [other.data for other in others] == [one.data for one in before]


async def test_a_word_whose_file_was_replaced_is_drawn_by_the_new_one(
    engine: DiffusersEngine, mounting: Callable[[str], Order], tmp_path: Path
) -> None:
    file = tmp_path / "lime.safetensors"
    wanted = replace(mounting("word"), textual_inversions=(TextualInversion("lime", "<lime>", file),))
    drawn: list[bytes] = []
    for seed in (3, 4, 3):
        vectors = torch.randn(1, 16, generator=torch.Generator().manual_seed(seed))
        save_file({"<lime>": vectors}, tmp_path / "new.safetensors")
        (tmp_path / "new.safetensors").replace(file)
        drawn.append((await made(engine, wanted)).data)

    assert drawn[0] == drawn[2] != drawn[1]


async def test_a_model_whose_files_were_replaced_is_read_again(
    engine: DiffusersEngine, tiny_order: Orders, tmp_path: Path, tiny_folder: Path
) -> None:
    plain = StableDiffusionPipeline.from_pretrained(tiny_folder, local_files_only=True)
    plain.save_pretrained(tmp_path / "mine")
    order = replace(tiny_order(), folder=tmp_path / "mine")
    before = await made(engine, order)
    plain.unet.conv_out.weight.data *= 2
    plain.unet.save_pretrained(tmp_path / "mine" / "unet")
    after = await made(engine, order)

    assert after.data != before.data
    assert after.model_version != before.model_version


async def test_a_picture_from_another_one_is_refused_in_words_where_its_pipeline_cannot_be_built(
    engine: DiffusersEngine, mounting: Callable[[str], Order]
) -> None:
    wanted = replace(mounting("none"), start_image=StartImage(noise(1), 0.5))
    with arm_failpoints("mount.variant_built=fail"), pytest.raises(AcpError) as refused:
        await made(engine, wanted)

    assert refused.value.code == "not_supported"
    assert (await made(engine, wanted)).data


def test_what_acts_in_a_model_is_compared_with_what_was_asked_for(tiny_folder: Path, shelf: Path) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_folder, local_files_only=True)
    glow = LoraAdapter("glow", shelf / "glow.safetensors", 0.7)
    LoraAdapters(pipeline, MountGuard(pipeline)).activate([glow])
    count = sum("lora_" in name for name, _ in pipeline.unet.named_parameters())

    check_active_loras(pipeline, {"lora_0": (count, 0.7)}, {"lora_0"})
    for wanted, hot, reason in (
        ({"lora_0": (count, 0.5)}, {"lora_0"}, "another weight"),
        ({"lora_0": (count + 2, 0.7)}, {"lora_0"}, f"{count} of its {count + 2}"),
        ({}, {"lora_0"}, "other adapters"),
        ({}, set[str](), "nobody asked for: lora_0"),
    ):
        with pytest.raises(ValueError, match=reason):
            check_active_loras(pipeline, wanted, hot)
    pipeline.disable_lora()
    check_active_loras(pipeline, {}, {"lora_0"})
