"""Files in the folders of catalogues and combos that are not read, so that a plan can say what it leaves out."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from agents.shared.picture_formats import FORMATS, UNREAD_SUFFIXES

SHOWN_NAMES = 5
"""Names in one sentence."""


def unread_pictures(folder: Path) -> list[Path]:
    """The pictures of a folder in formats that are not read."""
    return [file for file in _files_in(folder) if file.suffix.lower() in UNREAD_SUFFIXES]


def unread_prompts(folder: Path) -> list[Path]:
    """The files of a catalogue that are no prompts."""
    return [file for file in _files_in(folder) if file.suffix.lower() != ".md"]


def unread_warnings(catalogues: Iterable[Path], combo_pictures: Sequence[Path]) -> list[str]:
    """One sentence for each folder that holds something which is left out."""
    found = [(folder.name, unread_prompts(folder), "prompts are .md files") for folder in catalogues]
    for folder in dict.fromkeys(file.parent for file in combo_pictures):
        files = [file for file in combo_pictures if file.parent == folder]
        found.append(("/".join(folder.parts[-3:]), files, f"pictures are {', '.join(FORMATS)} files"))
    return [f"{where}: not read: {name_list(files)}; {rule}" for where, files, rule in found if files]


def name_list(files: Sequence[Path]) -> str:
    """The names of files, the first few of many."""
    more = len(files) - SHOWN_NAMES
    return ", ".join(file.name for file in files[:SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")


def _files_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
