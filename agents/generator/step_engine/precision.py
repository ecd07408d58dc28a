# pyright: basic
"""Pictures are float32 outside of their models, also where weights are half as wide: a model's inputs are rounded to
its weights' precision, and what it answers is not rounded again by samplers, whose latents add up over all steps."""

from collections.abc import Mapping
from typing import Any

import torch

from agents.generator.step_engine.model_calls import with_tensors

EXACT = frozenset({"timestep", "guidance", "time_ids", "img_ids", "txt_ids"})
"""Arguments that models embed or turn into angles themselves, in float32 first: times, sizes and places."""


def outside(weights: torch.dtype) -> torch.dtype:
    """The precision of pictures around a model of such weights."""
    return torch.float32 if weights in (torch.float16, torch.bfloat16) else weights


def inward(arguments: Mapping[str, Any], weights: torch.dtype) -> dict[str, Any]:
    """Arguments of a model, by name, in the precision of its weights."""
    if outside(weights) == weights:
        return dict(arguments)
    return {name: _inward(name, value, weights) for name, value in arguments.items()}


def outward(answer: Any, weights: torch.dtype) -> Any:
    """What a model answers, in the precision of pictures; of a distribution its parameters."""
    if outside(weights) == weights:
        return answer
    if hasattr(answer, "latent_dist"):
        drawn_from = answer.latent_dist
        return type(answer)(latent_dist=type(drawn_from)(drawn_from.parameters.float()))
    return with_tensors(answer, lambda tensor: tensor.float() if tensor.dtype == weights else tensor)


def _inward(name: str, value: Any, weights: torch.dtype) -> Any:
    if isinstance(value, dict):
        return inward(value, weights)
    if name in EXACT:
        return value
    return with_tensors(value, lambda tensor: tensor.to(weights) if tensor.dtype == torch.float32 else tensor)
