"""What a picture costs beside one at its model's defaults, in a plan and in what is held for it."""

from typing import Any

import pytest
from msgspec.structs import replace

from agents.planner.planning.capabilities import Capabilities
from agents.planner.planning.recipe import Defaults, resolve
from agents.planner.planning.sweep import sweep_shares
from agents.shared.device_time import CONTROLNET_OVERHEAD, relative_device_time
from protocol.commands import GenerateImages
from protocol.parameters import Region, Requirements, Sweep
from tests.planner.planning.test_source_images import POCKET, WORKSHOP

MODEL = replace(POCKET, steps=20, guidance=4.0, native_sizes=[(128, 128)])


@pytest.mark.parametrize(
    ("changed", "times"),
    [
        pytest.param({}, 1.0, id="the-defaults"),
        pytest.param({"steps": 40}, 2.0, id="twice-the-steps"),
        pytest.param({"size": (256, 128)}, 2.0, id="twice-the-pixels"),
        pytest.param({"guidance": 1.0}, 0.5, id="without-guidance"),
        pytest.param({"prompts": 9}, 5.0, id="eight-regions"),
        pytest.param({"controls": 2}, 1 + 2 * CONTROLNET_OVERHEAD, id="two-controlnets"),
        pytest.param({"frames": 16}, 16.0, id="a-sequence"),
    ],
)
def test_effort_grows_with_the_work_of_the_device(changed: dict[str, Any], times: float) -> None:
    usual: dict[str, Any] = {"size": (128, 128), "steps": 20, "guidance": 4.0}
    assert relative_device_time(MODEL, **(usual | changed)) == pytest.approx(times)


@pytest.mark.parametrize(
    ("changed", "times"),
    [
        pytest.param({"guidance": 1.0}, 1.0, id="less-guidance"),
        pytest.param({"prompts": 3}, 3.0, id="two-regions"),
    ],
)
def test_a_model_without_negative_prompts_has_no_rows_for_them(changed: dict[str, Any], times: float) -> None:
    usual: dict[str, Any] = {"size": (128, 128), "steps": 20, "guidance": 3.5}
    assert relative_device_time(
        replace(MODEL, guidance=3.5, negative_prompt=False), **(usual | changed)
    ) == pytest.approx(times)


def test_fields_of_a_sweep_multiply_and_the_dearest_combination_is_the_largest_share() -> None:
    assert sweep_shares(2.0, []) == (1.0, 1.0)
    assert sweep_shares(2.0, [[2.0, 6.0], [1.0, 2.0, 4.0]]) == pytest.approx((2.0 * 7 / 6, 6.0))


@pytest.mark.parametrize(
    ("command", "expected", "highest"),
    [
        pytest.param(GenerateImages(), 1.0, 1.0, id="plain"),
        pytest.param(GenerateImages(steps=40), 2.0, 2.0, id="steps"),
        pytest.param(
            GenerateImages(regions=[Region(prompt="a star", box=[0.5, 0.0, 0.5, 1.0])]), 1.5, 1.5, id="a-region"
        ),
        pytest.param(GenerateImages(sweep=Sweep(values={"steps": [10, 20, 60]})), 1.5, 3.0, id="swept-steps"),
        pytest.param(
            GenerateImages(sweep=Sweep(values={"steps": [20, 40], "resolution": ["128x128", "256x128"]})),
            2.25,
            4.0,
            id="a-grid",
        ),
    ],
)
def test_a_plan_expects_what_its_pictures_take_and_holds_what_the_dearest_may(
    command: GenerateImages, expected: float, highest: float
) -> None:
    model = replace(MODEL, seconds_per_image=2.0, max_pixels=256 * 256)
    command = replace(command, platform="pocket", requirements=Requirements(quantity=1))
    recipe = resolve(
        command,
        Capabilities(models={"pocket": model}, samplers=WORKSHOP.samplers, generators=1),
        Defaults("pocket", 0.5, 3, price_per_hour=3.6),
    )
    assert recipe.seconds_per_image == pytest.approx(2.0 * expected)
    assert (recipe.price_micros, recipe.highest_micros) == (2000 * expected, 2 * 2000 * highest)
