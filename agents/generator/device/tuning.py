# pyright: basic
"""How a model is laid out on its device, and which code computes it. The defaults change no bit on a CPU."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from agents.shared.settings import Attention, Compiler, Offload, Settings
from protocol.errors import Refused

if TYPE_CHECKING:
    import torch

MAX_COMPILED_VARIANTS = 1024
"""Programs that torch keeps of one piece of code: it makes one for each size of calls and of pictures."""

CONVOLUTIONAL_PARTS = ("unet", "vae", "movq", "controlnet")
"""Parts of pipelines, by name, that gain from another order of their weights."""


@dataclass(frozen=True)
class Tuning:
    """See the settings of the same names."""

    compile: Compiler | None = None
    attention: Attention | None = None
    channels_last: bool = True
    offload: Offload = "auto"

    def as_versions(self, device: str, compilable: bool) -> dict[str, str]:
        """What of it decides the last bits of a picture on a device, by name, for its record."""
        return {
            **({"compile": self.compile} if self.compile and compilable else {}),
            **({"attention": self.attention} if self.attention else {}),
            **({"memory_format": "channels_last"} if self.channels_last and device.startswith("cuda") else {}),
        }


DEFAULT_TUNING = Tuning()
"""What the settings are by default."""


def tuning_of(settings: Settings) -> Tuning:
    """What a person set."""
    return Tuning(settings.compile, settings.attention, settings.channels_last, settings.offload)


def tuning_from_versions(versions: Mapping[str, str], offload: Offload) -> Tuning:
    """What made a picture whose record has `versions`; unknown words in them are left out."""
    compiler, attention = versions.get("compile"), versions.get("attention")
    return Tuning(
        compile=next((known for known in get_args(Compiler) if known == compiler), None),
        attention=next((known for known in get_args(Attention) if known == attention), None),
        channels_last="memory_format" in versions,
        offload=offload,
    )


def tune(pipeline: Any, tuning: Tuning, device: "torch.device", repeated_blocks: Sequence[str] = ()) -> None:
    """Arrange a pipeline that was just loaded. Compiling itself happens in the first call of each shape;
    `repeated_blocks` are the denoiser's classes of blocks, where diffusers names none.

    Raises:
        AcpError: this machine lacks what `attention` needs.
    """
    import torch

    if tuning.channels_last and device.type == "cuda":
        for part in _parts_named(pipeline, CONVOLUTIONAL_PARTS):
            part.to(memory_format=torch.channels_last)
    for part in _parts_named(pipeline, ("unet", "transformer")):
        if tuning.attention:
            _set_attention(part, tuning.attention)
        if tuning.compile:
            _compile(part, tuning.compile, repeated_blocks)


def _parts_named(pipeline: Any, names: tuple[str, ...]) -> list[Any]:
    return [part for name in names if (part := getattr(pipeline, name, None)) is not None]


def _set_attention(part: Any, backend: Attention) -> None:
    try:
        part.set_attention_backend(backend)
    except (ImportError, RuntimeError, ValueError) as error:
        raise Refused(
            "not_installed",
            f"the attention {backend} is not available on this machine: {' '.join(str(error).split())[:300]}",
            hint="install what it needs, or unset BOTTEGA_ATTENTION",
        ) from error


def _compile(part: Any, backend: Compiler, repeated_blocks: Sequence[str]) -> None:
    """Its repeated blocks alone, each for the shapes that it meets: as fast as the whole, and ready in a tenth of the
    time (diffusers, `compile_repeated_blocks`). Kandinsky's denoiser has none and stays as it is."""
    import torch._dynamo

    blocks = list(repeated_blocks) or part._repeated_blocks
    if not blocks:
        return
    torch._dynamo.config.recompile_limit = torch._dynamo.config.accumulated_recompile_limit = MAX_COMPILED_VARIANTS
    part._repeated_blocks = blocks
    part.compile_repeated_blocks(fullgraph=True, dynamic=False, backend=backend)
