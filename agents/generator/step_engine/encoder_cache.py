# pyright: basic
"""Caches the outputs of text encoders by their input, because the same prompts and negative prompts come up
repeatedly."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import torch

MAX_BYTES = 512 * 1024 * 1024
"""About 1,600 prompts of SDXL, or 120 of FLUX. Least recently used ones go first."""


class EncoderCache:
    """A bounded memory. What it gives is shared: nobody may write into it."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._answers: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The answer that is kept under `key`, or a new one."""
        found = self._answers.pop(key, None)
        if found is None:
            value = make()
            found = value, _size_of(value)
            self._bytes += found[1]
        self._answers[key] = found
        while self._bytes > self._max_bytes and self._answers:
            _, (_, size) = self._answers.popitem(last=False)
            self._bytes -= size
        return found[0]

    def clear(self) -> None:
        """Forget all."""
        self._answers.clear()
        self._bytes = 0


def _size_of(value: Any) -> int:
    match value:
        case torch.Tensor():
            return value.nbytes
        case dict():
            return sum(_size_of(part) for part in value.values())
        case list() | tuple():
            return sum(_size_of(part) for part in value)
        case _:
            return 0
