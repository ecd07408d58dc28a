"""Pictures that a command brings: what the model is led by, and why it cannot be."""

import numpy as np
import pytest
from msgspec.structs import replace

from agents.planner.planning import source_images
from agents.planner.planning.capabilities import Capabilities
from agents.planner.planning.recipe import Defaults, Recipe, resolve
from agents.planner.planning.source_images import LoadedImage, SourceImages
from protocol.commands import GenerateImages, Requirements
from protocol.errors import AcpError
from protocol.offers import ControlInfo, ModelInfo
from protocol.parameters import ControlNet, ImageSource, Placement, Sweep
from protocol.sources import ControlImage, InitImage

POCKET = ModelInfo(
    name="pocket", platform="pocket", installed=True, native_sizes=[(128, 128)], steps=20, guidance=3.0,
    guidance_range=(2.0, 8.0), sampler="Euler", negative_prompt=True, max_pixels=256 * 256,
    starts=["picture", "mask"], engine="steps",
)  # fmt: skip
FLUX = replace(POCKET, name="flux", platform="flux_1_dev", starts=["picture"])
KANDINSKY = replace(POCKET, name="kandinsky", platform="kandinsky_3", starts=[])
CANNY = ControlInfo(name="canny_pocket", platform="pocket", kind="canny", installed=True)
DEPTH = ControlInfo(name="depth_flux", platform="flux_1_dev", kind="depth", installed=True, prepare="pull depth")
POSE = ControlInfo(name="pose_pocket", platform="pocket", kind="pose", installed=False, install="put it there")
WORKSHOP = Capabilities(
    models={model.name: model for model in (POCKET, FLUX, KANDINSKY)},
    samplers=("Euler",),
    controls=(CANNY, DEPTH, POSE),
    generators=1,
)
DEFAULTS = Defaults(stand_in=None, min_score=0.5, max_attempts=3)

SOURCE = ImageSource(blob="a" * 64)
PICTURE = LoadedImage("a" * 64, 128, 128)
MASK = LoadedImage("b" * 64, 128, 128)


def order(model: str = "pocket", size: str | None = None, **fields: object) -> GenerateImages:
    command = GenerateImages(brief="a car", models=[model], requirements=Requirements(resolution=size))
    return replace(command, **fields)


def planned(
    command: GenerateImages, init: LoadedImage = PICTURE, mask: LoadedImage = MASK, control: LoadedImage = PICTURE
) -> Recipe:
    brought = SourceImages(
        init=init if command.init_image else None,
        mask=mask if command.mask else None,
        controls=(control,) * len(command.controls),
    )
    return resolve(command, WORKSHOP, DEFAULTS, given=brought)


def test_of_an_animation_the_plan_says_that_its_first_frame_is_used() -> None:
    moving, command = LoadedImage("a" * 64, 128, 128, frames=12), order(init_image=SOURCE, strength=1.0)

    assert planned(command, init=moving).warnings == ["init_image: the first of 12 frames is used"]
    assert planned(command).warnings == []


def test_a_picture_is_started_from_and_the_plan_says_how_many_steps_are_run() -> None:
    recipe = planned(order(init_image=SOURCE, strength=0.5))

    assert recipe.pixels.init_image == InitImage(blob="a" * 64, strength=0.5)
    assert "strength 0.5: the last 10 of 20 steps are run" in recipe.warnings
    assert recipe.engine == "steps"


def test_without_a_size_the_picture_has_that_of_the_one_it_starts_from() -> None:
    recipe = planned(order(init_image=SOURCE), init=LoadedImage("a" * 64, 192, 128))

    assert (recipe.pixels.width, recipe.pixels.height) == (192, 128)


def test_one_of_another_size_is_scaled_and_the_plan_says_so() -> None:
    recipe = planned(order(init_image=SOURCE), init=LoadedImage("a" * 64, 2000, 1000))

    assert (recipe.pixels.width, recipe.pixels.height) == (352, 184)
    assert "init_image: 2000x1000 is scaled, and cropped where the aspect differs" in recipe.warnings


def test_a_mask_is_made_anew_wholly() -> None:
    recipe = planned(order(init_image=SOURCE, mask=SOURCE))

    assert recipe.pixels.init_image == InitImage(blob="a" * 64, strength=1.0, mask="b" * 64)
    assert not any("strength" in warning for warning in recipe.warnings)


@pytest.mark.parametrize(
    ("placement", "box"),
    [(Placement(), [32, 0, 128, 128]), (Placement(left=0), [0, 0, 128, 128]), (Placement(left=64), [64, 0, 128, 128])],
)
def test_a_smaller_picture_lies_where_it_is_placed(placement: Placement, box: list[int]) -> None:
    recipe = planned(order(size="192x128", init_image=SOURCE, placement=placement))

    assert recipe.pixels.init_image == InitImage(blob="a" * 64, strength=1.0, box=box)


def test_edges_are_followed_through_the_models_controlnet() -> None:
    canny = ControlNet(kind="canny", image=SOURCE, weight=0.8, end=0.6)

    assert planned(order(controls=[canny])).pixels.controls == [
        ControlImage(kind="canny", model="canny_pocket", blob="a" * 64, weight=0.8, end=0.6)
    ]


def control(kind: str = "canny", **fields: object) -> list[ControlNet]:
    return [replace(ControlNet(kind="canny", image=SOURCE), kind=kind, **fields)]


@pytest.mark.parametrize(
    ("command", "code", "path", "hint"),
    [
        pytest.param(order(strength=0.5), "missing_field", "$.strength", "init_image", id="strength of nothing"),
        pytest.param(order(mask=SOURCE), "missing_field", "$.mask", "init_image", id="a mask of nothing"),
        pytest.param(
            order(init_image=SOURCE, mask=SOURCE, placement=Placement()),
            "invalid_value", "$.placement", "leave mask", id="a mask and a placement",
        ),
        pytest.param(
            order(init_image=SOURCE, strength=0.04), "invalid_value", "$.strength", "0.05", id="no step left"
        ),
        pytest.param(
            order(init_image=SOURCE, steps=1), "invalid_value", "$.steps", "more steps", id="no step left of one"
        ),
        pytest.param(
            order("kandinsky", init_image=SOURCE), "not_supported", "$.init_image", "flux_1_dev, pocket", id="no start"
        ),
        pytest.param(
            order("flux", init_image=SOURCE, mask=SOURCE), "not_supported", "$.mask", "pocket", id="keeps no part"
        ),
        pytest.param(
            order(init_image=SOURCE, placement=Placement()), "invalid_value", "$.placement", "larger", id="no border"
        ),
        pytest.param(
            order(size="192x128", init_image=SOURCE, placement=Placement(left=65)),
            "invalid_value", "$.placement", "larger", id="beyond the border",
        ),
        pytest.param(
            order(controls=control("depth")), "not_supported", "$.controls[0].kind", "follows canny", id="no depth"
        ),
        pytest.param(
            order(controls=control("pose")), "not_installed", "$.controls[0].kind", "put it there", id="to install"
        ),
        pytest.param(
            order("flux", controls=control("depth")),
            "not_installed", "$.controls[0].preprocessed", "true; or pull depth", id="no map",
        ),
        pytest.param(
            order(controls=control(start=0.5, end=0.5)), "invalid_value", "$.controls[0].end", "0.8", id="no span"
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_with_the_field_and_what_works(
    command: GenerateImages, code: str, path: str, hint: str
) -> None:
    with pytest.raises(AcpError) as caught:
        planned(command)

    body = caught.value.body
    assert (body.code, body.path) == (code, path)
    assert hint in (body.hint or "")


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(AcpError) as caught:
        planned(order(init_image=SOURCE, mask=SOURCE), mask=LoadedImage("b" * 64, 64, 64))

    assert caught.value.body.path == "$.mask"
    assert "64x64" in caught.value.body.message


def test_a_placed_picture_has_one_size_for_all_of_a_batch() -> None:
    swept = Sweep(values={"resolution": ["192x128", "256x128"]})
    with pytest.raises(AcpError) as caught:
        planned(order(size="192x128", init_image=SOURCE, placement=Placement(), sweep=swept))

    assert caught.value.body.path == "$.sweep.values.resolution"


def test_a_placed_picture_grows_with_the_one_around_it() -> None:
    placed = InitImage(blob="a" * 64, strength=1.0, box=[32, 0, 128, 128])

    assert source_images.scale_init_image(placed, (192, 128), (384, 256)) == replace(placed, box=[64, 0, 256, 256])
    assert source_images.scale_init_image(None, (192, 128), (384, 256)) is None


def test_a_mask_without_white_would_change_nothing() -> None:
    mask = np.zeros((32, 32, 3), np.uint8)
    with pytest.raises(AcpError):
        source_images.check_mask(mask)
    mask[4, 4] = 255
    source_images.check_mask(mask)


@pytest.mark.parametrize("preprocessed", [False, True])
def test_a_picture_without_outlines_leads_nothing(preprocessed: bool) -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(AcpError) as caught:
        source_images.check_lines(picture, preprocessed, "$.controls[0].image")
    assert caught.value.body.path == "$.controls[0].image"
    picture[16:48, 16:48] = 255
    source_images.check_lines(picture, preprocessed, "$.controls[0].image")
