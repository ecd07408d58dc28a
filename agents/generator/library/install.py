"""Installs and removes models, LoRAs and embeddings: files in the home folder, entries in `models.toml`.

An added file is a link to the user's file where the disk allows it, so that it takes no space twice.
"""

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agents.generator.files.checkpoint_file import SINGLE_FILE, Checkpoint
from agents.generator.files.json_object import read_object
from agents.generator.files.safetensors_rename import copy_renamed
from agents.generator.library import models_toml
from agents.generator.library.hub_files import CONFIGURATION_SUFFIXES
from agents.generator.library.recognise import FileKind, Recognition, recognise
from agents.generator.registry.entries import LocalModel, is_on_hub
from agents.generator.registry.kinds import KINDS
from agents.generator.registry.registry import Registry, load
from agents.generator.registry.weight_hashes import sha256_of
from protocol.errors import Refused
from protocol.ids import is_id
from protocol.nearest import nearest

_TABLES: dict[FileKind, str] = {
    "folder": "models",
    "checkpoint": "models",
    "lora": "loras",
    "embedding": "embeddings",
    "ip_adapter": "ip_adapters",
    "upscaler": "tools",
    "face_restorer": "tools",
}

FetchConfiguration = Callable[[LocalModel, Path], None]
"""Puts the configuration of a model of a hub into a folder."""


@dataclass(frozen=True)
class ModelLibrary:
    """The folders of models and of LoRAs, and the person's own registry file. Embeddings lie beside the LoRAs."""

    models: Path
    loras: Path
    registry_file: Path

    @property
    def embeddings(self) -> Path:
        """The folder of textual inversions."""
        return self.loras.with_name("embeddings")

    @property
    def tools(self) -> Path:
        """The folder of models that help with pictures."""
        return self.loras.with_name("tools")

    def load_registry(self) -> Registry:
        """What is known and here now."""
        return load(self.models, self.loras, self.registry_file)

    def edit_registry(self, altered: Callable[[str], str]) -> None:
        """Change the person's registry file, where a generator could read what comes of it.

        Raises:
            RegistryError: it could not; the file stays as it was.
        """
        models_toml.rewrite(self.registry_file, altered, lambda file: load(self.models, self.loras, file))


@dataclass(frozen=True)
class Addition:
    """What was installed. `trigger_word` activates a LoRA, or is the word that an embedding teaches; `notes` are what a
    person should know of it."""

    name: str
    kind: FileKind
    platform: str | None
    path: Path
    trigger_word: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Removal:
    """What was removed, with the bytes of its files. Files outside the home folder stay, at `remaining_path`."""

    name: str
    freed_bytes: int
    remaining_path: Path | None


def add(
    shelves: ModelLibrary, path: Path, name: str | None, platform: str | None, configure: FetchConfiguration
) -> Addition:
    """Install a folder or file; the name and the platform are the file's own where they are null.

    Raises:
        Refused: it cannot be used, its name is taken, or its platform is not told.
        RegistryError: the person's registry file is wrong.
    """
    path = path.expanduser().absolute()
    if not path.exists():
        raise Refused("not_installed", f"there is nothing at {path}", hint="mend the path")
    registry = shelves.load_registry()
    found = recognise(path)
    name = name or re.sub(r"[^A-Za-z0-9_-]+", "_", path.name if path.is_dir() else path.stem).strip("_")[:64]
    if not is_id(name):
        raise Refused(
            "invalid_value", f"{name[:64]!r} cannot be a name", hint="give --name with letters, digits, _ and -"
        )
    if name in paths_by_name(registry):
        raise Refused("wrong_state", f"{name} is known already", hint="choose another with --name")
    known = None if _TABLES[found.kind] == "tools" else resolve_platform(platform, found, registry, path)
    added = _install(shelves, registry, found, path, name, known, configure)
    fields: dict[str, object] = {"platform": added.platform} if added.platform else {}
    match found.kind:
        case "folder":
            fields |= {"source": path.name, "path": str(path)}
        case "ip_adapter":
            fields |= {"source": path.name, "path": str(path), "weights": found.weights}
        case "checkpoint":
            fields |= {"source": path.name, "sha256": sha256_of(added.path / SINGLE_FILE)}
            fields |= _sampling_fields(found.checkpoint)
        case "lora":
            fields |= {"sha256": sha256_of(path)} | ({"trigger": added.trigger_word} if added.trigger_word else {})
        case "embedding":
            fields |= {"sha256": sha256_of(path), "token": added.trigger_word}
        case "upscaler" | "face_restorer":
            fields |= {"kind": found.kind, "source": path.name, "sha256": sha256_of(path)}
            fields |= {"scale": found.scale} if found.scale else {}
    table = f"{_TABLES[found.kind]}.{name}"
    shelves.edit_registry(lambda text: models_toml.with_entry(text, table, fields))
    return added


def remove(shelves: ModelLibrary, name: str) -> Removal:
    """Remove a model or LoRA: its files, where they lie in the home folder, and its entry.

    Raises:
        Refused: it is not known, or comes with bottega.
        RegistryError: the person's registry file is wrong.
    """
    registry = shelves.load_registry()
    places = paths_by_name(registry)
    if name not in places:
        raise Refused("not_installed", f"nothing is called {name[:64]!r}", hint=nearest(name, places))
    place = places[name]
    ours = place.parent in (shelves.models, *(shelves.loras.with_name(kind.table) for kind in KINDS.values()))
    table = next(f"{known.kind.table}.{name}" for known in registry.kinds.values() if name in known)
    text = shelves.registry_file.read_text(encoding="utf-8") if shelves.registry_file.is_file() else ""
    entered = models_toml.without_entry(text, table) != text
    if not entered and not (ours and place.exists()):
        raise Refused(
            "wrong_state",
            f"{name} is not on a shelf of yours",
            hint="it comes with bottega" if place.exists() else "it is not on this machine",
        )
    if entered:
        shelves.edit_registry(lambda text: models_toml.without_entry(text, table))
    unfinished = list(place.parent.glob(f".{name}-*")) if ours else []
    freed = sum(_delete(each) for each in [*([place] if ours else []), *unfinished])
    return Removal(name, freed, remaining_path=None if ours or not place.exists() else place)


def paths_by_name(registry: Registry) -> dict[str, Path]:
    """Where each entry of the registry lies or would lie."""
    return {name: path for known in registry.kinds.values() for name, path in known.paths.items()}


def installed_names(registry: Registry) -> frozenset[str]:
    """The names of all that is on this machine."""
    return frozenset(name for known in registry.kinds.values() for name in known.installed)


def resolve_platform(wanted: str | None, found: Recognition | None, registry: Registry, path: Path) -> str:
    """The platform that a person names, by any of its names, or else the one that was found.

    Raises:
        Refused: neither is known.
    """
    names = {alias.lower(): model.platform for model in registry.models.values() for alias in model.aliases}
    names |= {model.platform: model.platform for model in registry.models.values()}
    if wanted is not None:
        if wanted.lower() not in names:
            raise Refused("not_installed", f"the platform {wanted[:64]!r} is not known", hint=nearest(wanted, names))
        return names[wanted.lower()]
    if found is None or found.platform is None:
        known = ", ".join(sorted(set(names.values())))
        raise Refused("missing_field", f"{path} does not tell its platform", hint=f"give --platform: {known}")
    return found.platform


def _install(
    shelves: ModelLibrary,
    registry: Registry,
    found: Recognition,
    path: Path,
    name: str,
    platform: str | None,
    configure: FetchConfiguration,
) -> Addition:
    match found.kind:
        case "folder" | "ip_adapter":
            place = path
        case "checkpoint":
            assert platform is not None
            place = shelves.models / name
            _make_model_folder(registry, path, place, platform, configure, found.checkpoint)
        case "lora" | "embedding" | "upscaler" | "face_restorer":
            place = shelves.loras.with_name(_TABLES[found.kind]) / f"{name}.safetensors"
            place.parent.mkdir(parents=True, exist_ok=True)
            _link(path, place)
    word = found.trigger_word or (name if found.kind == "embedding" else None)
    return Addition(name, found.kind, platform, place, word, found.checkpoint.notes if found.checkpoint else ())


def _sampling_fields(found: Checkpoint | None) -> dict[str, object]:
    """What an entry says of a checkpoint that is sampled otherwise than others of its platform."""
    if found is None or found.prediction == "epsilon":
        return {}
    return {"prediction": found.prediction, **({"zero_snr": True} if found.zero_snr else {})}


def _make_model_folder(
    registry: Registry,
    file: Path,
    place: Path,
    platform: str,
    configure: FetchConfiguration,
    found: Checkpoint | None,
) -> None:
    """Make a model's folder of a single file, with the configuration of another model of its platform."""
    others = [model for model in registry.models.values() if model.platform == platform]
    base = next((model for model in others if model.name in registry.models.installed), None)
    remote = next((model for model in others if is_on_hub(model.source)), None)
    part = place.with_name(f".{place.name}-added")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    if base is not None:
        _copy_configuration(registry.models.paths[base.name], part)
    elif remote is not None:
        configure(remote, part)
    else:
        raise Refused(
            "not_installed",
            f"a single file needs the configuration of a model of {platform}, and none is here or on the hub",
            hint="add a diffusers folder of that platform first",
        )
    _forget_prediction(part / "scheduler" / "scheduler_config.json")
    if found and found.renamed:
        copy_renamed(file, part / SINGLE_FILE, found.renamed)
    else:
        _link(file, part / SINGLE_FILE)
    part.rename(place)


def _forget_prediction(scheduler: Path) -> None:
    """Take out of a copied configuration what it says of another model's training alone; the entry of the model says
    it of its own."""
    said = read_object(scheduler)
    if said is None or (said.get("prediction_type") != "v_prediction" and not said.get("rescale_betas_zero_snr")):
        return
    plain = {**said, "prediction_type": "epsilon", "rescale_betas_zero_snr": False}
    scheduler.write_text(json.dumps(plain, indent=2))


def _copy_configuration(folder: Path, to: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file() and file.suffix in CONFIGURATION_SUFFIXES and ".index." not in file.name:
            target = to / file.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


def _link(file: Path, place: Path) -> None:
    """The same file at another place; a copy where the disks differ. One that lies there already stays.

    Raises:
        Refused: another file lies at that place.
    """
    try:
        os.link(file, place)
    except FileExistsError:
        if not (place.exists() and file.samefile(place)):
            raise Refused(
                "wrong_state",
                f"another file lies at {place}",
                hint="choose another with --name; or make that one known: "
                f"bottega models add {shlex.quote(str(place))}",
            ) from None
    except OSError:
        shutil.copyfile(file, place)


def _delete(place: Path) -> int:
    """Remove a file or folder; returns the bytes that it held."""
    if place.is_dir() and not place.is_symlink():
        size = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
        shutil.rmtree(place)
        return size
    if not place.exists():
        return 0
    size = place.stat().st_size
    place.unlink()
    return size
