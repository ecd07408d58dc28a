"""What a LoRA file is, by the names and shapes in its header: its naming, the platform it was made for, its ranks and
the words that wake it. Pure module."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agents.generator.files.safetensors_header import Header, Tensor

Naming = Literal["kohya", "peft", "diffusers"]

_PAIRS: tuple[tuple[str, str, Naming], ...] = (
    (".lora_down.weight", ".lora_up.weight", "kohya"),
    (".lora_A.weight", ".lora_B.weight", "peft"),
    (".lora.down.weight", ".lora.up.weight", "diffusers"),
    ("_lora.down.weight", "_lora.up.weight", "diffusers"),
    (".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight", "diffusers"),
)
"""Ends of the names of a pair's two tensors, down then up."""

_OTHER_METHODS = {"hada": "LoHa", "lokr": "LoKr", "oft": "OFT", "dora_scale": "DoRA", "diff": "full-difference"}
_OTHER_METHOD = re.compile(r"\.(?:(hada|lokr|oft)_\w+|(dora_scale)|(diff)(?:_b)?)(?:\.weight)?$")
"""Ends of names in adapters that diffusers would load in part or not at all."""

_ARCHITECTURES = {
    "stable-diffusion-v1": "stable_diffusion_1_5",
    "sd_v1": "stable_diffusion_1_5",
    "sd 1.": "stable_diffusion_1_5",
    "stable-diffusion-xl": "stable_diffusion_xl",
    "sdxl": "stable_diffusion_xl",
    "pony": "stable_diffusion_xl",
    "illustrious": "stable_diffusion_xl",
    "stable-diffusion-3": "stable_diffusion_3_5",
    "sd3": "stable_diffusion_3_5",
    "sd 3": "stable_diffusion_3_5",
    "flux-1-schnell": "flux_1_schnell",
    "flux.1 s": "flux_1_schnell",
    "flux": "flux_1_dev",
}
"""Beginnings of what `modelspec.architecture`, `ss_base_model_version` and Civitai's `baseModel` say."""

_TEXT_WIDTHS = {768: "stable_diffusion_1_5", 2048: "stable_diffusion_xl"}
"""Width of the text embeddings that a UNet's cross-attention reads."""

MAX_TAGS_BYTES = 4 << 20
MAX_TRIGGERS = 5


class NotALora(ValueError):
    """The file holds something else, or a pair in it does not fit together."""


@dataclass(frozen=True)
class LoraFile:
    """`layers` is how many layers of the model it changes; `platform` and `triggers` are what the file itself tells,
    and may be null or empty."""

    naming: Naming
    layers: int
    ranks: tuple[int, ...]
    platform: str | None
    triggers: tuple[str, ...]


def describe(header: Header) -> LoraFile:
    """What the file is.

    Raises:
        NotALora: it is another kind of adapter, or no adapter, or its pairs do not match.
    """
    if other := next(filter(None, map(_OTHER_METHOD.search, header.tensors)), None):
        method = _OTHER_METHODS[next(filter(None, other.groups()))]
        raise NotALora(f"it is a {method} adapter, of which only LoRA pairs could be used")
    pairs: dict[str, tuple[Tensor, Tensor]] = {}
    namings: list[Naming] = []
    for down, up, naming in _PAIRS:
        if found := _pairs(header.tensors, down, up):
            namings.append(naming)
            pairs |= found
    if not pairs:
        first = ", ".join(repr(key[:64]) for key in list(header.tensors)[:2])
        raise NotALora(f"no pair of tensors in it is named as a LoRA's (it begins with {first or 'nothing'})")
    return LoraFile(
        naming=namings[0],
        layers=len(pairs),
        ranks=tuple(sorted({down.shape[0] for down, _ in pairs.values()})),
        platform=_platform_in_metadata(header.metadata) or _platform_by_layers(pairs),
        triggers=_triggers(header.metadata),
    )


def platform_of_base_model(name: str) -> str | None:
    """The platform that a foreign name of a base model means, such as `SDXL 1.0`, or null."""
    lower = name.lower()
    return next((platform for start, platform in _ARCHITECTURES.items() if lower.startswith(start)), None)


def _pairs(tensors: Mapping[str, Tensor], down: str, up: str) -> dict[str, tuple[Tensor, Tensor]]:
    pairs: dict[str, tuple[Tensor, Tensor]] = {}
    for key, tensor in tensors.items():
        if not key.endswith(down):
            continue
        layer = key.removesuffix(down)
        other = tensors.get(layer + up)
        if other is None:
            raise NotALora(f"{key!r} lacks its {up!r}")
        if len(tensor.shape) < 2 or len(other.shape) < 2 or tensor.shape[0] != other.shape[1] or not tensor.shape[0]:
            raise NotALora(f"{key!r} of shape {tensor.shape} does not fit {other.shape}")
        pairs[layer] = (tensor, other)
    strays = next((key for key in tensors if key.endswith(up) and key.removesuffix(up) not in pairs), None)
    if strays:
        raise NotALora(f"{strays!r} lacks its {down!r}")
    return pairs


def _platform_in_metadata(metadata: Mapping[str, str]) -> str | None:
    said = (metadata.get(key, "") for key in ("modelspec.architecture", "ss_base_model_version"))
    return next((platform for name in said if (platform := platform_of_base_model(name))), None)


def _platform_by_layers(pairs: Mapping[str, tuple[Tensor, Tensor]]) -> str | None:
    layers = " ".join(pairs)
    if re.search("single_blocks|single_transformer_blocks|double_blocks", layers):
        return "flux_1_dev"
    if re.search("joint_blocks|add_k_proj", layers):
        return "stable_diffusion_3_5"
    readers = ("attn2_to_k", "attn2_to_v")
    widths = (down.shape[1] for layer, (down, _) in pairs.items() if layer.replace(".", "_").endswith(readers))
    return next((_TEXT_WIDTHS[width] for width in widths if width in _TEXT_WIDTHS), None)


def _triggers(metadata: Mapping[str, str]) -> tuple[str, ...]:
    if phrase := metadata.get("modelspec.trigger_phrase", "").strip():
        return (phrase,)
    tags = metadata.get("ss_tag_frequency", "")
    if len(tags) > MAX_TAGS_BYTES:
        return ()
    try:
        return tuple(_most_frequent_tags(json.loads(tags)))[:MAX_TRIGGERS] if tags else ()
    except (ValueError, RecursionError):
        return ()


def _most_frequent_tags(frequency: Any) -> Iterable[str]:
    """Tags that kohya's trainer counted most often in one of its folders of pictures: that of a subject's name."""
    folders = frequency.values() if isinstance(frequency, dict) else ()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - a stranger's JSON
    for counts in folders:  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(counts, dict):
            continue
        numbers = {tag: count for tag, count in counts.items() if isinstance(tag, str) and isinstance(count, int)}  # pyright: ignore[reportUnknownVariableType]
        most = max(numbers.values(), default=0)
        yield from (tag.strip() for tag, count in numbers.items() if count == most and tag.strip())
