"""Which models stay in memory, and who may overtake whom to use one that is there. Pure module."""

from collections.abc import Collection, Mapping, Sequence

PATIENCE_S = 20.0
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


def first_to_begin(waiting: Sequence[tuple[str, float]], resident: Collection[str], now: float) -> int:
    """The index of the picture to begin: `waiting` has the model of each and the time it came, in their order.

    One whose model is in memory goes before the first one whose model is not, until that one has waited `PATIENCE_S`.
    """
    _, since = waiting[0]
    if now - since >= PATIENCE_S:
        return 0
    return next((index for index, (model, _) in enumerate(waiting) if model in resident), 0)
