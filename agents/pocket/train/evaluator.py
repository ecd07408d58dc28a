# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
# pyright: reportOptionalSubscript=false, reportOperatorIssue=false, reportCallIssue=false
"""The training of the judge, on rendered pictures alone."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from agents.pocket.judge import HEADS, SIDE, Judge, name
from agents.pocket.render import render
from agents.pocket.train.data import held_out, shrunk
from agents.pocket.train.muon import Muon
from agents.pocket.train.run import Run, cool, device, half
from agents.pocket.train.worsen import worsen

STEPS = 1_500
BATCH = 64
RATE = 2e-3


def accuracy(judge: Judge, count: int = 400, *, plain: bool = False) -> np.ndarray:
    """The share of held-out renders that the judge names right, by head."""
    scenes = held_out(count, seed=41, plain=plain)
    judge.eval()
    said = name(judge.to("cpu"), np.stack([render(s) for s in scenes]))
    judge.to(device())
    return (said == np.array([s.labels() for s in scenes])).mean(0)


def train(steps: int = STEPS) -> None:
    """Teach the judge."""
    run = Run("evaluator", steps)
    if run.is_done:
        return
    torch.manual_seed(7 + run.step)
    judge = Judge().to(device(), memory_format=torch.channels_last)
    optimizer = Muon(judge.named_parameters(), RATE, tables=("heads",))
    if run.state:
        judge.load_state_dict(run.state["model"])
        optimizer.load_state_dict(run.state["optimizer"])
    pixels, scenes = shrunk(SIDE)
    labels = torch.tensor([s.labels() for s in scenes])
    rng = np.random.default_rng([8, run.step])
    mean = 0.0

    def state() -> dict:
        return {"model": judge.state_dict(), "optimizer": optimizer.state_dict()}

    def news() -> str:
        return f"loss {mean:.4f}"

    for progress in run.steps(state, news):
        for group in optimizer.param_groups:
            group["lr"] = RATE * cool(progress, 0.3, 0.01) * min(1.0, (run.step + 1) / 20)
        picks = torch.from_numpy(rng.integers(len(scenes), size=BATCH))
        x = worsen(pixels[picks].to(device()).float() / 127.5 - 1, rng)
        judge.train()
        with half():
            scores = judge(x.contiguous(memory_format=torch.channels_last))
        y = labels[picks].to(device())
        loss = sum((F.cross_entropy(scores[k].float(), y[:, i]) for i, k in enumerate(HEADS)), torch.zeros(()))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(judge.parameters(), 2.0)
        optimizer.step()
        mean = loss.item() if not mean else 0.97 * mean + 0.03 * loss.item()
    run.say("held-out " + " ".join(f"{k} {a:.3f}" for k, a in zip(HEADS, accuracy(judge), strict=True)))


def load_trained() -> Judge:
    """The trained judge."""
    run = Run("evaluator")
    assert run.state is not None, "train the evaluator first"
    judge = Judge()
    judge.load_state_dict(run.state["model"])
    return judge.eval()
