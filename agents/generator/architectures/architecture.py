"""What is known of a family of models: its classes of diffusers, what it can do, and what tells its files. Pure module:
classes are named, not imported."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from agents.generator.architectures.file_marks import FileMarks


@dataclass(frozen=True)
class Pipelines:
    """Classes of diffusers that make pictures from noise and from a picture, each alone and along a ControlNet, and
    sequences with a motion adapter; null where there is none."""

    noise: str
    picture: str | None = None
    noise_with_control: str | None = None
    picture_with_control: str | None = None
    sequence: str | None = None

    def class_for(self, *, picture: bool, along: bool) -> str | None:
        """The class that starts from a picture or from noise, along a ControlNet or not; null where there is none."""
        if picture:
            return self.picture_with_control if along else self.picture
        return self.noise_with_control if along else self.noise


@dataclass(frozen=True)
class Architecture:
    """A family of models. `registry.toml` has the defaults of the models themselves.

    `denoiser` is its class of diffusers. `shared_models` are the classes, the denoiser's among them, whose calls
    pictures may share, because their rows do not see each other -> arguments that have no row dimension and are one for
    all; where the denoiser is not among them each picture is made in calls of its own. `repeated_blocks` are the
    denoiser's blocks to compile, where diffusers names none.

    `guidance_argument` is what its pipelines call the weight of the prompt. `latent_stride` is how many pixels a cell
    of its latents has across; null where latents do not have the shape of the picture. `output_type` is the form in
    which its pipelines scale colours to 0..1. `decoder_overflows_float16` says that its decoder leaves the range of
    float16, though not that of bfloat16. `ip_adapters` says that IP-Adapters are mounted on its denoiser.

    `reads_weights` says that the weights of prompts act on the answers of its text encoders, which read long prompts in
    chunks; the others read `prompt_tokens` of the words, where they have such a limit, and cut off what follows.

    `flow_matching` is how it was trained; `unfit_samplers` are samplers for models trained like it that its pipelines
    cannot drive.
    """

    name: str
    pipelines: Pipelines
    denoiser: str
    latent_stride: int | None
    files: FileMarks
    shared_models: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    repeated_blocks: tuple[str, ...] = ()
    guidance_argument: str = "guidance_scale"
    output_type: Literal["pt", "np"] = "pt"
    decoder_overflows_float16: bool = False
    ip_adapters: bool = False
    reads_weights: bool = False
    prompt_tokens: int | None = None
    flow_matching: bool = False
    unfit_samplers: frozenset[str] = frozenset()

    @property
    def shares_calls(self) -> bool:
        """Whether pictures share calls of its denoiser."""
        return self.denoiser in self.shared_models

    @property
    def keeps_parts(self) -> bool:
        """Whether a part of a picture can be kept at every step: it starts from one, in latents of its shape."""
        return self.pipelines.picture is not None and self.latent_stride is not None
