"""Starts an agent that is not as it should be: `python -m tests.chaos.launch [OPTION …] agent ROLE …`.

`--clock` makes its clock wrong by `CHAOS_CLOCK_S` seconds; `--mutant NAME` takes a guard away, see `mutations.py`;
`--paid` makes the generator one that pays, see `paid.py`. What follows is given to `bottega`.
"""

import os
import sys
import time
from collections.abc import Callable


def shift_clock(seconds: float) -> None:
    """Let this process believe that it is `seconds` later."""
    true_time: Callable[[], float] = time.time
    true_nanoseconds: Callable[[], int] = time.time_ns
    time.time = lambda: true_time() + seconds
    time.time_ns = lambda: true_nanoseconds() + int(seconds * 1e9)


def main(arguments: list[str]) -> None:
    """Take the options off, and go on as `bottega` does."""
    while arguments[0].startswith("--"):
        match arguments:
            case ["--clock", *rest]:
                shift_clock(float(os.environ.get("CHAOS_CLOCK_S", "0")))
            case ["--mutant", name, *rest]:
                from tests.chaos.mutations import MUTATIONS

                MUTATIONS[name]()
            case ["--paid", *rest]:
                from agents.generator import agent
                from tests.chaos.paid import PaidGenerator

                agent.build = PaidGenerator
            case _:
                raise SystemExit(f"no such option: {arguments[0]}")
        arguments = rest
    sys.argv = ["bottega", *arguments]
    from agents.doors.cli.app import main as bottega

    bottega()


if __name__ == "__main__":
    main(sys.argv[1:])
