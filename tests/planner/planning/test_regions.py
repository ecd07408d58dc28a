"""Parts of a picture with prompts of their own: what the planner refuses."""

import pytest
from msgspec.structs import replace

from agents.planner.planning.capabilities import Capabilities
from agents.planner.planning.recipe import resolve
from protocol.errors import AcpError
from protocol.parameters import Region
from tests.planner.planning.test_source_images import DEFAULTS, POCKET, WORKSHOP, order

ELSEWHERE = replace(POCKET, name="elsewhere", platform="elsewhere", provider="elsewhere", engine=None)
KNOWN = Capabilities(models={**WORKSHOP.models, "elsewhere": ELSEWHERE}, samplers=WORKSHOP.samplers, generators=1)


def region(*box: float, prompt: str = "a red mug") -> Region:
    return Region(prompt=prompt, box=list(box))


@pytest.mark.parametrize(
    ("model", "wrong", "path"),
    [
        pytest.param("pocket", region(0.6, 0, 0.5, 1), "$.regions[1].box", id="over the right border"),
        pytest.param("pocket", region(0, 0.5, 1, 0.6), "$.regions[1].box", id="over the lower border"),
        pytest.param("pocket", region(0, 0, 0.01, 1), "$.regions[1].box", id="a line"),
        pytest.param("pocket", region(0, 0, 1, 1, prompt="a <lora:neon:1>"), "$.regions[1].prompt", id="a LoRA"),
        pytest.param("elsewhere", region(0, 0, 1, 1), "$.regions", id="a model that mixes nothing"),
    ],
)
def test_a_region_that_cannot_be_made_is_refused_with_the_field_and_what_works(
    model: str, wrong: Region, path: str
) -> None:
    with pytest.raises(AcpError) as refused:
        resolve(order(model, regions=[region(0, 0, 0.5, 1), wrong]), KNOWN, DEFAULTS)
    assert (refused.value.body.path, bool(refused.value.body.hint)) == (path, True)


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (0.333, 0.334, 0.667, 0.667), (0.9375, 0, 0.0625, 1)])
def test_boxes_in_the_picture_are_taken(box: tuple[float, ...]) -> None:
    assert resolve(order(regions=[region(*box)]), KNOWN, DEFAULTS).engine == "steps"
