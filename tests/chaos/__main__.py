"""`make chaos`: campaigns of failpoints, of random faults, and of wiped stores; exit code 1 where something was found.

CHAOS_SEED (drawn where it is not given), CHAOS_SECONDS for all of it (3600), CHAOS_PASSES of each failpoint (22, since
a process may die before it meets its point, and 20 are wanted), CHAOS_KILLS (300), CHAOS_WIPES (100). What is found
wrong is kept with its home in `.chaos`.
"""

import asyncio
import os
import random
import shutil
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path

from bus.telemetry import configure_logging
from tests.chaos.campaign import BRISK, CREW, Outcome, armed, campaign, inflicting
from tests.chaos.report import FOLDER, as_data, keep, table
from tests.chaos.schedule import FULL, POINTS, arms, faults, wipes

SHARES = {"failpoints": 0.5, "kills": 0.35, "wipes": 0.15}
"""Of the time; what a campaign does not need is left over."""

MEMBERS = [f"{role}-{number}" for role, count in CREW.items() for number in range(count)]

Campaign = Callable[[Path, int, float], Coroutine[None, None, Outcome]]


def number(name: str, default: int) -> int:
    """A whole number from the environment."""
    return int(os.environ.get(name) or default)


async def failpoints(home: Path, seed: int, seconds: float) -> Outcome:
    """Each failpoint, and each full disk, CHAOS_PASSES times."""
    lives = arms(seed, number("CHAOS_PASSES", 22), MEMBERS, POINTS, FULL)
    return await campaign(home, seed, armed(seconds), settings=BRISK, arm=lives)


async def kills(home: Path, seed: int, seconds: float) -> Outcome:
    """CHAOS_KILLS kills among other faults, with the settings that a user has, so that recovery is what users see."""
    schedule = faults(seed, number("CHAOS_KILLS", 300), MEMBERS)
    return await campaign(home, seed, inflicting(schedule, seconds), options={"planner": ("--clock",)})


async def wiped(home: Path, seed: int, seconds: float) -> Outcome:
    """CHAOS_WIPES times the broker forgets everything in the middle of its work."""
    schedule = wipes(seed, number("CHAOS_WIPES", 100))
    return await campaign(home, seed, inflicting(schedule, seconds), settings=BRISK)


CAMPAIGNS: dict[str, Campaign] = {"failpoints": failpoints, "kills": kills, "wipes": wiped}


def main() -> int:
    """Run the campaigns one after the other."""
    configure_logging("chaos", "error")
    seed = number("CHAOS_SEED", random.SystemRandom().randrange(2**31))
    seconds = number("CHAOS_SECONDS", 3600)
    red = 0
    for name, run in CAMPAIGNS.items():
        home = FOLDER / f"{name}-{seed}"
        shutil.rmtree(home, ignore_errors=True)
        outcome = asyncio.run(run(home, seed, seconds * SHARES[name]))
        report = as_data(name, outcome)
        keep(report)
        print(table(report), flush=True)
        if outcome.problems:
            red += 1
            print(f"  its home is kept in {home}; again with: make chaos CHAOS_SEED={seed}", flush=True)
        else:
            shutil.rmtree(home)
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
