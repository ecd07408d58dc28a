"""What the pocket model has to reach, and figures as shares and tables. Pure; torch is not imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.pocket.render import Scene
from agents.pocket.vocabulary import ATTRIBUTES

Figures = dict[str, float | None]
"""Measured numbers by name; null where there was nothing to measure."""

BAR = {"object": 0.85, "colour": 0.90, "background": 0.95, "style": 0.85, "all four": 0.70}
"""The least share of held-out prompts that the judge sees followed."""

SEED_DISTANCE = 4.0
"""The least mean difference between pictures of one prompt by two seeds, in levels of 255 over all values."""

PREFERRED = 0.97
"""The least share of held-out pairs in which the scorer prefers the right sentence."""

NUMBERS = ("n", "pairs")
"""Columns that count things."""

HEADS = tuple(ATTRIBUTES)
FOUR = HEADS[:4]
CENTRE = 1


def _share(right: NDArray[np.bool_]) -> float | None:
    return float(right.mean()) if right.size else None


def shares(named: NDArray[Any], scenes: Sequence[Scene]) -> Figures:
    """The shares of pictures in which the judge names what was asked.

    `named` has one row for each picture and a column for each attribute. Each sentence tells object, colour,
    background, style and, by the form of its noun, the count. It tells the place of what is not in the centre, so
    position is counted for those alone; size is told too seldom to be counted.
    """
    asked = np.array([s.labels() for s in scenes]).reshape(len(scenes), len(HEADS))
    right = named == asked
    out: Figures = {head: _share(right[:, HEADS.index(head)]) for head in FOUR}
    out["all four"] = _share(right[:, : len(FOUR)].all(1))
    out["count"] = _share(right[:, HEADS.index("count")])
    out["position"] = _share(right[asked[:, HEADS.index("position")] != CENTRE, HEADS.index("position")])
    return out


def missed_figures(figures: Mapping[str, float | None], least: Mapping[str, float] = BAR) -> list[str]:
    """A sentence for each figure below its bar; what was not measured is missed."""
    out: list[str] = []
    for name, floor in least.items():
        value = figures.get(name)
        if value is None:
            out.append(f"{name}: not measured; it has to reach {floor:g}")
        elif value < floor:
            out.append(f"{name}: {value:.3f} is below {floor:g}")
    return out


def table(first: str, rows: Mapping[str, Mapping[str, float | None]]) -> str:
    """Rows of figures as a Markdown table, one column for each name that occurs."""
    names = list(dict.fromkeys(name for figures in rows.values() for name in figures))
    lines = [f"| {first} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for title, figures in rows.items():
        lines.append(f"| {title} | {' | '.join(_cell(name, figures.get(name)) for name in names)} |")
    return "\n".join(lines)


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if name in NUMBERS else f"{value:.3f}"
