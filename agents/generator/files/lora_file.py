"""What a LoRA file is, by the names and shapes in its header: its naming, the platform it was made for, its ranks and
the words that wake it. Pure module."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, cast

from agents.generator.architectures.file_marks import Layers
from agents.generator.files.family_marks import (
    check_supported,
    platform_of_base_model,
    platform_of_layers,
    platform_of_text_width,
)
from agents.generator.files.lora_names import (
    NotALora,
    check_usable,
    loadable_names,
    stray_error,
    two_trainers_error,
)
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

MAX_RANK = 16_384
"""Wider than any layer of a model that is known; a rank beyond its layer adds nothing."""

MAX_TAGS_BYTES = 4 << 20
MAX_TRIGGERS = 5
MAX_TRIGGER = 500
"""Characters of what wakes a LoRA, which stands in every prompt with it and in what a generator says of itself."""
MIN_NAME = 3
"""Letters of a name from which on it is looked for in another one."""

GENERAL_TAGS = frozenset(
    (
        *(
            "1girl",
            "1boy",
            "2girls",
            "2boys",
            "solo",
            "girl",
            "boy",
            "woman",
            "women",
            "man",
            "men",
            "person",
            "people",
        ),
        *("female", "male", "face", "portrait", "character", "clothing", "object", "dog", "cat", "animal", "car"),
        *("anime", "art", "drawing", "illustration", "image", "images", "photo", "style", "concept", "background"),
    )
)
"""What trainers call classes of things: a model knows these words without the file."""

_REPEATS = re.compile(r"^\d+_")
"""How often a folder's pictures were shown, before its name."""


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
        NotALora: it is another kind of adapter, or no adapter, or holds more than pairs that match.
        UnsupportedFamily: it is for other models than those that are known.
    """
    names = loadable_names(header.tensors)
    check_usable(names)
    tensors = {loaded: header.tensors[own] for own, loaded in names.items()}
    pairs: dict[str, tuple[Tensor, Tensor]] = {}
    firsts: dict[Naming, str] = {}
    for down, up, naming in _PAIRS:
        if found := _pairs(tensors, down, up):
            firsts.setdefault(naming, f"{next(iter(found))}{down}")
            pairs |= found
    if not pairs:
        first = ", ".join(repr(key[:64]) for key in list(header.tensors)[:2])
        raise NotALora(f"no pair of tensors in it is named as a LoRA's (it begins with {first or 'nothing'})")
    _check_complete(names, firsts, pairs)
    _check_ranks(pairs)
    base_models = _base_models(header.metadata)
    layers = {layer: (down.shape[1], up.shape[0]) for layer, (down, up) in pairs.items()}
    check_supported(layers, base_models)
    return LoraFile(
        naming=next(iter(firsts)),
        layers=len(pairs),
        ranks=tuple(sorted({down.shape[0] for down, _ in pairs.values()})),
        platform=next(filter(None, map(platform_of_base_model, base_models)), None)
        or platform_of_layers(layers)
        or _platform_by_text_width(layers),
        triggers=_triggers(header.metadata),
    )


def _check_ranks(pairs: Mapping[str, tuple[Tensor, Tensor]]) -> None:
    """Refuse a rank that no layer can use.

    Raises:
        NotALora: it is 0, or more than `MAX_RANK`.
    """
    for layer, (down, _) in pairs.items():
        if not 1 <= down.shape[0] <= MAX_RANK:
            raise NotALora(f"its layer {layer[:64]!r} has the rank {down.shape[0]}; ranks are 1 to {MAX_RANK}")


def _check_complete(names: Mapping[str, str], firsts: Mapping[Naming, str], pairs: Collection[str]) -> None:
    """Refuse a file of which a part would be left out without a word.

    Raises:
        NotALora: it is one.
    """
    if "kohya" in firsts and len(firsts) > 1:
        raise two_trainers_error(*list(firsts.values())[:2])
    ends = tuple(end for down, up, _ in _PAIRS for end in (down, up))
    for own, loaded in names.items():
        if not loaded.endswith((*ends, "alpha")) or (loaded.endswith(".alpha") and not _scales(loaded, pairs)):
            raise stray_error(own)


def _scales(alpha: str, pairs: Collection[str]) -> bool:
    """Whether a layer with such an `alpha` is there; some programs call it by the end of a pair's name too."""
    layer = alpha.removesuffix(".alpha")
    return layer in pairs or layer.removesuffix(".lora") in pairs or layer.removesuffix("_lora") in pairs


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


def _base_models(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """What trainers say of the base model."""
    return tuple(metadata.get(key, "") for key in ("modelspec.architecture", "ss_base_model_version"))


def _platform_by_text_width(layers: Layers) -> str | None:
    readers = ("attn2_to_k", "attn2_to_v")
    widths = (reads for layer, (reads, _) in layers.items() if layer.replace(".", "_").endswith(readers))
    return next(filter(None, map(platform_of_text_width, widths)), None)


MAX_TITLE = 256
MAX_FOLDERS = 256
"""Characters of a file's title, and folders of its pictures, that are looked at for its trigger words."""


def _triggers(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The words that the file says wake it: its own phrase, else tags that were on every picture and that its trainer
    named it after. What is on every picture alone may be `1girl`; none is better than a wrong one."""
    if phrase := usable_trigger(metadata.get("modelspec.trigger_phrase", "")):
        return (phrase,)
    folders = _json_object(metadata.get("ss_tag_frequency", ""))
    counted = _json_object(metadata.get("ss_dataset_dirs", ""))
    title = metadata.get("ss_output_name", "")[:MAX_TITLE]
    found: list[str] = []
    for folder, counts in islice(folders.items(), MAX_FOLDERS):
        if isinstance(counts, dict):
            numbers = cast("dict[str, Any]", counts)
            found += _tags_of_every_picture(numbers, _picture_count(counted.get(folder)), (folder, title))
    words = [trigger for one in found if (trigger := usable_trigger(one))]
    return tuple(dict.fromkeys(words))[:MAX_TRIGGERS]


def usable_trigger(words: str) -> str:
    """Words that a stranger says wake a LoRA, in one line without characters that nobody sees; empty where they are
    more than a prompt has room for."""
    if len(words) > MAX_TRIGGER:
        return ""
    seen = "".join(character if character.isprintable() else " " for character in words)
    return " ".join(seen.split())


def _json_object(text: str) -> dict[str, Any]:
    if not text or len(text) > MAX_TAGS_BYTES:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _picture_count(folder: Any) -> int | None:
    """How many pictures kohya's trainer says that a folder had."""
    count = cast("dict[str, Any]", folder).get("img_count") if isinstance(folder, dict) else None
    return count if isinstance(count, int) and count > 0 else None


def _tags_of_every_picture(counts: Mapping[str, Any], pictures: int | None, names: Iterable[str]) -> Iterable[str]:
    numbers = {tag.strip(): count for tag, count in counts.items() if isinstance(count, int)}
    least = pictures or max(numbers.values(), default=0)
    keys = [key for name in names if (key := _letters(_REPEATS.sub("", name)))]
    for tag, count in numbers.items():
        own = _letters(tag)
        if count >= least and len(own) >= MIN_NAME and own not in GENERAL_TAGS and _is_named(own, keys):
            yield tag


def _is_named(tag: str, names: Iterable[str]) -> bool:
    return any(tag in name or (len(name) >= MIN_NAME and name in tag) for name in names)


def _letters(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
