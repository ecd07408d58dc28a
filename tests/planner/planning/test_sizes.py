"""Sizes: what people write, and what a model makes of it."""

import pytest

from agents.planner.planning.sizes import Limits, fit, off_native_note, parse
from protocol.errors import AcpError

POCKET = Limits(native_sizes=((128, 128),), max_pixels=128 * 128, multiple_of=8)
SDXL = Limits(native_sizes=((1024, 1024), (1344, 768), (768, 1344)), max_pixels=1536 * 1536, multiple_of=8)


@pytest.mark.parametrize(
    ("text", "limits", "size", "lost"),
    [
        (None, POCKET, (128, 128), False),
        (None, SDXL, (1024, 1024), False),
        ("1024x1024", SDXL, (1024, 1024), False),
        ("1024 X 1024", SDXL, (1024, 1024), False),
        ("1K", SDXL, (1024, 1024), False),
        ("1k", SDXL, (1024, 1024), False),
        ("16:9", SDXL, (1344, 768), False),
        ("9:16", SDXL, (768, 1344), False),
        ("1000x1000", SDXL, (1000, 1000), False),
        ("1001x1001", SDXL, (1000, 1000), True),
        ("4K", SDXL, (1536, 1536), True),
        ("512x512", POCKET, (128, 128), True),
    ],
)
def test_a_size_is_fitted_to_what_the_model_can_make(
    text: str | None, limits: Limits, size: tuple[int, int], lost: bool
) -> None:
    made, note = fit(parse(text) if text else None, limits)
    assert made == size
    assert (note is not None) == lost


@pytest.mark.parametrize("aspect", ["1:1", "16:9", "9:16", "4:5", "1.91:1", "4:3", "3:4", "21:9", "3.2:1"])
@pytest.mark.parametrize("limits", [POCKET, SDXL])
def test_every_named_aspect_stays_within_the_model(aspect: str, limits: Limits) -> None:
    (width, height), _ = fit(parse(aspect), limits)
    assert width * height <= limits.max_pixels
    assert width % limits.multiple_of == height % limits.multiple_of == 0


@pytest.mark.parametrize(
    ("size", "led", "says"),
    [
        ((1024, 1024), False, None),
        ((1344, 768), False, None),
        ((1152, 1152), False, None),
        ((1224, 1224), False, None),
        ((1280, 1280), False, "repeats things"),
        ((2048, 1024), False, "repeats things"),
        ((1536, 1536), True, None),
        ((768, 768), False, None),
        ((512, 512), False, "soft"),
        ((512, 512), True, "soft"),
    ],
)
def test_leaving_the_native_sizes_is_warned_of_with_what_happens(
    size: tuple[int, int], led: bool, says: str | None
) -> None:
    note = off_native_note(size, SDXL, "base_sdxl", led=led)
    assert (says in note and f"{size[0]}x{size[1]}" in note and "base_sdxl" in note) if note and says else note == says


@pytest.mark.parametrize(
    "text", ["", "big", "10x10", "99999x5", "0:1", "1:0", "100:1", "1024x", "-5x5", "1e3x1e3", "5K"]
)
def test_what_is_no_size_is_refused_with_the_path_and_the_ways_to_say_it(text: str) -> None:
    with pytest.raises(AcpError) as caught:
        parse(text)
    assert caught.value.code == "invalid_value"
    assert caught.value.body.path == "$.requirements.resolution"
    assert "WxH" in (caught.value.body.hint or "")
