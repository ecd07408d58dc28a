"""The names of the tensors in a LoRA file: those that diffusers finds them under, and those that no picture can use.
Pure module."""

import re
from collections.abc import Iterable, Mapping

from agents.generator.files.safetensors_header import Tensor

_PEFT_PREFIX = "base_model.model."
"""What peft's own `save_pretrained` puts before every name, and does not say of which part of a pipeline it is."""
_PARTS = ("unet.", "transformer.", "text_encoder")
_TEXT_LAYERS = ("text_model.", "encoder.layers.")
_KOHYA_PARTS = ("lora_unet_", "lora_te", "lora_transformer_")

_UNUSABLE: tuple[tuple[str, str, str], ...] = (
    (r"\.hada_\w+$", "a LoHa adapter", "plain"),
    (r"\.lokr_\w+$", "a LoKr adapter", "plain"),
    (r"\.oft_\w+$", "an OFT adapter", "plain"),
    (r"\.on_input$", "an IA3 adapter", "plain"),
    (r"\.dora_scale$", "a DoRA adapter", "plain"),
    (r"\.lora_mid(\.weight)?$", "a LoRA whose convolutions are split in three (Tucker)", "plain"),
    (r"\.[wb]_norm$", "a LoRA that changes normalisation layers as well", "plain"),
    (r"\.diff(_b)?(\.weight)?$", "a full-difference adapter", "plain"),
    (r"\.lora_\w+\.bias$", "a LoRA that changes biases as well", "plain"),
    (r"^bundle_emb\.", "a LoRA with the embedding of a word in the same file", "bundled"),
)
_HINTS = {
    "plain": "train or convert it to a plain LoRA (networks.lora, lora_down and lora_up alone), or add another one",
    "bundled": "save the LoRA without the embedding, and add the embedding as a file of its own",
}


class NotALora(ValueError):
    """The file holds something else, or a pair in it does not fit together. It is an adapter, of which not all can be
    used and so none is, where `hint` says what would help."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def loadable_names(tensors: Mapping[str, Tensor], denoiser: str = "unet") -> dict[str, str]:
    """The names of the tensors that count -> the names under which diffusers finds them; `denoiser` is what a pipeline
    calls its own. Empty tensors are marks of programs and left out."""
    full = [name for name, tensor in tensors.items() if 0 not in tensor.shape]
    mixed = any(".lora_A." in name for name in full) and any(".lora.down." in name for name in full)
    return {name: _loadable_name(name, denoiser, mixed) for name in full}


def check_usable(names: Iterable[str]) -> None:
    """Refuse what a LoRA is not made of, by the first tensor that shows it.

    Raises:
        NotALora: there is such a tensor.
    """
    for name in names:
        for pattern, what, hint in _UNUSABLE:
            if re.search(pattern, name):
                raise NotALora(f"it is {what} ({name!r}), of which only LoRA pairs could be used", _HINTS[hint])


def stray_error(name: str) -> NotALora:
    """A tensor that belongs to no pair."""
    return NotALora(f"the tensor {name!r} is no part of a LoRA pair", _HINTS["plain"])


def two_trainers_error(one: str, other: str) -> NotALora:
    """Layers that are named by two programs, of which diffusers would read those of one alone."""
    return NotALora(
        f"its layers are named in the ways of two trainers ({one!r} and {other!r}), of which one alone would act",
        "add the two LoRAs as files of their own",
    )


def _loadable_name(name: str, denoiser: str, mixed: bool) -> str:
    if name.startswith(_PEFT_PREFIX):
        inner = name.removeprefix(_PEFT_PREFIX)
        part = "text_encoder" if inner.startswith(_TEXT_LAYERS) else denoiser
        name = inner if inner.startswith(_PARTS) else f"{part}.{inner}"
    if name.startswith(_KOHYA_PARTS):
        return name.replace(".lora_A.", ".lora_down.").replace(".lora_B.", ".lora_up.")
    # diffusers' own `convert_state_dict_to_diffusers` writes convolutions beside attention in another way, and its
    # loader, which looks at the first name alone, then drops every layer of the other one.
    return name.replace(".lora.down.", ".lora_A.").replace(".lora.up.", ".lora_B.") if mixed else name
