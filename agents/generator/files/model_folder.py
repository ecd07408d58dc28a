# pyright: basic
"""A model's folder: a diffusers folder whose weights lie in the folders of its parts, or all of them in
`checkpoint.safetensors`, as model sites offer them. Safetensors alone are read, no code, nothing from the network."""

from pathlib import Path
from typing import Any

import torch

from agents.generator.files.checkpoint_file import SINGLE_FILE
from agents.generator.files.json_object import read_object
from agents.generator.files.part_configurations import find_fault
from agents.generator.files.safetensors_header import CHECKPOINT_BOUNDS, read_header


def read_pipeline(pipeline_class: Any, folder: Path, dtype: torch.dtype) -> Any:
    """The pipeline of a folder, on the CPU.

    Raises:
        Exception: the folder is not complete, or foreign; diffusers and transformers raise anything about that.
    """
    if fault := folder_fault(folder):
        raise ValueError(fault)
    file = folder / SINGLE_FILE
    if file.is_file():
        read_header(file, CHECKPOINT_BOUNDS)
        # Without `config` diffusers would ask the hub for the configuration, even where it is told not to.
        pipeline = pipeline_class.from_single_file(file, config=str(folder), local_files_only=True, dtype=dtype)
    else:
        pipeline = _read_parts(pipeline_class, folder, dtype)
    _check_vocabularies(pipeline)
    return pipeline


def folder_fault(folder: Path) -> str | None:
    """Why no picture can be made with a folder, as far as its configurations tell; null where nothing is seen."""
    return find_fault(read_object(folder / "model_index.json") or {}, lambda path: read_object(folder / path))


def _check_vocabularies(pipeline: Any) -> None:
    """Refuse a tokenizer that knows words which its encoder has no place for.

    Raises:
        ValueError: there is one.
    """
    for end in ("", "_2", "_3"):
        encoder, tokenizer = (getattr(pipeline, f"{kind}{end}", None) for kind in ("text_encoder", "tokenizer"))
        if encoder is None or tokenizer is None:
            continue
        places = encoder.get_input_embeddings().weight.shape[0]
        if len(tokenizer) > places:
            raise ValueError(f"tokenizer{end} knows {len(tokenizer)} words, and text_encoder{end} {places}")


def _read_parts(pipeline_class: Any, folder: Path, dtype: torch.dtype) -> Any:
    return pipeline_class.from_pretrained(
        folder,
        dtype=dtype,
        # Parts that have no files of that variant are read without it.
        variant="fp16" if any(_is_half(part) for part in folder.iterdir()) else None,
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
    )


def _is_half(part: Path) -> bool:
    """Whether the weights of a part are there in half precision alone; of large ones in several files."""
    names = [file.name for file in part.glob("*.safetensors")]
    return bool(names) and all(".fp16" in name for name in names)


WeightFiles = tuple[tuple[Path, int, int], ...]
"""The files with weights in a folder, each with its size and time of change."""


def weight_files(folder: Path) -> WeightFiles:
    """What tells the weights in a folder from those that replaced them."""
    files = ((file, file.stat()) for file in sorted(folder.rglob("*.safetensors")))
    return tuple((file, found.st_size, found.st_mtime_ns) for file, found in files)


def weight_bytes(folder: Path) -> int:
    """Bytes of the weights in a folder, in the precision of its files."""
    return sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
