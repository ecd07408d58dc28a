"""What a generator announces. Pure module, except that `Speeds` and `Versions` remember."""

import statistics
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

from agents.generator.control.maps import TOOL_FOR_MAP
from agents.generator.files.rrdb_file import UPSCALER_BOUNDS, NotAnUpscaler, describe
from agents.generator.files.safetensors_header import UnsoundFile, read_header
from agents.generator.orders.ip_adapter_choice import MAX_IMAGE_PROMPTS, ip_adapter_install_hint
from agents.generator.orders.order import (
    Order,
    control_install_hint,
    lora_install_hint,
    model_install_hint,
    motion_install_hint,
)
from agents.generator.registry.entries import Model, ToolEntry
from agents.generator.registry.registry import Registry
from agents.generator.registry.weights import Weights, WeightsKind
from agents.generator.upscale import spandrel_networks
from protocol.messages import Job
from protocol.offers import ControlInfo, EmbeddingInfo, IpAdapterInfo, LoraInfo, ModelInfo, MotionInfo, ToolInfo
from protocol.parameters import ControlKind
from protocol.post import LANCZOS, CorrectColour, Refine, size_after

MAX_LANCZOS_SCALE = 8
"""Times that Lanczos enlarges at most: the bound of a step's scale."""

SPEED_WINDOW = 31
"""Pictures over which the time per picture is taken: long enough for a median, short enough to follow a change."""


class Speeds:
    """Running medians: of the seconds that pictures took, by model, where only pictures at the model's defaults count;
    and of the seconds of a megapixel, by tool."""

    def __init__(self) -> None:
        self._seconds_by_model: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=SPEED_WINDOW))
        self._seconds_by_tool: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=SPEED_WINDOW))

    def note(self, job: Job, model: Model, seconds: float) -> None:
        """Remember the time of one picture, in seconds."""
        usual = job.pixels.steps == model.steps and (job.pixels.guidance > 1) == (model.guidance > 1)
        if usual and (job.pixels.width, job.pixels.height) in model.native_sizes and not _has_extras(job):
            self._seconds_by_model[model.name].append(seconds)

    def note_stages(self, job: Job, stages: Mapping[str, float]) -> None:
        """Remember the time of what followed the generation of a picture, `stages` in seconds by the name of the step.
        A step that a picture has twice is not told apart."""
        ops = Counter(str(step.__struct_config__.tag) for step in job.pixels.post)
        for position, step in enumerate(job.pixels.post):
            op = str(step.__struct_config__.tag)
            if op in stages and ops[op] == 1 and not isinstance(step, Refine | CorrectColour):
                width, height = size_after(job.pixels.post[: position + 1], job.pixels.width, job.pixels.height)
                self._seconds_by_tool[step.model].append(stages[op] / (width * height / 1e6))

    def seconds_per_megapixel(self, tool: str) -> float | None:
        """Seconds of a megapixel of a tool's result, or null before the first one."""
        seconds = self._seconds_by_tool.get(tool)
        return statistics.median(seconds) if seconds else None

    def seconds_per_image(self, model: str) -> float | None:
        """Seconds per picture, or null before the first one."""
        seconds = self._seconds_by_model.get(model)
        return statistics.median(seconds) if seconds else None


def _has_extras(job: Job) -> bool:
    """Whether a picture takes another time than from words alone."""
    pixels = job.pixels
    more = pixels.loras, pixels.controls, pixels.image_prompts, pixels.regions, pixels.motion, pixels.init_image
    return any(more) or bool(pixels.post)


class Versions:
    """Versions of models, adapters and tools, as far as this process knows them."""

    def __init__(self) -> None:
        self._versions: dict[tuple[WeightsKind, str], str] = {}

    def find(self, kind: WeightsKind, name: str) -> str | None:
        """A version, or null while it is not known."""
        return self._versions.get((kind, name))

    def remember(self, part: Weights, version: str) -> None:
        """Remember the version of a part."""
        self._versions[part.kind, part.name] = version

    def remember_order(self, made: Order, version: str | None) -> None:
        """Remember what a picture was made with: the version of each part of its order, joined by `+`."""
        for part, found in zip(made.weights, version.split("+") if version else (), strict=False):
            self.remember(part, found)


def model_infos(
    registry: Registry, speeds: Speeds, versions: Versions, provider: str = "local", references: int = 0
) -> list[ModelInfo]:
    """Every known model, installed or not; `references` is how many reference pictures the engine follows by itself."""
    followed = {registry.ip_adapters[name].platform for name in registry.installed_ip_adapters}
    return [
        ModelInfo(
            name=model.name,
            platform=model.platform,
            installed=model.name in registry.installed,
            native_sizes=list(model.native_sizes),
            steps=model.steps,
            guidance=model.guidance,
            guidance_range=model.guidance_range,
            sampler=model.sampler,
            negative_prompt=model.negative_prompt,
            max_pixels=model.max_pixels,
            multiple_of=model.multiple_of,
            priority=model.priority,
            aliases=list(model.aliases),
            provider=provider,
            install=None
            if model.name in registry.installed
            else model_install_hint(model, registry.places[model.name]),
            licence=model.licence,
            seconds_per_image=speeds.seconds_per_image(model.name),
            references=MAX_IMAGE_PROMPTS if model.platform in followed else references,
            starts=supported_starts(model),
            engine=None if provider != "local" else "steps" if model.family.shares_calls else "pipeline",
            version=versions.find("model", model.name),
        )
        for model in registry.models.values()
    ]


def lora_infos(registry: Registry, versions: Versions) -> list[LoraInfo]:
    """Every known LoRA, installed or not."""
    return [
        LoraInfo(
            name=lora.name,
            platform=lora.platform,
            installed=lora.name in registry.installed_loras,
            trigger=lora.trigger,
            install=None
            if lora.name in registry.installed_loras
            else lora_install_hint(lora, registry.lora_places[lora.name]),
            version=versions.find("lora", lora.name),
        )
        for lora in registry.loras.values()
    ]


def embedding_infos(registry: Registry, versions: Versions) -> list[EmbeddingInfo]:
    """Every word that can be taught, installed or not."""
    return [
        EmbeddingInfo(
            name=one.name,
            platform=one.platform,
            token=one.token,
            installed=one.name in registry.installed_embeddings,
            install=None
            if one.name in registry.installed_embeddings
            else one.install or f"bottega models add FILE --name {one.name}, then restart the generator",
            version=versions.find("word", one.name),
        )
        for one in registry.embeddings.values()
    ]


def control_infos(registry: Registry, versions: Versions) -> list[ControlInfo]:
    """Every known ControlNet, installed or not."""
    return [
        ControlInfo(
            name=one.name,
            platform=one.platform,
            kind=one.kind,
            installed=one.name in registry.installed_controls,
            install=None
            if one.name in registry.installed_controls
            else control_install_hint(one, registry.control_places[one.name]),
            prepare=_annotator_install_hint(one.kind, registry),
            version=versions.find("control", one.name),
        )
        for one in registry.controls.values()
    ]


def ip_adapter_infos(registry: Registry, versions: Versions) -> list[IpAdapterInfo]:
    """Every known IP-Adapter, installed or not."""
    return [
        IpAdapterInfo(
            name=one.name,
            platform=one.platform,
            roles=list(one.roles),
            installed=one.name in registry.installed_ip_adapters,
            install=None
            if one.name in registry.installed_ip_adapters
            else ip_adapter_install_hint(one, registry.ip_adapter_places[one.name]),
            version=versions.find("ip_adapter", one.name),
        )
        for one in registry.ip_adapters.values()
    ]


def tool_infos(registry: Registry, speeds: Speeds, versions: Versions) -> list[ToolInfo]:
    """Lanczos, and every known network for finished pictures, usable or not."""
    found = [
        ToolInfo(
            name=LANCZOS,
            kind="upscaler",
            installed=True,
            scale=MAX_LANCZOS_SCALE,
            seconds_per_megapixel=speeds.seconds_per_megapixel(LANCZOS),
        )
    ]
    for name, entry in registry.tools.items():
        if entry.kind == "upscaler" or entry.kind == "face_restorer":
            scale, install = _scale_or_install_hint(entry, registry.tool_places[name])
            found.append(
                ToolInfo(
                    name=name,
                    kind=entry.kind,
                    installed=scale is not None,
                    scale=scale or entry.scale or 1,
                    install=install,
                    seconds_per_megapixel=speeds.seconds_per_megapixel(name),
                    version=versions.find("tool", name),
                )
            )
    return found


def _scale_or_install_hint(entry: ToolEntry, place: Path) -> tuple[int | None, str | None]:
    """The scale of a network that can be used, else null and what to do about it."""
    if not place.is_file():
        return None, entry.install or f"put the file at {place}, then restart the generator"
    if scale := _scale_in_header(place, place.stat().st_mtime_ns):
        return scale, None
    if entry.scale is not None:
        return (entry.scale, None) if spandrel_networks.is_available() else (None, spandrel_networks.INSTALL_HINT)
    return None, f"{place} is no ESRGAN network: get it again, or give its scale in models.toml"


@lru_cache
def _scale_in_header(place: Path, changed: int) -> int | None:
    """The scale of an ESRGAN network by its header; null for another file. `changed` is the time of its last change."""
    try:
        return describe(read_header(place, UPSCALER_BOUNDS)).scale
    except (UnsoundFile, NotAnUpscaler, OSError):
        return None


def motion_infos(registry: Registry, versions: Versions) -> list[MotionInfo]:
    """Every known motion adapter, installed or not."""
    return [
        MotionInfo(
            name=one.name,
            platform=one.platform,
            max_frames=one.max_frames,
            installed=one.name in registry.installed_motions,
            install=None
            if one.name in registry.installed_motions
            else motion_install_hint(one, registry.motion_places[one.name]),
            version=versions.find("motion", one.name),
        )
        for one in registry.motions.values()
    ]


def _annotator_install_hint(kind: ControlKind, registry: Registry) -> str | None:
    """How to get what makes maps of a kind; null where it is here. Edges need no model."""
    seen_by = TOOL_FOR_MAP.get(kind)
    if seen_by is None or any(registry.tools[name].kind == seen_by for name in registry.installed_tools):
        return None
    return f"bottega models pull {seen_by}, then restart the generator"


def supported_starts(model: Model) -> list[Literal["picture", "mask"]]:
    """What a model can begin from, beside noise."""
    if model.family.pipelines.picture is None:
        return []
    return ["picture", "mask"] if model.family.keeps_parts else ["picture"]


def slots_per_platform(slots: int, platforms: int) -> int:
    """Jobs that are held for each platform at once: an equal part of all, yet two where there are two to have, since
    one is being finished while the device works on the next."""
    return max(min(2, slots), slots // max(1, platforms))
