"""What the reader makes of a text, as a table: the sentence that the scorer is asked, and the words not judged."""

import pytest

from agents.pocket.language.grounds import take_ground
from agents.pocket.language.lexicon import tokens
from agents.pocket.language.reading import nearest_known, read

NOTHING: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("text", "judged"),
    [
        ("car", "a car"),
        ("An APPLE.", "an apple"),
        ("a small red mug on the left on a white background, watercolour",) * 2,
        ("watercolour of a boat", "a boat, watercolour"),
        ("a mug in line art on a white background, the mug is blue", "a blue mug on a white background, line art"),
        ("object: lamp, colour: pink, background: black", "a pink lamp on a black background"),
        ("The car is red and the background is white.", "a red car on a white background"),
        ("a heart which is purple, on a background of pink", "a purple heart on a pink background"),
        ("pink on black: a chair", "a pink chair on a black background"),
        ("teal background with a yellow mug on it", "a yellow mug on a teal background"),
        ("a couple of big cups", "two large mugs"),
        ("mugs: three, red", "three red mugs"),
        ("3 fish on teal", "three fish on a teal background"),
        ("a car in the middle of the picture", "a car in the centre"),
        ("a car on a plain background", "a car"),
        ("(red car:1.3), ((masterpiece)), <lora:neon:0.8>", "a red car"),
        ("please draw me a nice yellow umbrella for my daughter's birthday, 8k, no text", "a yellow umbrella"),
        ("my boss wants a green cube", "a green cube"),
        ("for a client: two apples by night", "two apples, night"),
        ("a white mug and a black background", "a white mug on a black background"),
        ("four pictures of a red car", "a red car"),
        ("a red car and on a white background", "a red car on a white background"),
        ("lovely white background, a red car", "a red car on a white background"),
        ("a red car on plain white, please", "a red car on a white background"),
        ("a car with white as the background", "a car on a white background"),
        ("a red ball in the middle of a blue background", "a red ball in the centre on a blue background"),
        ("our customers asked for three stars, all yellow", "three yellow stars"),
        ("a car on white background, the car is red, the car is large", "a large red car on a white background"),
        ("a ball on white and in the middle", "a ball in the centre on a white background"),
        ("a red car, no text or watermark", "a red car"),
        ("a red heart without any text or watermarks, white background", "a red heart on a white background"),
    ],
)
def test_what_the_world_knows_is_judged_whole(text: str, judged: str) -> None:
    reading = read(text)
    assert (reading.judged, reading.not_judged) == (judged, NOTHING)


@pytest.mark.parametrize(
    ("text", "judged", "words"),
    [
        ("a red car in Paris", "a red car", ("paris",)),
        ("a rusty car", "a car", ("rusty",)),
        ("a mug shot", None, ("mug shot",)),
        ("an Apple computer on a desk", None, ("apple computer on a desk",)),
        ("a dark blue car", "a car", ("dark blue",)),
        ("a wooden chair", "a chair", ("wooden",)),
        ("a <lime> ball", "a ball", ("<lime>",)),
        ("a rde car", "a car", ("rde",)),
        ("a fish swimming in a bowl, line art", "a fish, line art", ("swimming in a bowl",)),
        ("a car facing left", "a car", ("facing left",)),
        ("a car seen from above", "a car", ("above",)),
        ("a mug on a striped background", "a mug", ("striped background",)),
        ("a car on a red and white background", "a car", ("red and white background",)),
        ("a car, white background, black background", "a car", ("white", "black")),
        ("a car on red and white", "a car", ("red and white",)),
        ("a car, background red and white", "a car", ("background red and white",)),
        ("a car on a background", "a car", NOTHING),
        ("a car, background", "a car", NOTHING),
        ("a car, not on white", "a car", ("not on white",)),
        ("a car, no background of white", "a car", ("no background of white",)),
        ("a car on a striped dark blue background", "a car", ("striped dark blue background",)),
        ("a car on an odd red and white background", "a car", ("odd red and white background",)),
        ("a lovely rusty nice car", "a car", ("rusty",)),
        ("a red car, not a boat", "a red car", ("not a boat",)),
        ("a mug, rain, cyberpunk", "a mug", ("rain", "cyberpunk")),
        ("two fish on the left", "two fish", ("left",)),
        ("a red car, blue", "a red car", ("blue",)),
        ("a house, blue walls", "a house", ("blue walls",)),
        ("a house for giants", "a house", ("for giants",)),
    ],
)
def test_a_word_that_is_not_known_takes_its_own_part_along(text: str, judged: str, words: tuple[str, ...]) -> None:
    reading = read(text)
    assert (reading.judged, reading.not_judged) == (judged, words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a portrait of a smiling woman", ("smiling woman",)),
        ("a crowd at a wedding in Paris", ("crowd at a wedding in paris",)),
        ("a red kar", ("red kar",)),
        ("ein rotes Auto", ("ein rotes auto",)),
        ("笑顔の女性", ("笑顔の女性",)),
        ("a car without wheels", ("car without wheels",)),
        ("an apple that isn't green", ("apple that isn't green",)),
        ("a cube on a background that is not black", ("cube that is not black",)),
        ("no white background, no car", ("no white", "no car")),
        ("a red or blue car", ("red or blue car",)),
        ("a car: red if small", ("a car: red if small",)),
        ("a chair in red, blue or yellow", ("blue or yellow",)),
        ("four red cars", ("four red cars",)),
        ("red apples", ("apples",)),
        ("a dozen mugs", ("a dozen mugs",)),
        ("half an apple", ("half an apple",)),
        ("a red and white ball", ("red and white ball",)),
        ("a white mug with a black handle", ("white mug with a black handle",)),
        ("an orange", ("an orange",)),
        ("a pink rose on a black background", ("pink rose",)),
        ("a car, an orange", ("orange",)),
        ("a fish in a bottle", ("fish in a bottle",)),
        ("a car on the left of a garden", ("car on the left of a garden",)),
        ("a car and a driver", ("car and a driver",)),
        ("a fish, a star", ("star",)),
        ("car park", ("car park",)),
        ("a cat on a red chair", ("cat on a red chair",)),
        ("man driving car", ("man driving car",)),
        ("a woman holding a red umbrella", ("woman holding a red umbrella",)),
        ("a mug in red and blue", ("mug in red and blue",)),
        ("a white background", ("a white background",)),
        ("the night", ("the night",)),
        ("a chair, watercolour on the left and line art on the right", ("line art", "on the right")),
        ("birthday card, with a heart", ("birthday card", "heart")),
        ("a fish, the fish of cats", ("fish of cats",)),
        ("a car with background red car", ("car red car",)),
        ("a car with no background", ("car with no background",)),
    ],
)
def test_what_may_change_the_meaning_of_known_words_leaves_nothing_to_judge(text: str, words: tuple[str, ...]) -> None:
    reading = read(text)
    assert (reading.judged, reading.not_judged) == (None, words)


def test_an_empty_text_says_nothing_and_leaves_nothing_out() -> None:
    assert (read("").judged, read(" ").not_judged) == (None, NOTHING)


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("kar", "car"),
        ("magneta", "magenta"),
        ("watercolur", "watercolour"),
        ("cat", None),
        ("woman", None),
        ("xx", None),
    ],
)
def test_the_nearest_known_word_is_offered_for_what_is_no_word_of_its_own(word: str, known: str | None) -> None:
    assert nearest_known(word) == known


@pytest.mark.parametrize("text", ["a car " + "red " * 1000, "lovely, " * 2000 + "a car", "cat " * 1500])
def test_a_text_that_is_too_long_to_be_read_is_not_judged(text: str) -> None:
    reading = read(text)
    assert reading.judged is None
    assert max(map(len, reading.not_judged)) <= 120


def test_every_token_is_part_of_the_text_once() -> None:
    text = list(enumerate(tokens("a red car on a white background, in Paris")))
    rest, ground = take_ground(text)
    assert ground.colour == "white"
    assert [token.text for _, token in rest if token.text] == ["a", "red", "car", ",", "in", "paris"]
