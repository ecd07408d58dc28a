# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""The rendered pictures of a training: shards on disk, and held-out scenes that are never among them."""

from __future__ import annotations

import multiprocessing
import time
from functools import cache

import numpy as np
import torch

from agents.pocket.judge import to_input
from agents.pocket.paths import WORK
from agents.pocket.render import Scene, render, sample

SHARD = 500
# The first shards show one thing in the middle; the others have places, sizes and counts as well.
PLAIN_SHARDS = 32
SHARDS = 80
DATA = WORK / "data"


def scene(index: int) -> Scene:
    """The scene of a training picture."""
    return sample(np.random.default_rng([1, index]), plain=index < PLAIN_SHARDS * SHARD)


def held_out(count: int, *, seed: int = 2, plain: bool = True) -> list[Scene]:
    """Scenes of other seeds than the training's; what they combine may occur there too."""
    return [sample(np.random.default_rng([seed, 977, i]), plain=plain) for i in range(count)]


def _shard(number: int) -> None:
    path = DATA / f"{number:03}.npy"
    if path.exists():
        return
    pictures = np.stack([render(scene(number * SHARD + i)) for i in range(SHARD)])
    part = path.with_suffix(".part")
    with part.open("wb") as f:
        np.save(f, pictures)
    part.replace(path)


def make(workers: int = 2, shards: int = SHARDS) -> None:
    """Render what is missing."""
    DATA.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for done, _ in enumerate(pool.imap_unordered(_shard, range(shards)), 1):
            spent = time.monotonic() - start
            print(
                f"data: {done} of {shards} shards, {spent / done * (shards - done) / 60:.1f} min left",
                flush=True,
            )


class Pictures:
    """All rendered pictures in memory, with their scenes."""

    def __init__(self, limit: int = SHARDS) -> None:
        paths = sorted(DATA.glob("*.npy"))[:limit]
        self.pixels = np.concatenate([np.load(p) for p in paths])
        self.scenes = [scene(int(p.stem) * SHARD + i) for p in paths for i in range(SHARD)]
        self.labels = np.array([s.labels() for s in self.scenes], np.int64)

    def __len__(self) -> int:
        return len(self.scenes)


def shrunk(side: int) -> tuple[torch.Tensor, list[Scene]]:
    """All rendered pictures at `side` x `side` as bytes, channels first, with their scenes."""
    paths = sorted(DATA.glob("*.npy"))
    pixels = torch.empty(len(paths) * SHARD, 3, side, side, dtype=torch.uint8)
    for room, path in zip(pixels.split(SHARD), paths, strict=True):
        room.copy_(((to_input(np.load(path), side) + 1) * 127.5).round())
    return pixels, [scene(int(p.stem) * SHARD + i) for p in paths for i in range(SHARD)]


@cache
def seen_combinations() -> frozenset[tuple[int, ...]]:
    """The combinations of object, colour, background and style that some training picture shows."""
    return frozenset(scene(i).labels()[:4] for i in range(SHARDS * SHARD))
