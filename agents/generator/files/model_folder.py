# pyright: basic
"""A model's folder: a diffusers folder whose weights lie in the folders of its parts, or all of them in
`checkpoint.safetensors`, as model sites offer them. Safetensors alone are read, no code, nothing from the network."""

from pathlib import Path
from typing import Any

import torch

from agents.generator.files.checkpoint_file import SINGLE_FILE
from agents.generator.files.safetensors_header import CHECKPOINT_BOUNDS, read_header


def read_pipeline(pipeline_class: Any, folder: Path, dtype: torch.dtype) -> Any:
    """The pipeline of a folder, on the CPU.

    Raises:
        Exception: the folder is not complete, or foreign; diffusers and transformers raise anything about that.
    """
    file = folder / SINGLE_FILE
    if file.is_file():
        read_header(file, CHECKPOINT_BOUNDS)
        # Without `config` diffusers would ask the hub for the configuration, even where it is told not to.
        return pipeline_class.from_single_file(file, config=str(folder), local_files_only=True, dtype=dtype)
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
