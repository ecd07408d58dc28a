"""From a reference to the map that a ControlNet follows: used as it is if it is one, otherwise prepared. Pure
module."""

from collections.abc import Callable

import numpy as np

from agents.generator.control.map_checks import is_map
from agents.shared.edges import canny
from agents.shared.picture import Rgb
from protocol.parameters import ControlKind

TOOL_FOR_MAP: dict[ControlKind, str] = {
    "depth": "depth",
    "normal": "depth",
    "pose": "pose",
    "segmentation": "segmentation",
}
"""Kind of map -> kind of tool that sees it; edges need none."""

Annotate = Callable[[Rgb], Rgb]
"""A model that makes the map of a picture, of the picture's size."""


def prepare_map(kind: ControlKind, picture: Rgb, annotate: Annotate | None = None) -> tuple[Rgb, bool]:
    """The map of a reference, and whether it had to be prepared. `annotate` makes maps of depth (also for normals),
    poses and segments.

    Raises:
        ValueError: such a map needs a model, and there is none.
    """
    if is_map(kind, picture):
        return picture, False
    if kind == "canny":
        lines = canny(picture).astype(np.uint8) * 255
        return np.repeat(lines[..., None], 3, axis=2), True
    if annotate is None:
        raise ValueError(f"the reference is no map of {kind}, and no model is here to make one")
    return (normal_map(annotate(picture)) if kind == "normal" else annotate(picture)), True


def normal_map(depth: Rgb) -> Rgb:
    """The directions in which surfaces look, by the slopes of a depth map: red to the right, green up, blue to the
    camera, as normal ControlNets were taught. One grey level per pixel is a slope of 45 degrees."""
    down, right = np.gradient(depth[..., 0].astype(np.float32))
    directions = np.stack([-right, down, np.ones_like(down)], axis=2)
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    return ((directions + 1) * 127.5).round().astype(np.uint8)
