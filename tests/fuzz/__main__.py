"""`python -m tests.fuzz [SUITE …] [--count N]`: hostile inputs, going on where the last run ended.

`python -m tests.fuzz status` shows what was done so far. Exit code 1 where something was found.
"""

import argparse
import signal
import sys
import warnings
from pathlib import Path

from tests.fuzz.broker import LOGINS, TARGET, run_broker
from tests.fuzz.child import Child
from tests.fuzz.files import Files
from tests.fuzz.messages import Messages
from tests.fuzz.processes import run_in_processes
from tests.fuzz.recorder import Recorder
from tests.fuzz.slices import Suite
from tests.fuzz.totals import ROOT, read_totals

IN_PROCESS: dict[str, type[Suite]] = {"messages": Messages, "files": Files, "child": Child}
SUITES = (*IN_PROCESS, "broker")


def run_suite(name: str, options: argparse.Namespace) -> bool:
    """Go on with a suite; whether nothing was found."""
    if name == "broker":
        return run_broker(options.state, options.login or LOGINS, options.count, short=options.short)
    suite = IN_PROCESS[name]()
    recorder = Recorder(options.state, suite.name, suite.target, options.processes)
    first = recorder.totals.next
    left = max(0, suite.target - recorder.totals.inputs) if options.count is None else options.count
    slices = suite.short if options.short else -(-left // suite.slice)
    try:
        run_in_processes(suite, iter(range(first, first + slices)), options.processes, recorder.note)
    finally:
        sound = recorder.finish()
    return sound


def show_status(folder: Path) -> None:
    """Print what every suite has done so far."""
    for suite in IN_PROCESS.values():
        print(read_totals(folder, suite.name, suite.target).report())
    for login in LOGINS:
        print(read_totals(folder, f"broker-{login}", TARGET).report())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"status, or some of {', '.join(SUITES)}")
    parser.add_argument("--count", type=int, help="inputs of each suite; what is left of its target by default")
    parser.add_argument("--processes", type=int, default=2, help="of a suite that runs in processes of its own")
    parser.add_argument("--login", action="append", help="of the suite broker; all by default")
    parser.add_argument("--state", type=Path, default=ROOT / ".fuzz", help="where totals and finds are kept")
    parser.add_argument("--short", action="store_true", help="the next few slices of each suite")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # an end from outside keeps the totals, and ends agents
    warnings.simplefilter("ignore")  # Pillow warns of what is broken in a picture
    if options.suites == ["status"]:
        show_status(options.state)
        return
    try:
        outcomes = [run_suite(name, options) for name in options.suites or SUITES]
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0 if all(outcomes) else 1)


if __name__ == "__main__":
    main()
