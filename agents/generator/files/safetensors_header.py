"""A stranger's safetensors file, read without trust: header, shapes, offsets and sizes before a tensor is touched, then
every value. It needs numpy only, so a file can be checked where torch is not loaded.

Format: https://github.com/huggingface/safetensors (8 bytes of length, a JSON header, the tensors back to back).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from os import fstat
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct

Fault = Literal["not_safetensors", "too_large", "bad_header", "bad_tensor", "bad_offsets", "not_finite"]

DTYPE_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
    "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip
"""Size of one value by the format's name of its type. Types of less than a byte are not taken."""

_EXPONENTS = {"F8_E5M2": 0x7C, "F16": 0x7C00, "BF16": 0x7F80, "F32": 0x7F80_0000, "F64": 0x7FF0_0000_0000_0000}
"""Exponent bits, all set in an infinity and in what is no number. F8_E4M3 has no infinity and sets every bit."""

MAX_NAME_LENGTH = 512
MAX_DIMENSIONS = 8
CHUNK_BYTES = 1 << 24
"""Values are looked at 16 MiB at a time, whatever the size of the file."""


@dataclass(frozen=True)
class Bounds:
    """How large a file may be, in bytes, and how many tensors it may hold.

    Names of the largest checkpoints take less than 1 MB; trainers write megabytes of tags into a LoRA's header."""

    file: int
    header: int = 8 << 20
    tensors: int = 20_000


ADAPTER_BOUNDS = Bounds(file=4 << 30)
"""A LoRA of rank 128 over all of FLUX.1 is about 1.2 GB in half precision."""
CHECKPOINT_BOUNDS = Bounds(file=256 << 30)


class UnsoundFile(ValueError):
    """A file that will not be loaded; `fault` is a short code, the message says what was found."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault: Fault = fault


@dataclass(frozen=True)
class Tensor:
    """What the header says of one tensor; `begin` and `end` are bytes from the start of the data."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """A header that is consistent with the size of its file. `data` is the byte at which tensors begin."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]
    data: int


class _TensorEntry(Struct, forbid_unknown_fields=True):
    dtype: str
    shape: Annotated[list[Annotated[int, Meta(ge=0, le=1 << 40)]], Meta(max_length=MAX_DIMENSIONS)]
    data_offsets: tuple[Annotated[int, Meta(ge=0)], Annotated[int, Meta(ge=0)]]


def inspect_file(file: Path, bounds: Bounds, prefix: str = "") -> Header:
    """The header of a file that may be loaded: sizes within bounds, tensors back to back, every value a number in
    those whose names begin with `prefix`.

    Raises:
        Unsound: it may not.
        OSError: it cannot be read.
    """
    with file.open("rb") as handle:
        return inspect_opened(handle, fstat(handle.fileno()).st_size, bounds, prefix)


def inspect_opened(handle: BinaryIO, size: int, bounds: Bounds, prefix: str = "") -> Header:
    """As `inspect_file`, of a file that is open and has `size` bytes.

    Raises:
        Unsound: it may not be loaded.
        OSError: it cannot be read.
    """
    header = _read_header(handle, size, bounds)
    for name, tensor in header.tensors.items():
        if name.startswith(prefix) and not _is_finite(handle, header.data, tensor):
            raise UnsoundFile("not_finite", f"the tensor {name!r} holds values that are not numbers")
    return header


def read_header(file: Path, bounds: Bounds) -> Header:
    """As `inspect_file`, without looking at the values, which takes as long as reading the file.

    Raises:
        Unsound: the header does not describe the file, or either is too large.
        OSError: it cannot be read.
    """
    with file.open("rb") as handle:
        return _read_header(handle, fstat(handle.fileno()).st_size, bounds)


def _read_header(handle: BinaryIO, size: int, bounds: Bounds) -> Header:
    if size > bounds.file:
        raise UnsoundFile("too_large", f"{size} bytes, more than {bounds.file}")
    prefix = handle.read(9)
    length = int.from_bytes(prefix[:8], "little")
    if prefix[8:] != b"{" or length > size - 8:
        raise UnsoundFile("not_safetensors", f"{size} bytes that do not begin as a safetensors file does")
    if length > bounds.header:
        raise UnsoundFile("too_large", f"a header of {length} bytes, more than {bounds.header}")
    entries, metadata = _parse_header(b"{" + handle.read(length - 1))
    if len(entries) > bounds.tensors:
        raise UnsoundFile("too_large", f"{len(entries)} tensors, more than {bounds.tensors}")
    tensors = {name: _parse_tensor(name, entry) for name, entry in entries.items()}
    _check_offsets(tensors, size - 8 - length)
    return Header(tensors, metadata, 8 + length)


def _parse_header(text: bytes) -> tuple[dict[str, _TensorEntry], dict[str, str]]:
    try:
        # A name given twice would let two readers see two different files.
        content = json.loads(text, object_pairs_hook=_without_duplicates)
        metadata = content.pop("__metadata__", {})
        return msgspec.convert(content, dict[str, _TensorEntry]), msgspec.convert(metadata, dict[str, str])
    except RecursionError:
        raise UnsoundFile("bad_header", "the header is nested too deeply") from None
    except (ValueError, AttributeError) as error:
        # msgspec's ValidationError is a ValueError.
        raise UnsoundFile("bad_header", f"the header is not one of safetensors: {str(error)[:200]}") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a name is given twice")
    return content


def _parse_tensor(name: str, entry: _TensorEntry) -> Tensor:
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise UnsoundFile("bad_tensor", f"a tensor is called {name[:64]!r}")
    if entry.dtype not in DTYPE_BYTES:
        raise UnsoundFile("bad_tensor", f"the tensor {name!r} has the type {entry.dtype[:16]!r}, which is not taken")
    if len(entry.shape) > 1 and 0 in entry.shape:
        raise UnsoundFile("bad_tensor", f"the tensor {name!r} of shape {entry.shape} is empty")
    begin, end = entry.data_offsets
    if end - begin != prod(entry.shape) * DTYPE_BYTES[entry.dtype]:
        raise UnsoundFile("bad_tensor", f"the tensor {name!r} of shape {entry.shape} cannot fill {end - begin} bytes")
    return Tensor(entry.dtype, tuple(entry.shape), begin, end)


def _check_offsets(tensors: Mapping[str, Tensor], data_bytes: int) -> None:
    at = 0
    for begin, end in sorted((tensor.begin, tensor.end) for tensor in tensors.values()):
        if begin != at:
            raise UnsoundFile("bad_offsets", f"tensors overlap or leave a gap at byte {min(begin, at)}")
        at = end
    if at != data_bytes:
        raise UnsoundFile("bad_offsets", f"tensors fill {at} of {data_bytes} bytes; the file was cut off or added to")


def _is_finite(handle: BinaryIO, data: int, tensor: Tensor) -> bool:
    width = DTYPE_BYTES[tensor.dtype]
    exponent = _EXPONENTS.get(tensor.dtype)
    if exponent is None and tensor.dtype != "F8_E4M3":
        return True
    handle.seek(data + tensor.begin)
    for at in range(tensor.begin, tensor.end, CHUNK_BYTES):
        expected = min(CHUNK_BYTES, tensor.end - at)
        block = handle.read(expected)
        if len(block) < expected:
            raise UnsoundFile("bad_offsets", "the file became shorter while it was read")
        bits = np.frombuffer(block, f"<u{width}")
        mask = bits.dtype.type(0x7F if exponent is None else exponent)
        if ((bits & mask) == mask).any():
            return False
    return True
