"""How much each prompt of a picture with regions counts, cell by cell. Pure module."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from protocol.parameters import Region

FEATHER = 1 / 16
"""Part of a side over which a region's edge fades, half of it on either side: a cell of the smallest latents, so that
neighbours meet without a seam. The picture's own border does not fade."""


def region_weights(regions: Sequence[Region], height: int, width: int) -> NDArray[np.float32]:
    """Shape (1 + regions, height, width): what the base prompt and each region's decide of every cell, 1 in all.

    A region has its weight in its box. Where boxes overlap and their weights exceed 1, they divide the cell in
    proportion; what they leave is the base prompt's.
    """
    wanted = np.stack(
        [np.outer(_axis_coverage(one, 1, height), _axis_coverage(one, 0, width)) * one.weight for one in regions]
    )
    given = wanted / np.maximum(wanted.sum(0), 1.0)
    left = np.maximum(1.0 - given.sum(0, keepdims=True), 0.0)
    return np.concatenate([left, given]).astype(np.float32)


def _axis_coverage(region: Region, axis: int, cells: int) -> NDArray[np.float64]:
    """Coverage of the cells of one axis (0 across, 1 down), from 0 to 1."""
    first, extent = region.box[axis], region.box[axis + 2]
    last = first + extent
    middles = (np.arange(cells) + 0.5) / cells
    begun = np.ones(cells) if first <= 0 else np.clip((middles - first) / FEATHER + 0.5, 0, 1)
    not_over = np.ones(cells) if last >= 1 else np.clip((last - middles) / FEATHER + 0.5, 0, 1)
    return begun * not_over
