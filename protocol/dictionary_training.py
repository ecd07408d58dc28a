"""Trains the dictionary of messages between agents: `python -m protocol.dictionary_training [--replace]`.

It is trained on `protocol.dictionary_samples`, gets the next id and is written from then on; those before it can still
be read. `--replace` trains the newest again under its id, which only one that was never released bears. A golden frame
of each dictionary is put beside the others.
"""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import zstandard

from protocol.channels import DICTIONARY_MESSAGES
from protocol.components import members
from protocol.dictionary import FOLDER, LEVEL, Registry, dictionary_file, registry, registry_file
from protocol.dictionary_samples import messages
from protocol.messages import GenerateImage, Message

FRAMES = FOLDER.parent / "tests" / "protocol" / "golden"

SIZE = 8 * 1024
"""Bytes of a dictionary: with 4 KiB work is a tenth larger, with 16 KiB no smaller (`tests/bench/README.md`)."""

SAMPLES = 4000
SEED = 1

FIRST_ID = 32768
"""Ids below it are reserved for a registrar (RFC 8878, 6.1); up to 65535 one takes two bytes of a frame."""

KINDS = [kind for kind in members(Message) if kind in DICTIONARY_MESSAGES]
"""Types of the messages that are written with the dictionary."""

GOLDEN = "work_generate_image_2"
"""The frame that is kept once more with each dictionary."""


def train(samples: Sequence[bytes], dictionary: int, size: int = SIZE) -> bytes:
    """A dictionary; the same samples, id, size and version of zstd give the same one."""
    return zstandard.train_dictionary(size, list(samples), dict_id=dictionary, level=LEVEL).as_bytes()


def samples() -> list[bytes]:
    """What the dictionary is trained on: JSON of the messages that it compresses."""
    return [msgspec.json.encode(message) for message in messages(KINDS, SAMPLES, SEED)]


def add(content: bytes, registered: Registry, dictionary: int, folder: Path = FOLDER) -> None:
    """Write a dictionary and register it as the one that is written."""
    dictionary_file(dictionary, folder).write_bytes(content)
    digests = registered.sha256 | {dictionary: hashlib.sha256(content).hexdigest()}
    changed = msgspec.json.encode(Registry(written=dictionary, sha256=digests))
    registry_file(folder).write_bytes(msgspec.json.format(changed, indent=1) + b"\n")


def add_golden(content: bytes, dictionary: int, frames: Path = FRAMES) -> None:
    """Keep a frame that was compressed with the dictionary."""
    message = msgspec.json.decode((frames / f"{GOLDEN}.json").read_bytes(), type=GenerateImage)
    compressor = zstandard.ZstdCompressor(level=LEVEL, dict_data=zstandard.ZstdCompressionDict(content))
    (frames / f"{GOLDEN}_{dictionary}.zst").write_bytes(compressor.compress(msgspec.json.encode(message)))


def main() -> None:
    """Train, register, keep a frame, and say what was made."""
    parser = argparse.ArgumentParser(prog="python -m protocol.dictionary_training", description=__doc__)
    parser.add_argument("--replace", action="store_true", help="train the newest again: only one never released")
    replace: bool = parser.parse_args().replace
    registered = registry()
    dictionary = max(registered.sha256, default=FIRST_ID - 1) + (0 if replace else 1)
    content = train(samples(), dictionary)
    add(content, registered, dictionary)
    add_golden(content, dictionary)
    sys.stdout.write(f"{dictionary_file(dictionary).name}: {len(content)} bytes\n")


if __name__ == "__main__":
    main()
