"""The registry: which models and LoRAs there are, their defaults, and which of them are on this machine.

`registry.toml` beside this file is extended and overridden by `models.toml` in the home folder.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from os.path import normpath
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from agents.generator.providers.catalogue import CATALOGUE, Catalogue, models_of
from agents.generator.registry.entries import (
    ControlEntry,
    EmbeddingEntry,
    IpAdapterEntry,
    LocalModel,
    LoraEntry,
    MotionEntry,
    ToolEntry,
)
from agents.generator.registry.hosted import HostedModel
from agents.generator.registry.installed import Installed, find_installed
from agents.generator.registry.kinds import KINDS, Kind, WeightsKind
from agents.pocket.paths import DEFAULTS as POCKET_DEFAULTS
from agents.shared.toml_text import MAX_BYTES, NotToml, parse_toml
from protocol.errors import AcpError
from protocol.nearest import nearest

BUILT_IN_FILE = Path(__file__).with_name("registry.toml")


class RegistryError(AcpError):
    """A registry file is wrong; the message names the file and the field."""

    def __init__(self, file: Path, field: str, problem: str, hint: str | None = None) -> None:
        where = f"{file}: {field}" if field else str(file)
        super().__init__("invalid_value", f"{where}: {problem}", path=field or None, hint=hint)


@dataclass(frozen=True)
class Registry:
    """Everything with weights, by its kind; hosted models, and the providers that this process asks for them."""

    kinds: Mapping[WeightsKind, Installed[Any]]
    hosted: Mapping[str, HostedModel] = field(default_factory=dict[str, HostedModel])
    providers: frozenset[str] = frozenset()

    @property
    def models(self) -> Installed[LocalModel]:
        """Models that run here."""
        return self.kinds["model"]

    @property
    def loras(self) -> Installed[LoraEntry]:
        """LoRAs."""
        return self.kinds["lora"]

    @property
    def embeddings(self) -> Installed[EmbeddingEntry]:
        """Words that can be taught (textual inversion)."""
        return self.kinds["word"]

    @property
    def controls(self) -> Installed[ControlEntry]:
        """ControlNets."""
        return self.kinds["control"]

    @property
    def ip_adapters(self) -> Installed[IpAdapterEntry]:
        """IP-Adapters."""
        return self.kinds["ip_adapter"]

    @property
    def motions(self) -> Installed[MotionEntry]:
        """Motion adapters."""
        return self.kinds["motion"]

    @property
    def tools(self) -> Installed[ToolEntry]:
        """What helps with pictures."""
        return self.kinds["tool"]

    @property
    def served_platforms(self) -> frozenset[str]:
        """The platforms of the models that pictures can be made with here."""
        local = {self.models[name].platform for name in self.models.installed}
        return frozenset(local | {one.platform for one in self.hosted.values() if one.provider in self.providers})

    def with_everything_installed(self) -> "Registry":
        """The same registry, with every entry taken for installed."""
        return replace(self, kinds={kind: known.with_all_installed() for kind, known in self.kinds.items()})

    def with_providers_alone(self, providers: Iterable[str]) -> "Registry":
        """The same registry, for a process that asks these providers and makes nothing itself."""
        kinds = {kind: replace(known, installed=frozenset[str]()) for kind, known in self.kinds.items()}
        return replace(self, kinds=kinds, providers=frozenset(providers))


def load(models: Path, loras: Path, own: Path, catalogue: Catalogue = CATALOGUE) -> Registry:
    """Read the built-in registry and the person's `own` file, if there is one; look into the folders `models`
    and `loras`, and for the other kinds into folders beside the latter, for what is installed. `catalogue` are the
    providers of hosted models.

    Raises:
        RegistryError: a file is not valid TOML, or an entry in it is wrong.
    """
    return parse(_read(own) if own.is_file() else None, own, models, loras, catalogue)


def parse(content: bytes | None, own: Path, models: Path, loras: Path, catalogue: Catalogue = CATALOGUE) -> Registry:
    """As `load`, of the `content` of the person's file, which is null where there is none.

    Raises:
        RegistryError: see `load`.
    """
    tables = _parse_tables(BUILT_IN_FILE, _read(BUILT_IN_FILE))
    _add_pocket_defaults(tables)
    for provider in catalogue:
        for name, entry in models_of(provider, catalogue).items():
            tables["models"][name] = {**entry, "provider": provider}
    file = BUILT_IN_FILE
    if content is not None:
        _parse_entries(file, tables)
        file, tables = own, _merge(tables, _parse_tables(own, content))
    hosted = _parse_hosted(file, tables, catalogue)
    entries = _parse_entries(file, tables)
    folders = {kind: loras.with_name(row.table) for kind, row in KINDS.items()} | {"model": models, "lora": loras}
    try:
        kinds: dict[WeightsKind, Installed[Any]] = {
            kind: find_installed(row, entries[kind], folders[kind]) for kind, row in KINDS.items()
        }
    except OSError as error:
        problem = f"a path in it cannot be looked at: {str(error.filename)[:200]}: {error.strerror}"
        raise RegistryError(file, "", problem, "mend the path, or who may read it") from error
    return Registry(kinds, hosted)


Validated = TypeVar("Validated", bound=BaseModel)
Tables = dict[str, dict[str, dict[str, Any]]]
_TABLE_NAMES = ("platforms", *(row.table for row in KINDS.values()))


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(MAX_BYTES + 1)


def _parse_tables(file: Path, data: bytes) -> Tables:
    try:
        content = parse_toml(data)
    except NotToml as error:
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


def _parse_hosted(file: Path, tables: Tables, catalogue: Catalogue) -> dict[str, HostedModel]:
    """Models with a provider."""
    found: dict[str, HostedModel] = {}
    for name, entry in tables["models"].items():
        if not _is_hosted(entry):
            continue
        where, provider = f"models.{name}", entry["provider"]
        if not isinstance(provider, str) or provider not in catalogue:
            problem = f"the provider {provider!r} is not known"
            raise RegistryError(file, f"{where}.provider", problem, nearest(str(provider), catalogue))
        if provider in tables["platforms"]:
            raise RegistryError(file, f"platforms.{provider}", "a provider has this name", "choose another name")
        found[name] = _validate(HostedModel, file, where, entry | {"name": name})
    return found


def _is_hosted(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of `models` is one of a provider, and no local model."""
    return "provider" in entry


def _parse_entries(file: Path, tables: Tables) -> dict[WeightsKind, dict[str, Any]]:
    return {
        kind: {
            name: _validate(row.entry, file, f"{row.table}.{name}", _fields_of(row, name, entry, file, tables))
            for name, entry in tables[row.table].items()
            if not _is_hosted(entry) or kind != "model"
        }
        for kind, row in KINDS.items()
    }


def _fields_of(row: Kind[Any], name: str, entry: dict[str, Any], file: Path, tables: Tables) -> dict[str, Any]:
    """What an entry says, after a look at its platform."""
    if row.architectures is None:
        return entry | {"name": name}
    platform = _platform(file, f"{row.table}.{name}", entry, tables["platforms"])
    if row.inherits:
        fields = {"source": "your own"} | platform | entry | {"name": name}
        inherited = platform.get("aliases", [])
        if isinstance(entry.get("aliases"), list) and isinstance(inherited, list):
            fields["aliases"] = [*inherited, *entry["aliases"]]
        return fields
    architecture = platform.get("architecture")
    if not isinstance(architecture, str) or architecture not in row.architectures:
        raise RegistryError(
            file,
            f"{row.table}.{name}.platform",
            f"models of {entry['platform']} take none of the {row.table}",
            f"a platform of the architecture {' or '.join(sorted(row.architectures))}",
        )
    return entry | {"name": name}


def _platform(
    file: Path, where: str, entry: Mapping[str, Any], platforms: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    name = entry.get("platform")
    if not isinstance(name, str) or name not in platforms:
        problem = f"platform {name!r} is not defined" if name else "platform is missing"
        raise RegistryError(file, f"{where}.platform", problem, nearest(str(name or ""), platforms))
    return platforms[name]


def _validate(kind: type[Validated], file: Path, where: str, fields: Mapping[str, Any]) -> Validated:
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
