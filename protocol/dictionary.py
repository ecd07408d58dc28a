"""zstd dictionaries of messages between agents: several can be read, one is written.

A frame names the id of its dictionary. `dictionaries.json` says which ids there are, each with the SHA-256 of the file
that stands beside it, and which one is written. A released dictionary never changes: frames that need it lie in
streams. `python -m protocol.dictionary_training` makes one.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec
import zstandard

FOLDER = Path(__file__).parent
LEVEL = 3
"""Compression level of all that is written."""


class Registry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`dictionaries.json`: the id of the dictionary that is written, and id -> SHA-256 of each."""

    written: int
    sha256: dict[int, str]


def registry_file(folder: Path = FOLDER) -> Path:
    """Where the registry is."""
    return folder / "dictionaries.json"


def dictionary_file(dictionary: int, folder: Path = FOLDER) -> Path:
    """Where the dictionary of an id is."""
    return folder / f"dictionary_{dictionary}.zdict"


def registry(folder: Path = FOLDER) -> Registry:
    """The registry as it is on the disk."""
    return msgspec.json.decode(registry_file(folder).read_bytes(), type=Registry)


def load(registered: Registry, folder: Path = FOLDER) -> Mapping[int, zstandard.ZstdCompressionDict]:
    """Id -> dictionary, each prepared so that threads may share it.

    Raises:
        ValueError: a file is not the one that is registered.
    """
    dictionaries = {one: _checked(one, digest, folder) for one, digest in registered.sha256.items()}
    dictionaries[registered.written].precompute_compress(level=LEVEL)  # pyright: ignore[reportUnknownMemberType]
    return dictionaries


def _checked(dictionary: int, digest: str, folder: Path) -> zstandard.ZstdCompressionDict:
    content = dictionary_file(dictionary, folder).read_bytes()
    prepared = zstandard.ZstdCompressionDict(content, dict_type=zstandard.DICT_TYPE_FULLDICT)
    if hashlib.sha256(content).hexdigest() != digest or prepared.dict_id() != dictionary:
        raise ValueError(f"{dictionary_file(dictionary, folder)} is not the dictionary that is registered")
    frame = zstandard.ZstdCompressor(dict_data=prepared).compress(b"")
    zstandard.ZstdDecompressor(dict_data=prepared).decompress(frame)  # its tables are made once, before any thread
    return prepared
