"""Whether the files of a model are still those that were pulled or added."""

from pathlib import Path

from agents.generator.files.checkpoint_file import SINGLE_FILE
from agents.generator.library.hub_files import HubFile
from agents.generator.library.pull import has_promised_hash, origin_of


def verify_files(place: Path, sha256: str | None) -> tuple[int, list[str]]:
    """How many files have a known hash, and which of them are gone or changed. `sha256` is that of weights that are
    one file; the hashes of a folder that was pulled stand in it."""
    origin = origin_of(place)
    if origin is not None:
        known = [(place / path, digest) for path, digest in origin.files.items()]
    elif sha256 is not None:
        known = [(place / SINGLE_FILE if place.is_dir() else place, sha256)]
    else:
        known = []
    return len(known), [str(file) for file, digest in known if not _is_unchanged(file, digest)]


def _is_unchanged(file: Path, digest: str) -> bool:
    if not file.is_file():
        return False
    # git's hashes have 40 digits.
    promised = HubFile(file.name, file.stat().st_size, *((digest, None) if len(digest) == 64 else (None, digest)))
    return has_promised_hash(file, promised)
