# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""A judge of pictures: a small convolutional network that names the seven attributes of what it sees.

It has seen rendered pictures only, so what it says of generated ones is no echo of their training.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from agents.pocket.paths import EVALUATOR
from agents.pocket.vocabulary import ATTRIBUTES

HEADS = tuple(ATTRIBUTES)
# These are told from where in the picture something is seen, the others from whether it is seen at all.
PLACED = ("size", "position", "count")
SIDE = 64
GRID = 8


def _conv(a: int, b: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b))


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.one, self.two = _conv(width, width), _conv(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.two(F.relu(self.one(x))))


class Judge(nn.Module):
    """Scores for each head, from pictures of 64 x 64 with values from -1 to 1."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 3
        for out in (32, 64, 128):
            layers += [_conv(width, out, 2), nn.ReLU(), _Block(out)]
            width = out
        self.body = nn.Sequential(*layers)
        self.place = nn.Conv2d(width, 32, 1)
        inputs = {k: 32 * GRID * GRID if k in PLACED else 2 * width for k in HEADS}
        self.heads = nn.ModuleDict({k: nn.Linear(inputs[k], len(ATTRIBUTES[k])) for k in HEADS})

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """One score for each name of each head."""
        x = self.body(x)
        seen = torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)
        where = F.relu(self.place(x)).flatten(1)
        return {k: head(where if k in PLACED else seen) for k, head in self.heads.items()}


def to_input(pictures: Sequence[Image.Image | np.ndarray] | np.ndarray, side: int = SIDE) -> torch.Tensor:
    """Pictures of any size as numbers from -1 to 1, channels first, `side` x `side`."""
    x = torch.from_numpy(
        np.stack([np.asarray(p.convert("RGB")) if isinstance(p, Image.Image) else p for p in pictures])
    )
    x = x.permute(0, 3, 1, 2).float() / 127.5 - 1
    return F.interpolate(x, (side, side), mode="area")


def save(judge: Judge, folder: Path = EVALUATOR) -> None:
    """Write the weights at half precision, and the names of the classes."""
    folder.mkdir(parents=True, exist_ok=True)
    halved = {k: v.half() if v.is_floating_point() else v for k, v in judge.state_dict().items()}
    save_file({k: v.contiguous().cpu() for k, v in halved.items()}, folder / "model.safetensors")
    names = {k: list(ATTRIBUTES[k]) for k in HEADS}
    (folder / "config.json").write_text(json.dumps({"side": SIDE, "classes": names}, indent=2) + "\n")


def load(folder: Path = EVALUATOR) -> Judge:
    """The judge from its folder."""
    judge = Judge()
    state = load_file(folder / "model.safetensors")
    judge.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    return judge.eval().requires_grad_(False)


@torch.no_grad()
def name(judge: Judge, pictures: Sequence[Image.Image | np.ndarray] | np.ndarray) -> np.ndarray:
    """The index of the likeliest class, one row for each picture, one column for each head."""
    scores = [judge(x) for x in to_input(pictures).split(64)]
    return np.stack([torch.cat([s[k] for s in scores]).argmax(-1).numpy() for k in HEADS], 1)
