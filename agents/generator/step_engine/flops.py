# pyright: basic
"""How much of a device's arithmetic denoising calls use: model FLOP utilisation, by the operations that a call needs.

Counted once for each kind of call, a multiplication with its addition as two; attention by torch's own kernels alone.
"""

from collections.abc import Generator, Hashable
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

PEAK_FLOPS: tuple[tuple[frozenset[str], float], ...] = tuple(
    (frozenset(words.split()), teraflops * 1e12)
    for words, teraflops in (
        ("B200", 2250),
        ("H200 NVL", 835),
        ("H200", 989),
        ("GH200", 989),
        ("H100 PCIe", 756),
        ("H100 NVL", 835),
        ("H100", 989),
        ("A100", 312),
        ("L40S", 362),
        ("L4", 121),
    )
)
"""Words of a GPU's name -> its bfloat16 and float16 operations per second, dense, by NVIDIA's data sheets. On random
numbers an H200 was measured at 788e12: below 1 is as good as it gets."""


def peak_flops_of(name: str) -> float | None:
    """Operations per second that a GPU's maker promises in half precision; null where it is not in
    `PEAK_FLOPS`."""
    words = set(name.replace("-", " ").split())
    return next((peak for asked, peak in PEAK_FLOPS if asked <= words), None)


class FlopCounter(TorchDispatchMode):
    """Counts in `total` what is computed in its context, in its thread alone."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if count := flop_registry.get(func.overloadpacket):
            self.total += count(*args, **kwargs, out_val=out)
        return out


class FlopUtilisation:
    """What is known of each kind of call. `peak` is the device's in operations per second; null counts nothing.
    `compiled` is whether models are, whose insides are not seen then."""

    def __init__(self, peak: float | None, compiled: bool = False) -> None:
        self._peak_flops = peak
        self._compiled = compiled
        self._flops_per_row: dict[Hashable, float] = {}

    @contextmanager
    def count_call(self, key: Hashable, rows: int, weights: torch.dtype | None) -> Generator[None]:
        """Count the call of `rows` rows that is made inside, where its kind is new and weights are of half precision.
        It is made without what was compiled."""
        half = weights in (torch.float16, torch.bfloat16)
        if self._peak_flops is None or not rows or not half or key in self._flops_per_row:
            yield
            return
        eager = torch.compiler.set_stance("force_eager") if self._compiled else nullcontext()
        with eager, FlopCounter() as counter:
            yield
        self._flops_per_row[key] = counter.total / rows

    def mfu_of(self, key: Hashable, rows: int, seconds: float) -> float | None:
        """The part of the peak, 0 to 1, that a call used for `rows` rows of pictures; null where it was not counted."""
        per_row = self._flops_per_row.get(key)
        return None if self._peak_flops is None or per_row is None else per_row * rows / seconds / self._peak_flops
