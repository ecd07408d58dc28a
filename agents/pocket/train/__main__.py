# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""`python -m agents.pocket.train [stage ...] [--scale 0.01]`: train the pocket model and export it.

Every stage goes on at the step where it stopped, and a finished one costs nothing. `--fresh` forgets the checkpoints
of the stages named. Rendered pictures and checkpoints lie in .pocket/ beside the package.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass

import torch

from agents.pocket import export
from agents.pocket.paths import WORK
from agents.pocket.train import autoencoder, data, decoder, evaluator, scorer, text, unet
from agents.pocket.train.run import device


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the recipe: how many units of work it has, what one costs, and how so many are done.

    `seconds` of one unit are of one core of an AMD EPYC with avx512_bf16, from the logs of the shipped training.
    """

    name: str
    units: int
    seconds: float
    work: Callable[[int], None]
    checkpoint: str = ""

    def units_at(self, scale: float) -> int:
        """The units of a smaller training."""
        return max(1, round(self.units * scale))

    def minutes(self, scale: float) -> float:
        """What it takes on the reference core."""
        return self.units_at(scale) * self.seconds / 60


def _encode(_: int) -> None:
    autoencoder.encode()


def _export(_: int) -> None:
    export.export_all()


def recipe(workers: int) -> tuple[Stage, ...]:
    """The stages in their order; pictures are rendered by so many processes."""
    return (
        Stage("data", data.SHARDS, 4.0, lambda shards: data.make(workers, shards)),
        Stage("text", text.STEPS, 0.45, text.train, "text.pt"),
        Stage("autoencoder", autoencoder.STEPS, 0.29, autoencoder.train, "autoencoder.pt"),
        Stage("encode", data.SHARDS, 3.0, _encode, "latents.pt"),
        Stage("evaluator", evaluator.STEPS, 0.28, evaluator.train, "evaluator.pt"),
        Stage("scorer", scorer.STEPS, 0.55, scorer.train, "scorer.pt"),
        Stage("unet", unet.STEPS, 0.6, unet.train, "unet.pt"),
        Stage("decoder", decoder.STEPS, 0.4, decoder.train, "decoder.pt"),
        Stage("export", 1, 30.0, _export),
    )


def announce(stages: list[Stage], scale: float) -> None:
    """Say what will be done and how long it takes, if nothing of it is done yet."""
    for stage in stages:
        print(f"pocket: {stage.name:12}{stage.units_at(scale):8,} units{stage.minutes(scale):8.1f} min")
    total = sum(stage.minutes(scale) for stage in stages)
    print(f"pocket: in all {total:.0f} min on one core of an AMD EPYC with avx512_bf16; here on {device()}", flush=True)


def main() -> None:
    """Run the stages in order."""
    names = [stage.name for stage in recipe(1)]
    parser = argparse.ArgumentParser(prog="python -m agents.pocket.train", description=__doc__)
    parser.add_argument("stages", nargs="*", metavar="stage", help=f"some of: {', '.join(names)} (all)")
    parser.add_argument("--scale", type=float, default=1.0, help="the share of all steps and pictures to take (1)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of torch (one per core)")
    parser.add_argument("--fresh", action="store_true", help="forget the checkpoints of the stages named")
    args = parser.parse_args()
    unknown = [s for s in args.stages if s not in names]
    if unknown:
        parser.error(f"no stage {unknown[0]!r}; there are {', '.join(names)}")
    if not 0 < args.scale <= 1:
        parser.error(f"--scale {args.scale:g} is not a share; it has to be above 0 and at most 1")
    torch.set_num_threads(args.threads)
    stages = [s for s in recipe(args.threads) if not args.stages or s.name in args.stages]
    announce(stages, args.scale)
    for stage in stages:
        if args.fresh and stage.checkpoint:
            (WORK / stage.checkpoint).unlink(missing_ok=True)
        stage.work(stage.units_at(args.scale))


if __name__ == "__main__":
    main()
