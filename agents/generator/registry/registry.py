"""The registry: which models and LoRAs there are, their defaults, and which of them are on this machine.

`registry.toml` beside this file is extended and overridden by `models.toml` in the home folder.
"""

import json
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from os.path import normpath
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from agents.generator.architectures import ARCHITECTURES
from agents.generator.registry.entries import (
    ControlEntry,
    EmbeddingEntry,
    IpAdapterEntry,
    LoraEntry,
    Model,
    MotionEntry,
    ToolEntry,
)
from agents.pocket.paths import DEFAULTS as POCKET_DEFAULTS
from protocol.errors import AcpError, Refused
from protocol.nearest import nearest

BUILT_IN_FILE = Path(__file__).with_name("registry.toml")
FILE_SUFFIXES = {"upscaler": ".safetensors", "face_restorer": ".safetensors"}
"""Ends of the names of tools that are files; others are folders."""


class RegistryError(AcpError):
    """A registry file is wrong; the message names the file and the field."""

    def __init__(self, file: Path, field: str, problem: str, hint: str | None = None) -> None:
        where = f"{file}: {field}" if field else str(file)
        super().__init__("invalid_value", f"{where}: {problem}", path=field or None, hint=hint)


@dataclass(frozen=True)
class Registry:
    """Models, LoRAs, embeddings, ControlNets, IP-Adapters, motion adapters and tools, their places on this machine, and
    which were there when it was read."""

    models: Mapping[str, Model]
    loras: Mapping[str, LoraEntry]
    embeddings: Mapping[str, EmbeddingEntry]
    controls: Mapping[str, ControlEntry]
    ip_adapters: Mapping[str, IpAdapterEntry]
    motions: Mapping[str, MotionEntry]
    tools: Mapping[str, ToolEntry]
    places: Mapping[str, Path]
    lora_places: Mapping[str, Path]
    embedding_places: Mapping[str, Path]
    control_places: Mapping[str, Path]
    ip_adapter_places: Mapping[str, Path]
    motion_places: Mapping[str, Path]
    tool_places: Mapping[str, Path]
    installed: frozenset[str]
    installed_loras: frozenset[str]
    installed_embeddings: frozenset[str]
    installed_controls: frozenset[str]
    installed_ip_adapters: frozenset[str]
    installed_motions: frozenset[str]
    installed_tools: frozenset[str]

    def with_everything_installed(self) -> "Registry":
        """The same registry, with every entry taken for installed."""
        return replace(
            self,
            installed=frozenset(self.models),
            installed_loras=frozenset(self.loras),
            installed_embeddings=frozenset(self.embeddings),
            installed_controls=frozenset(self.controls),
            installed_ip_adapters=frozenset(self.ip_adapters),
            installed_motions=frozenset(self.motions),
            installed_tools=frozenset(self.tools),
        )


def load(models: Path, loras: Path, own: Path) -> Registry:
    """Read the built-in registry and the person's `own` file, if there is one; look into the folders `models`
    and `loras`, and `embeddings`, `controls`, `ip_adapters`, `motions` and `tools` beside the latter, for what is
    installed.

    Raises:
        RegistryError: a file is not valid TOML, or an entry in it is wrong.
    """
    tables = _read(BUILT_IN_FILE)
    _add_pocket_defaults(tables)
    known, adapters, words, controls, ip_adapters, motions, tools = _parse_entries(BUILT_IN_FILE, tables)
    if own.is_file():
        known, adapters, words, controls, ip_adapters, motions, tools = _parse_entries(own, _merge(tables, _read(own)))
    places = {model.name: model.path or models / model.name for model in known.values()}
    lora_places = {lora.name: lora.path or loras / f"{lora.name}.safetensors" for lora in adapters.values()}
    embeddings = loras.with_name("embeddings")
    embedding_places = {word.name: word.path or embeddings / f"{word.name}.safetensors" for word in words.values()}
    control_places = {one.name: one.path or loras.with_name("controls") / one.name for one in controls.values()}
    ip_places = {one.name: one.path or loras.with_name("ip_adapters") / one.name for one in ip_adapters.values()}
    motion_places = {one.name: one.path or loras.with_name("motions") / one.name for one in motions.values()}
    tool_places = {
        tool.name: tool.path or loras.with_name("tools") / (f"{tool.name}{FILE_SUFFIXES.get(tool.kind, '')}")
        for tool in tools.values()
    }
    return Registry(
        models=known,
        loras=adapters,
        embeddings=words,
        controls=controls,
        ip_adapters=ip_adapters,
        motions=motions,
        tools=tools,
        places=places,
        lora_places=lora_places,
        embedding_places=embedding_places,
        control_places=control_places,
        ip_adapter_places=ip_places,
        motion_places=motion_places,
        tool_places=tool_places,
        installed=frozenset(name for name, place in places.items() if (place / "model_index.json").is_file()),
        installed_loras=frozenset(name for name, place in lora_places.items() if place.is_file()),
        installed_embeddings=frozenset(name for name, place in embedding_places.items() if place.is_file()),
        installed_controls=frozenset(
            name for name, place in control_places.items() if (place / "config.json").is_file()
        ),
        installed_ip_adapters=frozenset(
            name
            for name, place in ip_places.items()
            if (place / ip_adapters[name].weights).is_file()
            and (place / ip_adapters[name].encoder / "config.json").is_file()
        ),
        installed_motions=frozenset(name for name, place in motion_places.items() if (place / "config.json").is_file()),
        installed_tools=frozenset(
            name for name, place in tool_places.items() if place.is_file() or (place / "config.json").is_file()
        ),
    )


Entry = TypeVar("Entry", Model, LoraEntry, EmbeddingEntry, ControlEntry, IpAdapterEntry, MotionEntry, ToolEntry)
PlatformEntry = TypeVar("PlatformEntry", LoraEntry, EmbeddingEntry, ControlEntry, IpAdapterEntry, MotionEntry)
Entries = tuple[
    dict[str, Model],
    dict[str, LoraEntry],
    dict[str, EmbeddingEntry],
    dict[str, ControlEntry],
    dict[str, IpAdapterEntry],
    dict[str, MotionEntry],
    dict[str, ToolEntry],
]
Tables = dict[str, dict[str, dict[str, Any]]]
_TABLE_NAMES = ("platforms", "models", "loras", "embeddings", "controls", "ip_adapters", "motions", "tools")


def _read(file: Path) -> Tables:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RegistryError(file, "", f"not valid TOML: {error}") from error
    tables: Tables = {kind: {} for kind in _TABLE_NAMES}
    for kind, entries in content.items():
        if kind not in _TABLE_NAMES:
            raise RegistryError(file, kind, "not a table of the registry", nearest(kind, _TABLE_NAMES))
        if not isinstance(entries, dict):
            raise RegistryError(file, kind, "must be a table of named entries", f"write [{kind}.NAME]")
        for name, entry in entries.items():  # pyright: ignore[reportUnknownVariableType] - TOML
            if not isinstance(entry, dict):
                raise RegistryError(file, f"{kind}.{name}", "must be a table", f"write [{kind}.{name}]")
            tables[kind][str(name)] = _resolve_path(dict(entry), file.parent)  # pyright: ignore[reportUnknownArgumentType] - TOML
    return tables


def _resolve_path(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    """An entry whose `path`, if it is relative, counts from the folder of the file that names it."""
    path = entry.get("path")
    return entry | {"path": Path(normpath(folder / path))} if isinstance(path, str) else entry


def _merge(base: Tables, own: Tables) -> Tables:
    """`own` over `base`, field by field."""
    return {
        kind: {name: base[kind].get(name, {}) | own[kind].get(name, {}) for name in [*base[kind], *own[kind]]}
        for kind in _TABLE_NAMES
    }


def _parse_entries(file: Path, tables: Tables) -> Entries:
    platforms = tables["platforms"]
    models: dict[str, Model] = {}
    for name, entry in tables["models"].items():
        platform = _platform(file, f"models.{name}", entry, platforms)
        fields = {"source": "your own"} | platform | entry | {"name": name}
        if isinstance(entry.get("aliases"), list):
            fields["aliases"] = [*platform.get("aliases", ()), *entry["aliases"]]
        models[name] = _validate(Model, file, f"models.{name}", fields)
    loras = _platform_entries(LoraEntry, file, "loras", tables)
    words = _platform_entries(EmbeddingEntry, file, "embeddings", tables)
    tools = {
        name: _validate(ToolEntry, file, f"tools.{name}", entry | {"name": name})
        for name, entry in tables["tools"].items()
    }
    controls = _platform_entries(ControlEntry, file, "controls", tables)
    with_adapters = [name for name, family in ARCHITECTURES.items() if family.ip_adapters]
    with_sequences = [name for name, family in ARCHITECTURES.items() if family.pipelines.sequence]
    ip_adapters = _platform_entries(IpAdapterEntry, file, "ip_adapters", tables, with_adapters)
    motions = _platform_entries(MotionEntry, file, "motions", tables, with_sequences)
    return models, loras, words, controls, ip_adapters, motions, tools


def _platform_entries(
    kind: type[PlatformEntry], file: Path, table: str, tables: Tables, fitting: Collection[str] = ARCHITECTURES
) -> dict[str, PlatformEntry]:
    """The entries of a table, which are for platforms of the `fitting` architectures."""
    found: dict[str, PlatformEntry] = {}
    for name, entry in tables[table].items():
        platform = _platform(file, f"{table}.{name}", entry, tables["platforms"])
        if platform.get("architecture") not in fitting:
            raise RegistryError(
                file,
                f"{table}.{name}.platform",
                f"models of {entry['platform']} take none of the {table}",
                f"a platform of the architecture {' or '.join(sorted(fitting))}",
            )
        found[name] = _validate(kind, file, f"{table}.{name}", entry | {"name": name})
    return found


def _platform(
    file: Path, where: str, entry: Mapping[str, Any], platforms: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    name = entry.get("platform")
    if not isinstance(name, str) or name not in platforms:
        problem = f"platform {name!r} is not defined" if name else "platform is missing"
        raise RegistryError(file, f"{where}.platform", problem, nearest(str(name or ""), platforms))
    return platforms[name]


def _validate(kind: type[Entry], file: Path, where: str, fields: Mapping[str, Any]) -> Entry:
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join([where, *(str(part) for part in first["loc"])])
        unknown = first["type"] == "extra_forbidden"
        hint = nearest(str(first["loc"][-1]), kind.model_fields) if unknown else None
        problem = "this field is not known" if unknown else first["msg"]
        raise RegistryError(file, field, problem, hint) from error


def _add_pocket_defaults(tables: Tables) -> None:
    """What training found best for the pocket model, over the platform's defaults."""
    if not POCKET_DEFAULTS.is_file():
        return
    found = json.loads(POCKET_DEFAULTS.read_text(encoding="utf-8"))
    entry = tables["models"]["pocket"]
    entry |= {key: found[key] for key in ("steps", "guidance", "sampler") if key in found}
    if "native_size" in found:
        entry["native_sizes"] = [found["native_size"]]


def not_installed_error(what: str, path: str, hint: str) -> Refused:
    """The refusal of something that is known and not here; `hint` is how to get it."""
    return Refused("not_installed", f"{what} is not on this machine", path=path, hint=hint)
