"""The registry: which models and LoRAs there are, their defaults, and which of them are on this machine.

`registry.toml` beside this file is extended and overridden by `models.toml` in the home folder.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from os.path import normpath
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from agents.generator import samplers
from agents.pocket.paths import DEFAULTS as POCKET_DEFAULTS
from protocol.errors import AcpError
from protocol.ids import is_id
from protocol.nearest import nearest

BUILT_IN = Path(__file__).with_name("registry.toml")
Architecture = Literal["stable_diffusion", "stable_diffusion_xl", "stable_diffusion_3", "flux", "kandinsky_3"]
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)
FLOW: frozenset[Architecture] = frozenset({"stable_diffusion_3", "flux"})
"""Architectures trained by flow matching."""

Name = Annotated[str, AfterValidator(lambda name: _id(name))]
Commit = Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
SamplerName = Annotated[str, AfterValidator(lambda name: _sampler_name(name))]
Size = tuple[Annotated[int, Field(ge=16, le=8192)], Annotated[int, Field(ge=16, le=8192)]]


class RegistryError(AcpError):
    """A registry file is wrong; the message names the file and the field."""

    def __init__(self, file: Path, field: str, problem: str, hint: str | None = None) -> None:
        where = f"{file}: {field}" if field else str(file)
        super().__init__("invalid_value", f"{where}: {problem}", path=field or None, hint=hint)


class Model(BaseModel):
    """A model with its platform's defaults filled in.

    Sizes are (width, height) in pixels, the first the default. `dtype` is that of accelerators, since a CPU
    computes in float32. `path` is its folder where that is not in the models folder, relative to the file that names
    it; `source` the hub repository, at the commit `revision`, or a note on where it comes from. `sha256` is the hash of
    weights that are one file. `memory_gb` is what weights fill at `dtype`, in 10⁹ bytes, by the number of parameters.
    `commercial` is whether the licence allows commercial use.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    platform: Name
    architecture: Architecture
    source: str
    revision: Commit | None = None
    sha256: Sha256 | None = None
    path: Path | None = None
    aliases: tuple[str, ...] = ()
    steps: int = Field(ge=1, le=150)
    guidance: float = Field(ge=0, le=50)
    guidance_range: tuple[float, float]
    sampler: SamplerName
    native_sizes: tuple[Size, ...] = Field(min_length=1)
    negative_prompt: bool
    multiple_of: int = Field(ge=1, le=256)
    max_pixels: int = Field(ge=256)
    dtype: Literal["float32", "float16", "bfloat16"] = "float16"
    memory_gb: float | None = Field(default=None, gt=0)
    licence: str | None = None
    commercial: Literal["yes", "no", "conditional"] | None = None
    priority: int = 0
    install: str | None = None

    @property
    def on_hub(self) -> bool:
        """Whether `source` is a repository that can be pulled."""
        return self.source.count("/") == 1 and " " not in self.source

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        low, high = self.guidance_range
        if not low <= self.guidance <= high:
            raise ValueError(f"guidance {self.guidance} is outside guidance_range {low} to {high}")
        for width, height in self.native_sizes:
            if width % self.multiple_of or height % self.multiple_of:
                raise ValueError(f"native size {width}x{height} does not fit multiple_of {self.multiple_of}")
            if width * height > self.max_pixels:
                raise ValueError(f"native size {width}x{height} is over max_pixels {self.max_pixels}")
        if scheduler_of(samplers.find(self.sampler), self.architecture) is None:
            raise ValueError(f"sampler {self.sampler!r} does not exist for {self.architecture}")
        return self


class LoraEntry(BaseModel):
    """An adapter for the models of one platform. `trigger` are the words that wake it; `path` is its file where that is
    not in the folder of LoRAs, relative to the file that names it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    platform: Name
    trigger: str | None = None
    sha256: Sha256 | None = None
    path: Path | None = None
    licence: str | None = None
    install: str | None = None


class EmbeddingEntry(BaseModel):
    """A word for the text encoders of one platform (textual inversion). `token` is how prompts write it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    platform: Name
    token: str = Field(min_length=2, max_length=64, pattern=r"^\S+$")
    sha256: Sha256 | None = None
    path: Path | None = None
    licence: str | None = None
    install: str | None = None


@dataclass(frozen=True)
class Registry:
    """Known models, LoRAs and embeddings, their places on this machine, and which were there when it was read."""

    models: Mapping[str, Model]
    loras: Mapping[str, LoraEntry]
    embeddings: Mapping[str, EmbeddingEntry]
    places: Mapping[str, Path]
    lora_places: Mapping[str, Path]
    embedding_places: Mapping[str, Path]
    installed: frozenset[str]
    installed_loras: frozenset[str]
    installed_embeddings: frozenset[str]

    def with_everything(self) -> "Registry":
        """The same registry, with every entry taken for installed."""
        return replace(
            self,
            installed=frozenset(self.models),
            installed_loras=frozenset(self.loras),
            installed_embeddings=frozenset(self.embeddings),
        )


def scheduler_of(sampler: samplers.Sampler, architecture: Architecture) -> samplers.Scheduler | None:
    """What a sampler means for an architecture, or null."""
    if architecture in sampler.unfit:
        return None
    return sampler.flow if architecture in FLOW else sampler.diffusion


def load(models: Path, loras: Path, own: Path) -> Registry:
    """Read the built-in registry and the person's `own` file, if there is one; look into the folders `models`
    and `loras`, and `embeddings` beside the latter, for what is installed.

    Raises:
        RegistryError: a file is not valid TOML, or an entry in it is wrong.
    """
    tables = _read(BUILT_IN)
    _add_pocket_defaults(tables)
    known, adapters, words = _entries(BUILT_IN, tables)
    if own.is_file():
        known, adapters, words = _entries(own, _merged(tables, _read(own)))
    places = {model.name: model.path or models / model.name for model in known.values()}
    lora_places = {lora.name: lora.path or loras / f"{lora.name}.safetensors" for lora in adapters.values()}
    embeddings = loras.with_name("embeddings")
    embedding_places = {word.name: word.path or embeddings / f"{word.name}.safetensors" for word in words.values()}
    return Registry(
        models=known,
        loras=adapters,
        embeddings=words,
        places=places,
        lora_places=lora_places,
        embedding_places=embedding_places,
        installed=frozenset(name for name, place in places.items() if (place / "model_index.json").is_file()),
        installed_loras=frozenset(name for name, place in lora_places.items() if place.is_file()),
        installed_embeddings=frozenset(name for name, place in embedding_places.items() if place.is_file()),
    )


Entry = TypeVar("Entry", Model, LoraEntry, EmbeddingEntry)
Adapter = TypeVar("Adapter", LoraEntry, EmbeddingEntry)
Entries = tuple[dict[str, Model], dict[str, LoraEntry], dict[str, EmbeddingEntry]]
Tables = dict[str, dict[str, dict[str, Any]]]
_KINDS = ("platforms", "models", "loras", "embeddings")


def _read(file: Path) -> Tables:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RegistryError(file, "", f"not valid TOML: {error}") from error
    tables: Tables = {kind: {} for kind in _KINDS}
    for kind, entries in content.items():
        if kind not in _KINDS:
            raise RegistryError(file, kind, "not a table of the registry", nearest(kind, _KINDS))
        if not isinstance(entries, dict):
            raise RegistryError(file, kind, "must be a table of named entries", f"write [{kind}.NAME]")
        for name, entry in entries.items():  # pyright: ignore[reportUnknownVariableType] - TOML
            if not isinstance(entry, dict):
                raise RegistryError(file, f"{kind}.{name}", "must be a table", f"write [{kind}.{name}]")
            tables[kind][str(name)] = _placed(dict(entry), file.parent)  # pyright: ignore[reportUnknownArgumentType] - TOML
    return tables


def _placed(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    """An entry whose `path`, if it is relative, counts from the folder of the file that names it."""
    path = entry.get("path")
    return entry | {"path": Path(normpath(folder / path))} if isinstance(path, str) else entry


def _merged(base: Tables, own: Tables) -> Tables:
    """`own` over `base`, field by field."""
    return {
        kind: {name: base[kind].get(name, {}) | own[kind].get(name, {}) for name in [*base[kind], *own[kind]]}
        for kind in _KINDS
    }


def _entries(file: Path, tables: Tables) -> Entries:
    platforms = tables["platforms"]
    models: dict[str, Model] = {}
    for name, entry in tables["models"].items():
        platform = _platform(file, f"models.{name}", entry, platforms)
        fields = {"source": "your own"} | platform | entry | {"name": name}
        if isinstance(entry.get("aliases"), list):
            fields["aliases"] = [*platform.get("aliases", ()), *entry["aliases"]]
        models[name] = _validated(Model, file, f"models.{name}", fields)
    loras = _adapters(LoraEntry, file, "loras", tables)
    return models, loras, _adapters(EmbeddingEntry, file, "embeddings", tables)


def _adapters(kind: type[Adapter], file: Path, table: str, tables: Tables) -> dict[str, Adapter]:
    found: dict[str, Adapter] = {}
    for name, entry in tables[table].items():
        _platform(file, f"{table}.{name}", entry, tables["platforms"])
        found[name] = _validated(kind, file, f"{table}.{name}", entry | {"name": name})
    return found


def _platform(
    file: Path, where: str, entry: Mapping[str, Any], platforms: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    name = entry.get("platform")
    if not isinstance(name, str) or name not in platforms:
        problem = f"platform {name!r} is not defined" if name else "platform is missing"
        raise RegistryError(file, f"{where}.platform", problem, nearest(str(name or ""), platforms))
    return platforms[name]


def _validated(kind: type[Entry], file: Path, where: str, fields: Mapping[str, Any]) -> Entry:
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


def _id(name: str) -> str:
    if not is_id(name):
        raise ValueError("must be letters, digits, _ and -, 1 to 64 of them, since it names a folder and a subject")
    return name


def _sampler_name(name: str) -> str:
    try:
        return samplers.find(name).name
    except AcpError as error:
        raise ValueError(f"{error.body.message} ({error.body.hint})") from error
