"""How much device time a picture takes, relative to one at its model's defaults: generators scale what they measured by
it, and the planner what it expects. Pure module."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from protocol.pixels import PixelSettings

CONTROLNET_OVERHEAD = 0.34
"""Part of a step that a ControlNet adds (L. Zhang et al., Adding Conditional Control to Text-to-Image Diffusion Models,
2023, measured 34 % more time in training)."""


class ModelDefaults(Protocol):
    """What a picture of a model is made with where nothing else is asked for; the first size is the default."""

    @property
    def native_sizes(self) -> Sequence[tuple[int, int]]: ...

    @property
    def steps(self) -> int: ...

    @property
    def guidance(self) -> float: ...

    @property
    def negative_prompt(self) -> bool: ...


def relative_device_time(
    model: ModelDefaults,
    size: tuple[int, int],
    steps: int,
    guidance: float,
    *,
    prompts: int = 1,
    controls: int = 0,
    frames: int = 1,
) -> float:
    """Times a picture at the defaults, in proportion to denoising steps that are run, pixels of a `size` of (width,
    height), rows of the model's calls and frames. A row is a prompt, and with guidance above 1 the negative one, of
    models that have one."""
    width, height = model.native_sizes[0]
    rows, usual = prompts + _has_negative_row(model, guidance), 1 + _has_negative_row(model, model.guidance)
    area = size[0] * size[1] / (width * height)
    return steps / model.steps * area * rows / usual * (1 + CONTROLNET_OVERHEAD * controls) * frames


def relative_denoising_time(model: ModelDefaults, pixels: PixelSettings) -> float:
    """`relative_device_time` of a picture until it is denoised; what follows in `post` is not counted."""
    return relative_device_time(
        model,
        (pixels.width, pixels.height),
        steps_run(pixels.steps, pixels.init_image.strength if pixels.init_image else 1),
        pixels.guidance,
        prompts=1 + len(pixels.regions),
        controls=len(pixels.controls),
        frames=pixels.motion.frames if pixels.motion else 1,
    )


def seconds_at_defaults(
    model: ModelDefaults, pixels: PixelSettings, seconds: float, stages: Mapping[str, float]
) -> float | None:
    """The seconds that a picture at the model's defaults takes, from those of another one: `seconds` in all, of which
    `stages` are those of its parts. Null where nothing was denoised."""
    followed = {str(step.__struct_config__.tag) for step in pixels.post}
    generating = seconds - sum(stages.get(op, 0.0) for op in followed)
    work = relative_denoising_time(model, pixels)
    return generating / work if work > 0 and generating > 0 else None


def steps_run(steps: int, strength: float) -> int:
    """The denoising steps that are run where a picture is made from another: that part of them."""
    return int(steps * strength)


def _has_negative_row(model: ModelDefaults, guidance: float) -> bool:
    """Whether calls have a row for the negative prompt; FLUX and its like read guidance as a number instead."""
    return model.negative_prompt and guidance > 1
