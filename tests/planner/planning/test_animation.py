"""Sequences instead of still pictures: by which motion adapter, and what is refused."""

import pytest
from msgspec.structs import replace

from agents.planner.planning.capabilities import Capabilities
from agents.planner.planning.recipe import resolve
from protocol.animation import Animation, Motion
from protocol.errors import AcpError
from protocol.offers import MotionInfo
from protocol.parameters import Region
from tests.planner.planning.test_source_images import DEFAULTS, KANDINSKY, POCKET, WORKSHOP, order

WAVE = MotionInfo(name="wave", platform="pocket", max_frames=24, installed=True)
ABSENT = MotionInfo(name="absent", platform="flux_1_dev", max_frames=16, installed=False, install="pull absent")
KNOWN = Capabilities(
    models={**WORKSHOP.models, "pocket": replace(POCKET, seconds_per_image=0.5, max_pixels=2048 * 2048)},
    samplers=WORKSHOP.samplers,
    motions=(ABSENT, WAVE),
    generators=1,
)


def test_a_sequence_is_made_by_the_models_adapter_and_the_plan_says_how() -> None:
    recipe = resolve(order(animation=Animation(frames=8, fps=12)), KNOWN, DEFAULTS)
    assert recipe.pixels.motion == Motion(model="wave", frames=8, fps=12)
    assert recipe.engine == "pipeline"
    assert recipe.seconds_per_image == 4.0
    assert any("8 frames by wave, through the plain pipeline" in warning for warning in recipe.warnings)
    assert resolve(order(), KNOWN, DEFAULTS).pixels.motion is None


@pytest.mark.parametrize(
    ("model", "size", "fields", "path", "hint"),
    [
        pytest.param("pocket", None, {"frames": 25}, "$.animation.frames", "at most 24", id="more than the adapter"),
        pytest.param("pocket", "2048x2048", {"frames": 5}, "$.animation.frames", "at most 4", id="more than a file"),
        pytest.param("flux", None, {}, "$.animation", "pull absent", id="an adapter that is not here"),
        pytest.param(KANDINSKY.name, None, {}, "$.animation", "that make sequences: pocket", id="no adapter at all"),
    ],
)
def test_what_cannot_move_is_refused_with_the_field_and_what_works(
    model: str, size: str | None, fields: dict[str, int], path: str, hint: str
) -> None:
    with pytest.raises(AcpError) as refused:
        resolve(order(model, size, animation=Animation(**fields)), KNOWN, DEFAULTS)
    assert refused.value.body.path == path
    assert hint in (refused.value.body.hint or "")


def test_a_sequence_goes_with_words_alone() -> None:
    still = [Region(prompt="a red mug", box=[0, 0, 1, 1])]
    with pytest.raises(AcpError) as refused:
        resolve(order(animation=Animation(), regions=still), KNOWN, DEFAULTS)
    assert (refused.value.code, refused.value.body.path) == ("not_supported", "$.regions")
