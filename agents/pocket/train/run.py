# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""One timed training run: its clock, its checkpoints, its log.

Schedules follow the share of the time that is spent, not a number of steps, so that a slow machine
ends with a finished schedule as well. The clock is part of the checkpoint: a run goes on where it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from agents.pocket.paths import WORK

CHECKPOINT_EVERY = 60.0
REPORT_EVERY = 20.0


def device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint so that a cut leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint."""
    return torch.load(path, map_location=device(), weights_only=True)


class Run:
    """A named run with so many seconds to spend."""

    def __init__(self, name: str, seconds: float) -> None:
        self.name, self.seconds = name, seconds
        self.path = WORK / f"{name}.pt"
        self.spent = 0.0
        self.step = 0
        self.state: dict[str, Any] | None = load(self.path) if self.path.exists() else None
        if self.state:
            self.spent, self.step = float(self.state["spent"]), int(self.state["step"])

    @property
    def done(self) -> bool:
        """Whether all its time is spent."""
        return self.spent >= self.seconds

    @property
    def progress(self) -> float:
        """The share of the time that is spent."""
        return min(1.0, self.spent / self.seconds)

    def say(self, text: str) -> None:
        """One line of progress."""
        left = max(0.0, self.seconds - self.spent)
        print(
            f"{self.name}: step {self.step}, {self.progress:4.0%}, {left / 60:.1f} min left, {text}",
            flush=True,
        )

    def steps(self, state: Callable[[], dict[str, Any]], news: Callable[[], str]) -> Iterator[float]:
        """Yield the progress before each step until the time is spent; keep checkpoints on the way."""
        last = saved = told = time.monotonic()
        while not self.done:
            yield self.progress
            self.step += 1
            now = time.monotonic()
            self.spent += now - last
            last = now
            if now - told > REPORT_EVERY:
                told = now
                self.say(news())
            if now - saved > CHECKPOINT_EVERY or self.done:
                saved = now
                self.keep(state())

    def keep(self, state: dict[str, Any]) -> None:
        """Write the checkpoint."""
        save(self.path, {**state, "spent": self.spent, "step": self.step})


def cool(progress: float, flat: float, floor: float) -> float:
    """A factor for the learning rate: flat, then down in a line to the floor."""
    if progress < flat:
        return 1.0
    return max(floor, 1 - (1 - floor) * (progress - flat) / (1 - flat))
