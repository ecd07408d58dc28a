"""`bottega styles`: what the files of styles and style references say. Needs no workshop."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

from msgspec import Struct
from msgspec.structs import replace
from rich.table import Table
from rich.text import Text

from agents.doors.cli.errors import bad_input
from agents.doors.cli.settings import load_settings
from agents.doors.cli.terminal.console import open_console
from agents.doors.cli.terminal.logs import silence_logs
from agents.prompt.agent import reference_folders, style_folders
from agents.prompt.style import Style, StyleFileError, StyleReference, read_reference, read_style
from agents.shared.settings import Settings
from protocol.codec import encode
from protocol.nearest import nearest

Kind = Literal["style", "style reference"]


class StyleEntry(Struct, frozen=True, kw_only=True):
    """A line of `bottega styles --json`. `problem` says why a file cannot be used; then nothing else is known of it."""

    name: str
    kind: Kind
    path: str
    yours: bool
    version: str | None = None
    description: str | None = None
    problem: str | None = None


class StyleList(Struct, frozen=True, kw_only=True):
    """What `bottega styles --json` prints."""

    styles: list[StyleEntry]


class StyleDetails(Struct, frozen=True, kw_only=True):
    """What `bottega styles show --json` prints: what is set in the file, by its names."""

    name: str
    kind: Kind
    path: str
    content: dict[str, Any]


def list_styles(json: bool) -> None:
    """Show every style, then every style reference, by name."""
    silence_logs()
    settings = load_settings()
    entries = [_entry_of(*found) for found in _find_files(settings)]
    if json:
        sys.stdout.write(encode(StyleList(styles=entries)).decode() + "\n")
        return
    console = open_console()
    for kind, flag in (("style", "--style"), ("style reference", "--style-reference")):
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        for entry in (one for one in entries if one.kind == kind):
            said = f"cannot be used: {entry.problem}" if entry.problem else entry.description or ""
            table.add_row(entry.name, "yours" if entry.yours else "", Text(said))
        console.print(f"{kind}s, for {flag}:", style="bold")
        console.print(table)
    console.print(
        f"yours lie in {settings.home / 'styles'}; see one: bottega styles show NAME", style="dim", soft_wrap=True
    )


def show_style(name: str, json: bool) -> None:
    """Show what a file says; a style and a style reference of one name are both shown, the style first, in JSON on a
    line each.

    Raises:
        Failure: there is none of that name, or its file cannot be used.
    """
    silence_logs()
    files = list(_find_files(load_settings()))
    found = [_details_of(kind, path) for kind, path, _ in files if path.stem == name]
    if not found:
        raise bad_input(
            f"there is no style {name[:80]!r}; {nearest(name, [path.stem for _, path, _ in files])}",
            hint="see bottega styles",
        )
    if json:
        sys.stdout.writelines(encode(details).decode() + "\n" for details in found)
        return
    for details in found:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        for key, value in (("kind", details.kind), ("file", details.path), *_flat(details.content)):
            table.add_row(Text(key), Text(str(value), overflow="fold"))
        open_console().print(table)


def _find_files(settings: Settings) -> Iterator[tuple[Kind, Path, bool]]:
    """Each file that counts, and whether it is the person's own: theirs override packaged ones of the same name."""
    kinds: tuple[tuple[Kind, list[Path]], ...] = (
        ("style", style_folders(settings)),
        ("style reference", reference_folders(settings)),
    )
    for kind, folders in kinds:
        files = {path.stem: path for folder in folders for path in folder.glob("*.toml")}
        for _, path in sorted(files.items()):
            yield kind, path, path.is_relative_to(settings.home)


def _entry_of(kind: Kind, path: Path, yours: bool) -> StyleEntry:
    entry = StyleEntry(name=path.stem, kind=kind, path=str(path), yours=yours)
    try:
        read = _read(kind, path)
    except StyleFileError as error:
        return replace(entry, problem=str(error).removeprefix(f"{path}: "))
    return replace(entry, version=read.version, description=read.description)


def _details_of(kind: Kind, path: Path) -> StyleDetails:
    try:
        content = _read(kind, path).model_dump(exclude_unset=True, exclude={"name"})
    except StyleFileError as error:
        raise bad_input(str(error), hint="mend the file", path=str(path)) from None
    return StyleDetails(name=path.stem, kind=kind, path=str(path), content=content)


def _read(kind: Kind, path: Path) -> Style | StyleReference:
    return read_style(path) if kind == "style" else read_reference(path)


def _flat(content: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Each value with the path of its key; a list on one line."""
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flat(cast("dict[str, Any]", value), f"{before}{key}.")
        elif isinstance(value, list | tuple):
            yield f"{before}{key}", ", ".join(map(_word, cast("Sequence[Any]", value)))
        else:
            yield f"{before}{key}", str(value)


def _word(value: Any) -> str:
    return " ".join(map(str, cast("dict[str, Any]", value).values())) if isinstance(value, dict) else str(value)
