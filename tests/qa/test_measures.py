"""Each measure says what its name promises on pictures where the answer is known."""

import time

import numpy as np
import pytest
from PIL import Image, ImageOps

from agents.pocket.render import Scene, render
from agents.qa import measures
from agents.shared.picture import Rgb
from tests.qa.drawings import ball, blurred, disc, flat, static, tower


def sharpness(rgb: Rgb) -> float:
    value = measures.sharpness(rgb)
    assert value is not None
    return value


def posterised(rgb: Rgb, bits: int) -> Rgb:
    return np.asarray(ImageOps.posterize(Image.fromarray(rgb), bits))


def test_one_flat_colour_has_no_spread_and_no_entropy() -> None:
    assert measures.spread(flat()) == 0
    assert measures.entropy(flat()) == 0


def test_a_subject_of_the_same_luma_as_its_ground_is_not_flat() -> None:
    red, green = (160, 30, 30), (20, 76, 20)
    rgb = disc(red, green)
    assert np.ptp(measures.luma(rgb)) < 0.15
    assert measures.spread(rgb) > 0.1


def test_static_has_the_highest_entropy() -> None:
    assert measures.entropy(static()) > measures.entropy(ball()) > measures.entropy(disc()) > 0


@pytest.mark.parametrize("picture", [disc(), tower(), ball()], ids=["disc", "tower", "ball"])
def test_sharpness_falls_with_every_step_out_of_focus(picture: Rgb) -> None:
    series = [sharpness(picture), *(sharpness(blurred(picture, sigma)) for sigma in (1, 2, 3, 5))]
    assert series == sorted(series, reverse=True)
    assert series[0] > 0.6
    assert series[3] < 0.25


def test_flat_design_is_as_sharp_as_a_busy_picture() -> None:
    assert sharpness(disc(radius=0.1)) > 0.9


def test_a_sharp_subject_before_a_soft_background_is_sharp() -> None:
    soft = blurred(tower(), 6).copy()
    soft[40:88, 40:88] = disc(side=48)
    assert sharpness(soft) > 0.6


def test_a_large_picture_is_judged_as_a_person_sees_the_whole_of_it() -> None:
    large = disc(side=1024)
    assert sharpness(blurred(large, 1.5)) > 0.3
    assert sharpness(blurred(large, 20)) < 0.1


def test_a_small_picture_that_was_blown_up_is_blurred() -> None:
    blown_up = np.asarray(Image.fromarray(disc(side=32)).resize((512, 512), Image.Resampling.BICUBIC))
    assert sharpness(blown_up) < 0.2 < sharpness(disc(side=512))


@pytest.mark.parametrize("picture", [flat(), flat(side=4), disc(side=5)], ids=["flat", "tiny", "smaller than a window"])
def test_sharpness_is_null_where_there_is_no_edge_to_judge(picture: Rgb) -> None:
    assert measures.sharpness(picture) is None


def test_noise_is_the_standard_deviation_that_was_added_and_blind_to_drawing() -> None:
    rng = np.random.default_rng(1)
    grainy = np.clip(ball(0.8) + rng.normal(0, 12, (128, 128, 1)), 0, 255).astype(np.uint8)
    assert measures.noise(grainy) == pytest.approx(12 / 255, rel=0.15)
    assert measures.noise(ball()) < 0.005
    assert measures.noise(disc()) == 0
    assert measures.noise(static()) > 0.15


def test_brightness_is_the_mean_luma() -> None:
    assert measures.brightness(flat((255, 255, 255))) == pytest.approx(1)
    assert measures.brightness(flat((0, 255, 0))) == pytest.approx(0.7152, abs=1e-3)


def test_clipping_counts_what_lost_its_detail() -> None:
    assert measures.clipping(ball()) == (0, 0)
    assert measures.clipping(ball(gain=3))[1] > 0.5
    assert measures.clipping(disc((0, 0, 0), (90, 110, 112)))[0] > 0.9


@pytest.mark.parametrize("ground", [(255, 255, 255), (0, 0, 0)], ids=["white", "black"])
def test_a_pure_backdrop_is_a_choice_and_not_clipping(ground: tuple[int, int, int]) -> None:
    assert measures.clipping(disc(ground=ground)) == (0, 0)


def test_a_gradient_in_few_steps_is_posterised_and_a_smooth_one_is_not() -> None:
    ramp = np.repeat(np.repeat(np.arange(256, dtype=np.uint8)[None, ::2], 128, 0)[..., None], 3, 2)
    assert measures.posterisation(ramp) == 0
    assert measures.posterisation(posterised(ramp, 4)) > 0.6
    assert measures.posterisation(posterised(ramp, 3)) > 0.8


@pytest.mark.parametrize("picture", [flat(), disc(), tower()], ids=["one colour", "disc", "tower"])
def test_flat_colours_with_anti_aliased_edges_are_design(picture: Rgb) -> None:
    assert measures.posterisation(picture) < 0.2


@pytest.mark.parametrize("style", range(6))
def test_no_style_of_the_pocket_model_looks_damaged(style: int) -> None:
    taken = measures.measure(render(Scene(object=0, colour=7, background=4, style=style, seed=3)))
    assert taken.spread > 0.05
    assert taken.sharpness is not None
    assert taken.sharpness > 0.6
    assert taken.noise < 0.02
    assert taken.posterisation < 0.4
    assert max(taken.clipped_shadows, taken.clipped_highlights) < 0.1


@pytest.mark.parametrize(
    "picture",
    [flat((0, 0, 0)), flat((255, 255, 255)), static(), disc(), flat(side=1), static(side=2)],
    ids=["black", "white", "static", "disc", "one pixel", "four pixels"],
)
def test_every_measure_is_between_0_and_1(picture: Rgb) -> None:
    taken = measures.measure(picture)
    values = [getattr(taken, name) for name in taken.__dataclass_fields__]
    assert all(0 <= value <= 1 for value in values if value is not None)


def test_a_pocket_picture_is_measured_in_a_fraction_of_its_budget() -> None:
    picture = render(Scene(object=0, colour=7, background=4, style=0))
    measures.measure(picture)
    took: list[float] = []
    for _ in range(5):
        started = time.perf_counter()
        measures.measure(picture)
        took.append(time.perf_counter() - started)
    assert min(took) < 0.1
