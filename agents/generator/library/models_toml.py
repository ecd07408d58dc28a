"""Entries of a person's `models.toml`, put in and taken out so that their comments, order and layout stay."""

from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import cast

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable

from agents.generator.registry.registry import RegistryError
from bus.durable_files import replace_file


def with_entry(text: str, table: str, fields: Mapping[str, object]) -> str:
    """The text with a new entry `[table]`, such as `models.mine`, at its end; an entry of a kind that is one inline
    table joins that."""
    document = cast("MutableMapping[str, object]", tomlkit.parse(text))
    kind, _, name = table.partition(".")
    entries = document.get(kind)
    if isinstance(entries, InlineTable):
        entries[name] = dict(fields)
        return tomlkit.dumps(document)
    start = f"{text.rstrip()}\n\n" if text.strip() else ""
    return start + tomlkit.dumps({kind: {name: fields}})


def without_entry(text: str, table: str) -> str:
    """The text without the entry `[table]`; unchanged where it has none."""
    document = cast("MutableMapping[str, object]", tomlkit.parse(text))
    kind, _, name = table.partition(".")
    entries = cast("MutableMapping[str, object]", document.get(kind, {}))
    if name not in entries:
        return text
    del entries[name]
    return tomlkit.dumps(document)


def rewrite(file: Path, altered: Callable[[str], str], check: Callable[[Path], object]) -> None:
    """Replace the file in one step by its text as `altered`, once `check` has read the new one without an error.

    Raises:
        RegistryError: the old text is no TOML, or the new one is not what a generator could read; the file stays as it
            was.
    """
    before = file.read_text(encoding="utf-8") if file.is_file() else ""
    try:
        after = altered(before)
    except TOMLKitError as error:
        raise RegistryError(file, "", f"not TOML: {error}") from error
    replace_file(file, after.encode(), check=check)
