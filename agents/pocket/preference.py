# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false
"""How good the scorer is: does it prefer the right sentence, and does it fall when a picture is spoilt."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from PIL import Image

from agents.pocket.adherence import Adherence
from agents.pocket.bar import Figures
from agents.pocket.judge import to_input
from agents.pocket.pairs import Pair, held_out_pairs
from agents.pocket.render import NATIVE, render
from agents.pocket.spoil import GRADES, Spoil
from agents.pocket.vocabulary import ATTRIBUTES

PAIRS = 500
SEED = 64


def renders(pairs: Sequence[Pair]) -> list[Image.Image]:
    """The pictures that the pairs are about."""
    return [Image.fromarray(render(p.scene)) for p in pairs]


def spoil_pictures(pictures: Sequence[Image.Image], spoil: Spoil, strength: float) -> list[Image.Image]:
    """The pictures, each made worse."""
    torch.manual_seed(SEED)
    x = spoil(to_input(pictures, NATIVE), strength)
    pixels = ((x + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(p) for p in pixels]


def preference(scorer: Adherence, pictures: Sequence[Image.Image], pairs: Sequence[Pair]) -> Figures:
    """How often the right sentence scores higher, and the adherences of both."""
    right = scorer.score(pictures, [p.right for p in pairs])
    wrong = scorer.score(pictures, [p.wrong for p in pairs])
    return {
        "pairs": float(len(pairs)),
        "prefers right": float((right > wrong).mean()),
        "right, mean": float(right.mean()),
        "right > 0.9": float((right > 0.9).mean()),
        "right > 0.5": float((right > 0.5).mean()),
        "wrong, mean": float(wrong.mean()),
        "wrong < 0.2": float((wrong < 0.2).mean()),
    }


def by_attribute(scorer: Adherence, pictures: Sequence[Image.Image], pairs: Sequence[Pair]) -> dict[str, Figures]:
    """`preference` over all pairs, then for each attribute that the wrong sentence changes."""
    rows = {"all": preference(scorer, pictures, pairs)}
    for name in ATTRIBUTES:
        some = [i for i, p in enumerate(pairs) if p.attribute == name]
        if some:
            rows[name] = preference(scorer, [pictures[i] for i in some], [pairs[i] for i in some])
    return rows


def falls(scorer: Adherence, pictures: Sequence[Image.Image], texts: Sequence[str]) -> dict[str, Figures]:
    """The mean adherence of right sentences to sound pictures, and to the same in three grades of each fault."""
    sound = float(scorer.score(pictures, texts).mean())
    rows: dict[str, Figures] = {}
    for fault, (spoil, strengths) in GRADES.items():
        worse = [float(scorer.score(spoil_pictures(pictures, spoil, s), texts).mean()) for s in strengths]
        title = f"{fault}: {', '.join(f'{s:g}' for s in strengths)}"
        rows[title] = {"sound": sound, "slightly": worse[0], "clearly": worse[1], "badly": worse[2]}
    return rows


def falling(figures: Figures) -> bool:
    """Whether the adherence falls with each grade, and by a third in all."""
    values = [v for v in figures.values() if v is not None]
    return all(a > b for a, b in pairwise(values)) and values[-1] < values[0] * 2 / 3


def of_scorer(scorer: Adherence, count: int = PAIRS) -> tuple[dict[str, Figures], dict[str, Figures]]:
    """Preference by attribute over held-out renders, and how the adherence falls."""
    pairs = held_out_pairs(count, SEED)
    pictures = renders(pairs)
    some = slice(0, 200)
    return by_attribute(scorer, pictures, pairs), falls(scorer, pictures[some], [p.right for p in pairs[some]])
