"""People as stick figures in the colours of OpenPose, which pose ControlNets follow. Pure module.

Joints, limbs and colours: Z. Cao et al., OpenPose, 2019, the 18 points of its COCO model.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from agents.shared.picture import Rgb

Points = NDArray[np.floating]
"""Joints of a person: (17, 3) in the order of COCO, each (x, y, confidence 0 to 1), pixels."""

MIN_CONFIDENCE = 0.3
"""Confidence below which a joint is left out."""

_COCO = (0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""OpenPose's joints as COCO's; the neck, which COCO lacks, is the middle of the shoulders."""
_SHOULDERS = [5, 6]
_LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13),
    (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
_COLOURS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0),
    (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255),
    (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85),
)  # fmt: skip
LIMB_SHADE = 0.6
"""Limbs are darker than joints."""
MAP_COLOURS = tuple(
    (round(red * shade), round(green * shade), round(blue * shade))
    for red, green, blue in _COLOURS
    for shade in (1, LIMB_SHADE)
)
"""Every colour of a map but black."""


def draw_skeletons(people: Sequence[Points], height: int, width: int) -> Rgb:
    """The map of some people on black, (height, width, 3)."""
    canvas = Image.new("RGB", (width, height))
    brush = ImageDraw.Draw(canvas)
    # OpenPose draws with 4 pixels at 512.
    thickness = max(1, round(min(height, width) / 128))
    for points in people:
        joints = [_joint_position(points, coco) for coco in _COCO]
        for (one, other), colour in zip(_LIMBS, _COLOURS, strict=False):
            begin, end = joints[one], joints[other]
            if begin and end:
                shade = tuple(round(part * LIMB_SHADE) for part in colour)
                brush.line([begin, end], fill=shade, width=2 * thickness)
        for joint, colour in zip(joints, _COLOURS, strict=True):
            if joint:
                brush.circle(joint, thickness, fill=colour)
    return np.asarray(canvas)


def _joint_position(points: Points, coco: int | None) -> tuple[float, float] | None:
    """A joint's place, or null where it is not seen for sure."""
    found = points[_SHOULDERS] if coco is None else points[[coco]]
    if found[:, 2].min() < MIN_CONFIDENCE:
        return None
    x, y = found[:, :2].mean(0)
    return float(x), float(y)
