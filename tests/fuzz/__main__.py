"""`python -m tests.fuzz [--count N] [--seed N]`: hostile commands against a planner of its own, in a new home."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.fuzz.commands import watched
from tests.fuzz.workshop import workshop


async def _run(seed: int, count: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="bottega-fuzz-") as home:
        async with workshop(Path(home)) as running:
            outcomes = await watched(running.address, seed, count, running.planner_pid)
            print(outcomes.report())
            print(f"processes that died: {', '.join(running.dead()) or 'none'}")
            return not outcomes.broken and not running.dead()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.exit(0 if asyncio.run(_run(options.seed, options.count)) else 1)


if __name__ == "__main__":
    main()
