"""Entries of a person's `models.toml`, put in and taken out as text, so that their comments and order stay."""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from agents.generator.registry.registry import RegistryError

_TABLE = re.compile(r"^\s*\[")


def with_entry(text: str, table: str, fields: Mapping[str, object]) -> str:
    """The text with `[table]` at its end, such as `models.mine`. Fields are text, numbers and truth values."""
    # A JSON text, number or truth value is one of TOML too.
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    start = f"{text.rstrip()}\n\n" if text.strip() else ""
    return start + "\n".join([f"[{table}]", *lines]) + "\n"


def without_entry(text: str, table: str) -> str:
    """The text without `[table]` and the lines up to the next table; unchanged where it has none."""
    kept: list[str] = []
    inside = False
    for line in text.splitlines(keepends=True):
        if _TABLE.match(line):
            inside = _table_name(line) == table
        if not inside:
            kept.append(line)
    return "".join(kept)


def rewrite(file: Path, altered: Callable[[str], str], check: Callable[[Path], object]) -> None:
    """Replace the file in one step by its text as `altered`, once `check` has read the new one without an error.

    Raises:
        RegistryError: the new text is not one that a generator could read; the file stays as it was.
    """
    before = file.read_text(encoding="utf-8") if file.is_file() else ""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}")
    part.write_text(altered(before), encoding="utf-8")
    try:
        check(part)
    except RegistryError:
        part.unlink()
        raise
    part.replace(file)


def _table_name(line: str) -> str:
    """The table that a heading such as `[models."mine"]  # mine` opens."""
    inner = line.strip().lstrip("[").partition("]")[0]
    return ".".join(part.strip().strip("\"'") for part in inner.split("."))
