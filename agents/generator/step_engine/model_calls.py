# pyright: basic
"""Calls of models that pipelines make: what may share one, how arguments become rows, and rows answers again."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class ModelCall:
    """A call that a pipeline makes. `arguments` are by name. `rows` is 0 where it cannot be shared; calls whose `key`
    is the same may be."""

    function: Callable[..., Any]
    arguments: Mapping[str, Any]
    rows: int = 0
    key: Hashable = None

    def run(self) -> Any:
        """Make the call as the pipeline meant it."""
        return self.function(**self.arguments)


def shareable_call(
    name: str, function: Callable[..., Any], arguments: Mapping[str, Any], same: Mapping[str, Hashable]
) -> ModelCall:
    """The call of the model that the pipeline has under `name`, whose first argument has rows.

    `same` are arguments without rows that must be the same for all, as what they hold; null where any will do.
    """
    rows = next(iter(arguments.values())).shape[0]
    shapes = ((key, same[key] if key in same else _shape_key(key, arguments[key], rows)) for key in sorted(arguments))
    return ModelCall(function, arguments, rows, (name, *shapes))


def run_shared(calls: Sequence[ModelCall], size: int) -> list[Any]:
    """Make several calls with one key as one call of `size` rows; returns what each asked for, in their order.

    What is missing to `size` is filled up with copies of the first row, whose results are dropped.
    """
    if len(calls) == 1 and calls[0].rows in (0, size):
        return [calls[0].run()]
    counts = [call.rows for call in calls]
    filling = size - sum(counts)
    first = calls[0]
    arguments = {
        name: _join(name, [call.arguments[name] for call in calls], counts, filling) for name in first.arguments
    }
    together = first.function(**arguments)
    begins = [sum(counts[:number]) for number in range(len(counts))]
    return [
        map_tensors(together, lambda rows, begin=begin, count=count: rows[begin : begin + count])
        for begin, count in zip(begins, counts, strict=True)
    ]


def _shape_key(name: str, value: Any, rows: int) -> Hashable:
    """What of an argument must be the same in calls that are shared."""
    match value:
        case torch.Tensor() if name == "timestep":
            # Embedded as float32, whatever the scheduler keeps it in.
            return "timestep"
        case torch.Tensor() if value.ndim and value.shape[0] == rows:
            return (tuple(value.shape[1:]), value.dtype)
        case torch.Tensor():
            return ("one tensor", id(value))
        case dict():
            return tuple((key, _shape_key(key, part, rows)) for key, part in sorted(value.items()))
        case list() | tuple():
            return tuple(_shape_key(name, part, rows) for part in value)
        case Hashable():
            return value
        case _:
            return ("one object", id(value))


def _join(name: str, values: Sequence[Any], counts: Sequence[int], filling: int) -> Any:
    """One argument of several calls as the argument of one."""
    first = values[0]
    match first:
        case torch.Tensor() if name == "timestep":
            parts = [
                value.to(torch.float32).reshape(-1).expand(count) for value, count in zip(values, counts, strict=True)
            ]
            return torch.cat([*parts, parts[0][:1].expand(filling)])
        case torch.Tensor() if first.ndim and first.shape[0] == counts[0]:
            # `cat` takes the layout that its parts agree on, so sums would follow the companions'.
            return torch.cat([*values, first[:1].expand(filling, *first.shape[1:])]).contiguous()
        case dict():
            return {key: _join(key, [value[key] for value in values], counts, filling) for key in first}
        case list() | tuple():
            parts = [_join(name, part, counts, filling) for part in zip(*values, strict=True)]
            return type(first)(parts)
        case _:
            return first


def map_tensors(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """An argument or an answer with each tensor in it changed."""
    match value:
        case torch.Tensor():
            return change(value)
        case dict():
            return type(value)(**{key: map_tensors(part, change) for key, part in value.items()})
        case list() | tuple():
            return type(value)(map_tensors(part, change) for part in value)
        case _:
            return value


def match_layout(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The `other` tensor, in memory as `one` of the same shape is: sums take another order where it is not."""
    if other.shape != one.shape or other.stride() == one.stride():
        return other
    return torch.empty_like(one, dtype=other.dtype).copy_(other)
