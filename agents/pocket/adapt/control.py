# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""A ControlNet (Zhang et al., 2023) for Canny edges: pictures that follow an outline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import ControlNetModel, StableDiffusionPipeline
from PIL import Image
from torch import nn

from agents.pocket.adapt.lesson import Residuals, encode, error, read, teach
from agents.pocket.captions import describe
from agents.pocket.paths import ADAPTERS
from agents.pocket.render import render, sample
from agents.pocket.train.run import device
from agents.shared.edges import Mask, canny

FOLDER = ADAPTERS / "canny"
PICTURES = 3_000
STEPS = 1_600
RATE = 2e-3
BATCH = 12


def outline(edges: Mask) -> Image.Image:
    """Edges as the picture that the ControlNet takes: white lines on black."""
    return Image.fromarray(np.repeat(edges[..., None] * np.uint8(255), 3, 2))


def build(pipe: StableDiffusionPipeline) -> ControlNetModel:
    """An untrained ControlNet: the UNet's first half without its attention, and what reads the outline."""
    config = pipe.unet.config
    net = ControlNetModel(
        in_channels=config.in_channels,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        mid_block_type="UNetMidBlock2D",
        block_out_channels=config.block_out_channels,
        layers_per_block=config.layers_per_block,
        cross_attention_dim=config.cross_attention_dim,
        attention_head_dim=config.attention_head_dim,
        norm_num_groups=config.norm_num_groups,
        conditioning_embedding_out_channels=(8, 16, 32, 64),
    )
    own = net.state_dict()
    net.load_state_dict(
        {key: p for key, p in pipe.unet.state_dict().items() if key in own and p.shape == own[key].shape}, strict=False
    )
    # Zero by default, as are the layers behind it: two zeros in a row learn slowly.
    nn.init.xavier_normal_(net.controlnet_cond_embedding.conv_out.weight)
    return net.to(device())


def train(pipe: StableDiffusionPipeline) -> Path:
    """Learn and write the ControlNet."""
    rng = np.random.default_rng(46)
    scenes = [sample(rng, plain=False) for _ in range(PICTURES)]
    pictures = [render(scene) for scene in scenes]
    edges = torch.from_numpy(np.stack([canny(picture) for picture in pictures]))[:, None]
    latents = encode(pipe, pictures)
    torch.manual_seed(47)
    net = build(pipe)

    def lesson(rng: np.random.Generator) -> torch.Tensor:
        picks = rng.integers(PICTURES, size=BATCH)
        words = read(pipe, [describe(scenes[i], rng, drop=0.3).text if rng.random() > 0.2 else "" for i in picks])
        lines = edges[picks].to(device()).float().expand(-1, 3, -1, -1)

        def hints(noisy: torch.Tensor, times: torch.Tensor) -> Residuals:
            down, middle = net(noisy, times, words, lines, return_dict=False)
            return {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}

        return error(pipe, latents[picks], words, hints)

    teach("canny", STEPS, RATE, net, lesson)
    net.half().save_pretrained(FOLDER)
    return FOLDER
