# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""Pictures from pictures: a whole one drawn anew, or a part of it.

diffusers' own inpainting takes models of four latent channels only; here what is kept is put back after each step
(Lugmayr et al., RePaint, 2022) and its pixels at the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from PIL import Image

from agents.shared.edges import Mask, dilate

CELL = 8
"""Pixels of a latent's cell, across."""


def redraw(
    pipe: StableDiffusionPipeline,
    picture: Image.Image,
    text: str,
    *,
    strength: float,
    steps: int,
    guidance: float,
    seed: int = 0,
) -> Image.Image:
    """The picture drawn anew by a sentence; it keeps the more of its shapes, the lower the strength (0 to 1)."""
    painter = StableDiffusionImg2ImgPipeline(**pipe.components, requires_safety_checker=False)
    painter.set_progress_bar_config(disable=True)
    made: Any = painter(
        text,
        image=picture,
        strength=strength,
        num_inference_steps=steps,
        guidance_scale=guidance,
        generator=torch.Generator().manual_seed(seed),
    )
    return made.images[0]


def inpaint(
    pipe: StableDiffusionPipeline,
    picture: Image.Image,
    change: Mask,
    text: str,
    *,
    steps: int,
    guidance: float,
    seed: int = 0,
) -> Image.Image:
    """The picture with the part to `change`, a mask of (height, width), drawn by a sentence that describes the whole.

    Every pixel outside the mask stays what it was.
    """
    dice = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        pixels = pipe.image_processor.preprocess(picture).to(pipe.device)
        kept = pipe.vae.encode(pixels).latent_dist.mode() * pipe.vae.config.scaling_factor
    noise = torch.randn(kept.shape, generator=dice).to(pipe.device)
    height, width = change.shape
    cells = dilate(change, 1).reshape(height // CELL, CELL, width // CELL, CELL).any((1, 3))
    free = torch.from_numpy(cells).to(pipe.device)

    def put_back(run: Any, step: int, time: torch.Tensor, now: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        sigma = run.scheduler.sigmas[step + 1]
        known = (kept + sigma * noise) / (1 + sigma**2) ** 0.5
        return {"latents": torch.where(free, now["latents"], known)}

    made: Any = pipe(
        text,
        height=height,
        width=width,
        num_inference_steps=steps,
        guidance_scale=guidance,
        generator=dice,
        callback_on_step_end=put_back,
    )
    return Image.fromarray(np.where(change[..., None], np.asarray(made.images[0]), np.asarray(picture)))
