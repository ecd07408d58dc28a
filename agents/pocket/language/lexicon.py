"""From a text to tokens: each phrase that the scorer's world has a meaning for, with that meaning. Pure module.

The longest known phrase wins, so that "no text" is filler and "no car" a negation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from agents.pocket.language.filler import FILLER
from agents.pocket.vocabulary import COLOUR_WORDS, OBJECTS, STYLES, plural

Sort = Literal[
    "kind", "plural", "colour", "style", "size", "place", "count", "many", "ground",
    "det", "prep", "for", "of", "and", "not", "or", "rel", "be", "filler", "mark", "unknown",
]  # fmt: skip
"""What a phrase is in a sentence. `many` is a number that the world does not hold, `mark` is punctuation."""


@dataclass(frozen=True, slots=True)
class Token:
    """A phrase of the text as it was written, its sort, and the plain name of what it means."""

    text: str
    sort: Sort
    name: str = ""


_OF_OTHER_WORDS = {"wooden chair", "round tree", "small car", "little house", "little fish", "fresh apple", "goldfish"}
_OF_OTHER_COLOURS = {"golden", "ivory", "chocolate", "lemon", "rose"}
"""Synonyms that training used and that say more than the kind, or than the colour: a material, a thing, a species."""

_STYLE_WORDS: dict[str, str] = {
    "studio photograph": "studio shot, studio picture, studio image, studio style, studio, studio photography, "
    "studio-lit, studio lit, studio photos, "
    "studio-photo, studio-style, product photos, product-photo, a photograph of, photographs",
    "flat illustration": "flat, flat style, flat-style, flat vector, flat vector illustration, "
    "flat illustration style, "
    "flat design illustration, vector, vector art, vector graphic, vector style, vector drawing, flat graphic, "
    "flat drawing, flat picture, flat-illustration, flat art, flat image, flat-design",
    "watercolour": "watercolours, watercolors, water colour, water color, water colours, water colors, watercolour "
    "style, watercolor style, watercolour picture, watercolor picture, watercolour drawing, watercolor drawing, "
    "watercolour illustration, watercolor illustration, watercolour art, watercolor art, watercolour-style, "
    "watercolour image, watercolor image, watercolour sketch, aquarelle painting",
    "line art": "line-art, lineart, line art drawing, line art style, line art illustration, line art picture, "
    "line drawings, line-drawing, line illustration, line art sketch, line-art drawing, line art image, line-art style",
    "low-poly": "lowpoly, low poly style, low-poly style, low poly art, low-poly art, low poly render, low poly 3d, "
    "low-poly 3d, low polygon, low-polygon, low poly model, low-poly model, low-poly picture, low poly picture, "
    "low-poly look, low poly look, low-poly illustration, low poly illustration, low-poly image",
    "night": "nighttime, night-time, night time, at nighttime, at night time, during the night, by night, "
    "in the night, night picture, night shot, night view, night image, night photo, night style, "
    "at night-time, nocturnal, by moonlight, in moonlight, in the moonlight, under the moonlight",
}

_SIZE_WORDS = {
    "small": "small, tiny, little, mini, miniature, teeny, small-sized, small sized",
    "medium": "medium, medium-sized, medium sized, mid-sized, middle-sized",
    "large": "large, big, huge, giant, enormous, gigantic, massive, large-sized, oversized",
}

_PLACE_WORDS = {
    side: f"on the {word}, to the {word}, at the {word}, in the {word}, {word} side, on the {word} side, "
    f"at the {word} side, on the {word}-hand side, on the {word} hand side, {word}-hand side, {word}, on {word}, "
    f"to the {word} side, {word} of centre, {word} of center, in the {word} half, on the {word} half, "
    f"{word} aligned, {word}-aligned, off to the {word}, towards the {word}, at {word}, "
    f"on the far {word}, far {word}, to the far {word}, in the {word} part, on the {word} part, "
    f"to the {word}-hand side, on the {word} edge"
    for side, word in (("left", "left"), ("right", "right"))
} | {
    "centre": "in the centre, in the center, in the middle, at the centre, at the center, at the middle, centred, "
    "centered, centre, center, middle, in centre, in center, dead centre, dead center, right in the middle, "
    "in the exact centre, in the very middle, in the centre of it, central, centrally, in the middle of it"
}

_COUNT_WORDS = {
    "one": "one, 1, 1x, x1, single, a single, lone, a lone, solitary, exactly one, just one, only one, one single",
    "two": "two, 2, 2x, x2, pair, pair of, a pair of, couple of, a couple of, exactly two, the two, twin",
    "three": "three, 3, 3x, x3, trio of, a trio of, exactly three, the three",
}

_MANY = (
    "four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen, sixteen, twenty, thirty, "
    "fifty, hundred, hundreds, hundreds of, thousand, thousands, thousands of, million, millions, dozen, dozens, "
    "a dozen, dozens of, many, several, few, a few, lots, lots of, a lot of, multiple, numerous, countless, "
    "various, plenty of, every, each, half, halves, zero, double, triple, quadruple, stack of, a stack of, "
    "pile of, a pile of, row of, a row of, rows of, crowd of, a crowd of, group of, a group of, bunch of, a bunch of, "
    "set of, a set of, collection of, a collection of, pattern of, a pattern of, grid of, a grid of, heap of, "
    "a heap of, line of, a line of, circle of, a circle of, school of, a school of, fleet of, a fleet of, forest of, "
    "a forest of, more than one, more than two, more than three, at least, at most, as many, infinite, endless"
)

_NEGATIONS = (
    "no, not, never, without, none, neither, nor, nothing, nobody, nowhere, minus, except, except for, excluding, "
    "exclude, excludes, lacking, lacks, lack, missing, free of, instead, instead of, rather than, avoid, avoiding, "
    "anything, anything but, everything but, all but, non, omit, omitting, other than, unlike, forget, skip, remove, "
    "removed, removing, absent, cannot, isn't, isnt, aren't, arent, don't, dont, doesn't, doesnt, won't, can't, cant, "
    "wasn't, shouldn't, mustn't, couldn't, wouldn't, hasn't, haven't, didn't, than, nothing but, hardly, barely, "
    "scarcely, almost, nearly, opposite of, the opposite of, opposite, half-, leave out, leaving out, leave away, "
    "devoid of, but not, no longer, nothing like, ban, stop, against having, apart from, save for, empty of, sans, "
    "far from, absence of, the absence of"
)

_OTHER_THINGS = "mug shot, mug shots, apple computer, apple computers, apple machine, apple machines"
"""Things whose names are made of known words alone."""

_WORDS: dict[Sort, str] = {
    "det": "a, an, the, some, any, all, both, this, that, these, those, his, her, its, their",
    "prep": "on, in, with, at, by, from, to, into, onto, upon, over, under, above, below, behind, beside, besides, "
    "between, among, around, inside, outside, near, through, across, along, against, within, off, out, up, down, "
    "towards, toward, beneath, underneath, before, after, during, as, like, in front of, next to, on top of, set "
    "against, set on, set in, placed on, placed against, standing on, sitting on, via, per, atop, amid, round about, "
    "close to, next, onto the, in front, behind the",
    "for": "for",
    "of": "of",
    "and": "and, plus, &, +, but, then, together with, along with, as well as",
    "or": "or, either, vs, versus, /, alternatively, whichever, whatever, or else, and/or",
    "rel": "which, who, whose, whom, where, while, when, if, because, whether, though, although, unless, until, whilst",
    "be": "is, are, was, were, be, being, been, it, they, one is, he, she, them, what, that's, it's",
    "ground": "background, backdrop, bg, backgrounds, back ground, background colour, background color, back-drop, "
    "background shade, studio background, studio backdrop, paper background",
}

_SPLIT = re.compile(
    r"<[^<>\s]*>|f/\d+(?:\.\d+)?|[^\W_]+(?:[.'-][^\W_]+)*|[^\s\w\"'()\[\]{}_*`]", re.UNICODE
)  # words, learned words in angles, and single marks
_WEIGHT = re.compile(r":\s*\d+(?:\.\d+)?(?=\s*[)\]])|<(?:lora|lyco|hypernet):[^>]*>")
_MARKS = frozenset(",.;:!?|-–—…")
_NUMBER = re.compile(r"\d+")


def _listing(text: str) -> list[str]:
    return [" ".join(phrase.split()) for phrase in text.split(",")]


@cache
def phrases() -> dict[tuple[str, ...], tuple[Sort, str]]:
    """Every known phrase by its words; where two meanings compete, the one that depicts something stays."""
    found: dict[tuple[str, ...], tuple[Sort, str]] = {}

    def add(sort: Sort, name: str, words: list[str] | tuple[str, ...]) -> None:
        for phrase in words:
            found[tuple(phrase.split())] = (sort, name or phrase)

    add("filler", "", sorted(FILLER))
    for sort, text in _WORDS.items():
        add(sort, "", _listing(text))
    add("many", "", _listing(_MANY))
    add("not", "", [phrase for phrase in _listing(_NEGATIONS) if tuple(phrase.split()) not in found])
    for name, text in _COUNT_WORDS.items():
        add("count", name, _listing(text))
    for name, text in _PLACE_WORDS.items():
        add("place", name, _listing(text))
    for name, text in _SIZE_WORDS.items():
        add("size", name, _listing(text))
    for name, others in STYLES.items():
        add("style", name, [name, *others, *_listing(_STYLE_WORDS[name])])
    for name, others in COLOUR_WORDS.items():
        words = [word for word in (name, *others) if word not in _OF_OTHER_COLOURS]
        add("colour", name, words)
        add("colour", name, [f"{word}{end}" for word in words for end in ("-coloured", "-colored")])
        add("colour", name, [f"{word} {end}" for word in words for end in ("coloured", "colored")])
    for name, others in OBJECTS.items():
        words = [word for word in (name, *others) if word not in _OF_OTHER_WORDS]
        add("plural", name, [plural(word) for word in words])
        add("kind", name, words)
    add("unknown", "", _listing(_OTHER_THINGS))
    return found


@cache
def _longest() -> int:
    return max(map(len, phrases()))


def split(text: str) -> list[str]:
    """The words and marks of a text in small letters; attention weights and tags of LoRAs are no words."""
    plain = _WEIGHT.sub(" ", text)
    for written, meant in (("\u2019", "'"), ("\n", " , "), (" / ", " | "), (" w/ ", " with ")):
        plain = plain.replace(written, meant)
    return _SPLIT.findall(plain.lower())


def tokens(text: str) -> list[Token]:
    """The text as phrases, each with its sort and meaning."""
    words, known, found, place = split(text), phrases(), list[Token](), 0
    while place < len(words):
        for length in range(min(_longest(), len(words) - place), 0, -1):
            here = tuple(words[place : place + length])
            if here in known:
                found.append(Token(" ".join(here), *known[here]))
                place += length
                break
        else:
            found.append(Token(words[place], _sort_of_stranger(words[place])))
            place += 1
    return found


def _sort_of_stranger(word: str) -> Sort:
    if word in _MARKS:
        return "mark"
    return "many" if _NUMBER.fullmatch(word) else "unknown"


def is_of_known_words(phrase: str) -> bool:
    """Whether every word of a phrase is known, so that only what they say together cannot be judged."""
    return all(token.sort != "unknown" for token in tokens(phrase))
