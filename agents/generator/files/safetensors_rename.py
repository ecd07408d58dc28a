"""A safetensors file with other names for its tensors, copied without reading a tensor into memory."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from agents.generator.files.safetensors_header import CHECKPOINT_BOUNDS, read_header

_ALIGNMENT = 8


def copy_renamed(file: Path, to: Path, names: Mapping[str, str]) -> None:
    """Write a copy of a file to `to`, with the tensors of `names` under their new ones.

    Raises:
        ValueError: the file is not sound, or two tensors would have one name.
        OSError: it cannot be read or written.
    """
    header = read_header(file, CHECKPOINT_BOUNDS)
    entries = {
        names.get(name, name): {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [tensor.begin, tensor.end],
        }
        for name, tensor in header.tensors.items()
    }
    if len(entries) < len(header.tensors):
        raise ValueError("two tensors would have one name")
    content = {"__metadata__": dict(header.metadata), **entries} if header.metadata else entries
    text = json.dumps(content, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    with file.open("rb") as source, to.open("xb") as target:
        target.write(len(text).to_bytes(8, "little") + text)
        source.seek(header.data)
        shutil.copyfileobj(source, target, 1 << 22)
