# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""`python -m agents.pocket.train [stage ...] [--budget-minutes N]`: train the pocket model and export it.

Every stage goes on where it stopped, and a finished one costs nothing. `--fresh` forgets the checkpoints of
the stages named. Rendered pictures and checkpoints lie in .pocket/ beside the package.
"""

from __future__ import annotations

import argparse
import os

import torch

from agents.pocket import export
from agents.pocket.paths import WORK
from agents.pocket.train import autoencoder, data, evaluator, scorer, text, unet

# Minutes of each timed stage on one core of 2.5 GHz; a budget is divided in these proportions.
MINUTES = {"text": 4.5, "autoencoder": 15.0, "evaluator": 4.5, "scorer": 15.0, "unet": 72.0}
STAGES = ("data", "text", "autoencoder", "encode", "evaluator", "scorer", "unet", "export")
TRAIN = {
    "text": text.train,
    "autoencoder": autoencoder.train,
    "evaluator": evaluator.train,
    "scorer": scorer.train,
    "unet": unet.train,
}


def main() -> None:
    """Run the stages in order."""
    parser = argparse.ArgumentParser(prog="python -m agents.pocket.train", description=__doc__)
    parser.add_argument("stages", nargs="*", metavar="stage", help=f"some of: {', '.join(STAGES)} (all)")
    parser.add_argument("--budget-minutes", type=float, help="time for the timed stages named, together")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of torch (one per core)")
    parser.add_argument("--fresh", action="store_true", help="forget the checkpoints of the stages named")
    args = parser.parse_args()
    unknown = [s for s in args.stages if s not in STAGES]
    if unknown:
        parser.error(f"no stage {unknown[0]!r}; there are {', '.join(STAGES)}")
    torch.set_num_threads(args.threads)
    names = [s for s in STAGES if not args.stages or s in args.stages]
    share = sum(MINUTES[s] for s in names if s in MINUTES)
    factor = args.budget_minutes / share if args.budget_minutes and share else 1.0
    print(
        f"pocket: {', '.join(names)}; about {share * factor + 5:.0f} minutes if nothing is done yet",
        flush=True,
    )
    for name in names:
        if args.fresh and name in MINUTES:
            (WORK / f"{name}.pt").unlink(missing_ok=True)
        if name == "data":
            data.make(args.threads)
        elif name == "encode":
            autoencoder.encode()
        elif name == "export":
            export.export_all()
        else:
            TRAIN[name](MINUTES[name] * 60 * factor)


if __name__ == "__main__":
    main()
