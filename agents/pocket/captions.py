"""Sentences for scenes: many ways to ask for the same picture.

A caption may leave an attribute out; `Caption.said` tells which ones it names, so that a trainer
never blames a model for what it was not told. Harmless words, unknown words and nonsense are mixed in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents.pocket.render import Scene
from agents.pocket.vocabulary import (
    COLOUR_WORDS,
    COMMON,
    COUNTS,
    HARMLESS,
    OBJECTS,
    POSITIONS,
    SIZES,
    STYLES,
    UNKNOWN,
    plural,
)

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Caption:
    """A sentence, and which of the seven attributes it names."""

    text: str
    said: tuple[bool, ...]


def _pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]


def _word(rng: np.random.Generator, name: str, others: tuple[str, ...], plain: float) -> str:
    return name if not others or rng.random() < plain else _pick(rng, others)


def nonsense(rng: np.random.Generator) -> str:
    """A word that means nothing."""
    return "".join(_pick(rng, tuple(_LETTERS)) for _ in range(int(rng.integers(3, 9))))


def _article(phrase: str) -> str:
    return "an" if phrase[:1] in "aeiou" else "a"


def _subject(scene: Scene, rng: np.random.Generator, coloured: bool, sized: bool) -> str:
    names = scene.names()
    noun = _word(rng, names["object"], OBJECTS[names["object"]], 0.75)
    words: list[str] = []
    if sized:
        words.append(_word(rng, names["size"], SIZES[names["size"]], 0.6))
    if rng.random() < 0.08:
        words.append(_pick(rng, COMMON))
    if coloured:
        words.append(_word(rng, names["colour"], COLOUR_WORDS[names["colour"]], 0.85))
    if scene.count:
        many = _word(rng, names["count"], COUNTS[names["count"]], 0.8)
        return " ".join([many, *words, plural(noun)])
    phrase = " ".join([*words, noun])
    lead = float(rng.random())
    if lead < 0.2:
        return phrase
    if lead < 0.3:
        return f"one {phrase}"
    return f"{_article(phrase)} {phrase}"


def _ground(scene: Scene, rng: np.random.Generator) -> str:
    name = scene.names()["background"]
    word = _word(rng, name, COLOUR_WORDS[name], 0.88)
    noun = _pick(rng, ("background", "background", "background", "backdrop"))
    form = float(rng.random())
    if form < 0.65:
        return f"on {_article(word)} {word} {noun}"
    if form < 0.8:
        return f"against {_article(word)} {word} {noun}"
    if form < 0.9:
        return f"{word} {noun}"
    return f"with {_article(word)} {word} {noun}"


def _unknown_ground(rng: np.random.Generator) -> str | None:
    """A background that the model has no colour for, or none."""
    if rng.random() < 0.6:
        return None
    return f"on a {_pick(rng, ('grey', 'gray', 'silver', 'beige', 'blurred', 'plain', 'simple'))} background"


def _extras(rng: np.random.Generator) -> list[str]:
    """Phrases that say nothing that is drawn."""
    out: list[str] = []
    if rng.random() < 0.55:
        out += [_pick(rng, HARMLESS) for _ in range(int(rng.integers(1, 9)))]
    if rng.random() < 0.15:
        out.append(" ".join(_pick(rng, COMMON) for _ in range(int(rng.integers(1, 4)))))
    if rng.random() < 0.12:
        out.append(nonsense(rng))
    return out


def _assemble(rng: np.random.Generator, subject: str, ground: str | None, place: str | None, style: str | None) -> str:
    core = subject
    if place is not None:
        core = f"{core} {place}"
    tail: list[str] = []
    if ground is not None:
        form = float(rng.random())
        if form < 0.68:
            core = f"{core} {ground}"
        elif form < 0.84:
            tail.append(ground)
        else:
            core = f"{ground.removeprefix('on ').removeprefix('against ').removeprefix('with ')}, {core}"
    extras = _extras(rng)
    if style is not None:
        form = float(rng.random())
        if form < 0.2:
            core = f"{style} of {core}"
        elif form < 0.35:
            core = f"{style}, {core}"
        elif form < 0.5:
            extras.insert(int(rng.integers(len(extras) + 1)), style)
        else:
            tail.append(style)
    if extras and rng.random() < 0.15:
        core = f"{extras.pop()}, {core}"
    joiner = ", " if rng.random() < 0.93 else " "
    return joiner.join([core, *tail, *extras])


def describe(scene: Scene, rng: np.random.Generator, *, drop: float = 0.08, naming: tuple[str, ...] = ()) -> Caption:
    """A sentence for a scene, leaving each attribute out with probability `drop`.

    A place in the centre and a size that is not small are seldom mentioned, unless `naming` asks for them. The count
    is said wherever the object is, by the form of the noun.
    """
    named = rng.random(4) >= (drop * 0.4, drop, drop, drop * 1.5)
    coloured, grounded, styled = bool(named[1]), bool(named[2]), bool(named[3])
    placed = "position" in naming or scene.position != 1 or rng.random() < 0.06
    sized = "size" in naming or rng.random() < (0.85 if scene.size == 0 else 0.12)
    names = scene.names()
    if named[0]:
        subject = _subject(scene, rng, coloured, sized)
    else:
        # An unknown noun says as little as "something".
        noun = "something" if rng.random() < 0.5 else _pick(rng, UNKNOWN)
        subject = f"{names['colour']} {noun}" if coloured else noun
        placed = sized = False
    text = _assemble(
        rng,
        subject,
        _ground(scene, rng) if grounded else _unknown_ground(rng),
        _pick(rng, POSITIONS[names["position"]]) if placed else None,
        _word(rng, names["style"], STYLES[names["style"]], 0.5) if styled else None,
    )
    if rng.random() < 0.1:
        text = text.capitalize()
    if rng.random() < 0.1:
        text += "."
    return Caption(text, (bool(named[0]), coloured, grounded, styled, sized, placed, bool(named[0])))


def plain(scene: Scene) -> str:
    """The one plain sentence for a scene."""
    names = scene.names()
    size = "" if scene.size else "small "
    if scene.count:
        subject = f"{names['count']} {size}{names['colour']} {plural(names['object'])}"
    else:
        phrase = f"{size}{names['colour']} {names['object']}"
        subject = f"{_article(phrase)} {phrase}"
    if scene.position != 1:
        subject += f" on the {names['position']}"
    ground = names["background"]
    return f"{subject} on {_article(ground)} {ground} background, {names['style']}"
