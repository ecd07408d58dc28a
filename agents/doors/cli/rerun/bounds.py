"""What a file may ask to be made again: no more than a command may ask for. Pure module."""

import math

from agents.planner.planning.sizes import MAX_SIDE
from protocol.ids import MAX_SEED
from protocol.pixels import PixelSpec

MAX_STEPS = 150
MAX_GUIDANCE = 50.0
MAX_LORAS = 16
MAX_PARTS = 64
"""Entries of any other list."""


def find_excess(spec: PixelSpec) -> str | None:
    """What of a picture is beyond what a command may ask for; null where nothing is."""
    ranges = {
        "steps": (spec.steps, 1, MAX_STEPS),
        "width": (spec.width, 1, MAX_SIDE),
        "height": (spec.height, 1, MAX_SIDE),
        "guidance": (spec.guidance, 0, MAX_GUIDANCE),
        "seed": (spec.seed, 0, MAX_SEED),
        "loras": (len(spec.loras), 0, MAX_LORAS),
        **{
            name: (len(getattr(spec, name)), 0, MAX_PARTS)
            for name in ("controls", "image_prompts", "regions", "post", "references")
        },
    }
    for name, (value, least, most) in ranges.items():
        if not math.isfinite(value) or not least <= value <= most:
            return f"{name} must be {least:g} to {most:g}, not {str(value)[:40]}"
    return None
