# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""The picture model: a small UNet that turns noise into latents, led by the frozen text encoder."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import DPMSolverMultistepScheduler, UNet2DConditionModel
from torch import nn

from agents.pocket.captions import describe
from agents.pocket.train import text
from agents.pocket.train.autoencoder import CHANNELS, LATENTS
from agents.pocket.train.data import PLAIN_SHARDS, SHARD, scene
from agents.pocket.train.muon import Muon
from agents.pocket.train.run import Run, cool, device, half
from agents.pocket.vocabulary import NEGATIVE

BLOCKS = (64, 128)


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of the training: its steps, the pictures in each, how many of them are plain scenes, the learning rate
    and the memory of the mean."""

    steps: int
    batch: int
    plain: float
    rate: float
    keep: float


# One thing in the middle first; then places, sizes and counts among the plain scenes.
PHASES = (Phase(5_600, 16, 1.0, 2e-3, 0.998), Phase(9_000, 24, 0.4, 1.6e-3, 0.999))
STEPS = sum(phase.steps for phase in PHASES)


def scheduler() -> DPMSolverMultistepScheduler:
    """DPM++ 2M Karras over the noise that the model has learned from."""
    return DPMSolverMultistepScheduler(
        beta_start=0.00085,
        beta_end=0.02,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        algorithm_type="dpmsolver++",
        solver_order=2,
        use_karras_sigmas=True,
        timestep_spacing="linspace",
        steps_offset=1,
        final_sigmas_type="zero",
    )


def build() -> UNet2DConditionModel:
    """An untrained UNet whose first answer is nothing."""
    model = UNet2DConditionModel(
        sample_size=16,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        block_out_channels=BLOCKS,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=text.WIDTH,
        attention_head_dim=4,
        norm_num_groups=16,
    )
    with torch.no_grad():
        model.conv_out.weight.zero_()
        model.conv_out.bias.zero_()
        for name, p in model.named_parameters():
            if name.endswith("conv2.weight"):
                p.mul_(0.1)
    return model


def _times(rng: np.random.Generator, count: int) -> torch.Tensor:
    """Noise levels spread evenly over the batch: two thirds towards the middle, one third anywhere."""
    u = (rng.permutation(count) + rng.random(count)) / count
    probit = torch.special.ndtri(torch.from_numpy(np.clip(u, 1e-4, 1 - 1e-4))).numpy()
    middle = 1 / (1 + np.exp(-(0.25 + 1.2 * probit)))
    t = np.where(np.arange(count) % 3 == 0, u, middle)
    return torch.from_numpy((t * 1000).astype(np.int64).clip(0, 999)).to(device())


def _caption(index: int, rng: np.random.Generator) -> str:
    if rng.random() < 0.1:
        if rng.random() < 0.6:
            return ""
        return ", ".join(str(w) for w in rng.choice(NEGATIVE, int(rng.integers(2, 9))))
    return describe(scene(index), rng).text


def _phase(progress: float) -> tuple[Phase, float]:
    """The phase at a share of the whole training, and the share of that phase."""
    at = progress * STEPS
    for phase in PHASES[:-1]:
        if at < phase.steps:
            return phase, at / phase.steps
        at -= phase.steps
    return PHASES[-1], min(1.0, at / PHASES[-1].steps)


def _picks(count: int, phase: Phase, rng: np.random.Generator) -> np.ndarray:
    """Which of `count` pictures the next batch shows."""
    first = min(PLAIN_SHARDS * SHARD, count)
    simple = rng.integers(first, size=phase.batch)
    if first == count:
        return simple
    return np.where(rng.random(phase.batch) < phase.plain, simple, rng.integers(first, count, size=phase.batch))


def train(steps: int = STEPS) -> None:
    """Learn to take noise away."""
    run = Run("unet", steps)
    if run.is_done:
        return
    torch.manual_seed(9 + run.step)
    model = build().to(device(), memory_format=torch.channels_last)
    optimizer = Muon(model.named_parameters(), PHASES[0].rate)
    mean_model = copy.deepcopy(model).eval().requires_grad_(False)
    if run.state:
        model.load_state_dict(run.state["model"])
        mean_model.load_state_dict(run.state["mean"])
        optimizer.load_state_dict(run.state["optimizer"])
    latents = torch.load(LATENTS, map_location="cpu", weights_only=True)["latents"]
    tokenizer, reader = text.load_frozen()
    alphas = scheduler().alphas_cumprod.to(device())
    rng = np.random.default_rng([10, run.step])
    losses: list[float] = []

    def state() -> dict:
        return {
            "model": model.state_dict(),
            "mean": mean_model.state_dict(),
            "optimizer": optimizer.state_dict(),
        }

    def news() -> str:
        return f"loss {np.mean(losses[-150:]):.4f}"

    for progress in run.steps(state, news):
        phase, share = _phase(progress)
        rate = phase.rate * cool(share, 0.4, 0.01) * min(1.0, share * phase.steps / 50 + 0.02)
        for group in optimizer.param_groups:
            group["lr"] = rate
        picks = _picks(len(latents), phase, rng)
        words = text.encode(tokenizer, [_caption(int(i), rng) for i in picks], full=True)
        with torch.no_grad():
            cond = reader(words).last_hidden_state
        x = latents[picks].to(device()).float().contiguous(memory_format=torch.channels_last)
        noise = torch.randn_like(x)
        t = _times(rng, phase.batch)
        a = alphas[t].sqrt()[:, None, None, None]
        s = (1 - alphas[t]).sqrt()[:, None, None, None]
        with half():
            guess = model(a * x + s * noise, t, encoder_hidden_states=cond).sample
        loss = (guess.float() - (a * noise - s * x)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        keep = min(phase.keep, (run.step + 1) / (run.step + 10))
        with torch.no_grad():
            for m, p in zip(mean_model.parameters(), model.parameters(), strict=True):
                m.lerp_(p, 1 - keep)


def load_trained() -> UNet2DConditionModel:
    """The mean of the latest weights."""
    run = Run("unet")
    assert run.state is not None, "train the unet first"
    model = build()
    model.load_state_dict(run.state["mean"])
    return model.eval().requires_grad_(False)
