# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
# pyright: reportCallIssue=false
"""What every adapter's training shares: the finished model, kept as it is, and its error at removing noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from torch import nn

from agents.pocket import evaluate
from agents.pocket.paths import MODEL
from agents.pocket.train.autoencoder import to_tensor
from agents.pocket.train.muon import Muon
from agents.pocket.train.run import Run, cool, device, half

Residuals = Mapping[str, object]


def load(folder: Path = MODEL) -> StableDiffusionPipeline:
    """The model that people use, with nothing in it to be learned."""
    pipe = evaluate.load(folder).to(device())
    for part in (pipe.unet, pipe.vae, pipe.text_encoder):
        part.eval().requires_grad_(False)
    pipe.unet.to(memory_format=torch.channels_last)
    return pipe


@torch.no_grad()
def encode(pipe: StableDiffusionPipeline, pictures: Sequence[np.ndarray]) -> torch.Tensor:
    """Pictures of (128, 128, 3) bytes as latents of (n, 8, 16, 16)."""
    codes = [pipe.vae.encode(x).latent_dist.mode() for x in to_tensor(np.stack(pictures)).split(25)]
    return torch.cat(codes).contiguous(memory_format=torch.channels_last) * pipe.vae.config.scaling_factor


def tokens(pipe: StableDiffusionPipeline, texts: Sequence[str]) -> torch.Tensor:
    """Sentences as token numbers of (n, 64)."""
    written = pipe.tokenizer(list(texts), padding="max_length", truncation=True, return_tensors="pt")
    return written.input_ids.to(device())


@torch.no_grad()
def read(pipe: StableDiffusionPipeline, texts: Sequence[str]) -> torch.Tensor:
    """Sentences as the UNet reads them, (n, 64, 160)."""
    return pipe.text_encoder(tokens(pipe, texts)).last_hidden_state


def _nothing(noisy: torch.Tensor, times: torch.Tensor) -> Residuals:
    return {}


def error(
    pipe: StableDiffusionPipeline,
    latents: torch.Tensor,
    words: torch.Tensor,
    hints: Callable[[torch.Tensor, torch.Tensor], Residuals] = _nothing,
) -> torch.Tensor:
    """The mean squared error of the predicted velocity (Salimans and Ho, 2022) at times spread over the batch.

    `hints` gives the UNet more to go by, from the noisy latents and their times.
    """
    count = len(latents)
    times = ((torch.randperm(count) + torch.rand(count)) / count * 1000).long().to(latents.device)
    alphas = pipe.scheduler.alphas_cumprod.to(latents.device)[times][:, None, None, None]
    noise = torch.randn_like(latents)
    noisy = alphas.sqrt() * latents + (1 - alphas).sqrt() * noise
    with half():
        guess = pipe.unet(noisy, times, encoder_hidden_states=words, **hints(noisy, times)).sample
    return (guess.float() - alphas.sqrt() * noise + (1 - alphas).sqrt() * latents).square().mean()


def teach(
    name: str, steps: int, rate: float, learner: nn.Module, lesson: Callable[[np.random.Generator], torch.Tensor]
) -> None:
    """Take the steps that are left, each down the slope of one `lesson`: resumable, with progress and time left."""
    run = Run(f"adapt-{name}", steps)
    torch.manual_seed(41 + run.step)
    rng = np.random.default_rng([42, run.step])
    mine = {key: p for key, p in learner.named_parameters() if p.requires_grad}
    optimizer = Muon(mine.items(), rate, tables=("vectors",))
    if run.state:
        learner.load_state_dict(run.state["learned"], strict=False)
        optimizer.load_state_dict(run.state["optimizer"])
    losses: list[float] = []

    def state() -> dict:
        return {"learned": {key: p.detach() for key, p in mine.items()}, "optimizer": optimizer.state_dict()}

    for progress in run.steps(state, lambda: f"loss {np.mean(losses[-50:]):.4f}"):
        for group in optimizer.param_groups:
            group["lr"] = rate * cool(progress, 0.4, 0.02) * min(1.0, (run.step + 1) / 20)
        loss = lesson(rng)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(mine.values(), 1.0)
        optimizer.step()
        losses.append(loss.item())
