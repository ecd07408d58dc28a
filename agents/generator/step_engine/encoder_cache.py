# pyright: basic
"""Answers of text encoders, kept by what they were asked: prompts and negative prompts come back again and again."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import torch

MAX_BYTES = 512 * 1024 * 1024
"""About 1,600 prompts of SDXL, or 120 of FLUX. Least recently used ones go first."""


class Embeddings:
    """A bounded memory. What it gives is shared: nobody may write into it."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The answer that is kept under `key`, or a new one."""
        found = self._kept.pop(key, None)
        if found is None:
            value = make()
            found = value, _bytes(value)
            self._bytes += found[1]
        self._kept[key] = found
        while self._bytes > self._max_bytes and self._kept:
            _, (_, size) = self._kept.popitem(last=False)
            self._bytes -= size
        return found[0]

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
        self._bytes = 0


def _bytes(value: Any) -> int:
    match value:
        case torch.Tensor():
            return value.nbytes
        case dict():
            return sum(_bytes(part) for part in value.values())
        case list() | tuple():
            return sum(_bytes(part) for part in value)
        case _:
            return 0
