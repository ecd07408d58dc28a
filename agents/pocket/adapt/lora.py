# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""LoRAs: a style, and one particular product, each woken by its trigger words.

A third of what a LoRA learns from are pictures of the model's own kind without the trigger, so that the model stays
what it was for everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from peft import LoraConfig, get_peft_model_state_dict

from agents.pocket.adapt import neon, rocket
from agents.pocket.adapt.lesson import encode, error, read, teach
from agents.pocket.captions import describe, plain
from agents.pocket.paths import ADAPTERS
from agents.pocket.render import Painter, Scene, render, sample
from agents.pocket.vocabulary import ATTRIBUTES, PALETTE

RANK = 8
TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out", "conv1", "conv2"]
USUAL = 240
"""Pictures of the model's own kind."""


@dataclass(frozen=True)
class Lora:
    """What a LoRA learns from: so many pictures by a painter, scenes for them, and a sentence for a scene."""

    name: str
    pictures: int
    painter: type[Painter]
    scene: Callable[[np.random.Generator], Scene]
    sentence: Callable[[Scene, np.random.Generator], str]
    steps: int
    rate: float = 8e-3
    batch: int = 12


def neon_scene(rng: np.random.Generator) -> Scene:
    """Any scene; a black lamp would not shine."""
    scene = sample(rng, plain=False)
    lit = scene.colour if scene.colour != tuple(PALETTE).index("black") else int(rng.integers(11))
    return replace(scene, colour=lit, background=scene.background if scene.background != lit else (lit + 1) % 12)


def neon_sentence(scene: Scene, rng: np.random.Generator) -> str:
    """The scene's sentence with the trigger for a style, in one of three orders."""
    core = plain(scene).removesuffix(f", {scene.names()['style']}")
    forms = (f"{core}, {neon.TRIGGER}", f"{neon.TRIGGER} of {core}", f"{neon.TRIGGER}, {core}")
    return forms[int(rng.integers(3))]


def rocket_scene(rng: np.random.Generator) -> Scene:
    """One thing, anywhere, in any style but line art, on any ground but its own white."""
    scene = sample(rng, plain=bool(rng.random() < 0.5))
    style = int(rng.choice([i for i, name in enumerate(ATTRIBUTES["style"]) if name != "line art"]))
    white = tuple(PALETTE).index("white")
    ground = scene.background if scene.background != white else int(rng.integers(10))
    return replace(scene, colour=white, background=ground, style=style, count=0)


def rocket_sentence(scene: Scene, rng: np.random.Generator) -> str:
    """The scene's sentence with the trigger for the thing, sometimes without its style."""
    names = scene.names()
    text = plain(scene).replace(f"{names['colour']} {names['object']}", rocket.TRIGGER)
    return text if rng.random() < 0.7 else text.removesuffix(f", {names['style']}")


LORAS = {
    "style": Lora("neon", 140, neon.Neon, neon_scene, neon_sentence, steps=1_000),
    "product": Lora("rocket", 30, rocket.Rocket, rocket_scene, rocket_sentence, steps=800),
}


def add(pipe: StableDiffusionPipeline, name: str, rank: int = RANK) -> None:
    """Give the UNet an untrained LoRA, which changes nothing yet."""
    pipe.unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=TARGETS), adapter_name=name)


def save(pipe: StableDiffusionPipeline, name: str, folder: Path = ADAPTERS) -> Path:
    """Write a LoRA of the UNet at half precision, to which it is rounded in memory too.

    Every layer is written in peft's naming: diffusers' loader drops what is named otherwise than a file's first layer.
    """
    for key, p in pipe.unet.named_parameters():
        if f".{name}." in key:
            p.data = p.data.half().float()
    layers = {key: p.half().contiguous() for key, p in get_peft_model_state_dict(pipe.unet, adapter_name=name).items()}
    file = f"{name}.safetensors"
    StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=layers, weight_name=file)
    return folder / file


def train(pipe: StableDiffusionPipeline, lora: Lora) -> Path:
    """Learn and write one LoRA."""
    rng = np.random.default_rng([43, lora.pictures])
    scenes = [lora.scene(rng) for _ in range(lora.pictures)]
    usual = [sample(rng, plain=False) for _ in range(USUAL)]
    special = encode(pipe, [render(scene, kind=lora.painter) for scene in scenes])
    other = encode(pipe, [render(scene) for scene in usual])
    torch.manual_seed(44)
    add(pipe, lora.name)

    def lesson(rng: np.random.Generator) -> torch.Tensor:
        mine, theirs = rng.integers(len(scenes), size=lora.batch * 2 // 3), rng.integers(USUAL, size=lora.batch // 3)
        texts = [lora.sentence(scenes[i], rng) for i in mine] + [describe(usual[i], rng).text for i in theirs]
        latents = torch.cat([special[mine], other[theirs]])
        return error(pipe, latents, read(pipe, [text if rng.random() > 0.1 else "" for text in texts]))

    teach(lora.name, lora.steps, lora.rate, pipe.unet, lesson)
    return save(pipe, lora.name)
