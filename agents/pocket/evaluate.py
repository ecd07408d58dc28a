# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""`python -m agents.pocket.evaluate`: how well the pocket model draws what it is told, as Markdown tables.

Pictures are made for held-out prompts and named by the judge, which has seen rendered pictures only; its own
accuracy on held-out renders stands beside. Several --guidance or --steps make a sweep. Exits with 1 below the bar.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from agents.pocket import card, export, judge
from agents.pocket.adherence import Adherence
from agents.pocket.bar import BAR, FOUR, PREFERRED, SEED_DISTANCE, Figures, missed_figures, shares
from agents.pocket.captions import describe
from agents.pocket.pairs import held_out_pairs
from agents.pocket.paths import DEFAULTS, EVALUATOR, MODEL, SCORER, WORK
from agents.pocket.preference import by_attribute, falling, of_scorer
from agents.pocket.render import Scene, contact_sheet, render, sample
from agents.pocket.train.data import seen_combinations
from agents.pocket.vocabulary import STYLES

BATCH = 8
COUNT = 400
UNSEEN = 100
PLAIN_SEED, OTHER_SEED, UNSEEN_SEED = 61, 66, 69


def prompts(count: int, seed: int = PLAIN_SEED, *, plain: bool = True) -> tuple[list[Scene], list[str]]:
    """Held-out scenes, each with a sentence that names object, colour, background and style."""
    scenes, texts = [], []
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        scenes.append(sample(rng, plain=plain))
        texts.append(describe(scenes[-1], rng, drop=0.0).text)
    return scenes, texts


def mixed_prompts(count: int) -> tuple[list[Scene], list[str]]:
    """The prompts of the bar: the first half plain, the other half with places, sizes and counts."""
    plain, others = prompts(count - count // 2), prompts(count // 2, OTHER_SEED, plain=False)
    return plain[0] + others[0], plain[1] + others[1]


def unseen_prompts(count: int) -> tuple[list[Scene], list[str]]:
    """Prompts whose object, colour, background and style no training picture combines."""
    known, scenes, texts = seen_combinations(), [], []
    rng = np.random.default_rng([UNSEEN_SEED, count])
    while len(scenes) < count:
        scene = sample(rng, plain=False)
        if scene.labels()[:4] not in known:
            scenes.append(scene)
            texts.append(describe(scene, rng, drop=0.0).text)
    return scenes, texts


def load(folder: Path = MODEL) -> StableDiffusionPipeline:
    """The model at full precision; half is slow on a CPU."""
    pipe = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def draw(
    pipe: StableDiffusionPipeline, texts: Sequence[str], *, steps: int, guidance: float, seed: int = 0
) -> list[Image.Image]:
    """One picture for each sentence."""
    out: list[Image.Image] = []
    for start in range(0, len(texts), BATCH):
        part = list(texts[start : start + BATCH])
        dice = [torch.Generator().manual_seed(seed + start + i) for i in range(len(part))]
        made = pipe(part, num_inference_steps=steps, guidance_scale=guidance, generator=dice)
        out += made.images  # type: ignore[union-attr]
    return out


def groups(scenes: Sequence[Scene]) -> Iterator[tuple[str, list[int]]]:
    """Titles, and the numbers of the scenes that belong under them."""
    plain = len(scenes) - len(scenes) // 2
    yield "all", list(range(len(scenes)))
    yield "one thing in the middle", list(range(plain))
    yield "with places, sizes and counts", list(range(plain, len(scenes)))
    yield "two or three things", [i for i, s in enumerate(scenes) if s.count]
    for number, style in enumerate(STYLES):
        yield style, [i for i, s in enumerate(scenes) if s.style == number]


def by_group(named: np.ndarray, scenes: Sequence[Scene]) -> dict[str, Figures]:
    """The shares named right, for each group of scenes."""
    rows: dict[str, Figures] = {}
    for title, members in groups(scenes):
        if members:
            rows[title] = {"n": float(len(members)), **shares(named[members], [scenes[i] for i in members])}
    return rows


def own_accuracy(network: judge.Judge, count: int = 400) -> dict[str, Figures]:
    """The judge on held-out renders, of plain scenes and of others; position over all of them."""
    rows: dict[str, Figures] = {}
    for title, plain in (("plain", True), ("with places, sizes and counts", False)):
        scenes = prompts(count, seed=62, plain=plain)[0]
        right = judge.name(network, np.stack([render(s) for s in scenes])) == [s.labels() for s in scenes]
        rows[title] = {"n": float(count), **{k: float(v) for k, v in zip(judge.HEADS, right.mean(0), strict=True)}}
        rows[title]["all four"] = float(right[:, : len(FOUR)].all(1).mean())
    return rows


def variety(pipe: StableDiffusionPipeline, *, steps: int, guidance: float, count: int = 8, seeds: int = 4) -> Figures:
    """The mean difference between pictures of the same prompt, in levels of 255; and between renders of the same."""
    scenes, texts = prompts(count, seed=67)
    drawn = [draw(pipe, texts, steps=steps, guidance=guidance, seed=1000 * k) for k in range(seeds)]

    def distance(sets: Sequence[Sequence[np.ndarray]]) -> float:
        pairs = [np.abs(a.astype(int) - b).mean() for x, y in combinations(sets, 2) for a, b in zip(x, y, strict=True)]
        return float(np.mean(pairs))

    shown = [[render(Scene(*s.labels(), seed=k)) for s in scenes] for k in range(seeds)]
    return {"between seeds": distance([[np.asarray(p) for p in d] for d in drawn]), "between renders": distance(shown)}


def sweep(
    pipe: StableDiffusionPipeline, network: judge.Judge, count: int, guidances: Sequence[float], steps: Sequence[int]
) -> dict[str, Figures]:
    """Figures for each guidance with each number of steps, over the same prompts and seeds."""
    scenes, texts = mixed_prompts(count)
    rows: dict[str, Figures] = {}
    for guidance, many in product(guidances, steps):
        start = time.monotonic()
        pictures = draw(pipe, texts, steps=many, guidance=guidance)
        spent = (time.monotonic() - start) / count
        rows[f"{guidance:g}, {many}"] = {**shares(judge.name(network, pictures), scenes), "seconds each": spent}
        print(f"guidance {guidance:g}, {many} steps: done", file=sys.stderr, flush=True)
    return rows


def seconds(pipe: StableDiffusionPipeline, texts: Sequence[str], *, steps: int, guidance: float) -> Figures:
    """How long a picture takes alone and in a batch: the middle of three tries."""

    def once(batch: int) -> float:
        start = time.monotonic()
        draw(pipe, texts[:batch], steps=steps, guidance=guidance)
        return (time.monotonic() - start) / batch

    return {"alone": float(np.median([once(1) for _ in range(3)])), "each of a batch": once(BATCH)}


def show(title: str, figures: Mapping[str, float | None]) -> None:
    """One line of figures."""
    print(f"{title:34}" + "  ".join(f"{k} {v:.3f}" for k, v in figures.items() if v is not None), flush=True)


def full(
    pipe: StableDiffusionPipeline, network: judge.Judge, count: int, guidance: float, steps: int, sheet: Path
) -> tuple[dict[str, dict[str, Figures]], list[str]]:
    """All tables by title, and what is below its bar; writes the contact sheet."""
    scenes, texts = mixed_prompts(count)
    pictures = draw(pipe, texts, steps=steps, guidance=guidance)
    rows = by_group(judge.name(network, pictures), scenes)
    unseen, told = unseen_prompts(min(count, UNSEEN))
    shown = judge.name(network, draw(pipe, told, steps=steps, guidance=guidance))
    rows["others, combinations never seen in training"] = {"n": float(len(unseen)), **shares(shown, unseen)}
    order = np.linspace(0, count - 1, min(count, 48)).astype(int)
    contact_sheet([np.asarray(pictures[i]) for i in order], [texts[i] for i in order]).save(sheet, optimize=True)
    seeds = {"pictures": variety(pipe, steps=steps, guidance=guidance)}
    scorer = Adherence(SCORER)
    preferred, spoilt = of_scorer(scorer)
    pairs = held_out_pairs(count=120, seed=68)
    drawn = draw(pipe, [p.right for p in pairs], steps=steps, guidance=guidance)
    preferred["generated pictures"] = by_attribute(scorer, drawn, pairs)["all"]
    tables = {
        f"Generated pictures, guidance {guidance:g}, {steps} steps": rows,
        f"Seconds, batches of {BATCH}, {torch.get_num_threads()} threads": {
            "a picture": seconds(pipe, texts, steps=steps, guidance=guidance)
        },
        "The judge on held-out renders": own_accuracy(network),
        "Pictures of the same prompt by other seeds, mean difference in levels of 255": seeds,
        "The scorer, by the attribute that the wrong sentence changes": preferred,
        "The scorer, mean adherence of right sentences to spoilt pictures": spoilt,
    }
    below = missed_figures(rows["all"], BAR)
    below += missed_figures(seeds["pictures"], {"between seeds": SEED_DISTANCE})
    below += missed_figures(preferred["all"], {"prefers right": PREFERRED})
    below += [f"scorer: adherence does not fall with {fault}" for fault, row in spoilt.items() if not falling(row)]
    return tables, below


def main() -> None:
    """Print the tables, write the sheet and the JSON; say what is below the bar."""
    defaults = json.loads(DEFAULTS.read_text())
    parser = argparse.ArgumentParser(prog="python -m agents.pocket.evaluate", description=__doc__)
    parser.add_argument("-n", type=int, default=COUNT, help=f"held-out prompts ({COUNT}), half of them plain")
    parser.add_argument("--steps", type=int, nargs="+", default=[defaults["steps"]])
    parser.add_argument("--guidance", type=float, nargs="+", default=[defaults["guidance"]])
    parser.add_argument("--checkpoints", action="store_true", help="the checkpoints of a training, not the folder")
    parser.add_argument("--sheet", type=Path, default=WORK / "evaluation.png")
    parser.add_argument("--json", type=Path, help="also write the tables there")
    args = parser.parse_args()
    WORK.mkdir(exist_ok=True)
    pipe = export.trained_pipeline() if args.checkpoints else load()
    pipe.set_progress_bar_config(disable=True)
    network = judge.load(EVALUATOR)
    part, below = "figures", []
    if len(args.steps) * len(args.guidance) > 1:
        part = "sweep"
        tables = {f"Guidance and steps, n = {args.n}": sweep(pipe, network, args.n, args.guidance, args.steps)}
    else:
        tables, below = full(pipe, network, args.n, args.guidance[0], args.steps[0], args.sheet)
    print(card.figures(tables) + "\n")
    print(card.hashes(export.all_hashes()))
    if args.json:
        notes = {"part": part, "tables": tables, "below the bar": below, "sha256": export.all_hashes()}
        args.json.write_text(json.dumps(notes, indent=2) + "\n")
    for line in below:
        print(f"below the bar: {line}")
    sys.exit(1 if below else 0)


if __name__ == "__main__":
    main()
