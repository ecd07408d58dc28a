"""`bottega config`: every setting, its value, and where that comes from."""

import sys
import tomllib
from collections.abc import Collection, Mapping
from typing import Any, cast

from msgspec import Struct
from pydantic import SecretStr
from rich.table import Table
from rich.text import Text

from agents.doors.cli.settings import load_settings
from agents.doors.cli.terminal.console import open_console
from agents.doors.cli.workshop.hidden import hide_credentials
from agents.shared.settings import Settings, default_home, variable_names
from protocol.codec import encode

HIDDEN = "(hidden)"
FILE = "bottega.toml"


class SettingValue(Struct, frozen=True, kw_only=True):
    """One setting. `source` is `default`, `bottega.toml` or the name of the variable; `help` says what it is for."""

    name: str
    value: Any
    source: str
    help: str | None = None


class Configuration(Struct, frozen=True, kw_only=True):
    """What `bottega config --json` prints. `file` may give settings, whether it is there or not."""

    file: str
    settings: list[SettingValue]


def show_config(json: bool) -> None:
    """Show the settings that a command in this shell would work with; secrets are hidden."""
    shown = configuration_of(load_settings(), variable_names())
    if json:
        sys.stdout.write(encode(shown).decode() + "\n")
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in shown.settings:
        value = "-" if one.value is None else str(one.value)
        table.add_row(
            one.name, Text(value, overflow="fold"), one.source, style="dim" if one.source == "default" else ""
        )
    console = open_console()
    console.print(table, markup=False)
    console.print(f"\nset one in {shown.file}, or as BOTTEGA_ and its name in capitals", soft_wrap=True, markup=False)


def configuration_of(settings: Settings, variables: Collection[str]) -> Configuration:
    """Every setting, in the order in which they are declared."""
    file = default_home() / FILE
    in_file = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    given = {name.upper(): name for name in variables}
    return Configuration(
        file=str(file),
        settings=[
            SettingValue(
                name=name,
                value=shown_value(getattr(settings, name)),
                source=source_of(name, given, in_file),
                help=field.description,
            )
            for name, field in Settings.model_fields.items()
        ],
    )


def source_of(name: str, variables: Mapping[str, str], in_file: Collection[str]) -> str:
    """Where a setting comes from; `variables` are the environment's, by their names in capitals."""
    if (variable := variables.get(f"BOTTEGA_{name.upper()}")) is not None:
        return variable
    return FILE if name in in_file else "default"


def shown_value(value: Any) -> Any:
    """A value as JSON has it, without what is secret: keys and tokens whole, of an address the password."""
    match value:
        case SecretStr():
            return HIDDEN
        case dict():
            return dict.fromkeys(cast("dict[str, Any]", value), HIDDEN)
        case str():
            return hide_credentials(value)
        case None | bool() | int() | float():
            return value
        case _:
            return str(value)
