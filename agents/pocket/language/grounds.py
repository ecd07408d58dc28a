"""The background in a text: "on a white background", "background: white", "on white". Pure module."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agents.pocket.language.lexicon import Sort, Token

Placed = tuple[int, Token]

_LEADING = {"on", "against", "with", "in front of", "over", "upon", "before", "onto", "set against", "set on", "and",
            "placed on", "placed against", "to", "in", "has", "at"}  # fmt: skip
"""Words that may lead to a background."""

_RESTING = {"on", "against", "over", "upon", "set on", "set against", "placed on", "placed against", "onto"}
"""Words after which a colour alone is a background."""


@dataclass(frozen=True)
class Ground:
    """The colour that a text gives the background, null where none, and what it says of it that is not known."""

    colour: str | None = None
    lost: list[list[Placed]] = field(default_factory=list[list[Placed]])


def take_ground(text: list[Placed]) -> tuple[list[Placed], Ground]:
    """The text without what it says of its background, and that."""
    colours: list[Placed] = []
    lost: list[list[Placed]] = []
    for find in (_as_ground, _before_noun, _after_noun, _bare, _plain):
        while (match := find(text)) is not None:
            start, stop = match
            part = text[start:stop]
            named = [one for one in part if one[1].sort == "colour"]
            strange = any(token.sort in ("unknown", "many") for _, token in part)
            if strange or len(named) > 1:
                lost.append(part)
            else:
                colours += named
            text = [*text[:start], (part[0][0], Token("", "filler")), *text[stop:]]
    names = {token.name for _, token in colours}
    if len(names) > 1 or lost:
        return text, Ground(None, [*lost, *([one] for one in colours)])
    return text, Ground(names.pop() if names else None)


def _sort(text: Sequence[Placed], at: int) -> Sort | None:
    return text[at][1].sort if 0 <= at < len(text) else None


def _back(text: Sequence[Placed], at: int, allowed: Callable[[Token], bool]) -> int:
    """The first place of the run before `at` whose tokens are allowed."""
    while at > 0 and allowed(text[at - 1][1]):
        at -= 1
    return at


def _lead(text: Sequence[Placed], at: int) -> int | None:
    """Where a phrase that leads to `at` begins; null where it is negated."""
    start = _back(text, at, lambda token: token.sort in ("det", "filler"))
    # "in the middle of a red background"
    within = _sort(text, start - 1) == "of" and _sort(text, start - 2) == "place"
    if start > 0 and (text[start - 1][1].text in _LEADING or within):
        start -= 1
        if start > 0 and text[start - 1][1].text == "and":
            start -= 1
    elif _sort(text, start) == "filler":
        start = at
    return None if _sort(text, start - 1) == "not" else start


def _before_noun(text: Sequence[Placed]) -> tuple[int, int] | None:
    """ "a white background", with all that stands between its preposition and its noun."""
    for at, (_, token) in enumerate(text):
        if token.sort != "ground":
            continue
        colour = _back(text, at, lambda one: one.sort == "filler") - 1
        if _sort(text, colour) != "colour":
            continue
        first = colour
        while _sort(text, first - 1) in ("and", "or", "colour") and _sort(text, first - 2) in ("colour", "unknown"):
            first -= 2 if _sort(text, first - 1) != "colour" else 1
        # A stranger belongs to the background only where its preposition stands before it: "on a dark blue background".
        inner = _back(text, first, lambda one: one.sort in ("unknown", "filler"))
        if (
            inner < first
            and _sort(text, inner - 1) == "det"
            and "unknown" in {one.sort for _, one in text[inner:first]}
        ):
            first = inner
        start = _lead(text, first)
        if start is not None:
            return start, at + 1
    return None


def _as_ground(text: Sequence[Placed]) -> tuple[int, int] | None:
    """ "white as the background"."""
    for at, (_, token) in enumerate(text):
        noun = at + 2 + (_sort(text, at + 2) == "det")
        if token.sort == "colour" and _sort(text, at + 1) == "prep" and text[at + 1][1].text == "as":
            start = _lead(text, at)
            if _sort(text, noun) == "ground" and start is not None:
                return start, noun + 1
    return None


def _after_noun(text: Sequence[Placed]) -> tuple[int, int] | None:
    """ "the background is white", "background: white", "a background of white"."""
    for at, (_, token) in enumerate(text):
        if token.sort != "ground":
            continue
        stop = at + 1
        while stop < len(text) and (
            text[stop][1].sort in ("be", "rel", "of", "det", "filler") or text[stop][1].text in (":", "in", "=", "-")
        ):
            stop += 1
        if _sort(text, stop) != "colour" or _sort(text, stop + 1) in ("kind", "plural", "ground"):
            continue
        start = _lead(text, at)
        if start is None:
            continue
        if _sort(text, stop + 1) in ("and", "or") and _sort(text, stop + 2) == "colour":
            stop += 2
        return start, stop + 1
    return None


def _bare(text: Sequence[Placed]) -> tuple[int, int] | None:
    """ "on white", at the end of a phrase."""
    for at, (_, token) in enumerate(text):
        if token.text not in _RESTING or _sort(text, at - 1) == "not":
            continue
        stop = at + 1
        while _sort(text, stop) == "filler":
            stop += 1
        ends = (None, "mark", "style", "prep", "filler", "place", "and", "for", "be")
        if _sort(text, stop) == "colour" and _sort(text, stop + 1) in ends:
            if _sort(text, stop + 1) == "and" and _sort(text, stop + 2) == "colour":
                return at, stop + 3
            return at, stop + 1
    return None


def _plain(text: Sequence[Placed]) -> tuple[int, int] | None:
    """A background without a colour; what else is said of it is not known."""
    for at, (_, token) in enumerate(text):
        if token.sort != "ground":
            continue
        start = _back(text, at, lambda one: one.sort in ("filler", "det", "unknown"))
        if start > 0 and text[start - 1][1].text in _LEADING:
            start -= 1
        else:
            start = at
        if _sort(text, start - 1) != "not" and _sort(text, at + 1) != "rel":
            return start, at + 1
    return None
