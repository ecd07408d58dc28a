"""The command line is quick to answer, because what is heavy is imported by the command that needs it."""

import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from agents.doors.cli.app import app
from agents.doors.cli.other_spellings import OTHER_SPELLINGS
from tests.doors.cli.conftest import Home

HEAVY = (
    "torch",
    "diffusers",
    "transformers",
    "nats",
    "sqlalchemy",
    "pydantic_settings",
    "opentelemetry",
    "PIL",
    "openai",
)


@pytest.mark.parametrize("arguments", [["--help"], ["generate", "--help"], ["models", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]):
    program = f"""
import sys
from agents.doors.cli.app import app
try:
    app({arguments!r})
except SystemExit as end:
    assert end.code == 0
print("heavy:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    ).stdout
    assert said.splitlines()[-1] == "heavy: []"
    assert "Usage:" in said


def whole() -> TyperGroup:
    """The command line as one group."""
    found = get_command(app)
    assert isinstance(found, TyperGroup)
    return found


def shown_flags(group: TyperGroup) -> Iterator[str]:
    """The flags of every command, without their dashes."""
    for command in group.commands.values():
        if isinstance(command, TyperGroup):
            yield from shown_flags(command)
        for option in command.params:
            yield from (spelling.lstrip("-") for spelling in option.opts if spelling.startswith("-"))


def test_every_command_is_in_a_group_of_the_help() -> None:
    panels = {name: getattr(command, "rich_help_panel", None) for name, command in whole().commands.items()}
    assert [name for name, panel in panels.items() if not isinstance(panel, str)] == []


def test_one_thing_has_one_flag_whose_other_spellings_are_understood_and_not_shown(home: Home) -> None:
    shown = set(shown_flags(whole()))
    assert set(OTHER_SPELLINGS.values()) <= shown
    assert not shown & set(OTHER_SPELLINGS)
    assert home.run("amend", "gen_x", "--negative-prompt", "blur").returncode == 3
    assert home.run("amend", "gen_x", "--negative", "blur").returncode == 3
    for spelling in ("--catalogs", "--catalogues"):
        assert "no catalogue is named" in home.run("batch", "start", spelling, "").stderr


def test_the_version_is_that_of_the_package(home: Home) -> None:
    assert home.run("--version").stdout == f"bottega {importlib.metadata.version('bottega')}\n"
