# pyright: basic
"""Keeps parts of a picture as they are while the rest is denoised: their latents are put back after each step, with
that step's noise (A. Lugmayr et al., RePaint, 2022). It needs no special model."""

from typing import Any

import numpy as np
import torch
from torch.nn import functional

from agents.generator.images.placement import RepaintMask


class Inpainter:
    """What stays of one picture. `scheduler` is the picture's own: the latents that its pipeline gives it to add noise
    to are those that stay. `stride` is how many pixels a cell of the latents has across."""

    def __init__(self, scheduler: Any, anew: RepaintMask, stride: int) -> None:
        self._scheduler = scheduler
        self._repaint_mask = anew
        self._stride = stride
        self._latents: torch.Tensor | None = None
        self._noise: torch.Tensor | None = None
        for name in ("add_noise", "scale_noise"):
            if hasattr(scheduler, name):
                self._record_noising(name)

    def restore_unmasked(self, step: int, timestep: Any, latents: torch.Tensor) -> torch.Tensor:
        """The latents after a step, by its number from 0 and its timestep, with what stays as noisy as the rest is."""
        kept, noise = self._latents, self._noise
        assert kept is not None, "a pipeline that starts from a picture adds noise to it"
        timesteps = self._scheduler.timesteps
        first = getattr(self._scheduler, "begin_index", None)
        following = 1 + (int((timesteps == timestep).nonzero()[-1]) if first is None else first + step)
        if following < len(timesteps):
            kept = self._add_noise(kept, noise, timesteps[following : following + 1].to(kept.device))
        return torch.where(_latent_mask(self._repaint_mask, self._stride, latents), latents, kept.to(latents))

    def _add_noise(self, kept: Any, noise: Any, timestep: torch.Tensor) -> torch.Tensor:
        if hasattr(self._scheduler, "scale_noise"):
            return self._own_method("scale_noise")(self._scheduler, kept, timestep, noise)
        return self._own_method("add_noise")(self._scheduler, kept, noise, timestep)

    def _own_method(self, name: str) -> Any:
        return getattr(type(self._scheduler), name)

    def _record_noising(self, name: str) -> None:
        """Remember what noise is added to."""

        def heard(sample: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
            tensors = [one for one in (*args, *kwargs.values()) if isinstance(one, torch.Tensor)]
            self._latents = sample
            self._noise = next(one for one in tensors if one.shape == sample.shape)
            return self._own_method(name)(self._scheduler, sample, *args, **kwargs)

        self._scheduler.__dict__[name] = heard


def _latent_mask(anew: RepaintMask, stride: int, latents: torch.Tensor) -> torch.Tensor:
    """Which cells of latents have a pixel that is made anew, shape (1, 1, height, width)."""
    pixels = torch.from_numpy(np.ascontiguousarray(anew))[None, None]
    return functional.max_pool2d(pixels, stride).to(latents.device) > 0
