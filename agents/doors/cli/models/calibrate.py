"""`bottega models calibrate`: what the cosines of a pulled scorer mean, so that QA can use it."""

import sys

from msgspec import Struct
from rich.progress import Progress

from agents.doors.cli.errors import bad_input
from agents.doors.cli.models.show import model_library
from agents.doors.cli.terminal.console import open_console
from agents.pocket.pairs import plain_pairs
from agents.pocket.render import render
from agents.qa.calibrate import CalibrationPair
from agents.qa.calibrate import calibrate as fit
from protocol.codec import encode
from protocol.nearest import nearest

SEED = 71


class CalibrationResult(Struct, frozen=True, kw_only=True):
    """What `bottega models calibrate --json` prints. `preferred` is the share of pairs that were kept out of the fit in
    which the right text was preferred, `right` and `wrong` the mean adherence of both."""

    name: str
    path: str
    pairs: int
    slope: float
    offset: float
    preferred: float
    right: float
    wrong: float


def calibrate(name: str, count: int, json: bool) -> None:
    """Calibrate a scorer.

    Raises:
        Failure: no scorer is called so, or it is not here.
        Refused: it cannot judge.
    """
    tools = model_library().load_registry().tools
    scorers = [entry.name for entry in tools.values() if entry.kind == "scorer"]
    if name not in scorers:
        raise bad_input(f"no scorer is called {name[:64]!r}", hint=nearest(name, scorers), code="not_installed")
    if how := tools.install_hint(name):
        raise bad_input(f"the scorer {name} is not on this machine", hint=how, code="not_installed")
    pairs = [CalibrationPair(render(pair.scene), pair.right, pair.wrong) for pair in plain_pairs(count, SEED)]
    with Progress(console=open_console(stderr=True), disable=json) as bar:
        task = bar.add_task(name, total=count)
        done = fit(tools.paths[name], pairs, lambda here, of: bar.update(task, completed=here))
    result = CalibrationResult(
        name=name,
        path=str(tools.paths[name]),
        pairs=count,
        slope=round(done.curve.slope, 4),
        offset=round(done.curve.offset, 4),
        preferred=round(done.preferred, 4),
        right=round(done.right, 4),
        wrong=round(done.wrong, 4),
    )
    if json:
        sys.stdout.write(encode(result).decode() + "\n")
        return
    sys.stdout.write(
        f"{name} prefers the right text in {done.preferred:.0%} of {count // 2} pairs; adherence of right ones "
        f"{done.right:.2f}, of wrong ones {done.wrong:.2f}\nRestart QA to use it.\n"
    )
