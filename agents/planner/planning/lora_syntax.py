"""`<lora:name:weight>` in the texts of a command, and the trigger words of LoRAs. Pure module."""

import re
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from protocol.commands import GenerateImages, Lora
from protocol.errors import BadCommand
from protocol.messages import LoraInfo

_TAG = re.compile(
    r"<lora:(?P<name>[^:<>]{1,128})(?::(?P<weight>-?(?:\d{1,2}(?:\.\d{1,6})?|\.\d{1,6})))?>", re.IGNORECASE
)
_UNFINISHED_TAG = re.compile(r"<lora:[^>]{0,140}>?", re.IGNORECASE)
_SPACES = re.compile(r"\s*,(?:\s*,)+|[^\S\n]{2,}")
MAX_WEIGHT = 4.0
"""The bound that `loras` has too."""


def move_tags_to_loras(command: GenerateImages) -> GenerateImages:
    """The command with its tags among `loras`; a tag without a weight has 1, as elsewhere. One recipe makes all
    pictures of a batch, so each of several prompts or subjects must name the same.

    Raises:
        BadCommand: a tag is not well formed, two give different weights, or prompts differ in theirs.
    """
    changes: dict[str, object] = {}
    named: dict[str, float] = {}
    if command.brief is not None:
        text, named = _split_tags(command.brief, "$.brief")
        if text != command.brief:
            changes["brief"] = text or None
    for field in ("subjects", "prompts"):
        texts: list[str] = getattr(command, field)
        parted = [_split_tags(text, f"$.{field}[{place}]") for place, text in enumerate(texts)]
        for place, (text, tags) in enumerate(parted):
            if tags != parted[0][1] or not text.strip():
                raise BadCommand(
                    "invalid_value",
                    "each text of a batch must name the same LoRAs, beside words",
                    path=f"$.{field}[{place}]",
                    hint="send a command for each set of LoRAs",
                )
        if parted and parted[0][1]:
            changes[field] = [text for text, _ in parted]
            named = _merge_weights(named, parted[0][1], f"$.{field}")
    if not changes:
        return command
    given = {lora.name: lora.weight for lora in command.loras}
    loras = [Lora(name=name, weight=weight) for name, weight in _merge_weights(given, named, "$.loras").items()]
    return replace(command, **changes, loras=loras)


def triggers(loras: Sequence[Lora], known: Mapping[str, LoraInfo]) -> list[str]:
    """The words that wake the LoRAs, as far as they have some."""
    return [trigger for lora in loras if lora.weight and (trigger := known[lora.name].trigger)]


def missing_triggers(prompts: Sequence[str], words: Sequence[str]) -> list[str]:
    """A warning for each trigger that one of the finished prompts, which stay as they are, lacks."""
    return [
        f"prompts: {text[:40]!r} lacks {word!r}, which wakes a LoRA"
        for word in words
        for text in prompts
        if word.casefold() not in text.casefold()
    ]


def _split_tags(text: str, path: str) -> tuple[str, dict[str, float]]:
    """A text without its tags, and the weights that they give."""
    tags: dict[str, float] = {}
    for found in _TAG.finditer(text):
        weight = float(found["weight"]) if found["weight"] else 1.0
        if abs(weight) > MAX_WEIGHT:
            raise BadCommand(
                "invalid_value",
                f"{found[0]} is too strong",
                path=path,
                hint=f"-{MAX_WEIGHT:g} to {MAX_WEIGHT:g}; 0.6 to 0.9",
            )
        tags = _merge_weights(tags, {found["name"].strip(): weight}, path)
    rest = _TAG.sub("", text)
    if bad := _UNFINISHED_TAG.search(rest):
        raise BadCommand("invalid_value", f"{bad[0]!r} is no LoRA tag", path=path, hint="write it as <lora:name:0.8>")
    return (_SPACES.sub(lambda gap: "," if "," in gap[0] else " ", rest).strip(" ,") if tags else text), tags


def _merge_weights(one: Mapping[str, float], other: Mapping[str, float], path: str) -> dict[str, float]:
    for name, weight in other.items():
        if one.get(name, weight) != weight:
            raise BadCommand(
                "invalid_value",
                f"the LoRA {name} has two weights, {one[name]:g} and {weight:g}",
                path=path,
                hint="give it once",
            )
    return {**one, **other}
