"""The kinds of weights: where each lies, how it is seen to be installed, and how to get what is not. One row a kind."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from agents.generator.architectures import ARCHITECTURES
from agents.generator.registry.entries import (
    ControlEntry,
    EmbeddingEntry,
    Entry,
    IpAdapterEntry,
    LocalModel,
    LoraEntry,
    MotionEntry,
    ToolEntry,
    is_on_hub,
)

WeightsKind = Literal["model", "lora", "word", "control", "ip_adapter", "motion", "tool"]
"""The tags of `protocol.offers.Offer`, too."""

E = TypeVar("E", bound=Entry)


def folder_name(entry: Entry) -> str:
    """The name of an entry that is a folder."""
    return entry.name


def safetensors_name(entry: Entry) -> str:
    """The name of an entry that is one file."""
    return f"{entry.name}.safetensors"


def has_file(name: str) -> Callable[[Entry, Path], bool]:
    """Whether a folder is there with a file of that name in it."""
    return lambda entry, folder: (folder / name).is_file()


def is_file(entry: Entry, path: Path) -> bool:
    """Whether the file is there."""
    return path.is_file()


def _pull_or_put(what: str) -> Callable[[Any, Path], str]:
    """How to get what is pulled from a hub, or put in its folder where its source is no hub."""

    def hint(entry: LocalModel | ControlEntry | IpAdapterEntry | MotionEntry | ToolEntry, folder: Path) -> str:
        if entry.install:
            return entry.install
        if is_on_hub(entry.source):
            return f"bottega models pull {entry.name}, then restart the generator"
        contents = what.format_map(dict(entry))
        return f"put {contents} {folder}, then restart the generator"

    return hint


def _put_file(entry: Entry, file: Path) -> str:
    return entry.install or f"put the file at {file}, then restart the generator"


def _add_file(entry: Entry, file: Path) -> str:
    return entry.install or f"bottega models add FILE --name {entry.name}, then restart the generator"


def _has_ip_adapter(entry: IpAdapterEntry, folder: Path) -> bool:
    return (folder / entry.weights).is_file() and (folder / entry.encoder / "config.json").is_file()


def _is_network(tool: ToolEntry) -> bool:
    """Whether a tool is for finished pictures, and one file; others look at references, and are folders."""
    return tool.kind in ("upscaler", "face_restorer")


def _tool_name(entry: ToolEntry) -> str:
    return safetensors_name(entry) if _is_network(entry) else folder_name(entry)


def _tool_hint(entry: ToolEntry, path: Path) -> str:
    return _put_file(entry, path) if _is_network(entry) else _pull_or_put("its folder at")(entry, path)


def _has_tool(entry: ToolEntry, path: Path) -> bool:
    return path.is_file() or (path / "config.json").is_file()


@dataclass(frozen=True)
class Kind(Generic[E]):
    """What is common to all entries of one kind.

    `table` is its table in `models.toml`, and its folder in the home; `noun` what people call it. `file_name` is the
    name of an entry's file or folder in it, unless the entry has a `path`; `is_installed` and `install_hint` get
    that path. `architectures` are those of the platforms that its entries can be for, null where they are for none;
    with `inherits` an entry takes over its platform's defaults. `unknown_hint` is said after the nearest known name.
    """

    table: str
    entry: type[E]
    noun: str
    file_name: Callable[[E], str]
    is_installed: Callable[[E, Path], bool]
    install_hint: Callable[[E, Path], str]
    architectures: Collection[str] | None = frozenset(ARCHITECTURES)
    inherits: bool = False
    unknown_hint: str = ""


_WITH_IP_ADAPTERS = frozenset(name for name, family in ARCHITECTURES.items() if family.ip_adapters)
_WITH_SEQUENCES = frozenset(name for name, family in ARCHITECTURES.items() if family.pipelines.sequence)
_FOLDER_HINT = _pull_or_put("its diffusers folder at")

KINDS: Mapping[WeightsKind, Kind[Any]] = {
    "model": Kind(
        "models", LocalModel, "model", folder_name, has_file("model_index.json"), _FOLDER_HINT, inherits=True
    ),
    "lora": Kind(
        "loras", LoraEntry, "LoRA", safetensors_name, is_file, _put_file,
        unknown_hint="; or add it to models.toml as [loras.NAME]",
    ),
    "word": Kind("embeddings", EmbeddingEntry, "word", safetensors_name, is_file, _add_file),
    "control": Kind("controls", ControlEntry, "ControlNet", folder_name, has_file("config.json"), _FOLDER_HINT),
    "ip_adapter": Kind(
        "ip_adapters", IpAdapterEntry, "IP-Adapter", folder_name, _has_ip_adapter,
        _pull_or_put("{weights} and {encoder} into"), _WITH_IP_ADAPTERS,
    ),
    "motion": Kind(
        "motions", MotionEntry, "motion adapter", folder_name, has_file("config.json"), _FOLDER_HINT, _WITH_SEQUENCES
    ),
    "tool": Kind("tools", ToolEntry, "tool", _tool_name, _has_tool, _tool_hint, architectures=None),
}  # fmt: skip
