"""Which models stay in memory, which parts of an oversized model are loaded, and which queued picture may jump ahead to
use a loaded one. Pure module."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from agents.shared.settings import Offload

DENOISER_PARTS = frozenset({"unet", "transformer"})
LARGE_PARTS = DENOISER_PARTS | {"text_encoder", "text_encoder_2", "text_encoder_3"}
"""Parts of pipelines, by name, that need not be on the device all the time."""

MAX_OVERTAKEN_S = 20.0
"""How long a picture lets those pass whose model is loaded already: about the time in which a large model is loaded,
since reloading the one that it pushed out costs as much again."""


def evictions(held: Mapping[str, int], needed: int, budget: int, busy: Collection[str]) -> list[str] | None:
    """The models to let go so that `needed` bytes fit, least recently used first as `held` has them with their bytes.

    Null where they fit only beside fewer of the `busy` models, which are in use and stay. A model that is too large for
    the whole budget is tried where no other is busy: the device, not this sum, has the last word.
    """
    left = sum(held.values())
    gone: list[str] = []
    for name, size in held.items():
        if left + needed <= budget:
            break
        if name not in busy:
            gone.append(name)
            left -= size
    return gone if left + needed <= budget or not any(name in busy for name in held) else None


def index_to_begin(waiting: Sequence[tuple[str, float]], resident: Collection[str], now: float) -> int:
    """The index of the picture to begin: `waiting` has the model of each and the time it came, in their order.

    One whose model is in memory goes before the first one whose model is not, until that one has waited `PATIENCE_S`.
    """
    _, since = waiting[0]
    if now - since >= MAX_OVERTAKEN_S:
        return 0
    return next((index for index, (model, _) in enumerate(waiting) if model in resident), 0)


@dataclass(frozen=True)
class OffloadPlan:
    """Where the parts of a model are. Some take turns in `room_bytes` of the device, some are there one block at a
    time (diffusers' `enable_group_offload`), the others always. `filled_bytes` is the most that they fill, without
    blocks."""

    in_turn: frozenset[str]
    by_block: frozenset[str]
    room_bytes: int
    filled_bytes: int


def plan_offload(sizes: Mapping[str, int], budget: int, offload: Offload, on_gpu: bool) -> OffloadPlan:
    """How parts of these bytes, by name, share `budget` bytes of a device. Only a GPU has a memory of its own, so that
    `auto` keeps all together elsewhere."""
    whole = sum(sizes.values())
    if offload == "none" or (offload == "auto" and (not on_gpu or whole <= budget)):
        return OffloadPlan(frozenset(), frozenset(), 0, whole)
    large = {name: size for name, size in sizes.items() if name in LARGE_PARTS}
    small = whole - sum(large.values())
    room = max(large.values(), default=0) if offload == "model" else max(0, budget - small)
    by_block = frozenset(name for name in DENOISER_PARTS & large.keys() if offload == "blocks" or large[name] > room)
    in_turn = frozenset(large) - by_block
    return OffloadPlan(in_turn, by_block, room, small + min(room, sum(large[name] for name in in_turn)))
