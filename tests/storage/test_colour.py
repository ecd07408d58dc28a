"""The dominant colour by name."""

import io

import pytest
from PIL import Image

from agents.pocket.vocabulary import PALETTE
from agents.storage.colour import dominant_colour
from agents.storage.png import BrokenPng
from tests.storage.making import png


@pytest.mark.parametrize("name", PALETTE)
@pytest.mark.parametrize("light", [0.8, 1.0])
def test_the_pocket_models_colours_have_their_names_in_light_and_shade(name: str, light: float) -> None:
    red, green, blue = (round(value * light) for value in PALETTE[name])
    assert dominant_colour(png((red, green, blue)), "local") == (name if (name, light) != ("white", 0.8) else "grey")


@pytest.mark.parametrize(
    ("rgb", "name"),
    [((254, 44, 84), "magenta"), ((0, 224, 255), "teal"), ((255, 213, 0), "yellow"), ((128, 128, 128), "grey")],
)
def test_brand_colours_have_the_names_of_their_guidelines(rgb: tuple[int, int, int], name: str) -> None:
    assert dominant_colour(png(rgb), "local") == name


def test_a_coloured_thing_on_white_gives_the_name_and_a_larger_ground_wins_over_it() -> None:
    def thing_on(ground: tuple[int, int, int]) -> bytes:
        picture = Image.new("RGB", (64, 64), ground)
        picture.paste((208, 32, 38), (16, 16, 48, 48))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        return buffer.getvalue()

    assert dominant_colour(thing_on((255, 255, 255)), "local") == "red"
    assert dominant_colour(thing_on((36, 84, 208)), "local") == "blue"


@pytest.mark.parametrize("data", [b"", b"nonsense", png()[:48]])
def test_what_cannot_be_decoded_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(BrokenPng) as caught:
        dominant_colour(data, "local")
    assert "object at" not in str(caught.value)
