"""How much device time a picture takes, relative to one at its model's defaults, which is what is measured. Pure
module."""

from collections.abc import Iterable
from math import prod

from protocol.offers import ModelInfo

CONTROLNET_OVERHEAD = 0.34
"""Part of a step that a ControlNet adds (L. Zhang et al., Adding Conditional Control to Text-to-Image Diffusion Models,
2023, measured 34 % more time in training)."""


def relative_device_time(
    model: ModelInfo,
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


def sweep_shares(usual: int | float, trials: Iterable[Iterable[int | float]]) -> tuple[float, float]:
    """(mean, largest) share of `usual` that pictures of a sweep cost; `trials` are, for each of its fields, what one
    costs with each value in its place. What fields change multiplies."""
    shares = [[cost / usual for cost in field] for field in trials]
    return prod(sum(field) / len(field) for field in shares), prod(max(field) for field in shares)


def _has_negative_row(model: ModelInfo, guidance: float) -> bool:
    """Whether calls have a row for the negative prompt; FLUX and its like read guidance as a number instead."""
    return model.negative_prompt and guidance > 1
