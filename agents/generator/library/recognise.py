"""What a path holds that a person wants to add: a model's folder, a single-file checkpoint, a LoRA, a textual
inversion, an IP-Adapter or a network for pictures, and for which platform; or a refusal of what could run code or would
not work. Reads headers, and values of all but models; changes nothing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from agents.generator.files.checkpoint_file import NotACheckpoint, is_checkpoint, platform_of
from agents.generator.files.embedding_file import EMBEDDING, NotAnEmbedding, is_embedding
from agents.generator.files.embedding_file import describe as describe_embedding
from agents.generator.files.ip_adapter_file import NotAnIpAdapter, is_ip_adapter
from agents.generator.files.ip_adapter_file import describe as describe_ip_adapter
from agents.generator.files.lora_file import NotALora, describe, platform_called
from agents.generator.files.rrdb_file import UPSCALER, NotAnUpscaler, is_upscaler
from agents.generator.files.rrdb_file import describe as describe_upscaler
from agents.generator.files.safetensors_header import ADAPTER, CHECKPOINT, Unsound, inspect, read_header
from agents.generator.library.hub_files import CONFIG, INDEX, PICKLES, HubFile, wanted
from agents.generator.upscale import spandrel_networks
from protocol.errors import Refused

Content = TypeVar("Content")
Kind = Literal["folder", "checkpoint", "lora", "embedding", "ip_adapter", "upscaler", "face_restorer"]

ENCODER = "image_encoder"
"""The folder of the model that looks at pictures, in an IP-Adapter's."""

SIDECAR = ".civitai.info"
"""End of the name of the file that Civitai's tools put beside a download."""
MAX_SIDECAR_BYTES = 1 << 20

_PIPELINES = {
    "StableDiffusionPipeline": "stable_diffusion_1_5",
    "StableDiffusionXLPipeline": "stable_diffusion_xl",
    "StableDiffusion3Pipeline": "stable_diffusion_3_5",
    "Kandinsky3Pipeline": "kandinsky_3",
}

_TEXT_ENCODERS: dict[tuple[int, ...], str] = {(768,): "stable_diffusion_1_5", (768, 1280): "stable_diffusion_xl"}
"""Widths of the text encoders that an embedding is for."""


class _Config(msgspec.Struct):
    guidance_embeds: bool = False


class _Sidecar(msgspec.Struct):
    baseModel: str = ""
    trainedWords: list[str] = []


@dataclass(frozen=True)
class Found:
    """What a path holds; `platform` is null where it does not tell. `word` wakes a LoRA, or is what an embedding
    teaches; null where nothing tells it. `weights` is the name of an IP-Adapter's file in its folder; `scale` is a
    network's, where its header does not tell."""

    kind: Kind
    platform: str | None
    word: str | None = None
    weights: str | None = None
    scale: int | None = None


def recognise(path: Path) -> Found:
    """What lies at a path.

    Raises:
        Refused: it cannot be used, and why.
    """
    if (path / ENCODER / CONFIG).is_file() and not (path / INDEX).is_file():
        return _ip_adapter(path)
    if path.is_dir():
        return Found("folder", _folder_platform(path))
    if path.suffix in PICKLES:
        raise _refused(path, "it is a pickle, which could run code", "get it as a .safetensors file")
    if path.suffix != ".safetensors":
        raise _refused(path, "it is no safetensors file", "name a diffusers folder or a .safetensors file")
    try:
        return _file(path)
    except NotACheckpoint as error:
        raise _refused(path, str(error), "add the diffusers folder of the model, or pull it") from error
    except NotALora as error:
        if spandrel_networks.is_available():
            return _network(path)
        hint = f"another one; networks for pictures of other families than ESRGAN need: {spandrel_networks.INSTALL}"
        raise _refused(path, str(error), hint) from error
    except (Unsound, NotAnEmbedding, NotAnIpAdapter, NotAnUpscaler) as error:
        raise _refused(path, str(error), "get the file again, or another one") from error


def _file(path: Path) -> Found:
    """What a safetensors file holds; a LoRA, if nothing else."""
    tensors = read_header(path, CHECKPOINT).tensors
    if is_checkpoint(tensors):
        return Found("checkpoint", platform_of(tensors))
    if is_embedding(tensors):
        taught = describe_embedding(inspect(path, EMBEDDING))
        widths = sorted(width for _, _, width in taught.parts)
        return Found("embedding", _TEXT_ENCODERS.get(tuple(widths)), taught.token)
    if is_upscaler(tensors):
        describe_upscaler(inspect(path, UPSCALER))
        return Found("upscaler", None)
    if is_ip_adapter(tensors):
        describe_ip_adapter(inspect(path, ADAPTER))
        raise _refused(
            path,
            "an IP-Adapter needs the CLIP vision model that looks at pictures for it",
            f"put both into a folder, that model as {ENCODER}, and add the folder",
        )
    lora = describe(inspect(path, ADAPTER))
    base, words = _sidecar(path)
    return Found("lora", platform_called(base) or lora.platform, next(iter(words or lora.triggers), None))


def _ip_adapter(folder: Path) -> Found:
    """The IP-Adapter of a folder that holds its file and what looks at pictures for it."""
    files = sorted(folder.glob("*.safetensors"))
    if len(files) != 1:
        raise _refused(folder, f"beside {ENCODER} it has {len(files)} safetensors files", f"leave one, and {ENCODER}")
    try:
        read_header(folder / ENCODER / "model.safetensors", CHECKPOINT)
        found = describe_ip_adapter(inspect(files[0], ADAPTER))
    except (OSError, Unsound, NotAnIpAdapter) as error:
        raise _refused(folder, str(error), "get the files again, or others") from error
    return Found("ip_adapter", found.platform, weights=files[0].name)


def _network(path: Path) -> Found:
    """A network of a family that the extra reads."""
    found = spandrel_networks.load(path)
    return Found("face_restorer" if found.purpose == "FaceSR" else "upscaler", None, scale=found.scale)


def _folder_platform(folder: Path) -> str | None:
    index = _json(folder / INDEX, dict[str, Any])
    if index is None:
        raise _refused(folder, f"it has no readable {INDEX}", "name the diffusers folder itself")
    files = [
        HubFile(str(file.relative_to(folder)), file.stat().st_size, sha256="not known")
        for file in folder.rglob("*")
        if file.is_file()
    ]
    for file in wanted(files, index, "float16", str(folder)):
        if file.path.endswith(".safetensors"):
            try:
                read_header(folder / file.path, CHECKPOINT)
            except Unsound as error:
                raise _refused(folder, f"{file.path}: {error}", "get the folder again") from error
    name = str(index["_class_name"])
    if name == "FluxPipeline":
        config = _json(folder / "transformer" / "config.json", _Config)
        return "flux_1_dev" if config and config.guidance_embeds else "flux_1_schnell"
    return _PIPELINES.get(name)


def _sidecar(path: Path) -> tuple[str, tuple[str, ...]]:
    """What Civitai says of the base model and the words that wake it."""
    said = _json(path.with_suffix(SIDECAR), _Sidecar)
    return (said.baseModel, tuple(word.strip() for word in said.trainedWords if word.strip())) if said else ("", ())


def _json(file: Path, kind: type[Content]) -> Content | None:
    """A small JSON file, or null where there is none or it is another one."""
    try:
        if file.stat().st_size > MAX_SIDECAR_BYTES:
            return None
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None


def _refused(path: Path, reason: str, hint: str) -> Refused:
    return Refused("not_installed", f"{path} cannot be used: {reason}", hint=hint)
