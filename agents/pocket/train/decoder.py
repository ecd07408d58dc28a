# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportOptionalSubscript=false
# pyright: reportOperatorIssue=false, reportCallIssue=false
"""The decoder learns on, from latents as the picture model makes them: a little wrong, and meant to look right.

The encoder stays what it was, so the picture model keeps its latents. The decoder gets one more layer in
each block and attention in the middle; both begin as nothing and leave what was learned as it is.
"""

from __future__ import annotations

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import nn

from agents.pocket.captions import describe
from agents.pocket.render import render
from agents.pocket.train import autoencoder, text, unet
from agents.pocket.train.autoencoder import loss, to_tensor
from agents.pocket.train.data import Pictures, held_out, scene
from agents.pocket.train.muon import Muon
from agents.pocket.train.run import Run, cool, device, half

STEPS = 6_000
BATCH = 6
RATE = 1e-3
KEEP = 0.998
# How far the latents are noised before the picture model denoises them again, of 1,000.
DEPTH = (20, 420)


def deepen(shallow: AutoencoderKL) -> AutoencoderKL:
    """The same function with more to learn with: new layers add nothing yet."""
    deep = AutoencoderKL.from_config(shallow.config, layers_per_block=2, mid_block_add_attention=True)
    known = shallow.state_dict()
    with torch.no_grad():
        for name, p in deep.named_parameters():
            if name in known:
                p.copy_(known[name])
            elif ".conv2." in name or ".to_out." in name:
                p.zero_()
    return deep


def build() -> AutoencoderKL:
    """The autoencoder with its deeper decoder, untaught."""
    return deepen(autoencoder.load_trained().cpu())


@torch.no_grad()
def relive(model, alphas: torch.Tensor, x: torch.Tensor, cond: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Latents noised to a time within DEPTH and denoised by the picture model in two steps (DDIM, deterministic)."""
    first = torch.from_numpy(rng.integers(*DEPTH, size=len(x))).to(x.device)
    z, noise = x, torch.randn_like(x)
    for t in (first, first // 2):
        a = alphas[t].sqrt()[:, None, None, None]
        s = (1 - alphas[t]).sqrt()[:, None, None, None]
        z = a * z + s * noise
        with half():
            v = model(z, t, encoder_hidden_states=cond).sample.float()
        z, noise = a * z - s * v, a * v + s * z
    return z


def quality(model: AutoencoderKL, count: int = 64) -> float:
    """Signal to noise in decibels of held-out pictures of every kind, through both halves."""
    x = to_tensor(np.stack([render(s) for s in held_out(count, seed=32, plain=False)]))
    with torch.no_grad():
        y = torch.cat([model.decode(model.encode(b).latent_dist.mode()).sample for b in x.split(16)])  # type: ignore[union-attr]
    return float(-10 * torch.log10(((x - y.clamp(-1, 1)) / 2).square().mean()))


def train(steps: int = STEPS) -> None:
    """A third of each batch is decoded as encoded, the rest after the picture model had its hands on it."""
    run = Run("decoder", steps)
    if run.is_done:
        return
    torch.manual_seed(21 + run.step)
    model = build()
    mean_model = build().eval().requires_grad_(False)
    if run.state:
        model.load_state_dict(run.state["model"])
        mean_model.load_state_dict(run.state["mean"])
    for m in (model, mean_model):
        m.to(device(), memory_format=torch.channels_last)
    model.encoder.requires_grad_(False)
    model.quant_conv.requires_grad_(False)
    optimizer = Muon(model.named_parameters(), RATE)
    if run.state:
        optimizer.load_state_dict(run.state["optimizer"])
    pictures = Pictures()
    latents = torch.load(autoencoder.LATENTS, map_location="cpu", weights_only=True)["latents"]
    tokenizer, reader = text.load_frozen()
    painter = unet.load_trained().to(device(), memory_format=torch.channels_last)
    alphas = unet.scheduler().alphas_cumprod.to(device())
    rng = np.random.default_rng([22, run.step])
    mean = 0.0

    def state() -> dict:
        return {
            "model": model.state_dict(),
            "mean": mean_model.state_dict(),
            "optimizer": optimizer.state_dict(),
        }

    def news() -> str:
        return f"loss {mean:.4f}, held-out {quality(mean_model, 32):.2f} dB"

    kept = BATCH // 3
    for progress in run.steps(state, news):
        for group in optimizer.param_groups:
            group["lr"] = RATE * cool(progress, 0.4, 0.01) * min(1.0, (run.step + 1) / 50)
        picks = rng.integers(len(latents), size=BATCH)
        x = to_tensor(pictures.pixels[picks])
        z = latents[picks].to(device()).float().contiguous(memory_format=torch.channels_last)
        words = text.encode(tokenizer, [describe(scene(int(i)), rng).text for i in picks[kept:]], full=True)
        with torch.no_grad():
            cond = reader(words).last_hidden_state
        z = torch.cat([z[:kept], relive(painter, alphas, z[kept:], cond, rng)])
        wrong = loss(x, model.decode(z.contiguous(memory_format=torch.channels_last)).sample)  # type: ignore[union-attr]
        optimizer.zero_grad()
        wrong.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        mean = wrong.item() if not mean else 0.98 * mean + 0.02 * wrong.item()
        keep = min(KEEP, (run.step + 1) / (run.step + 10))
        with torch.no_grad():
            for m, p in zip(mean_model.parameters(), model.parameters(), strict=True):
                m.lerp_(p, 1 - keep)
    run.say(f"held-out {quality(mean_model, 96):.2f} dB")


def load_trained() -> AutoencoderKL:
    """The encoder and the decoder that has learned on."""
    run = Run("decoder")
    assert run.state is not None, "train the decoder first"
    model = build()
    model.load_state_dict(run.state["mean"])
    return model.eval().requires_grad_(False)
