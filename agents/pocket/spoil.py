# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false
"""Pictures made worse by a known amount: blurred, noisy, or of other colours.

Pictures are tensors (n, 3, side, side) with values from -1 to 1. A merit of 1 is a sound picture, 0 one that no
longer shows what it did; each function gives the merit beside the strength that it takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.nn import functional as F

# Luma and chroma of NTSC video (YIQ): a turn of the two chroma axes changes hues and little else.
YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


def blur(x: torch.Tensor, cells: float) -> torch.Tensor:
    """As if the picture were so many cells across."""
    side = max(2, round(cells))
    small = F.interpolate(x, (side, side), mode="area")
    return F.interpolate(small, x.shape[-2:], mode="bilinear", align_corners=False)


def noise(x: torch.Tensor, spread: float) -> torch.Tensor:
    """Independent noise of this spread in every value; the picture's own range is 2."""
    return (x + spread * torch.randn_like(x)).clamp(-1, 1)


def turn_hue(x: torch.Tensor, degrees: float) -> torch.Tensor:
    """All hues turned by an angle, on the circle of YIQ; greys stay."""
    a = math.radians(degrees)
    turn = torch.tensor([[1, 0, 0], [0, math.cos(a), -math.sin(a)], [0, math.sin(a), math.cos(a)]])
    matrix = (torch.linalg.inv(YIQ) @ turn @ YIQ).to(x)
    return torch.einsum("ij,njhw->nihw", matrix, x).clamp(-1, 1)


def _between(value: float, good: float, bad: float) -> float:
    return min(1.0, max(0.0, (value - bad) / (good - bad)))


def blur_merit(cells: float) -> float:
    """Half at 16 cells; from 32 cells on a picture is only soft."""
    return _between(math.log2(cells), 5, 3)


def noise_merit(spread: float) -> float:
    """Grain as of a photograph is no fault."""
    return _between(spread, 0.16, 0.8)


def hue_merit(degrees: float) -> float:
    """Neighbours among the named colours are some 40 degrees apart. Holds for sentences that name a colour."""
    return _between(abs(degrees), 8, 36)


Spoil = Callable[[torch.Tensor, float], torch.Tensor]
# Three grades of each fault, for measuring: what spoils, and how much.
GRADES: dict[str, tuple[Spoil, tuple[float, float, float]]] = {
    "blur, cells across": (blur, (24, 16, 10)),
    "noise, spread": (noise, (0.3, 0.6, 1.2)),
    "hue turned, degrees": (turn_hue, (15, 30, 60)),
}
