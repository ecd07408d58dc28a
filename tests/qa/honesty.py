# pyright: basic
"""`python -m tests.qa.honesty`: how often QA is certain of a picture that does not show its brief, and how often it
leaves unjudged what it could judge.

`briefs/` holds 533 briefs from outside the pocket model's world and 533 from inside, 133 of each kept back until the
reader of texts was finished (`--held`). They were written without sight of its vocabulary, each with what a picture
of it shows. The pocket model draws every brief, the pocket scorer judges it, and the classifier of the pocket model
names what is seen. Pictures are kept in the work folder, so that a second run draws nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from agents.pocket.language.filler import FILLER
from agents.pocket.language.reading import Reading, read
from agents.pocket.paths import DEFAULTS, EVALUATOR, SCORER, WORK
from agents.pocket.vocabulary import ATTRIBUTES
from agents.qa.scorer import Scorer

BRIEFS = Path(__file__).parent / "briefs"
CERTAIN = 0.5
MOST_WRONG, MOST_UNJUDGED = 0.03, 0.02
_COUNTS = {1: "one", 2: "two", 3: "three"}
_STOP_WORDS = "a an the of in on at to and or with is it being text whose if"


@dataclass(frozen=True)
class Brief:
    """A brief and what a picture of it shows: attributes by name, values that it does not show, attributes one of which
    it shows, and what nobody can name."""

    text: str
    group: str
    shows: Mapping[str, str]
    absent: Mapping[str, Sequence[str]]
    choice: Sequence[Mapping[str, str]]
    unnameable: Sequence[str]


@dataclass(frozen=True)
class Judged:
    """A brief with its reading, the adherence of its picture, and what the classifier names in that."""

    brief: Brief
    reading: Reading
    adherence: float | None
    named: Mapping[str, str]


def load(inside: bool, held: bool) -> list[Brief]:
    """The briefs of a file."""
    name = f"{'inside' if inside else 'outside'}_{'held' if held else 'open'}.jsonl"
    return [_brief(json.loads(line)) for line in (BRIEFS / name).read_text(encoding="utf-8").splitlines()]


def _brief(raw: dict[str, Any]) -> Brief:
    shows = dict(raw["shows"])
    unnameable, absent, choice = shows.pop("unnameable", []), shows.pop("not", {}), shows.pop("any", [])
    return Brief(
        text=raw["brief"],
        group=raw["group"],
        shows={name: _plain(value) for name, value in shows.items()},
        absent={name: [_plain(one) for one in ([v] if isinstance(v, str | int) else v)] for name, v in absent.items()},
        choice=[{name: _plain(value) for name, value in one.items()} for one in choice],
        unnameable=unnameable,
    )


def _plain(value: str | int | list[str]) -> str:
    if isinstance(value, list):
        return " and ".join(value)
    return _COUNTS[value] if isinstance(value, int) else {"middle": "centre", "center": "centre"}.get(value, value)


def is_wrong(judged: Judged, *, strict: bool = False) -> bool:
    """Whether the judgement is certain of something that is not shown.

    What the reading left unjudged is not claimed, unless `strict`: then the whole brief counts as claimed, and with a
    part that nobody can name every certain judgement is wrong.
    """
    brief, reading = judged.brief, judged.reading
    if judged.adherence is None or judged.adherence <= CERTAIN:
        return False
    spared = " ".join(reading.not_judged).lower() if not strict else ""
    for name, value in brief.shows.items():
        if judged.named[_head(name)] != value and (name in reading.said or not spared):
            return True
    for name, values in brief.absent.items():
        if judged.named[_head(name)] in values and not any(value in spared for value in values):
            return True
    if brief.choice and not any(judged.named[_head(n)] == v for one in brief.choice for n, v in one.items()):
        return True
    return any(not _covers(spared, phrase) for phrase in brief.unnameable)


def _head(name: str) -> str:
    head = {"kind": "object"}.get(name, name)
    assert head in ATTRIBUTES, name
    return head


def _covers(spared: str, phrase: str) -> bool:
    """Whether at least half of the words of a phrase that say something are among those left unjudged."""
    words = [
        word for word in re.findall(r"\w+", phrase.lower()) if word not in _STOP_WORDS.split() and word not in FILLER
    ]
    kept = [word for word in words if word in spared]
    return not words or len(kept) * 2 >= len(words)


def is_wrongly_unjudged(reading: Reading) -> bool:
    """Whether a brief from inside the world is not judged, in whole or in part."""
    return reading.judged is None or bool(reading.not_judged)


def draw(briefs: Sequence[Brief], folder: Path) -> list[Image.Image]:
    """A picture of each brief as the workshop would make it, drawn or kept from an earlier run."""
    from agents.pocket import evaluate

    defaults = json.loads(DEFAULTS.read_text())
    files = [folder / f"{hashlib.sha256(brief.text.encode()).hexdigest()[:16]}.png" for brief in briefs]
    missing = [(file, brief) for file, brief in zip(files, briefs, strict=True) if not file.exists()]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        pipe = evaluate.load()
        for start in range(0, len(missing), 8):
            part = missing[start : start + 8]
            drawn = evaluate.draw(
                pipe, [brief.text for _, brief in part], steps=defaults["steps"], guidance=defaults["guidance"]
            )
            for (file, _), picture in zip(part, drawn, strict=True):
                picture.save(file)
    return [Image.open(file).convert("RGB") for file in files]


def judge_all(briefs: Sequence[Brief], pictures: Sequence[Image.Image]) -> list[Judged]:
    """Each brief with its judgement."""
    from agents.pocket import judge

    scorer, network = Scorer(SCORER), judge.load(EVALUATOR)
    seen = judge.name(network, pictures)
    found: list[Judged] = []
    for brief, picture, row in zip(briefs, pictures, seen, strict=True):
        reading = read(brief.text)
        rgb = np.asarray(picture)
        adherence = scorer.match(rgb, reading.judged).adherence if reading.judged else None
        named = {head: list(ATTRIBUTES[head])[int(i)] for head, i in zip(judge.HEADS, row, strict=True)}
        found.append(Judged(brief, reading, adherence, named))
    return found


def share(flags: Iterable[bool]) -> float:
    """The share of a list that is true."""
    values = list(flags)
    return sum(values) / len(values)


def main() -> None:
    """Print both figures, and every brief that counts against them."""
    parser = argparse.ArgumentParser(prog="python -m tests.qa.honesty", description=__doc__)
    parser.add_argument("--held", action="store_true", help="those that were kept back")
    parser.add_argument("--pictures", type=Path, default=WORK / "briefs")
    args = parser.parse_args()
    outside, inside = load(False, args.held), load(True, args.held)
    judged = judge_all(outside, draw(outside, args.pictures))
    own = judge_all(inside, draw(inside, args.pictures))
    for one in judged:
        if is_wrong(one):
            print(f"wrong     {one.brief.text} | {one.reading.judged} | {one.reading.not_judged} | {one.named}")
    for one in own:
        if is_wrongly_unjudged(one.reading):
            print(f"unjudged  {one.brief.text} | {one.reading.judged} | {one.reading.not_judged}")
    wrong, left = share(map(is_wrong, judged)), share(is_wrongly_unjudged(one.reading) for one in own)
    print(f"outside, n = {len(judged)}: certain and wrong {wrong:.1%} (at most {MOST_WRONG:.0%})")
    print(f"  with unjudged parts counted as claimed {share(is_wrong(one, strict=True) for one in judged):.1%}")
    print(f"  judged in part {share(one.adherence is not None for one in judged):.1%}")
    print(f"inside, n = {len(own)}: wrongly not judged {left:.1%} (at most {MOST_UNJUDGED:.0%})")
    print(
        f"  certain {share((one.adherence or 0) > CERTAIN for one in own):.1%}, wrong {share(map(is_wrong, own)):.1%}"
    )
    if wrong > MOST_WRONG or left > MOST_UNJUDGED:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
