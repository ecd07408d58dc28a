"""What a generator announces. Pure module, except that `Speeds` and `Versions` remember."""

import statistics
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from agents.generator.control.maps import TOOL_FOR_MAP
from agents.generator.engine import AnyOrder
from agents.generator.files.rrdb_file import UPSCALER_BOUNDS, NotAnUpscaler, describe
from agents.generator.files.safetensors_header import UnsoundFile, read_header
from agents.generator.orders.ip_adapter_choice import MAX_IMAGE_PROMPTS
from agents.generator.registry.entries import ControlEntry, Entry, IpAdapterEntry, LocalModel, ToolEntry, unfit_samplers
from agents.generator.registry.hosted import HostedModel, connect_hint
from agents.generator.registry.kinds import KINDS, WeightsKind
from agents.generator.registry.registry import Registry
from agents.generator.registry.weights import Weights
from agents.generator.upscale import spandrel_networks
from agents.shared.device_time import seconds_at_defaults
from protocol.codec import MAX_MESSAGE_BYTES
from protocol.messages import Job
from protocol.offers import ModelInfo, ModelOffer, Offer, PromptReading, ToolInfo, ToolOffer
from protocol.parameters import ControlKind
from protocol.post import LANCZOS, CorrectColour, Refine, size_after

MAX_LANCZOS_SCALE = 8
"""Times that Lanczos enlarges at most: the bound of a step's scale."""

REST_OF_PRESENCE_BYTES = 16 * 1024
"""What a presence may take beside what it offers."""

SPEED_WINDOW = 31
"""Pictures over which the time per picture is taken: long enough for a median, short enough to follow a change."""


class Speeds:
    """Running medians: of the seconds that a picture at its model's defaults takes, from those of every picture and the
    work that it was; and of the seconds of a megapixel, by tool."""

    def __init__(self) -> None:
        self._seconds_by_model: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=SPEED_WINDOW))
        self._seconds_by_tool: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=SPEED_WINDOW))

    def note(self, job: Job, model: LocalModel | HostedModel, seconds: float, stages: Mapping[str, float]) -> None:
        """Remember the time of one picture, in seconds; `stages` are those of what followed its generation, and of
        more."""
        usual = seconds_at_defaults(model, job.pixels, seconds, stages)
        if usual is not None:
            self._seconds_by_model[model.name].append(usual)

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
        """Seconds of a picture at the defaults, or null before the first one."""
        seconds = self._seconds_by_model.get(model)
        return statistics.median(seconds) if seconds else None


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

    def remember_order(self, made: AnyOrder, version: str | None) -> None:
        """Remember what a picture was made with: the version of each part of its order, joined by `+`."""
        for part, found in zip(made.weights, version.split("+") if version else (), strict=False):
            self.remember(part, found)


def announce(registry: Registry, versions: Versions, speeds: Speeds, references: int = 0) -> list[Offer]:
    """Everything that is known, installed or not, and Lanczos; `references` is how many reference pictures the engine
    follows by itself.

    What an entry and the struct of its kind both name is said as it is; `_details` adds what an entry does not say.
    """
    offers: list[Offer] = [ToolOffer(info=_lanczos(speeds))]
    for kind, known in registry.kinds.items():
        for name, entry in known.items():
            details = _details(entry, registry, speeds, references)
            if details is not None:
                state = {
                    "installed": name in known.installed,
                    "install": known.install_hint(name),
                    "version": versions.find(kind, name),
                }
                offers.append(msgspec.convert({"kind": kind, "info": dict(entry) | state | details}, type=Offer))
    return [*offers, *(_hosted_offer(model, registry, speeds) for model in registry.hosted.values())]


def _hosted_offer(model: HostedModel, registry: Registry, speeds: Speeds) -> ModelOffer:
    connected = model.provider in registry.providers
    starts: list[Literal["picture", "mask"]] = ["picture"] if model.start_image else []
    return ModelOffer(
        info=ModelInfo(
            name=model.name,
            platform=model.platform,
            installed=connected,
            native_sizes=list(model.native_sizes),
            steps=model.steps,
            guidance=model.guidance,
            guidance_range=(model.guidance, model.guidance),
            sampler="none",
            negative_prompt=model.negative_prompt,
            max_pixels=model.largest,
            multiple_of=model.multiple_of,
            priority=model.priority,
            aliases=list(model.aliases),
            provider=model.provider,
            install=None if connected else connect_hint(model.provider),
            licence=model.licence,
            price_micros=model.price_micros,
            seconds_per_image=speeds.seconds_per_image(model.name),
            references=model.references,
            starts=[*starts, "mask"] if model.mask else starts,
            prompts=PromptReading(),
        )
    )


def _details(entry: Entry, registry: Registry, speeds: Speeds, references: int) -> dict[str, Any] | None:
    """What is announced of an entry beside its fields; null where it is not announced."""
    match entry:
        case LocalModel():
            adapters = registry.ip_adapters
            followed = {adapters[name].platform for name in adapters.installed}
            return {
                "seconds_per_image": speeds.seconds_per_image(entry.name),
                "references": MAX_IMAGE_PROMPTS if entry.platform in followed else references,
                "starts": supported_starts(entry),
                "engine": "steps" if entry.family.shares_calls else "pipeline",
                **({"unfit_samplers": unfit} if (unfit := unfit_samplers(entry.architecture)) else {}),
                "prompts": {"weights": entry.family.reads_weights, "tokens": entry.family.prompt_tokens},
            }
        case ControlEntry():
            return {"prepare": _annotator_install_hint(entry.kind, registry)}
        case IpAdapterEntry():
            return {"roles": list(entry.roles)}
        case ToolEntry(kind="upscaler" | "face_restorer"):
            scale, install = _scale_or_install_hint(entry, registry.tools.paths[entry.name])
            return {
                "installed": scale is not None,
                "scale": scale or entry.scale or 1,
                "install": install,
                "seconds_per_megapixel": speeds.seconds_per_megapixel(entry.name),
            }
        case ToolEntry():
            return None
        case _:
            return {}


def offers_beside_lists(offers: list[Offer]) -> list[Offer]:
    """The offers that a presence repeats beside the lists of earlier versions: all, or none where saying them twice
    could exceed the size of a message."""
    fit = 2 * len(msgspec.json.encode(offers)) <= MAX_MESSAGE_BYTES - REST_OF_PRESENCE_BYTES
    return offers if fit else []


def _lanczos(speeds: Speeds) -> ToolInfo:
    return ToolInfo(
        name=LANCZOS,
        kind="upscaler",
        installed=True,
        scale=MAX_LANCZOS_SCALE,
        seconds_per_megapixel=speeds.seconds_per_megapixel(LANCZOS),
    )


def _scale_or_install_hint(entry: ToolEntry, place: Path) -> tuple[int | None, str | None]:
    """The scale of a network that can be used, else null and what to do about it."""
    if not place.is_file():
        return None, KINDS["tool"].install_hint(entry, place)
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


def _annotator_install_hint(kind: ControlKind, registry: Registry) -> str | None:
    """How to get what makes maps of a kind; null where it is here. Edges need no model."""
    seen_by = TOOL_FOR_MAP.get(kind)
    if seen_by is None or any(registry.tools[name].kind == seen_by for name in registry.tools.installed):
        return None
    return f"bottega models pull {seen_by}, then restart the generator"


def supported_starts(model: LocalModel) -> list[Literal["picture", "mask"]]:
    """What a model can begin from, beside noise."""
    if model.family.pipelines.picture is None:
        return []
    return ["picture", "mask"] if model.family.keeps_parts else ["picture"]


def slots_per_platform(slots: int, platforms: int) -> int:
    """Jobs that are held for each platform at once: an equal part of all, yet two where there are two to have, since
    one is being finished while the device works on the next."""
    return max(min(2, slots), slots // max(1, platforms))
