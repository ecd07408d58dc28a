"""What an ESRGAN file holds, by the names and shapes in its header, and each tensor's place in `rrdb.Rrdb`. Pure.

Two namings are in use: that of the first ESRGAN (`model.1.sub.0.RDB1.conv1.0.weight`) and that of Real-ESRGAN
(`body.0.rdb1.conv1.weight`, perhaps behind `params_ema.`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agents.generator.files.safetensors_header import Bounds, Header, Tensor

UPSCALER_BOUNDS = Bounds(file=512 << 20, header=4 << 20, tensors=4096)
"""The usual network of 23 blocks is 67 MB."""

MAX_FEATURES = 256
MAX_BLOCKS = 64

_PREFIX = re.compile(r"^(?:params_ema|params|state_dict)\.")
_BLOCK = re.compile(r"body\.(\d+)\.")
_OLD_BLOCK = re.compile(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.(weight|bias)")
_OLD_BODY = re.compile(r"model\.1\.sub\.\d+\.(weight|bias)")
_OLD_LAYER = re.compile(r"model\.(\d+)\.(weight|bias)")


class NotAnUpscaler(ValueError):
    """The file is no network of residual-in-residual dense blocks; the message says what is missing."""


@dataclass(frozen=True)
class RrdbFile:
    """A network's form. `doublings` are its enlarging layers; `squeeze` is the side of the squares of pixels that it
    reads as one (1, or 2 and 4 in networks that enlarge less); `places` are tensors in the file -> in `Rrdb`."""

    features: int
    blocks: int
    growth: int
    doublings: int
    squeeze: int
    tensor_names: Mapping[str, str]

    @property
    def scale(self) -> int:
        """How many times larger a picture becomes."""
        return 2**self.doublings // self.squeeze


def is_upscaler(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a file's tensors are named as those of such a network."""
    return any(".rdb1.conv1." in name.lower() for name in tensors)


def describe(header: Header) -> RrdbFile:
    """The network of a file.

    Raises:
        NotAnUpscaler: it is another one.
    """
    places = _tensor_names(header.tensors)
    shapes = {places[name]: tensor.shape for name, tensor in header.tensors.items()}
    first = shapes.get("conv_first.weight", ())
    dense = shapes.get("body.0.rdb1.conv1.weight", ())
    if len(first) != 4 or len(dense) != 4:
        raise NotAnUpscaler("it has no residual-in-residual dense blocks (RRDB); other networks are not read")
    blocks = 1 + max(int(found[1]) for name in shapes if (found := _BLOCK.match(name)))
    doublings = sum(name.startswith("conv_up") and name.endswith("weight") for name in shapes)
    squeeze = {3: 1, 12: 2, 48: 4}.get(first[1])
    if squeeze is None or not 0 <= doublings <= 3 or 2**doublings < squeeze:
        raise NotAnUpscaler(f"it reads {first[1]} channels and enlarges {doublings} times, which fits no picture")
    if first[0] > MAX_FEATURES or blocks > MAX_BLOCKS or dense[0] > MAX_FEATURES:
        raise NotAnUpscaler(f"{blocks} blocks of {first[0]} features are more than any known network has")
    found = RrdbFile(first[0], blocks, dense[0], doublings, squeeze, places)
    if (expected := _expected_shapes(found)) != shapes:
        odd = next(name for name in [*expected, *shapes] if expected.get(name) != shapes.get(name))
        raise NotAnUpscaler(f"{odd} has the shape {shapes.get(odd)}, not {expected.get(odd)}")
    return found


def _tensor_names(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    plain = {name: _PREFIX.sub("", name) for name in tensors}
    if not any(name.startswith("model.1.sub.") for name in plain.values()):
        return plain
    # Layers of the old sequence: convolution, blocks, then three entries for each doubling, then two convolutions.
    numbers = sorted({int(found[1]) for name in plain.values() if (found := _OLD_LAYER.fullmatch(name))})
    ups = [number for number in numbers if number not in (0, *numbers[-2:])]
    names = {0: "conv_first", **{number: f"conv_up{at + 1}" for at, number in enumerate(ups)}}
    names |= dict(zip(numbers[-2:], ("conv_hr", "conv_last"), strict=False))
    return {name: _rename(old, names) for name, old in plain.items()}


def _rename(old: str, layers: Mapping[int, str]) -> str:
    if block := _OLD_BLOCK.fullmatch(old):
        return f"body.{block[1]}.rdb{block[2]}.conv{block[3]}.{block[4]}"
    if body := _OLD_BODY.fullmatch(old):
        return f"conv_body.{body[1]}"
    if layer := _OLD_LAYER.fullmatch(old):
        return f"{layers[int(layer[1])]}.{layer[2]}"
    return old


def _expected_shapes(found: RrdbFile) -> dict[str, tuple[int, ...]]:
    """Every tensor that a network of this form has."""
    width, growth = found.features, found.growth
    sizes = {"conv_first": (width, 3 * found.squeeze**2), "conv_body": (width, width)}
    for block in range(found.blocks):
        for dense in (1, 2, 3):
            for layer in (1, 2, 3, 4, 5):
                out = growth if layer < 5 else width
                sizes[f"body.{block}.rdb{dense}.conv{layer}"] = (out, width + (layer - 1) * growth)
    sizes |= {f"conv_up{number + 1}": (width, width) for number in range(found.doublings)}
    sizes |= {"conv_hr": (width, width), "conv_last": (3, width)}
    weights = {f"{name}.weight": (*size, 3, 3) for name, size in sizes.items()}
    return weights | {f"{name}.bias": size[:1] for name, size in sizes.items()}
