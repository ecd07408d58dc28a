"""What a single-file checkpoint is, by the names and shapes of its tensors. Pure module."""

from collections.abc import Mapping

from agents.generator.architectures import ARCHITECTURES
from agents.generator.files.family_marks import platform_of_text_width
from agents.generator.files.safetensors_header import Tensor

SINGLE_FILE = "checkpoint.safetensors"
"""What a checkpoint is called in the folder of its model."""

_UNET = "model.diffusion_model."


class NotACheckpoint(ValueError):
    """The file is no checkpoint that can be read as one file; the message says what it is instead."""


def is_checkpoint(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a file holds a model, and no adapter."""
    transformers = (start for family in ARCHITECTURES.values() for start in family.files.transformer_prefixes)
    starts = (_UNET, *transformers)
    return any(name.startswith(starts) for name in tensors)


def checkpoint_platform(tensors: Mapping[str, Tensor]) -> str | None:
    """The platform of a checkpoint, or null where its widths are those of no known one.

    Raises:
        NotACheckpoint: it lacks parts that a picture needs.
    """
    if not any(name.startswith(f"{_UNET}input_blocks.") for name in tensors):
        raise NotACheckpoint("it holds a transformer alone, without the text encoders that belong to it")
    missing = [
        part
        for part, starts in {
            "an image decoder": ("first_stage_model.",),
            "a text encoder": ("cond_stage_model.", "conditioner."),
        }.items()
        if not any(name.startswith(starts) for name in tensors)
    ]
    if missing:
        raise NotACheckpoint(f"it lacks {' and '.join(missing)}")
    widths = {
        tensor.shape[1]
        for name, tensor in tensors.items()
        if name.startswith(_UNET) and name.endswith("attn2.to_k.weight") and len(tensor.shape) == 2
    }
    return platform_of_text_width(widths.pop()) if len(widths) == 1 else None
