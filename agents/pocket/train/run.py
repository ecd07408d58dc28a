# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""One training run of so many steps: its checkpoints, its log, and how long it will still take.

A run goes on at the step where it stopped, with the random numbers of that step.
"""

from __future__ import annotations

import contextlib
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


def half() -> contextlib.AbstractContextManager[Any]:
    """Products of matrices in bfloat16, where the machine has instructions for them: a quarter faster on such a CPU."""
    able = torch.cuda.is_available() or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast(device().type, dtype=torch.bfloat16, enabled=able)


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
    """A named run of so many steps."""

    def __init__(self, name: str, steps: int = 0) -> None:
        self.name, self.total = name, steps
        self.path = WORK / f"{name}.pt"
        self.state: dict[str, Any] | None = load(self.path) if self.path.exists() else None
        self.step = int(self.state["step"]) if self.state else 0
        self.first, self.begun = self.step, time.monotonic()

    @property
    def is_done(self) -> bool:
        """Whether all its steps are taken."""
        return self.step >= self.total

    @property
    def progress(self) -> float:
        """The share of the steps that is taken."""
        return min(1.0, self.step / self.total)

    @property
    def seconds_left(self) -> float:
        """How long the rest takes at the speed since this process began."""
        taken = max(1, self.step - self.first)
        return max(0, self.total - self.step) * (time.monotonic() - self.begun) / taken

    def say(self, text: str) -> None:
        """One line of progress."""
        print(
            f"{self.name}: step {self.step} of {self.total}, {self.seconds_left / 60:.1f} min left, {text}", flush=True
        )

    def steps(self, state: Callable[[], dict[str, Any]], news: Callable[[], str]) -> Iterator[float]:
        """Yield the progress before each step until all are taken; keep checkpoints on the way."""
        saved = told = self.begun = time.monotonic()
        while not self.is_done:
            yield self.progress
            self.step += 1
            now = time.monotonic()
            if now - told > REPORT_EVERY:
                told = now
                self.say(news())
            if now - saved > CHECKPOINT_EVERY or self.is_done:
                saved = now
                self.keep(state())

    def keep(self, state: dict[str, Any]) -> None:
        """Write the checkpoint."""
        save(self.path, {**state, "step": self.step})


def cool(progress: float, flat: float, floor: float) -> float:
    """A factor for the learning rate: flat, then down in a line to the floor."""
    if progress < flat:
        return 1.0
    return max(floor, 1 - (1 - floor) * (progress - flat) / (1 - flat))
