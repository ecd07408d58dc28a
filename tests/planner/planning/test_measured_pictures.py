"""A model that no running process has measured keeps the time that its earlier pictures took."""

from typing import Any

import pytest
from msgspec.structs import replace

from agents.planner.planning.measured_pictures import MeasuredPicture, with_earlier_seconds
from protocol.pixels import PixelSpec
from protocol.post import Upscale
from protocol.sources import InitImage
from tests.planner.planning.test_source_images import POCKET

MODEL = replace(POCKET, name="m", steps=20, guidance=4.0, native_sizes=[(128, 128)])


def picture(seconds: float, stages: dict[str, float] | None = None, **changed: Any) -> MeasuredPicture:
    settings: dict[str, Any] = {"width": 128, "height": 128, "steps": 20, "guidance": 4.0} | changed
    return MeasuredPicture(PixelSpec(prompt="", seed=0, sampler="Euler", model="m", **settings), seconds, stages or {})


@pytest.mark.parametrize(
    ("pictures", "seconds"),
    [
        pytest.param([], None, id="none"),
        pytest.param([picture(1.0), picture(2.0), picture(9.0)], 2.0, id="the-median"),
        pytest.param([picture(4.0, steps=40), picture(4.0, width=256)], 2.0, id="by-their-work"),
        pytest.param([picture(3.0, {"upscale": 1.0}, post=[Upscale(model="lanczos")])], 2.0, id="without-later-stages"),
        pytest.param([picture(1.0, init_image=InitImage(blob="a", strength=0.5))], 2.0, id="half-of-the-steps"),
        pytest.param([picture(1.0, init_image=InitImage(blob="a", strength=0.01))], None, id="nothing-was-denoised"),
    ],
)
def test_the_time_of_earlier_pictures_is_scaled_to_the_defaults(
    pictures: list[MeasuredPicture], seconds: float | None
) -> None:
    assert with_earlier_seconds({"m": MODEL}, {}, {"m": pictures})["m"].seconds_per_image == seconds


def test_what_a_process_measured_goes_before_what_was_announced_and_that_before_the_ledger() -> None:
    running, pictures = replace(MODEL, seconds_per_image=7.0), {"m": [picture(1.0)]}
    assert with_earlier_seconds({"m": running}, {"m": 5.0}, pictures)["m"].seconds_per_image == 7.0
    assert with_earlier_seconds({"m": MODEL}, {"m": 5.0}, pictures)["m"].seconds_per_image == 5.0
    assert with_earlier_seconds({"m": MODEL}, {}, pictures)["m"].seconds_per_image == 1.0
