"""Parts of a picture with prompts of their own: whether they lie in it, and whether the model mixes prompts. Pure
module."""

from collections.abc import Iterable, Sequence

from protocol.errors import BadCommand, Refused
from protocol.offers import ModelInfo
from protocol.parameters import Region

MIN_SIDE_SHARE = 1 / 16
"""Part of a side below which a box is all edge (`FEATHER` of the generator) and shows nothing."""

BORDER_TOLERANCE = 2e-3
"""What thirds and their like, written with three decimals, may stand over the border."""


def check_regions(regions: Sequence[Region], model: ModelInfo, models: Iterable[ModelInfo]) -> None:
    """Refuse regions that cannot be made.

    Raises:
        BadCommand: a box that is not in the picture or is too small, or a LoRA in a region's prompt.
        Refused: the model's calls are not the workshop's to mix.
    """
    if not regions:
        return
    if model.engine != "steps":
        able = sorted({one.platform for one in models if one.installed and one.engine == "steps"})
        raise Refused(
            "not_supported",
            f"{model.name} takes one prompt for the whole picture",
            path="$.regions",
            hint=f"platforms that take several: {', '.join(able)}" if able else "no model here takes several",
        )
    for position, region in enumerate(regions):
        _check_region(region, f"$.regions[{position}]")


def _check_region(region: Region, path: str) -> None:
    left, top, width, height = region.box
    if max(left + width, top + height) > 1 + BORDER_TOLERANCE:
        raise BadCommand(
            "invalid_value",
            f"the box ends {left + width:g} across and {top + height:g} down, outside of the picture",
            path=f"{path}.box",
            hint="left, top, width, height as parts of it; [0.5, 0, 0.5, 1] is the right half",
        )
    if min(width, height) < MIN_SIDE_SHARE:
        raise BadCommand(
            "invalid_value",
            f"a box of {width:g} x {height:g} is too small to show anything",
            path=f"{path}.box",
            hint=f"width and height from {MIN_SIDE_SHARE:g} on",
        )
    if "<lora:" in region.prompt.casefold():
        raise BadCommand(
            "invalid_value",
            "a LoRA changes the whole picture, not a region",
            path=f"{path}.prompt",
            hint="name it in loras, or in the brief",
        )
