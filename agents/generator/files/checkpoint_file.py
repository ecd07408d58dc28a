"""What a single-file checkpoint is, by the names and shapes of its tensors: its platform, how it is sampled, and why no
picture could be made with it. Pure module."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from agents.generator.architectures import ARCHITECTURES
from agents.generator.files.family_marks import platform_of_text_width
from agents.generator.files.safetensors_header import Header, Tensor

SINGLE_FILE = "checkpoint.safetensors"
"""What a checkpoint is called in the folder of its model."""

Prediction = Literal["epsilon", "v_prediction"]
"""What a model answers of a noisy picture: its noise, or the velocity between noise and picture."""

DECODER = "first_stage_model."
_UNET = "model.diffusion_model."
_FIRST_LAYER = f"{_UNET}input_blocks.0.0.weight"
_CHANNELS = 4
_OTHER_CHANNELS = {8: "an editing model (InstructPix2Pix)", 9: "an inpainting model"}

_LORA = re.compile(r"^lora_(unet|te)|\.lora_(A|B|up|down)\b")
_SCALED = re.compile(r"(^|\.)(scaled_fp8|scale_weight|weight_scale)$")
_EDM = ("edm_mean", "edm_std", "edm_vpred.sigma_max")
_OLD_TEXT_ENCODER = re.compile(
    r"(cond_stage_model|conditioner\.embedders\.0)\.transformer\.(?=embeddings\.|encoder\.|final_layer_norm\.)"
)


class NotACheckpoint(ValueError):
    """The file is no checkpoint that can be read as one file; the message says what it is instead, `hint` what to
    do."""

    def __init__(self, message: str, hint: str = "add the diffusers folder of the model, or pull it") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Checkpoint:
    """`platform` is null where the widths are those of no known one. `renamed` are tensors that are read under other
    names, and `notes` what a person should know of it."""

    platform: str | None
    prediction: Prediction = "epsilon"
    zero_snr: bool = False
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    notes: tuple[str, ...] = ()


def is_checkpoint(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a file holds a model, and no adapter."""
    transformers = (start for family in ARCHITECTURES.values() for start in family.files.transformer_prefixes)
    starts = (_UNET, *transformers)
    return any(name.startswith(starts) and "lora" not in name for name in tensors)


def describe(header: Header) -> Checkpoint:
    """What the file is.

    Raises:
        NotACheckpoint: no picture can be made with it, by the first tensor that tells.
    """
    tensors = header.tensors
    _check_strangers(tensors)
    platform = checkpoint_platform(tensors)
    _check_kind(tensors)
    velocity = "v_pred" in tensors or header.metadata.get("modelspec.prediction_type", "").lower().startswith("v")
    zero_snr = velocity and "ztsnr" in tensors
    renamed = {
        name: new for name in tensors if (new := _OLD_TEXT_ENCODER.sub(r"\1.transformer.text_model.", name)) != name
    }
    return Checkpoint(
        platform,
        "v_prediction" if velocity else "epsilon",
        zero_snr,
        renamed,
        tuple(_notes(tensors, velocity, zero_snr, renamed)),
    )


def checkpoint_platform(tensors: Mapping[str, Tensor]) -> str | None:
    """The platform of a checkpoint, or null where its widths are those of no known one.

    Raises:
        NotACheckpoint: it lacks parts that a picture needs.
    """
    if not any(name.startswith(f"{_UNET}input_blocks.") for name in tensors):
        raise NotACheckpoint("it holds a transformer alone, without the text encoders that belong to it")
    missing = [
        (part, starts, hint)
        for part, starts, hint in (
            ("an image decoder", (DECODER,), "get the version of it that has the VAE in the same file"),
            ("a text encoder", ("cond_stage_model.", "conditioner."), "get the whole of it, not the denoiser alone"),
        )
        if not any(name.startswith(starts) for name in tensors)
    ]
    if missing:
        parts, begins, hints = zip(*missing, strict=True)
        told = " or ".join(repr(start) for starts in begins for start in starts)
        raise NotACheckpoint(f"it lacks {' and '.join(parts)} (no tensor begins with {told})", hints[-1])
    widths = {
        tensor.shape[1]
        for name, tensor in tensors.items()
        if name.startswith(_UNET) and name.endswith("attn2.to_k.weight") and len(tensor.shape) == 2
    }
    return platform_of_text_width(widths.pop()) if len(widths) == 1 else None


def _check_strangers(tensors: Iterable[str]) -> None:
    """Refuse tensors that would be left out without a word, or read as what they are not."""
    for name in tensors:
        if _LORA.search(name):
            raise NotACheckpoint(
                f"a LoRA is mixed into it ({name!r}), which would not act",
                "get the checkpoint without it, and add the LoRA as a file of its own",
            )
        if _SCALED.search(name):
            raise NotACheckpoint(
                f"its weights are fp8 numbers with scales beside them ({name!r})", "get it in fp16 or bf16"
            )
        if name in _EDM:
            raise NotACheckpoint(
                f"it was trained with another kind of noise (EDM, {name!r}), which no sampler here takes away",
                "choose another model",
            )


def _check_kind(tensors: Mapping[str, Tensor]) -> None:
    """Refuse models of a family that make no picture from words alone."""
    first = tensors.get(_FIRST_LAYER)
    if first is not None and len(first.shape) == 4 and first.shape[1] != _CHANNELS:
        what = _OTHER_CHANNELS.get(first.shape[1], "a model of another kind")
        raise NotACheckpoint(
            f"it is {what}: {_FIRST_LAYER!r} reads {first.shape[1]} channels, and one for pictures {_CHANNELS}",
            "add the ordinary checkpoint: with --mask it inpaints as well",
        )
    second = next((name for name in tensors if name.startswith("conditioner.embedders.0.model.")), None)
    if second is not None and not any(name.startswith("conditioner.embedders.1.") for name in tensors):
        raise NotACheckpoint(
            f"it is the refiner of SDXL, which makes no picture of its own (its one text encoder is {second!r})",
            "add the base model, and refine with --refine",
        )
    other = next((name for name in tensors if name.startswith("cond_stage_model.model.")), None)
    if other is not None:
        raise NotACheckpoint(
            f"it is for Stable Diffusion 2, which is not supported (its text encoder has {other!r})",
            "choose one for Stable Diffusion 1.5 or SDXL",
        )


def _notes(tensors: Mapping[str, Tensor], velocity: bool, zero_snr: bool, renamed: Mapping[str, str]) -> Iterable[str]:
    if velocity:
        yield "it predicts velocity (v-prediction)" + (", with zero terminal SNR" if zero_snr else "") + ": sampled so"
    if renamed:
        yield "its text encoder has names of older programs: a copy with today's names is kept"
    if any(name.startswith(_UNET) and tensor.dtype.startswith("F8") for name, tensor in tensors.items()):
        yield "its weights are fp8 numbers: they are read as they are, less exact than fp16"
