# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""`python -m agents.pocket.evaluate [-n 96]`: how well the pocket model draws what it is told.

Pictures are made for held-out prompts and named by the judge, which has seen rendered pictures only.
The judge's own accuracy on held-out renders stands beside it, as do the scorer's figures.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from agents.pocket import judge
from agents.pocket.captions import describe
from agents.pocket.paths import DEFAULTS, EVALUATOR, MODEL, SCORER, WORK
from agents.pocket.render import Scene, contact_sheet, render, sample
from agents.pocket.vocabulary import STYLES

BATCH = 8


def prompts(count: int, seed: int = 61) -> tuple[list[Scene], list[str]]:
    """Held-out scenes, each with a sentence that names object, colour, background and style."""
    scenes, texts = [], []
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        scenes.append(sample(rng))
        texts.append(describe(scenes[-1], rng, drop=0.0).text)
    return scenes, texts


def load(folder: Path = MODEL) -> StableDiffusionPipeline:
    """The model at full precision; half is slow on a CPU."""
    pipe = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32)
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


def shares(said: np.ndarray, scenes: Sequence[Scene]) -> dict[str, float]:
    """The share named right, by head, and of those with all four right."""
    right = said == np.array([s.labels()[:4] for s in scenes])
    out = {head: float(right[:, i].mean()) for i, head in enumerate(judge.HEADS)}
    out["all four"] = float(right.all(1).mean())
    return out


def own_accuracy(network: judge.Judge, count: int = 400) -> dict[str, float]:
    """The judge on held-out renders."""
    scenes = prompts(count, seed=62)[0]
    return shares(judge.name(network, np.stack([render(s) for s in scenes])), scenes)


def show(title: str, figures: dict[str, float]) -> None:
    """One line of figures."""
    print(f"{title:34}" + "  ".join(f"{k} {v:.3f}" for k, v in figures.items()), flush=True)


def scorer_figures(images: Sequence[Image.Image], scenes: Sequence[Scene], texts: Sequence[str]) -> None:
    """How often the scorer prefers the right sentence, on renders and on generated pictures."""
    from agents.pocket.adherence import Adherence
    from agents.pocket.train.scorer import wrong_caption

    adherence = Adherence(SCORER)

    def compare(title: str, pictures: Sequence[Image.Image], told: Sequence[str], shown: Sequence[Scene]) -> None:
        rng = np.random.default_rng(63)
        right = adherence.score(pictures, told)
        wrong = adherence.score(pictures, [wrong_caption(s, rng)[1].text for s in shown])
        figures = {
            "prefers right": float((right > wrong).mean()),
            "right, mean": float(right.mean()),
            "right > 0.9": float((right > 0.9).mean()),
            "wrong, mean": float(wrong.mean()),
            "wrong < 0.2": float((wrong < 0.2).mean()),
        }
        show(title, figures)

    held, sentences = prompts(500, seed=64)
    clean = [Image.fromarray(render(s)) for s in held]
    soft = [p.resize((16, 16), Image.Resampling.BOX).resize((128, 128), Image.Resampling.BICUBIC) for p in clean]
    rng = np.random.default_rng(65)
    noisy = [
        Image.fromarray((np.array(p) + rng.normal(0, 60, (128, 128, 3))).clip(0, 255).astype(np.uint8)) for p in clean
    ]
    compare("scorer, renders", clean, sentences, held)
    compare("scorer, renders blurred", soft, sentences, held)
    compare("scorer, renders with noise", noisy, sentences, held)
    compare("scorer, generated", images, texts, scenes)


def main() -> None:
    """Print the figures and write the sheet."""
    parser = argparse.ArgumentParser(prog="python -m agents.pocket.evaluate", description=__doc__)
    parser.add_argument("-n", type=int, default=96, help="held-out prompts (96)")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--guidance", type=float, nargs="*", help="one, or several for a sweep")
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--sheet", type=Path, default=WORK / "evaluation.png")
    parser.add_argument("--no-scorer", action="store_true")
    args = parser.parse_args()
    defaults = json.loads(DEFAULTS.read_text())
    steps = args.steps or defaults["steps"]
    network = judge.load(EVALUATOR)
    show("judge, held-out renders", own_accuracy(network))
    pipe = load(args.model)
    scenes, texts = prompts(args.n)
    images: list[Image.Image] = []
    for guidance in args.guidance or [defaults["guidance"]]:
        start = time.monotonic()
        images = draw(pipe, texts, steps=steps, guidance=guidance)
        spent = time.monotonic() - start
        said = judge.name(network, images)
        show(f"guidance {guidance:g}, {steps} steps, n={args.n}", shares(said, scenes))
        print(f"{'':34}{spent / args.n:.2f} s each in batches of {BATCH}")
    for i, style in enumerate(STYLES):
        rows = [k for k, s in enumerate(scenes) if s.style == i]
        if rows:
            show(f"  {style}, n={len(rows)}", shares(said[rows], [scenes[k] for k in rows]))
    args.sheet.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet([np.asarray(p) for p in images[:48]], texts[:48]).save(args.sheet, optimize=True)
    print(f"sheet: {args.sheet.name}")
    if not args.no_scorer:
        scorer_figures(images, scenes, texts)


if __name__ == "__main__":
    main()
