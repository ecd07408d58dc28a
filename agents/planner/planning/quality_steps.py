"""How many denoising steps a wish for quality means for a model of this workshop. Pure module."""

from protocol.parameters import RenderQuality

STEP_FACTORS: dict[RenderQuality, float] = {
    "low": 0.5,
    "medium": 0.75,
    "standard": 1.0,
    "auto": 1.0,
    "high": 1.5,
    "hd": 2.0,
}
"""Times the steps that the picture would take."""

MAX_STEPS = 150


def steps_of(steps: int, quality: RenderQuality | None) -> int:
    """Steps for a quality, of a picture that takes `steps` without one."""
    return steps if quality is None else min(MAX_STEPS, max(1, round(steps * STEP_FACTORS[quality])))
