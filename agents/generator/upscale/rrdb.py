# pyright: basic
"""The network of ESRGAN: residual-in-residual dense blocks, then enlarging layers (X. Wang et al., ESRGAN: Enhanced
Super-Resolution Generative Adversarial Networks, 2018, section 3.1; Real-ESRGAN, 2021, for squeezed inputs)."""

import torch
from torch import nn
from torch.nn import functional

from agents.generator.files.rrdb_file import RrdbFile

RESIDUAL_SCALE = 0.2
"""How much of what a block computed is added to what went in (section 3.1, "residual scaling")."""
LEAKY_SLOPE = 0.2
"""Of the leaky ReLU below zero."""


def _conv(into: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(into, out, 3, padding=1)


def _activate(features: torch.Tensor) -> torch.Tensor:
    return functional.leaky_relu(features, LEAKY_SLOPE)


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees the outputs of all before it."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        for number in range(1, 6):
            out = growth if number < 5 else features
            self.add_module(f"conv{number}", _conv(features + (number - 1) * growth, out))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Same shape as what goes in: (rows, features, height, width)."""
        seen = [features]
        for number in range(1, 5):
            seen.append(_activate(self.get_submodule(f"conv{number}")(torch.cat(seen, 1))))
        return features + RESIDUAL_SCALE * self.get_submodule("conv5")(torch.cat(seen, 1))


class Block(nn.Module):
    """Three dense blocks, and a way around them."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = DenseBlock(features, growth)
        self.rdb2 = DenseBlock(features, growth)
        self.rdb3 = DenseBlock(features, growth)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Same shape as what goes in."""
        return features + RESIDUAL_SCALE * self.rdb3(self.rdb2(self.rdb1(features)))


class Rrdb(nn.Module):
    """A network of the form that a file has."""

    def __init__(self, form: RrdbFile) -> None:
        super().__init__()
        width = form.features
        self._form = form
        self.conv_first = _conv(3 * form.squeeze**2, width)
        self.body = nn.Sequential(*(Block(width, form.growth) for _ in range(form.blocks)))
        self.conv_body = _conv(width, width)
        for number in range(form.doublings):
            self.add_module(f"conv_up{number + 1}", _conv(width, width))
        self.conv_hr = _conv(width, width)
        self.conv_last = _conv(width, 3)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        """From (rows, 3, height, width), 0 to 1, sides divisible by the squeeze, to the enlarged one, about 0 to 1."""
        if self._form.squeeze > 1:
            picture = functional.pixel_unshuffle(picture, self._form.squeeze)
        features = self.conv_first(picture)
        features = features + self.conv_body(self.body(features))
        for number in range(self._form.doublings):
            larger = functional.interpolate(features, scale_factor=2, mode="nearest")
            features = _activate(self.get_submodule(f"conv_up{number + 1}")(larger))
        return self.conv_last(_activate(self.conv_hr(features)))
