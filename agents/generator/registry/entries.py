"""Entries of the registry, as people write them: models, LoRAs, words, and the models that help with pictures."""

from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from agents.generator.architectures import ARCHITECTURES
from agents.generator.architectures.architecture import Architecture
from agents.generator.registry import samplers
from protocol.animation import MAX_FRAMES
from protocol.errors import AcpError
from protocol.ids import is_id
from protocol.parameters import ControlKind, ReferenceRole

ArchitectureName = Annotated[str, AfterValidator(lambda name: _check_architecture(name))]
Name = Annotated[str, AfterValidator(lambda name: _check_id(name))]
Commit = Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
SamplerName = Annotated[str, AfterValidator(lambda name: _canonical_sampler_name(name))]
InnerPath = Annotated[str, AfterValidator(lambda place: _check_inner_path(place))]
Size = tuple[Annotated[int, Field(ge=16, le=8192)], Annotated[int, Field(ge=16, le=8192)]]


Commercial = Literal["yes", "no", "conditional"]
"""Whether pictures may be used commercially; `conditional` where the licence sets conditions."""


class Entry(BaseModel):
    """What every entry for weights says. `path` is where its file or folder is if not in the folder of its kind,
    relative to the file that names it; `install` is how to get it, where that is not the usual way."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    path: Path | None = None
    licence: str | None = None
    install: str | None = None

    @property
    def settings(self) -> str:
        """What decides pixels beside the files."""
        return ""


class HubEntry(Entry):
    """An entry that may be pulled: `source` is the hub repository, at the commit `revision`, or a note on where it
    comes from."""

    source: str = "your own"
    revision: Commit | None = None


class LocalModel(HubEntry):
    """A model with its platform's defaults filled in.

    Sizes are (width, height) in pixels, the first the default. `dtype` is that of accelerators, since a CPU
    computes in float32. `sha256` is the hash of weights that are one file. `memory_gb` is what weights fill at `dtype`,
    in 10⁹ bytes, by the number of parameters. `commercial` is whether the licence allows commercial use. `prediction`
    is what the model was trained to answer, and `zero_snr` whether its last step is noise alone, where a file says
    otherwise than the configuration in its folder.
    """

    platform: Name
    architecture: ArchitectureName
    sha256: Sha256 | None = None
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
    commercial: Commercial | None = None
    priority: int = 0
    prediction: Literal["epsilon", "v_prediction"] | None = None
    zero_snr: bool | None = None

    @property
    def settings(self) -> str:
        """What decides pixels beside the files."""
        return " ".join(f"{name}={value}" for name, value in self.schedule.items())

    @property
    def schedule(self) -> dict[str, object]:
        """What the entry says of the noise, as diffusers' schedulers call it."""
        said = {"prediction_type": self.prediction, "rescale_betas_zero_snr": self.zero_snr}
        return {name: value for name, value in said.items() if value is not None}

    @property
    def family(self) -> Architecture:
        """What is known of its architecture."""
        return ARCHITECTURES[self.architecture]

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
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


class LoraEntry(Entry):
    """An adapter for the models of one platform. `trigger` are the words that wake it."""

    platform: Name
    trigger: str | None = None
    sha256: Sha256 | None = None


class EmbeddingEntry(Entry):
    """A word for the text encoders of one platform (textual inversion). `token` is how prompts write it."""

    platform: Name
    token: str = Field(min_length=2, max_length=64, pattern=r"^\S+$")
    sha256: Sha256 | None = None

    @property
    def settings(self) -> str:
        """What decides pixels beside the file."""
        return self.token


class ControlEntry(HubEntry):
    """A ControlNet for the models of one platform, a diffusers folder."""

    platform: Name
    kind: ControlKind


class IpAdapterEntry(HubEntry):
    """An IP-Adapter for the models of one platform: a folder with the file `weights` and, in `encoder`, the CLIP vision
    model that looks at pictures. `roles` are what is taken from a picture -> how the names of the attention layers
    begin that take it; empty for all of them."""

    platform: Name
    roles: dict[ReferenceRole, str] = Field(default={"style": "", "subject": "", "character": ""}, min_length=1)
    weights: InnerPath = "ip_adapter.safetensors"
    encoder: InnerPath = "image_encoder"
    commercial: Commercial | None = None

    @property
    def settings(self) -> str:
        """What decides pixels beside the folder's files: which of them are used, and by which layers."""
        return f"{self.weights} {self.encoder} {sorted(self.roles.items())}"


class MotionEntry(HubEntry):
    """A motion adapter for the models of one platform, a diffusers folder: they make sequences of at most `max_frames`
    with it. `schedule` is how noise grew over the steps that it was trained on, as diffusers' schedulers call
    it."""

    platform: Name
    max_frames: int = Field(default=MAX_FRAMES, ge=2, le=MAX_FRAMES)
    schedule: Literal["linear", "scaled_linear", "squaredcos_cap_v2"] = "linear"
    commercial: Commercial | None = None

    @property
    def settings(self) -> str:
        """What decides pixels beside the folder's files."""
        return self.schedule


class ToolEntry(HubEntry):
    """A model that helps with pictures: it sees depth, poses or segments in a reference, makes pictures larger or
    cleaner, restores faces, or tells how well a picture shows a text. `scale` is how many times larger, where the
    file's header does not tell."""

    kind: Literal["depth", "pose", "segmentation", "upscaler", "face_restorer", "scorer"]
    scale: int | None = Field(default=None, ge=1, le=16)
    sha256: Sha256 | None = None
    commercial: Commercial | None = None


def is_on_hub(source: str) -> bool:
    """Whether the source of an entry is a repository that can be pulled, and no note."""
    return source.count("/") == 1 and " " not in source


def scheduler_of(sampler: samplers.Sampler, architecture: str) -> samplers.Scheduler | None:
    """What a sampler means for an architecture, or null."""
    family = ARCHITECTURES[architecture]
    if sampler.name in family.unfit_samplers:
        return None
    return sampler.flow if family.flow_matching else sampler.diffusion


def unfit_samplers(architecture: str) -> list[str]:
    """The samplers that an architecture cannot use."""
    return [sampler.name for sampler in samplers.SAMPLERS if scheduler_of(sampler, architecture) is None]


def _check_architecture(name: str) -> str:
    if name not in ARCHITECTURES:
        raise ValueError(f"the architecture {name[:64]!r} is not known; known are {', '.join(ARCHITECTURES)}")
    return name


def _check_id(name: str) -> str:
    if not is_id(name):
        raise ValueError("must be letters, digits, _ and -, 1 to 64 of them, since it names a folder and a subject")
    return name


def _check_inner_path(place: str) -> str:
    if PurePosixPath(place).is_absolute() or ".." in PurePosixPath(place).parts or not PurePosixPath(place).name:
        raise ValueError("must be a place inside of the folder")
    return place


def _canonical_sampler_name(name: str) -> str:
    try:
        return samplers.find(name).name
    except AcpError as error:
        raise ValueError(f"{error.body.message} ({error.body.hint})") from error
