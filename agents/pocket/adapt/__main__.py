# pyright: basic, reportPrivateImportUsage=false
"""`python -m agents.pocket.adapt [style product concept control look]`: teach the pocket model its adapters.

Each needs the model alone and renders what it learns from. `--sheet` measures what they do and draws them
side by side with what the model does without them.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from agents.pocket.adapt import concept, control, lesson, look, lora
from agents.pocket.paths import MODEL, WORK

MINUTES = {"style": 5, "product": 4, "concept": 3, "control": 15, "look": 1}
"""On one core of 2.5 GHz."""


def main() -> None:
    """Train the adapters named, or all, or draw the sheet."""
    parser = argparse.ArgumentParser(prog="python -m agents.pocket.adapt", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="adapter", help=f"some of: {', '.join(MINUTES)} (all)")
    parser.add_argument("--model", type=Path, default=MODEL, help="the diffusers folder that learns")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of torch (one per core)")
    parser.add_argument("--fresh", action="store_true", help="forget what was begun, as after training the model again")
    parser.add_argument("--sheet", action="store_true", help="train nothing; figures and the sheet")
    args = parser.parse_args()
    unknown = [name for name in args.names if name not in MINUTES]
    if unknown:
        parser.error(f"no adapter {unknown[0]!r}; there are {', '.join(MINUTES)}")
    torch.set_num_threads(args.threads)
    if args.sheet:
        # Imported here, since these need adapters that are there.
        from agents.pocket.adapt import measure, sheet

        sheet.draw_sheet(args.model)
        measure.measure(args.model)
        return
    names = args.names or list(MINUTES)
    print(f"adapters: {', '.join(names)}; about {sum(MINUTES[name] for name in names)} minutes on one core", flush=True)
    for name in names:
        # A fresh pipeline for each: an adapter leaves its traces in the model that it was trained in.
        pipe = lesson.load(args.model)
        place = train(name, pipe, fresh=args.fresh)
        print(f"{name}: {place.name}", flush=True)


def train(name: str, pipe: StableDiffusionPipeline, *, fresh: bool) -> Path:
    """Train one adapter; returns where it was written."""
    known = lora.LORAS.get(name)
    key = known.name if known else {"concept": concept.NAME, "control": "canny", "look": "look"}[name]
    if fresh:
        (WORK / f"adapt-{key}.pt").unlink(missing_ok=True)
    if known:
        return lora.train(pipe, known)
    alone = {"concept": concept.train, "control": control.train, "look": look.make}
    return alone[name](pipe)


if __name__ == "__main__":
    main()
