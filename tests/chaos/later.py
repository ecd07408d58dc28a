"""Days later: a home's blobs are old, and the workshop's own retention goes through them."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.doors.cli.conftest import environment_of

DAYS_S = 3 * 86_400.0
"""Beyond the hours for which a blob stays that no record names."""


def upkeep(home: Path) -> None:
    """Make every blob older, and run `bottega prune` as a person does.

    Raises:
        CalledProcessError: it failed.
    """
    then = time.time() - DAYS_S
    for path in (home / "blobs").rglob("*"):
        os.utime(path, (then, then))
    prune = [sys.executable, "-m", "agents.doors.cli", "prune"]
    subprocess.run(prune, env=environment_of(home), timeout=60, check=True, capture_output=True)
