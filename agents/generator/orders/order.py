"""From a job to an order that an engine can carry out, or to a refusal that says what to do. Pure module."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agents.generator.control.maps import SEEN_BY
from agents.generator.images.placement import Start
from agents.generator.orders.ip_adapter_choice import IpAdapter, ip_adapters
from agents.generator.registry import samplers
from agents.generator.registry.entries import ControlEntry, LoraEntry, Model, MotionEntry, on_hub, scheduler_of
from agents.generator.registry.registry import Registry, absent
from agents.generator.registry.weights import Part
from agents.shared.picture import Rgb
from protocol.animation import Motion
from protocol.commands import Lora
from protocol.errors import AcpError, Refused
from protocol.messages import Buckets, Job
from protocol.nearest import nearest
from protocol.sources import ControlImage
from protocol.words import words_of

if TYPE_CHECKING:
    from agents.generator.orders.post_stages import Stage

ALONE = Buckets(denoise=[[1, 1]])
"""Each model call for one picture alone, as the plain diffusers pipeline makes it."""


@dataclass(frozen=True)
class Adapter:
    """A LoRA file and the weight it gets in one picture."""

    name: str
    file: Path
    weight: float


@dataclass(frozen=True)
class Word:
    """A file that teaches a word to the text encoders (textual inversion), and how prompts write the word."""

    name: str
    token: str
    file: Path


@dataclass(frozen=True)
class ControlModel:
    """A ControlNet's folder, and what is asked of it in one picture. `annotator` is the folder of a model that makes
    such maps of pictures; null where none is here, or none is needed."""

    said: ControlImage
    folder: Path
    annotator: Path | None = None


@dataclass(frozen=True)
class MotionModel:
    """A motion adapter's folder, and what is asked of it in one sequence. `schedule` is how noise grew over the steps
    that it was trained on, in words of diffusers."""

    said: Motion
    folder: Path
    schedule: str


@dataclass(frozen=True)
class Order:
    """A job with everything that it names looked up.

    `motion` is what makes it a sequence; `start` is what denoising begins from, null for noise; `maps` are the pictures
    that `controls` follow, and `unmade` the positions of those that their annotators still have to make of what is
    there. `references` are the pictures of the job's image prompts, as far as `ip_adapters` look at them. `buckets` are
    those of the model calls to make it in; null where they follow the load. `stages` follow its generation.
    """

    job: Job
    model: Model
    folder: Path
    scheduler: samplers.Scheduler
    adapters: tuple[Adapter, ...] = ()
    words: tuple[Word, ...] = ()
    controls: tuple[ControlModel, ...] = ()
    motion: MotionModel | None = None
    start: Start | None = None
    maps: tuple[Rgb, ...] = ()
    unmade: frozenset[int] = frozenset()
    ip_adapters: tuple[IpAdapter, ...] = ()
    references: tuple[Rgb, ...] = ()
    buckets: Buckets | None = None
    stages: "tuple[Stage, ...]" = ()

    @property
    def drawn(self) -> "tuple[Order, ...]":
        """The orders of all that is denoised: its own, then those of refinements."""
        return (self, *(stage.order for stage in self.stages if stage.op == "refine"))

    @property
    def compilable(self) -> bool:
        """Whether its calls may use a compiled model: strict pictures have the plain pipeline's bits, and with LoRAs
        and IP-Adapters every new weight would be compiled anew."""
        return not (self.job.strict or self.adapters or self.ip_adapters)

    @property
    def parts(self) -> tuple[Part, ...]:
        """All weights that decide its pixels, the model's first and those of later stages last, each once."""
        mine = [Part("model", self.model.name, self.folder)]
        mine += [Part("lora", adapter.name, adapter.file) for adapter in self.adapters]
        mine += [Part("control", control.said.model, control.folder) for control in self.controls]
        mine += [Part("ip_adapter", adapter.name, adapter.folder, adapter.settings) for adapter in self.ip_adapters]
        if (motion := self.motion) is not None:
            mine.append(Part("motion", motion.said.model, motion.folder, motion.schedule))
        mine += [Part("word", word.name, word.file, word.token) for word in self.words]
        return tuple(dict.fromkeys([*mine, *(part for stage in self.stages for part in stage.parts)]))


def order(job: Job, registry: Registry) -> Order:
    """What is to be made.

    Raises:
        Refused: the model, a LoRA or the sampler is not known or not installed, or does not go with the model.
        AcpError: the size does not suit the model.
    """
    model = _model(job, registry)
    _check_size(job, model)
    scheduler = scheduler_of(samplers.find(job.sampler, "$.job.sampler"), model.architecture)
    if scheduler is None:
        raise Refused(
            "not_installed",
            f"the sampler {job.sampler!r} is not defined for {model.name}",
            path="$.job.sampler",
            hint=f"use {model.sampler}",
        )
    return Order(
        job=job,
        model=model,
        folder=registry.places[model.name],
        scheduler=scheduler,
        adapters=tuple(_adapter(lora, index, model, registry) for index, lora in enumerate(job.loras)),
        words=_words(job, model, registry),
        motion=_motion(job, model, registry),
        controls=tuple(_control(said, index, model, registry) for index, said in enumerate(job.controls)),
        ip_adapters=ip_adapters(job, model, registry),
        buckets=job.buckets or (ALONE if job.strict else None),
    )


def install_model(model: Model, folder: Path) -> str:
    """How to get a model that is not here."""
    if model.install:
        return model.install
    if on_hub(model.source):
        return f"bottega models pull {model.name}, then restart the generator"
    return f"put its diffusers folder at {folder}, then restart the generator"


def install_lora(lora: LoraEntry, file: Path) -> str:
    """How to get a LoRA that is not here."""
    return lora.install or f"put the file at {file}, then restart the generator"


def install_control(control: ControlEntry, folder: Path) -> str:
    """How to get a ControlNet that is not here."""
    if control.install or not on_hub(control.source):
        return control.install or f"put its diffusers folder at {folder}, then restart the generator"
    return f"bottega models pull {control.name}, then restart the generator"


def install_motion(motion: MotionEntry, folder: Path) -> str:
    """How to get a motion adapter that is not here."""
    if motion.install or not on_hub(motion.source):
        return motion.install or f"put its diffusers folder at {folder}, then restart the generator"
    return f"bottega models pull {motion.name}, then restart the generator"


def _model(job: Job, registry: Registry) -> Model:
    model = registry.models.get(job.model)
    if model is None:
        raise Refused(
            "not_installed",
            f"the model {job.model[:64]!r} is not known",
            path="$.job.model",
            hint=nearest(job.model, registry.models),
        )
    if model.name not in registry.installed:
        raise absent(f"the model {model.name}", "$.job.model", install_model(model, registry.places[model.name]))
    return model


def _check_size(job: Job, model: Model) -> None:
    step = model.multiple_of
    if min(job.width, job.height) < step or job.width % step or job.height % step:
        raise AcpError(
            "invalid_value",
            f"{job.width}x{job.height} does not suit {model.name}: sides must be multiples of {step} pixels",
            path="$.job.width",
            hint=f"use {model.native_sizes[0][0]}x{model.native_sizes[0][1]}",
        )
    if job.width * job.height > model.max_pixels:
        raise AcpError(
            "invalid_value",
            f"{job.width}x{job.height} is over the {model.max_pixels} pixels of {model.name}",
            path="$.job.width",
            hint=f"use {model.native_sizes[0][0]}x{model.native_sizes[0][1]}",
        )


def _words(job: Job, model: Model, registry: Registry) -> tuple[Word, ...]:
    """The learned words that stand in the prompts."""
    fitting = {
        name: entry.token
        for name, entry in registry.embeddings.items()
        if name in registry.installed_embeddings and entry.platform == model.platform
    }
    return tuple(Word(name, fitting[name], registry.embedding_places[name]) for name in words_of(job, fitting))


def _control(said: ControlImage, index: int, model: Model, registry: Registry) -> ControlModel:
    entry, path = registry.controls.get(said.model), f"$.job.controls[{index}].model"
    if entry is None or entry.platform != model.platform or entry.kind != said.kind:
        raise Refused(
            "not_installed",
            f"{said.model[:64]!r} is no ControlNet for {said.kind} of {model.platform}",
            path=path,
            hint=nearest(said.model, registry.controls),
        )
    folder = registry.control_places[entry.name]
    if entry.name not in registry.installed_controls:
        raise absent(f"the ControlNet {entry.name}", path, install_control(entry, folder))
    seen_by = (name for name, tool in registry.tools.items() if tool.kind == SEEN_BY.get(said.kind))
    annotator = next((registry.tool_places[name] for name in seen_by if name in registry.installed_tools), None)
    return ControlModel(said, folder, annotator)


def _motion(job: Job, model: Model, registry: Registry) -> MotionModel | None:
    if (said := job.motion) is None:
        return None
    entry, path = registry.motions.get(said.model), "$.job.motion.model"
    if entry is None or entry.platform != model.platform:
        raise Refused(
            "not_installed",
            f"{said.model[:64]!r} is no motion adapter for {model.platform}",
            path=path,
            hint=nearest(said.model, registry.motions),
        )
    folder = registry.motion_places[entry.name]
    if entry.name not in registry.installed_motions:
        raise absent(f"the motion adapter {entry.name}", path, install_motion(entry, folder))
    return MotionModel(said, folder, entry.schedule)


def _adapter(lora: Lora, index: int, model: Model, registry: Registry) -> Adapter:
    path = f"$.job.loras[{index}].name"
    entry = registry.loras.get(lora.name)
    if entry is None:
        raise Refused(
            "not_installed",
            f"the LoRA {lora.name[:64]!r} is not known",
            path=path,
            hint=f"{nearest(lora.name, registry.loras)}; or add it to models.toml as [loras.NAME]",
        )
    if entry.platform != model.platform:
        raise Refused(
            "not_installed",
            f"the LoRA {entry.name} is for {entry.platform}, not for {model.platform}",
            path=path,
            hint=f"ask for a model of {entry.platform}, or leave the LoRA out",
        )
    if entry.name not in registry.installed_loras:
        raise absent(f"the LoRA {entry.name}", path, install_lora(entry, registry.lora_places[entry.name]))
    return Adapter(name=entry.name, file=registry.lora_places[entry.name], weight=lora.weight)
