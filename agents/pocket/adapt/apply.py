# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""The adapters at work: pictures for sentences, with one of them loaded as anyone would load it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline, StableDiffusionPipeline
from PIL import Image

from agents.pocket import evaluate
from agents.pocket.adapt import concept, control, look
from agents.pocket.paths import ADAPTERS, DEFAULTS
from agents.shared.edges import Mask, dilate, hysteresis

_FOUND = json.loads(DEFAULTS.read_text())
HOW = {"steps": int(_FOUND["steps"]), "guidance": float(_FOUND["guidance"])}
"""How the model is best asked."""


@contextmanager
def with_lora(pipe: StableDiffusionPipeline, name: str, folder: Path = ADAPTERS) -> Iterator[StableDiffusionPipeline]:
    """The pipeline with a LoRA, which is gone afterwards."""
    pipe.load_lora_weights(folder, weight_name=f"{name}.safetensors", adapter_name=name)
    try:
        yield pipe
    finally:
        pipe.unload_lora_weights()


@contextmanager
def with_word(pipe: StableDiffusionPipeline, folder: Path = ADAPTERS) -> Iterator[StableDiffusionPipeline]:
    """The pipeline with the learned word, which is gone afterwards."""
    pipe.load_textual_inversion(folder, weight_name=f"{concept.NAME}.safetensors")
    try:
        yield pipe
    finally:
        pipe.unload_textual_inversion()


def after(
    pipe: StableDiffusionPipeline, texts: Sequence[str], like: Sequence[Image.Image], weight: float = 0.6, seed: int = 0
) -> list[Image.Image]:
    """One picture for each sentence, after the look of another one; one by one, since in a batch of diffusers each
    follows all that the batch is given."""
    pipe.load_ip_adapter(ADAPTERS, subfolder="", weight_name=look.FILE.name, image_encoder_folder=None)
    pipe.set_ip_adapter_scale(weight)
    seen = look.embed_pictures([np.asarray(picture) for picture in like]).to(pipe.device)[:, None, None]
    out: list[Image.Image] = []
    try:
        for number, (text, found) in enumerate(zip(texts, seen, strict=True)):
            made: Any = pipe(
                text,
                ip_adapter_image_embeds=[torch.cat([torch.zeros_like(found), found])],
                num_inference_steps=HOW["steps"],
                guidance_scale=HOW["guidance"],
                generator=torch.Generator().manual_seed(seed + number),
            )
            out += made.images
    finally:
        pipe.unload_ip_adapter()
    return out


def load_control(folder: Path = control.FOLDER) -> ControlNetModel:
    """The ControlNet at full precision."""
    return ControlNetModel.from_pretrained(folder, dtype=torch.float32).eval()


def follow(
    pipe: StableDiffusionPipeline, net: ControlNetModel, texts: Sequence[str], edges: Sequence[Mask], seed: int = 0
) -> list[Image.Image]:
    """One picture for each sentence along an outline."""
    painter = StableDiffusionControlNetPipeline(**pipe.components, controlnet=net, requires_safety_checker=False)
    painter.set_progress_bar_config(disable=True)
    out: list[Image.Image] = []
    for start in range(0, len(texts), evaluate.BATCH):
        part = slice(start, start + evaluate.BATCH)
        lines = [control.outline(mask) for mask in edges[part]]
        dice = [torch.Generator().manual_seed(seed + start + i) for i in range(len(lines))]
        made: Any = painter(
            list(texts[part]),
            image=lines,
            num_inference_steps=HOW["steps"],
            guidance_scale=HOW["guidance"],
            generator=dice,
        )
        out += made.images
    return out


def draw(pipe: StableDiffusionPipeline, texts: Sequence[str], seed: int = 0) -> list[Image.Image]:
    """One picture for each sentence, asked as is best."""
    return evaluate.draw(pipe, texts, **HOW, seed=seed)


def silhouette(picture: Image.Image) -> Mask:
    """The thing in front of a plain ground: where a picture differs from the colours of its upper and lower border by
    a third of what the thing does."""
    pixels = np.asarray(picture).astype(np.float32)
    ground = np.linspace(pixels[:4].mean((0, 1)), pixels[-4:].mean((0, 1)), len(pixels))[:, None]
    differs = np.linalg.norm(pixels - ground, axis=-1)
    thing = np.quantile(differs, 0.95)
    return hysteresis(differs > thing * 0.8, differs > thing / 3)


def surroundings(picture: Image.Image) -> Mask:
    """All but the thing in front, and its rim, in which both colours mix."""
    return dilate(~silhouette(picture), 2)
