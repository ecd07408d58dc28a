# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false
"""A tiny random Stable Diffusion made of the real classes, saved as a person's model; jobs for it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from agents.generator.orders.order import Order, order_of
from agents.generator.registry import registry
from bus.agent import Outbound
from protocol.drafts import DraftedPrompts, DraftPrompts
from protocol.flat_jobs import FlatJob
from protocol.messages import Control, Job, Presence, Progress, Prompt, Role
from protocol.results import GenerationStatus
from protocol.reuse import FindStored, StoredPictures
from protocol.spending import IntentReply, SpendingCall

TINY = {
    "platform": "stable_diffusion_1_5",
    "source": "random weights",
    "steps": 4,
    "native_sizes": [[64, 64]],
    "max_pixels": 16384,
}


def tiny_unet(text: int = 16) -> UNet2DConditionModel:
    """A denoiser; `text` is the width of what it reads."""
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        layers_per_block=1,
        block_out_channels=(16, 32),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=text,
        attention_head_dim=4,
        norm_num_groups=4,
    )


def tiny_pipeline() -> StableDiffusionPipeline:
    torch.manual_seed(0)
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    text = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=32,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return StableDiffusionPipeline(
        vae=AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(8, 8, 8, 8),
            norm_num_groups=4,
            latent_channels=4,
        ),
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer(
            vocab={word: number for number, word in enumerate(words)}, merges=[], model_max_length=32
        ),
        unet=tiny_unet(),
        scheduler=DDIMScheduler(
            beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False, steps_offset=1
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Sums come out differently over another number of threads, so references use as many as the engines here."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The diffusers folder of the tiny model."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_pipeline().save_pretrained(folder)
    return folder


@pytest.fixture
def home(tmp_path: Path, tiny_folder: Path) -> Path:
    """A home folder whose models.toml names the tiny model and a LoRA."""
    (tmp_path / "loras").mkdir()
    entries = "\n".join(f"{key} = {value!r}" for key, value in TINY.items())
    (tmp_path / "models.toml").write_text(
        f"[models.tiny]\n{entries}\npath = '{tiny_folder}'\n"
        f"[loras.glow]\nplatform = 'stable_diffusion_1_5'\n[loras.other]\nplatform = 'stable_diffusion_1_5'\n"
    )
    return tmp_path


@pytest.fixture
def load(home: Path) -> Callable[[], registry.Registry]:
    """Reads the home's registry as it is now."""
    return lambda: registry.load(home / "models", home / "loras", home / "models.toml")


@pytest.fixture
def job() -> Callable[..., Job]:
    """Makes a job for the tiny model; fields by keyword."""

    def make(**fields: Any) -> Job:
        defaults = {
            "hash": "gen_batch_1",
            "client_id": "local",
            "index": 0,
            "attempt": 1,
            "image_id": "gen_batch_1_000000",
            "prompt": Prompt(text="a red mug"),
            "seed": 7,
            "width": 64,
            "height": 64,
            "steps": 4,
            "guidance": 5.0,
            "sampler": "DPM++ 2M Karras",
            "platform": "stable_diffusion_1_5",
            "model": "tiny",
        }
        return FlatJob(**(defaults | fields)).current

    return make


@pytest.fixture
def tiny_order(job: Callable[..., Job], load: Callable[[], registry.Registry]) -> Callable[..., Order]:
    """Makes an order for the tiny model; the job's fields by keyword."""
    return lambda **fields: order_of(job(**fields), load())


@pytest.fixture
def broken_order(tiny_order: Callable[..., Order]) -> Callable[[Path], Order]:
    """An order whose model lies in another folder."""
    return lambda folder: replace(tiny_order(), folder=folder)


class Listener:
    """An outlet that remembers the progress it was given; a generator says nothing else outside a delivery."""

    def __init__(self) -> None:
        self.said: list[Progress] = []
        self.spoken = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def publish_progress(self, progress: Progress) -> None:
        self.said.append(progress)
        self._loop.call_soon_threadsafe(self.spoken.set)

    async def publish(self, *messages: Outbound, resend: int = 0) -> None:
        raise AssertionError("a generator publishes nothing by itself")

    async def publish_status(self, status: GenerationStatus, client_id: str) -> None:
        raise AssertionError("a generator publishes no status")

    async def publish_control(self, role: Role, message: Control) -> None:
        raise AssertionError("a generator controls nobody")

    async def purge_batch(self, batch: str) -> None:
        raise AssertionError("a generator purges nothing")

    async def purge_generation(self, batch: str) -> None:
        raise AssertionError("a generator purges nothing")

    async def ask_about_paid_call(self, call: SpendingCall) -> IntentReply:
        raise AssertionError("a local generator makes no paid calls")

    async def find_stored(self, question: FindStored) -> StoredPictures:
        raise AssertionError("a generator asks for no stored pictures")

    async def draft_prompts(self, wanted: DraftPrompts) -> DraftedPrompts:
        raise AssertionError("a generator drafts no prompts")

    async def presences(self) -> Sequence[Presence]:
        return ()


@pytest.fixture
async def listener() -> Listener:
    return Listener()
