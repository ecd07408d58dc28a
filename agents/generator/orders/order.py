"""From a job to an order that an engine can carry out, or to a refusal that says what to do. Pure module."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agents.generator.control.maps import TOOL_FOR_MAP
from agents.generator.images.placement import StartImage
from agents.generator.orders.ip_adapter_choice import IpAdapter, choose_ip_adapters
from agents.generator.registry import samplers
from agents.generator.registry.entries import (
    ControlEntry,
    EmbeddingEntry,
    LocalModel,
    LoraEntry,
    MotionEntry,
    scheduler_of,
)
from agents.generator.registry.registry import Registry
from agents.generator.registry.weights import Weights
from agents.shared.picture import Rgb
from protocol.animation import Motion
from protocol.commands import Lora
from protocol.errors import AcpError, NotSupported, Refused
from protocol.messages import Job
from protocol.pixels import UNBUILT_SETTINGS, Buckets
from protocol.prompt_syntax import WEIGHTS
from protocol.sources import ControlImage
from protocol.words import words_of

if TYPE_CHECKING:
    from agents.generator.orders.post_stages import PostStage

SINGLE_PICTURE_BUCKETS = Buckets(denoise=[[1, 1]])
"""Each model call for one picture alone, as the plain diffusers pipeline makes it."""


@dataclass(frozen=True)
class LoraAdapter:
    """A LoRA file and the weight it gets in one picture."""

    name: str
    file: Path
    weight: float


@dataclass(frozen=True)
class TextualInversion:
    """A file that teaches a word to the text encoders (textual inversion), and how prompts write the word."""

    name: str
    token: str
    file: Path


@dataclass(frozen=True)
class ControlModel:
    """A ControlNet's folder, and what is asked of it in one picture. `annotator` is the folder of a model that makes
    such maps of pictures; null where none is here, or none is needed."""

    spec: ControlImage
    folder: Path
    annotator: Path | None = None


@dataclass(frozen=True)
class MotionModel:
    """A motion adapter's folder, and what one sequence asks of it. `beta_schedule` is the noise schedule that it was
    trained with, by diffusers' name."""

    spec: Motion
    folder: Path
    beta_schedule: str


@dataclass(frozen=True)
class Order:
    """A job with everything that it names looked up.

    `motion` makes it a sequence. `start_image` is what denoising begins from, null for noise. `maps` are the pictures
    that `controls` follow, and `missing_maps` the positions of those that are still plain pictures, from which
    annotators make the map. `references` are the pictures of the job's image prompts, no larger than `ip_adapters`
    look at them. `buckets` are the sizes of the model calls to make it in, null where they follow the load. `stages`
    come after the generation.
    """

    job: Job
    model: LocalModel
    folder: Path
    scheduler: samplers.Scheduler
    loras: tuple[LoraAdapter, ...] = ()
    textual_inversions: tuple[TextualInversion, ...] = ()
    controls: tuple[ControlModel, ...] = ()
    motion: MotionModel | None = None
    start_image: StartImage | None = None
    maps: tuple[Rgb, ...] = ()
    missing_maps: frozenset[int] = frozenset()
    ip_adapters: tuple[IpAdapter, ...] = ()
    references: tuple[Rgb, ...] = ()
    buckets: Buckets | None = None
    stages: "tuple[PostStage, ...]" = ()

    @property
    def denoising_orders(self) -> "tuple[Order, ...]":
        """The orders of all that is denoised: its own, then those of refinements."""
        return (self, *(stage.order for stage in self.stages if stage.op == "refine"))

    @property
    def compilable(self) -> bool:
        """Whether its calls may use a compiled model: strict pictures have the plain pipeline's bits, and with LoRAs
        and IP-Adapters every new weight would be compiled anew."""
        return not (self.job.pixels.strict or self.loras or self.ip_adapters)

    @property
    def weights(self) -> tuple[Weights, ...]:
        """All weights that decide its pixels, the model's first and those of later stages last, each once."""
        mine = [Weights("model", self.model.name, self.folder, self.model.settings)]
        mine += [Weights("lora", adapter.name, adapter.file) for adapter in self.loras]
        mine += [Weights("control", control.spec.model, control.folder) for control in self.controls]
        mine += [Weights("ip_adapter", adapter.name, adapter.folder, adapter.settings) for adapter in self.ip_adapters]
        if (motion := self.motion) is not None:
            mine.append(Weights("motion", motion.spec.model, motion.folder, motion.beta_schedule))
        mine += [Weights("word", word.name, word.file, word.token) for word in self.textual_inversions]
        return tuple(dict.fromkeys([*mine, *(part for stage in self.stages for part in stage.weights)]))


def order_of(job: Job, registry: Registry) -> Order:
    """What is to be made.

    Raises:
        Refused: the model, a LoRA or the sampler is not known or not installed, or does not go with the model.
        AcpError: the size does not suit the model.
        NotSupported: a setting of the pixels that no engine obeys yet.
    """
    for name in UNBUILT_SETTINGS:
        if getattr(job.pixels, name) is not None:
            raise NotSupported(f"{name} is not supported by this version", path=f"$.job.pixels.{name}")
    if job.pixels.prompt_syntax not in (None, WEIGHTS):
        problem = f"the prompt syntax {job.pixels.prompt_syntax!r} is not supported by this version"
        raise NotSupported(problem, path="$.job.pixels.prompt_syntax")
    model, folder = registry.models.require(job.pixels.model, "$.job.pixels.model")
    _check_size(job, model)
    scheduler = scheduler_of(samplers.find(job.pixels.sampler, "$.job.pixels.sampler"), model.architecture)
    if scheduler is None:
        raise Refused(
            "not_installed",
            f"the sampler {job.pixels.sampler!r} is not defined for {model.name}",
            path="$.job.pixels.sampler",
            hint=f"use {model.sampler}",
        )
    if model.zero_snr and scheduler.name not in samplers.ZERO_SNR_SCHEDULERS:
        raise Refused(
            "not_installed",
            f"the sampler {job.pixels.sampler!r} does not begin from noise alone, as {model.name} was trained to"
            " (zero terminal SNR)",
            path="$.job.pixels.sampler",
            hint=f"use {model.sampler}, or Euler",
        )
    return Order(
        job=job,
        model=model,
        folder=folder,
        scheduler=scheduler,
        loras=tuple(_lora_adapter(lora, index, model, registry) for index, lora in enumerate(job.pixels.loras)),
        textual_inversions=_textual_inversions(job, model, registry),
        motion=_motion_model(job, model, registry),
        controls=tuple(_control_model(said, index, model, registry) for index, said in enumerate(job.pixels.controls)),
        ip_adapters=choose_ip_adapters(job, model, registry),
        buckets=job.pixels.buckets or (SINGLE_PICTURE_BUCKETS if job.pixels.strict else None),
    )


def _check_size(job: Job, model: LocalModel) -> None:
    step, width, height = model.multiple_of, job.pixels.width, job.pixels.height
    if min(width, height) < step or width % step or height % step:
        raise AcpError(
            "invalid_value",
            f"{width}x{height} does not suit {model.name}: sides must be multiples of {step} pixels",
            path="$.job.pixels.width",
            hint=f"use {model.native_sizes[0][0]}x{model.native_sizes[0][1]}",
        )
    if width * height > model.max_pixels:
        raise AcpError(
            "invalid_value",
            f"{width}x{height} is over the {model.max_pixels} pixels of {model.name}",
            path="$.job.pixels.width",
            hint=f"use {model.native_sizes[0][0]}x{model.native_sizes[0][1]}",
        )


def _textual_inversions(job: Job, model: LocalModel, registry: Registry) -> tuple[TextualInversion, ...]:
    """The learned words that stand in the prompts."""
    known = registry.embeddings
    fitting = {name: known[name].token for name in known if name in known.installed and _is_for(known[name], model)}
    return tuple(TextualInversion(name, fitting[name], known.paths[name]) for name in words_of(job.pixels, fitting))


def _control_model(said: ControlImage, index: int, model: LocalModel, registry: Registry) -> ControlModel:
    _, folder = registry.controls.require(
        said.model,
        f"$.job.pixels.controls[{index}].model",
        fits=lambda entry: _is_for(entry, model) and entry.kind == said.kind,
        purpose=f"{said.kind} of {model.platform}",
    )
    tools = registry.tools
    seen_by = (name for name, tool in tools.items() if tool.kind == TOOL_FOR_MAP.get(said.kind))
    annotator = next((tools.paths[name] for name in seen_by if name in tools.installed), None)
    return ControlModel(said, folder, annotator)


def _motion_model(job: Job, model: LocalModel, registry: Registry) -> MotionModel | None:
    if (said := job.pixels.motion) is None:
        return None
    entry, folder = registry.motions.require(
        said.model, "$.job.pixels.motion.model", fits=lambda entry: _is_for(entry, model), purpose=model.platform
    )
    return MotionModel(said, folder, entry.schedule)


def _lora_adapter(lora: Lora, index: int, model: LocalModel, registry: Registry) -> LoraAdapter:
    path = f"$.job.pixels.loras[{index}].name"
    known = registry.loras.get(lora.name)
    if known is not None and not _is_for(known, model):
        raise Refused(
            "not_installed",
            f"the LoRA {known.name} is for {known.platform}, not for {model.platform}",
            path=path,
            hint=f"ask for a model of {known.platform}, or leave the LoRA out",
        )
    entry, file = registry.loras.require(lora.name, path)
    return LoraAdapter(name=entry.name, file=file, weight=lora.weight)


def _is_for(entry: LoraEntry | EmbeddingEntry | ControlEntry | MotionEntry, model: LocalModel) -> bool:
    return entry.platform == model.platform
