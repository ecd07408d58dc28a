"""The version of a model or an adapter: a hash over its weight files.

A file is read once and its hash kept by path, size and time of change, since large models take a while to read.
"""

import hashlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path

import msgspec

VERSION_DIGITS = 12
"""Hexadecimal digits of a version."""


MAX_QUICK_BYTES = 64 * 1024 * 1024
"""What is read in a fraction of a second."""


def version_of(place: Path, kept: Path, settings: str = "") -> str:
    """The version of a folder of safetensors files, or of one such file, used with `settings`; `kept` is the file of
    known hashes."""
    known = _load_hashes(kept)
    files = _files_by_key(place)
    fresh = {key: sha256_of(file) for key, file in files.items() if key not in known}
    if fresh:
        _save_hashes(kept, known | fresh)
    return _combine_hashes(place, files, known | fresh, settings)


def known_version(place: Path, kept: Path, settings: str = "", quick_bytes: int = MAX_QUICK_BYTES) -> str | None:
    """The version as far as it is known at once; null where more than `quick_bytes` of files that are new or have
    changed would have to be read."""
    known, files = _load_hashes(kept), _files_by_key(place)
    unread = sum(file.stat().st_size for key, file in files.items() if key not in known)
    return version_of(place, kept, settings) if files and unread <= quick_bytes else None


def _files_by_key(place: Path) -> dict[str, Path]:
    """The weight files in their order, by the key under which their hash is kept."""
    files = [place] if place.is_file() else sorted(place.rglob("*.safetensors"))
    return {f"{file.absolute()}:{(found := file.stat()).st_size}:{found.st_mtime_ns}": file for file in files}


def _combine_hashes(place: Path, files: Mapping[str, Path], known: Mapping[str, str], settings: str) -> str:
    total = hashlib.sha256(settings.encode())
    for key, file in files.items():
        name = file.name if file == place else file.relative_to(place).as_posix()
        total.update(f"{name}:{known[key]}\n".encode())
    return total.hexdigest()[:VERSION_DIGITS]


def sha256_of(file: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _load_hashes(kept: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(kept.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return {}


def _save_hashes(kept: Path, known: dict[str, str]) -> None:
    """Replace the file in one step: a reader, another thread or a second generator, sees the old one or the new one."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
    part.write_bytes(msgspec.json.encode(known))
    part.replace(kept)
