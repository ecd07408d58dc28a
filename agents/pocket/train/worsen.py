# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""Small faults laid over pictures, so that judges of pictures do not depend on a perfect render."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F


def _soften(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    if rng.random() < 0.5:
        side = int(x.shape[-1] / rng.uniform(1.2, 2.6))
        small = F.interpolate(x, (side, side), mode="area")
        return F.interpolate(small, x.shape[-2:], mode="bilinear", align_corners=False)
    return F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)


def _shift(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    dy, dx = (int(v) for v in rng.integers(-3, 4, 2))
    padded = F.pad(x, (3, 3, 3, 3), mode="replicate")
    side = x.shape[-1]
    return padded[..., 3 + dy : 3 + dy + side, 3 + dx : 3 + dx + side]


def worsen(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """A quarter of the batch at a time gets its own mixture of softness, shift, noise and light."""
    out = []
    for part in x.chunk(4):
        if rng.random() < 0.6:
            part = _soften(part, rng)
        part = _shift(part, rng)
        if rng.random() < 0.6:
            blotches = torch.randn(len(part), 3, 12, 12, device=x.device) * float(rng.uniform(0, 0.1))
            part = part + F.interpolate(blotches, x.shape[-2:], mode="bilinear", align_corners=False)
        if rng.random() < 0.5:
            part = part + torch.randn_like(part) * float(rng.uniform(0, 0.12))
        gain = 1 + 0.05 * torch.randn(len(part), 1, 1, 1, device=x.device)
        out.append((part * gain + 0.03 * torch.randn(len(part), 3, 1, 1, device=x.device)).clamp(-1, 1))
    return torch.cat(out)
