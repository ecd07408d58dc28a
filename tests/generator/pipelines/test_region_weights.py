"""What each prompt of a picture with regions decides of its cells."""

import numpy as np
import pytest

from agents.generator.pipelines.region_weights import region_weights
from protocol.parameters import Region

LEFT = Region(prompt="a red mug", box=[0, 0, 0.5, 1])
RIGHT = Region(prompt="a blue star", box=[0.5, 0, 0.5, 1])
WHOLE = Region(prompt="a scene", box=[0, 0, 1, 1])
HALF_WHOLE = Region(prompt="a scene", box=[0, 0, 1, 1], weight=0.5)
MIDDLE = Region(prompt="a mug", box=[0.25, 0.25, 0.5, 0.5])


@pytest.mark.parametrize(
    ("regions", "cell", "expected"),
    [
        pytest.param([WHOLE], (0, 0), [0, 1], id="a whole picture does not fade at its border"),
        pytest.param([HALF_WHOLE], (3, 5), [0.5, 0.5], id="the base has what a weight leaves"),
        pytest.param([LEFT, RIGHT], (8, 2), [0, 1, 0], id="the left half"),
        pytest.param([LEFT, RIGHT], (8, 13), [0, 0, 1], id="the right half"),
        pytest.param([MIDDLE], (8, 8), [0, 1], id="the middle"),
        pytest.param([MIDDLE], (0, 8), [1, 0], id="the base above it"),
        pytest.param([WHOLE, WHOLE], (4, 4), [0, 0.5, 0.5], id="two that want all divide it"),
        pytest.param([WHOLE, HALF_WHOLE], (4, 4), [0, 2 / 3, 1 / 3], id="in proportion to their weights"),
    ],
)
def test_a_cell_belongs_to_the_prompts_whose_box_it_is_in(
    regions: list[Region], cell: tuple[int, int], expected: list[float]
) -> None:
    found = region_weights(regions, 16, 16)
    assert found.shape == (1 + len(regions), 16, 16)
    assert found[:, *cell] == pytest.approx(expected)


def test_neighbours_meet_without_a_seam() -> None:
    base, left, right = region_weights([LEFT, RIGHT], 64, 64)
    assert np.abs(base).max() < 1e-6
    row = left[32]
    assert (np.diff(row) <= 0).all()
    assert np.abs(np.diff(row)).max() <= 0.25
    assert row[32] + right[32, 32] == pytest.approx(1)


def test_every_cell_is_shared_out_whole() -> None:
    found = region_weights([LEFT, MIDDLE, HALF_WHOLE], 24, 40)
    assert found.sum(0) == pytest.approx(1)
    assert found.min() >= 0
