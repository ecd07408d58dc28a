"""Copies are found, whatever was done to the file; different pictures are told apart."""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from agents.pocket.render import Scene, render
from agents.qa.signature import LENGTH, find_near_duplicate, signature
from agents.shared.picture import Rgb
from tests.qa.drawings import ball, disc, encoded, flat, static, tower

MUG = Scene(object=0, colour=7, background=4, style=0, seed=1)


def is_copy(one: Rgb, other: Rgb) -> bool:
    return find_near_duplicate(signature(one), [signature(other)]) is not None


def reread(rgb: Rgb, form: str, quality: int) -> Rgb:
    return np.asarray(Image.open(BytesIO(encoded(rgb, form, quality))).convert("RGB"))


def brightened(rgb: Rgb, gain: float, offset: float) -> Rgb:
    return np.clip(rgb * gain + offset, 0, 255).astype(np.uint8)


PICTURES: dict[str, Rgb] = {"mug": render(MUG), "disc": disc(), "tower": tower(), "ball": ball()}

CHANGES: dict[str, Callable[[Rgb], Rgb]] = {
    "identical": lambda p: p,
    "jpeg": lambda p: reread(p, "JPEG", 75),
    "webp": lambda p: reread(p, "WEBP", 60),
    "brighter": lambda p: brightened(p, 1.04, 4),
    "darker": lambda p: brightened(p, 0.96, -3),
    "twice the size": lambda p: np.repeat(np.repeat(p, 2, 0), 2, 1),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("picture", PICTURES)
def test_a_copy_is_found(picture: str, change: str) -> None:
    original = PICTURES[picture]
    assert is_copy(original, CHANGES[change](original))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(disc(), tower(), id="another shape on the same ground"),
        pytest.param(disc((208, 32, 38)), disc((36, 84, 208)), id="another colour of the same shape"),
        pytest.param(disc(centre=(0.3, 0.5), radius=0.15), disc(centre=(0.7, 0.5), radius=0.15), id="another place"),
        pytest.param(disc(radius=0.2), disc(radius=0.3), id="another size"),
        pytest.param(disc(ground=(10, 140, 142)), disc(ground=(248, 212, 40)), id="another ground"),
        pytest.param(flat(), disc(radius=0.1), id="nothing and something small"),
        pytest.param(static(seed=1), static(seed=2), id="two kinds of static"),
    ],
)
def test_different_pictures_are_told_apart(one: Rgb, other: Rgb) -> None:
    assert not is_copy(one, other)


def test_pictures_of_one_prompt_that_differ_in_their_seed_are_no_copies() -> None:
    signatures = [signature(render(replace(MUG, seed=seed))) for seed in range(40)]
    copies = [i for i, one in enumerate(signatures) if find_near_duplicate(one, signatures[:i]) is not None]
    assert copies == []


def test_the_nearest_of_many_is_named() -> None:
    others = [signature(picture) for picture in (tower(), disc(), ball())]
    found = find_near_duplicate(signature(reread(disc(), "JPEG", 80)), others)
    assert found is not None
    assert found[0] == 1


def test_nothing_is_near_where_there_is_nothing() -> None:
    assert find_near_duplicate(signature(disc()), []) is None


def test_a_signature_has_32_bytes() -> None:
    assert {len(signature(picture)) for picture in PICTURES.values()} == {LENGTH}
