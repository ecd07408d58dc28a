"""Which files of a hub repository make up a diffusers pipeline or a model of transformers, and which would be
dangerous. Pure module."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from agents.generator.files.family_marks import UnsupportedFamily, check_supported_class
from protocol.errors import Refused

SAFE_LIBRARIES = frozenset({"diffusers", "transformers", "stable_diffusion"})
"""Where the classes of a model's parts may come from; any other name is code in the repository."""

INDEX_FILE = "model_index.json"
CONFIG_FILE = "config.json"
CONFIGURATION_SUFFIXES = frozenset({".json", ".txt", ".model"})
"""Settings, vocabularies, and SentencePiece models, which are protocol buffers."""
PICKLE_SUFFIXES = frozenset({".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle"})

MAX_CONFIGURATION_BYTES = 64 << 20
MAX_FILES = 5000

_SETTINGS_FILES = frozenset(
    {
        CONFIG_FILE,
        "preprocessor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "vocab.json",
        "merges.txt",
        "spiece.model",
        "tokenizer.model",
    }
)
_WEIGHTS = re.compile(
    r"(?:diffusion_pytorch_model|model)(?P<shard>[.\w-]*)\.safetensors(?P<index>\.index[.\w]*\.json)?"
)
_VARIANT = re.compile(r"\.(fp16|bf16|non_ema|ema)\b")
_SAFE_PATH = re.compile(r"(?:[\w][\w.+-]*/)?[\w][\w.+-]*", re.ASCII)


@dataclass(frozen=True)
class HubFile:
    """A file of one commit: its place in the repository, bytes, and SHA-256, or the SHA-1 that git gives small ones."""

    path: str
    size: int
    sha256: str | None = None
    git_sha1: str | None = None


def pipeline_files(files: Sequence[HubFile], index: Mapping[str, Any], dtype: str, source: str) -> list[HubFile]:
    """The files to fetch: the parts that `model_index.json` names, in half precision where the model is run in it and
    every part is there in it.

    Raises:
        Refused: the repository holds code or weights as pickles, is incomplete, or of models that are not supported.
    """
    parts = _part_folders(index, source)
    found: list[HubFile] = []
    weights: dict[str, list[HubFile]] = {}
    pickled: set[str] = set()
    for file in files:
        part, _, name = file.path.rpartition("/")
        if part not in parts or not _SAFE_PATH.fullmatch(file.path):
            continue
        if _WEIGHTS.fullmatch(name):
            weights.setdefault(part, []).append(file)
        elif PurePosixPath(name).suffix in PICKLE_SUFFIXES:
            pickled.add(part)
        elif (
            PurePosixPath(name).suffix in CONFIGURATION_SUFFIXES and ".safetensors." not in name and ".bin." not in name
        ):
            if file.size > MAX_CONFIGURATION_BYTES:
                raise _refusal(source, f"{file.path} is of {file.size} bytes, which no settings are")
            found.append(file)
    if bare := sorted(pickled - weights.keys()):
        raise _refusal(source, f"{', '.join(bare)} is there as a pickle only, which could run code")
    empty = sorted(part for part in parts if not any(file.path.startswith(f"{part}/") for file in files))
    if empty or not weights:
        raise _refusal(source, f"{', '.join(empty) or 'its weights'} of {INDEX_FILE} is not in it")
    if unknown := next((file for part in weights.values() for file in part if not _has_hash(file)), None):
        raise _refusal(source, f"the hub has no SHA-256 of {unknown.path}")
    variants = {part: {_variant(file) for file in found} for part, found in weights.items()}
    half = dtype == "float16" and all("fp16" in each for each in variants.values())
    chosen = "fp16" if half else ""
    if lacking := sorted(part for part, each in variants.items() if chosen not in each):
        raise _refusal(source, f"{', '.join(lacking)} lacks safetensors in full precision")
    return [*found, *(file for part in weights.values() for file in part if _variant(file) == chosen)]


def transformers_files(files: Sequence[HubFile], config: Mapping[str, Any], source: str) -> list[HubFile]:
    """The files of a model of transformers, which lie at the root of its repository beside `config.json`.

    Raises:
        Refused: the repository holds code or weights as pickles.
    """
    if "auto_map" in config:
        raise _refusal(source, "its model is code from the network")
    found = [file for file in files if "/" not in file.path and _SAFE_PATH.fullmatch(file.path)]
    weights = [file for file in found if _WEIGHTS.fullmatch(file.path) and not _variant(file)]
    if not weights:
        raise _refusal(source, "it has no weights as safetensors; others could run code")
    if unknown := next((file for file in weights if not _has_hash(file)), None):
        raise _refusal(source, f"the hub has no SHA-256 of {unknown.path}")
    settings = [file for file in found if file.path in _SETTINGS_FILES and file.size <= MAX_CONFIGURATION_BYTES]
    return [*settings, *weights]


def ip_adapter_files(
    files: Sequence[HubFile], config: Mapping[str, Any], weights: str, encoder: str, source: str
) -> list[HubFile]:
    """The files of an IP-Adapter: the file `weights`, and the model in the folder `encoder` that looks at pictures.

    Raises:
        Refused: the repository lacks one of them as safetensors, or the hub its hash.
    """
    if "auto_map" in config:
        raise _refusal(source, "the model that looks at pictures is code from the network")
    known = {file.path: file for file in files}
    places = [f"{encoder}/{CONFIG_FILE}", f"{encoder}/model.safetensors", weights]
    for place in places:
        if place not in known or not (place.endswith(".json") or known[place].sha256):
            raise _refusal(source, f"{place} is not in it, or without a hash")
    return [known[place] for place in places]


def configuration_files(files: Sequence[HubFile], index: Mapping[str, Any], source: str) -> list[HubFile]:
    """The settings and vocabularies alone, without weights.

    Raises:
        Refused: the repository holds code.
    """
    parts = _part_folders(index, source)
    return [
        file
        for file in files
        if file.path.rpartition("/")[0] in parts
        and _SAFE_PATH.fullmatch(file.path)
        and PurePosixPath(file.path).suffix in CONFIGURATION_SUFFIXES
        and ".index." not in file.path
        and file.size <= MAX_CONFIGURATION_BYTES
    ]


def _part_folders(index: Mapping[str, Any], source: str) -> set[str]:
    """The folders of the parts that are there, by what `model_index.json` says."""
    if not isinstance(index.get("_class_name"), str):
        raise _refusal(source, f"{INDEX_FILE} names a pipeline of its own, which would be code from the network")
    parts: set[str] = set()
    _check_family(index["_class_name"], source)
    for name, value in index.items():
        match value:
            case [None, None]:
                pass
            case [str(library), str(part_class)]:
                if library not in SAFE_LIBRARIES:
                    raise _refusal(source, f"its {name} is code from the network ({library})")
                _check_family(part_class, source)
                parts.add(name)
            case _:
                pass
    return parts


def _check_family(class_name: str, source: str) -> None:
    try:
        check_supported_class(class_name)
    except UnsupportedFamily as error:
        raise Refused("not_installed", f"{source} cannot be used: {error}", hint=UnsupportedFamily.HINT) from error


def _has_hash(file: HubFile) -> bool:
    """Whether the hash fits the size: git's, for which a file is read whole, is for small ones."""
    return file.sha256 is not None or file.size <= MAX_CONFIGURATION_BYTES


def _variant(file: HubFile) -> str:
    found = _VARIANT.search(file.path.rpartition("/")[2])
    return found[1] if found else ""


def _refusal(source: str, reason: str) -> Refused:
    return Refused(
        "not_installed",
        f"{source} cannot be used: {reason}",
        hint="choose a repository with safetensors weights and no code of its own",
    )
