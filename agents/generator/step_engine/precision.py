# pyright: basic
"""Keeps pictures in float32 outside their models, even when weights are half as wide. A model's inputs are rounded to
the precision of its weights; its outputs are not rounded again by samplers, where rounding errors add up over all
steps."""

from collections.abc import Mapping
from typing import Any

import torch

from agents.generator.step_engine.model_calls import map_tensors

FLOAT32_ARGUMENTS = frozenset({"timestep", "guidance", "time_ids", "img_ids", "txt_ids"})
"""Arguments that models embed or turn into angles themselves, in float32 first: times, sizes and places."""


def picture_dtype(weights: torch.dtype) -> torch.dtype:
    """The precision of pictures around a model of such weights."""
    return torch.float32 if weights in (torch.float16, torch.bfloat16) else weights


def to_weights_dtype(arguments: Mapping[str, Any], weights: torch.dtype) -> dict[str, Any]:
    """Arguments of a model, by name, in the precision of its weights."""
    if picture_dtype(weights) == weights:
        return dict(arguments)
    return {name: _to_weights_dtype(name, value, weights) for name, value in arguments.items()}


def to_picture_dtype(answer: Any, weights: torch.dtype) -> Any:
    """What a model answers, in the precision of pictures; of a distribution its parameters."""
    if picture_dtype(weights) == weights:
        return answer
    if hasattr(answer, "latent_dist"):
        drawn_from = answer.latent_dist
        return type(answer)(latent_dist=type(drawn_from)(drawn_from.parameters.float()))
    return map_tensors(answer, lambda tensor: tensor.float() if tensor.dtype == weights else tensor)


def _to_weights_dtype(name: str, value: Any, weights: torch.dtype) -> Any:
    if isinstance(value, dict):
        return to_weights_dtype(value, weights)
    if name in FLOAT32_ARGUMENTS:
        return value
    return map_tensors(value, lambda tensor: tensor.to(weights) if tensor.dtype == torch.float32 else tensor)
