"""Recognises what a user wants to add: a model's folder, a single-file checkpoint, a LoRA, a textual inversion, an
IP-Adapter or a network for pictures, and for which platform. Refuses what could run code or would not work. It reads
headers, and values of everything but models, and changes nothing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from agents.generator.architectures import ARCHITECTURES
from agents.generator.files.checkpoint_file import DECODER, Checkpoint, NotACheckpoint, is_checkpoint
from agents.generator.files.checkpoint_file import describe as describe_checkpoint
from agents.generator.files.embedding_file import EMBEDDING_BOUNDS, NotAnEmbedding, is_embedding
from agents.generator.files.embedding_file import describe as describe_embedding
from agents.generator.files.family_marks import (
    UnsupportedFamily,
    check_supported,
    platform_of_base_model,
    platform_of_encoder_widths,
    weight_layers,
)
from agents.generator.files.ip_adapter_file import NotAnIpAdapter, is_ip_adapter
from agents.generator.files.ip_adapter_file import describe as describe_ip_adapter
from agents.generator.files.json_object import read_object
from agents.generator.files.lora_file import NotALora, describe, usable_trigger
from agents.generator.files.part_configurations import find_fault
from agents.generator.files.rrdb_file import UPSCALER_BOUNDS, NotAnUpscaler, is_upscaler
from agents.generator.files.rrdb_file import describe as describe_upscaler
from agents.generator.files.safetensors_header import (
    ADAPTER_BOUNDS,
    CHECKPOINT_BOUNDS,
    Header,
    UnsoundFile,
    inspect_file,
    read_header,
)
from agents.generator.library.hub_files import CONFIG_FILE, INDEX_FILE, PICKLE_SUFFIXES, HubFile, pipeline_files
from agents.generator.upscale import spandrel_networks
from protocol.errors import Refused

Content = TypeVar("Content")
FileKind = Literal["folder", "checkpoint", "lora", "embedding", "ip_adapter", "upscaler", "face_restorer"]

IMAGE_ENCODER_FOLDER = "image_encoder"
"""The folder of the model that looks at pictures, in an IP-Adapter's."""

SIDECAR_SUFFIX = ".civitai.info"
"""End of the name of the file that Civitai's tools put beside a download."""
MAX_SIDECAR_BYTES = 1 << 20


class _Sidecar(msgspec.Struct):
    baseModel: str = ""
    trainedWords: list[str] = []


@dataclass(frozen=True)
class Recognition:
    """What a path holds. `platform` is null where nothing tells it. `trigger_word` activates a LoRA, or is the word
    that an embedding teaches; null where nothing tells it. `weights` is the name of an IP-Adapter's file in its folder;
    `scale` is a network's, where its header does not tell; `checkpoint` what else is told of a single file."""

    kind: FileKind
    platform: str | None
    trigger_word: str | None = None
    weights: str | None = None
    scale: int | None = None
    checkpoint: Checkpoint | None = None


def recognise(path: Path) -> Recognition:
    """What lies at a path.

    Raises:
        Refused: it cannot be used, and why.
    """
    if (path / IMAGE_ENCODER_FOLDER / CONFIG_FILE).is_file() and not (path / INDEX_FILE).is_file():
        return _recognise_ip_adapter(path)
    if path.is_dir():
        return Recognition("folder", _folder_platform(path))
    if path.suffix in PICKLE_SUFFIXES:
        raise _refusal(path, "it is a pickle, which could run code", "get it as a .safetensors file")
    if path.suffix != ".safetensors":
        raise _refusal(path, "it is no safetensors file", "name a diffusers folder or a .safetensors file")
    try:
        return _recognise_file(path)
    except UnsupportedFamily as error:
        raise _refusal(path, str(error), UnsupportedFamily.HINT) from error
    except NotACheckpoint as error:
        raise _refusal(path, str(error), error.hint) from error
    except NotALora as error:
        if error.hint:
            raise _refusal(path, str(error), error.hint) from error
        if spandrel_networks.is_available():
            return _recognise_network(path)
        hint = (
            f"another one; networks for pictures of other families than ESRGAN need: {spandrel_networks.INSTALL_HINT}"
        )
        raise _refusal(path, str(error), hint) from error
    except (UnsoundFile, NotAnEmbedding, NotAnIpAdapter, NotAnUpscaler) as error:
        raise _refusal(path, str(error), "get the file again, or another one") from error


def _recognise_file(path: Path) -> Recognition:
    """What a safetensors file holds; a LoRA, if nothing else."""
    header = read_header(path, CHECKPOINT_BOUNDS)
    tensors = header.tensors
    check_supported(weight_layers(tensors))
    if is_checkpoint(tensors):
        return _recognise_checkpoint(path, header)
    if is_embedding(tensors):
        taught = describe_embedding(inspect_file(path, EMBEDDING_BOUNDS))
        widths = sorted(width for _, _, width in taught.encoder_vectors)
        return Recognition("embedding", platform_of_encoder_widths(tuple(widths)), taught.token)
    if is_upscaler(tensors):
        describe_upscaler(inspect_file(path, UPSCALER_BOUNDS))
        return Recognition("upscaler", None)
    if is_ip_adapter(tensors):
        describe_ip_adapter(inspect_file(path, ADAPTER_BOUNDS))
        raise _refusal(
            path,
            "an IP-Adapter needs the CLIP vision model that looks at pictures for it",
            f"put both into a folder, that model as {IMAGE_ENCODER_FOLDER}, and add the folder",
        )
    lora = describe(inspect_file(path, ADAPTER_BOUNDS))
    base, words = _read_sidecar(path)
    check_supported({}, [base])
    return Recognition("lora", platform_of_base_model(base) or lora.platform, next(iter(words or lora.triggers), None))


def _recognise_checkpoint(path: Path, header: Header) -> Recognition:
    """A model in one file. Of its values the decoder's are read alone, which are a twentieth of it, and are those that
    overflow where people mix models."""
    found = describe_checkpoint(header)
    try:
        inspect_file(path, CHECKPOINT_BOUNDS, DECODER)
    except UnsoundFile as error:
        raise NotACheckpoint(f"its image decoder is broken: {error}", "get a version of it with another VAE") from error
    return Recognition("checkpoint", found.platform, checkpoint=found)


def _recognise_ip_adapter(folder: Path) -> Recognition:
    """The IP-Adapter of a folder that holds its file and what looks at pictures for it."""
    files = sorted(folder.glob("*.safetensors"))
    if len(files) != 1:
        raise _refusal(
            folder,
            f"beside {IMAGE_ENCODER_FOLDER} it has {len(files)} safetensors files",
            f"leave one, and {IMAGE_ENCODER_FOLDER}",
        )
    try:
        read_header(folder / IMAGE_ENCODER_FOLDER / "model.safetensors", CHECKPOINT_BOUNDS)
        found = describe_ip_adapter(inspect_file(files[0], ADAPTER_BOUNDS))
    except (OSError, UnsoundFile, NotAnIpAdapter) as error:
        raise _refusal(folder, str(error), "get the files again, or others") from error
    return Recognition("ip_adapter", found.platform, weights=files[0].name)


def _recognise_network(path: Path) -> Recognition:
    """A network of a family that the extra reads."""
    found = spandrel_networks.load_network(path)
    return Recognition("face_restorer" if found.purpose == "FaceSR" else "upscaler", None, scale=found.scale)


def _folder_platform(folder: Path) -> str | None:
    index = _read_json(folder / INDEX_FILE, dict[str, Any])
    if index is None:
        raise _refusal(folder, f"it has no readable {INDEX_FILE}", "name the diffusers folder itself")
    files = [
        HubFile(str(file.relative_to(folder)), file.stat().st_size, sha256="not known")
        for file in folder.rglob("*")
        if file.is_file()
    ]
    for file in pipeline_files(files, index, "float16", str(folder)):
        if file.path.endswith(".safetensors"):
            try:
                read_header(folder / file.path, CHECKPOINT_BOUNDS)
            except UnsoundFile as error:
                raise _refusal(folder, f"{file.path}: {error}", "get the folder again") from error
    if fault := find_fault(index, lambda path: read_object(folder / path)):
        raise _refusal(folder, fault, "mend the file that is named, or get the folder again")
    marks = next((one.files for one in ARCHITECTURES.values() if one.pipelines.noise == index["_class_name"]), None)
    if marks is None or marks.config is None or marks.platform_of_config is None:
        return marks.platform if marks else None
    return marks.platform_of_config(_read_json(folder / marks.config, dict[str, Any]) or {})


def _read_sidecar(path: Path) -> tuple[str, tuple[str, ...]]:
    """What Civitai says of the base model and the words that wake it."""
    said = _read_json(path.with_suffix(SIDECAR_SUFFIX), _Sidecar)
    return (said.baseModel, tuple(filter(None, map(usable_trigger, said.trainedWords)))) if said else ("", ())


def _read_json(file: Path, kind: type[Content]) -> Content | None:
    """A small JSON file, or null where there is none or it is another one."""
    try:
        if file.stat().st_size > MAX_SIDECAR_BYTES:
            return None
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError, RecursionError):
        return None


def _refusal(path: Path, reason: str, hint: str) -> Refused:
    return Refused("not_installed", f"{path} cannot be used: {reason}", hint=hint)
