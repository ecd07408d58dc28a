# pyright: basic
"""An upscaler on a device: a file of weights, and pictures made larger by it, tile by tile, without seams."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch.nn import functional

from agents.generator.tensor_file import inspect
from agents.generator.upscale.rrdb import Rrdb
from agents.generator.upscale.rrdb_file import UPSCALER, describe
from agents.generator.upscale.tiles import spans, weights
from agents.picture import MAX_PIXELS, Rgb
from protocol.errors import AcpError

TILE = 256
"""Pixels of a tile's side before it is enlarged: about 2 GB of activations at 64 features and a scale of 4."""
OVERLAP = 32
"""Pixels that neighbouring tiles share, of which the middle half blends them."""


class Upscaler:
    """A network in memory. Only the device's thread calls this."""

    def __init__(self, file: Path, device: torch.device, dtype: torch.dtype = torch.float32) -> None:
        """Load a file.

        Raises:
            Unsound, NotAnUpscaler: see `tensor_file.inspect` and `rrdb_file.describe`.
        """
        form = describe(inspect(file, UPSCALER))
        self.scale = form.scale
        self._squeeze = form.squeeze
        self._device, self._dtype = device, dtype
        self._network = Rrdb(form)
        self._network.load_state_dict({form.places[name]: tensor for name, tensor in load_file(file).items()})
        self._network.to(device, dtype).eval()

    @torch.no_grad()
    def enlarge(
        self, picture: Rgb, tile: int = TILE, overlap: int = OVERLAP, stop: Callable[[], bool] = lambda: False
    ) -> Rgb | None:
        """A picture `scale` times as wide and as high; null where `stop` said so between two tiles.

        Raises:
            AcpError: it would be larger than a picture may be.
        """
        height, width, _ = picture.shape
        if height * width * self.scale**2 > MAX_PIXELS:
            raise AcpError(
                "too_large",
                f"{width}x{height} enlarged {self.scale} times is over {MAX_PIXELS} pixels",
                hint="enlarge a smaller picture, or by a smaller network",
            )
        total = np.zeros((height * self.scale, width * self.scale, 3), np.float32)
        weight = np.zeros(total.shape[:2], np.float32)
        for top, bottom in spans(height, tile, overlap):
            for left, right in spans(width, tile, overlap):
                if stop():
                    return None
                part = self._run(picture[top:bottom, left:right])
                share = np.outer(
                    *(
                        weights((begin * self.scale, end * self.scale), length * self.scale, overlap * self.scale)
                        for begin, end, length in ((top, bottom, height), (left, right, width))
                    )
                )
                place = np.s_[top * self.scale : bottom * self.scale, left * self.scale : right * self.scale]
                total[place] += part * share[..., None]
                weight[place] += share
        return (total / weight[..., None] * 255).round().clip(0, 255).astype(np.uint8)

    def _run(self, part: Rgb) -> NDArray[np.float32]:
        """One tile enlarged: (height, width, 3), about 0 to 1."""
        height, width, _ = part.shape
        rows = torch.from_numpy(np.ascontiguousarray(part)).to(self._device).permute(2, 0, 1)[None]
        rows = rows.to(self._dtype) / 255
        padding = (0, -width % self._squeeze, 0, -height % self._squeeze)
        if any(padding):
            rows = functional.pad(rows, padding, mode="replicate")
        larger = self._network(rows)[0, :, : height * self.scale, : width * self.scale]
        return larger.float().permute(1, 2, 0).cpu().numpy()
