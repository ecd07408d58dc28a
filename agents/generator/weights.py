"""The version of a model or an adapter: a hash over its weight files.

A file is read once and its hash kept by path, size and time of change, since large models take a while to read.
"""

import hashlib
import os
from pathlib import Path

import msgspec

DIGITS = 12
"""Hexadecimal digits of a version."""


def version(place: Path, kept: Path) -> str:
    """The version of a folder of safetensors files, or of one such file; `kept` is the file of known hashes."""
    files = [place] if place.is_file() else sorted(place.rglob("*.safetensors"))
    known = _load(kept)
    fresh: dict[str, str] = {}
    total = hashlib.sha256()
    for file in files:
        status = file.stat()
        key = f"{file.absolute()}:{status.st_size}:{status.st_mtime_ns}"
        digest = known.get(key) or fresh.setdefault(key, _digest(file))
        name = file.name if file == place else file.relative_to(place).as_posix()
        total.update(f"{name}:{digest}\n".encode())
    if fresh:
        _save(kept, known | fresh)
    return total.hexdigest()[:DIGITS]


def _digest(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _load(kept: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(kept.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return {}


def _save(kept: Path, known: dict[str, str]) -> None:
    """Replace the file in one step: a reader, or a second generator, sees the old one or the new one."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(msgspec.json.encode(known))
    part.replace(kept)
