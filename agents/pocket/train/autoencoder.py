# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
# pyright: reportOptionalSubscript=false, reportOperatorIssue=false, reportCallIssue=false
"""The autoencoder: pictures to 16 x 16 cells of eight numbers, and back.

It sets how sharp pictures can be.
"""

from __future__ import annotations

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import nn
from torch.nn import functional as F

from agents.pocket.paths import WORK
from agents.pocket.render import render
from agents.pocket.train.data import Pictures, held_out
from agents.pocket.train.muon import Muon
from agents.pocket.train.run import Run, cool, device, save

CHANNELS = 8
STEPS = 3_100
RATE = 2.5e-3
LATENTS = WORK / "latents.pt"


def build() -> AutoencoderKL:
    """An untrained autoencoder that starts near to handing its input through."""
    model = AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 16, 32, 64),
        layers_per_block=1,
        latent_channels=CHANNELS,
        norm_num_groups=1,
        mid_block_add_attention=False,
        sample_size=128,
        scaling_factor=1.0,
    )
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith("conv2.weight"):
                p.mul_(0.05)
            elif name.endswith("conv_shortcut.weight"):
                nn.init.orthogonal_(p)
            elif "upsamplers" in name and name.endswith("weight"):
                p.mul_(0.1)
                for i in range(p.shape[0]):
                    p[i, i, 1, 1] += 1.0
            elif "downsamplers" in name and name.endswith("weight"):
                p.mul_(0.3)
                for i in range(p.shape[0]):
                    p[i, i, :2, :2] += 0.25
        assert model.quant_conv is not None
        model.quant_conv.bias[CHANNELS:] = -4.5
        model.quant_conv.weight[CHANNELS:] *= 0.1
    return model


def to_tensor(pixels: np.ndarray) -> torch.Tensor:
    """Bytes, last axis colour, to numbers from -1 to 1, channels first."""
    x = torch.from_numpy(pixels).to(device()).permute(0, 3, 1, 2).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last)


def _weights(x: torch.Tensor) -> torch.Tensor:
    """More where the picture has edges; one on average."""
    blur = F.avg_pool2d(F.pad(x, (2, 2, 2, 2), mode="replicate"), 5, 1)
    edge = F.max_pool2d((x - blur).abs().mean(1, keepdim=True), 5, 1, 2)
    w = 1 + 6 * edge
    return w / w.mean()


def loss(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """How far a picture y is from x: its values and its slopes, more where x has edges."""
    w = _weights(x)
    error = y - x
    dx = error[..., 1:] - error[..., :-1]
    dy = error[..., 1:, :] - error[..., :-1, :]
    slope = (dx.abs() * w[..., 1:]).mean() + (dy.abs() * w[..., 1:, :]).mean()
    return (error.abs() * w).mean() + 0.5 * slope + (error.square() * w).mean()


def _crops(pictures: Pictures, rng: np.random.Generator, count: int, side: int) -> np.ndarray:
    picks = rng.integers(len(pictures), size=count)
    room = 128 - side
    out = []
    for i in picks:
        y, x = np.clip(rng.normal(room / 2, room / 3.2, 2), 0, room).astype(int)
        crop = pictures.pixels[i, y : y + side, x : x + side]
        out.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
    return np.ascontiguousarray(np.stack(out))


def quality(model: AutoencoderKL, count: int = 64) -> tuple[float, float]:
    """Signal to noise in decibels over held-out pictures, and over those in line art alone."""
    scenes = held_out(count, seed=31)
    x = to_tensor(np.stack([render(s) for s in scenes]))
    with torch.no_grad():
        y = torch.cat([model.decode(model.encode(b).latent_dist.mode()).sample for b in x.split(16)])  # type: ignore[union-attr]
    error = ((x - y.clamp(-1, 1)) / 2).square().mean((1, 2, 3))
    lines = torch.tensor([s.style == 3 for s in scenes], device=error.device)
    return tuple(float(-10 * torch.log10(e.mean())) for e in (error, error[lines]))  # type: ignore[return-value]


def train(steps: int = STEPS) -> None:
    """Crops for most of the time, whole pictures at the end."""
    run = Run("autoencoder", steps)
    if run.is_done:
        return
    torch.manual_seed(4 + run.step)
    model = build().to(device(), memory_format=torch.channels_last)
    optimizer = Muon(model.named_parameters(), RATE)
    if run.state:
        model.load_state_dict(run.state["model"])
        optimizer.load_state_dict(run.state["optimizer"])
    pictures = Pictures()
    rng = np.random.default_rng([6, run.step])
    mean = 0.0

    def state() -> dict:
        return {"model": model.state_dict(), "optimizer": optimizer.state_dict()}

    def news() -> str:
        return f"loss {mean:.4f}, held-out {quality(model, 32)[0]:.2f} dB" if run.step else ""

    for progress in run.steps(state, news):
        for group in optimizer.param_groups:
            group["lr"] = RATE * cool(progress, 0.3, 0.01) * min(1.0, (run.step + 1) / 20)
        whole = progress > 0.82
        x = to_tensor(_crops(pictures, rng, 4 if whole else 10, 128 if whole else 64))
        code = model.encode(x).latent_dist  # type: ignore[union-attr]
        y = model.decode(code.sample()).sample  # type: ignore[union-attr]
        spread = 0.5 * (code.mean.square() + code.var - 1 - code.logvar).mean()
        wrong = loss(x, y) + 1e-4 * spread
        optimizer.zero_grad()
        wrong.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        mean = wrong.item() if not mean else 0.98 * mean + 0.02 * wrong.item()
    run.say("held-out {:.2f} dB, line art {:.2f} dB".format(*quality(model, 96)))


def whiten(model: AutoencoderKL, mean: torch.Tensor, spread: torch.Tensor) -> None:
    """Move mean and spread of each latent channel into the 1 x 1 convolutions: latents become unit normal."""
    first, last = model.quant_conv, model.post_quant_conv
    assert first is not None
    assert last is not None
    with torch.no_grad():
        first.weight[:CHANNELS] /= spread[:, None, None, None]
        first.bias[:CHANNELS] = (first.bias[:CHANNELS] - mean) / spread
        first.bias[CHANNELS:] -= 2 * spread.log()
        last.bias += last.weight[:, :, 0, 0] @ mean
        last.weight *= spread[None, :, None, None]


def load_trained() -> AutoencoderKL:
    """The trained autoencoder with its latents at unit spread."""
    model = build()
    state = torch.load(LATENTS, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    return model.to(device()).eval().requires_grad_(False)


@torch.no_grad()
def _encode(model: AutoencoderKL, pictures: np.ndarray) -> torch.Tensor:
    """Latents of many pictures, on the CPU."""
    parts = []
    for start in range(0, len(pictures), 50):
        parts.append(model.encode(to_tensor(pictures[start : start + 50])).latent_dist.mode().cpu())  # type: ignore[union-attr]
        if start % 2000 == 0:
            print(f"encode: {start} of {len(pictures)}", flush=True)
    return torch.cat(parts)


def encode() -> None:
    """Turn the rendered pictures into latents; the first time, settle the latents' scale."""
    pictures = Pictures()
    if LATENTS.exists():
        known = torch.load(LATENTS, weights_only=True)["latents"]
        if len(known) < len(pictures):
            state = torch.load(LATENTS, weights_only=True)
            more = _encode(load_trained(), pictures.pixels[len(known) :]).half()
            save(LATENTS, {**state, "latents": torch.cat([known, more])})
        return
    run = Run("autoencoder")
    assert run.state is not None, "train the autoencoder first"
    model = build().to(device(), memory_format=torch.channels_last)
    model.load_state_dict(run.state["model"])
    latents = _encode(model, pictures.pixels)
    mean, spread = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    whiten(model, mean.to(device()), spread.to(device()))
    latents = ((latents - mean[:, None, None]) / spread[:, None, None]).half()
    print(f"encode: spread {spread.tolist()}", flush=True)
    save(LATENTS, {"model": model.state_dict(), "latents": latents})
