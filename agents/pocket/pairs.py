"""A right and a wrong sentence for the same picture: in the wrong one a single attribute is changed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from agents.pocket.captions import Caption, describe, plain
from agents.pocket.render import Scene, sample
from agents.pocket.vocabulary import ATTRIBUTES

# How often each attribute is the changed one; those that people name most count most.
ODDS = {"object": 4, "colour": 4, "background": 3, "style": 2, "size": 1, "position": 2, "count": 4}
CENTRE, ONE = 1, 0


@dataclass(frozen=True, slots=True)
class Pair:
    """A scene, a sentence that is right for it, one that is wrong, and the attribute in which they differ."""

    scene: Scene
    right: str
    wrong: str
    attribute: str


def changeable(scene: Scene) -> tuple[str, ...]:
    """The attributes that another scene may differ in: only one thing alone has a place of its own."""
    return tuple(k for k in ATTRIBUTES if k != "position" or scene.count == ONE)


def change_attribute(scene: Scene, attribute: str, rng: np.random.Generator) -> Scene:
    """The scene with another value of one attribute; several things stand in the centre."""
    many = len(ATTRIBUTES[attribute])
    value = (getattr(scene, attribute) + 1 + int(rng.integers(many - 1))) % many
    other = dataclasses.replace(scene, **{attribute: value})
    return other if other.count == ONE else dataclasses.replace(other, position=CENTRE)


def wrong_caption(scene: Scene, rng: np.random.Generator) -> tuple[Scene, Caption]:
    """A sentence that names the one attribute in which its scene differs from this one, and that scene."""
    names = changeable(scene)
    odds = np.array([ODDS[k] for k in names])
    attribute = names[int(rng.choice(len(names), p=odds / odds.sum()))]
    other = change_attribute(scene, attribute, rng)
    return other, describe(other, rng, drop=0.0, naming=(attribute,))


def pair(scene: Scene, rng: np.random.Generator) -> Pair:
    """Two sentences about a scene, the wrong one in an attribute that the right one names."""
    right = describe(scene, rng, drop=0.0)
    named = [k for k, said in zip(ATTRIBUTES, right.said, strict=True) if said and k in changeable(scene)]
    attribute = named[int(rng.integers(len(named)))]
    wrong = describe(change_attribute(scene, attribute, rng), rng, drop=0.0, naming=(attribute,))
    return Pair(scene, right.text, wrong.text, attribute)


def plain_pairs(count: int, seed: int) -> list[Pair]:
    """Pairs in plain sentences, for a scorer that was trained on other pictures; one of the first three attributes is
    changed."""
    found: list[Pair] = []
    for i in range(count):
        rng = np.random.default_rng([seed, 979, i])
        scene, attribute = sample(rng), tuple(ATTRIBUTES)[i % 3]
        found.append(Pair(scene, plain(scene), plain(change_attribute(scene, attribute, rng)), attribute))
    return found


def held_out_pairs(count: int, seed: int) -> list[Pair]:
    """Pairs of scenes of other seeds than the training's, every second one plain."""
    dice = [np.random.default_rng([seed, 978, i]) for i in range(count)]
    return [pair(sample(rng, plain=i % 2 == 0), rng) for i, rng in enumerate(dice)]
