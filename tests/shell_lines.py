"""Whether a shell line could be run as it stands: the command, its flags and values, the target, the module exist.
Nothing is run."""

import re
import shlex
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

import typer

ROOT = Path(__file__).parent.parent

ASSIGNMENT = re.compile(r"[A-Z_]+=")

WrongUsage = cast("type[Exception]", typer.BadParameter.__mro__[1])
"""What Typer's parser raises for flags that do not exist, values that cannot be read, and arguments too few or many; it
is exported through its subclass alone."""


def fault_of(line: str) -> str | None:
    """Why a line cannot be run, or None. A program that is not known here counts as a fault."""
    words = shlex.split(line, comments=True)
    while words and ASSIGNMENT.match(words[0]):
        words = words[1:]
    if not words:
        return None
    if (check := CHECKS.get(words[0])) is None:
        return f"{words[0]}: nothing here knows whether this works; mark the block with <!-- not run: reason -->"
    return check(words[1:])


def unknown_flags(code: str) -> list[str]:
    """Flags that stand behind a command of `bottega` in running text, such as `bottega cancel HASH [--pending]`, and do
    not belong to it; the command itself where there is none of its name."""
    words = re.sub(r"\\?\||[\[\]]", " ", code).split()[1:]
    command, rest = _find_command(words)
    if rest and _subcommands(command) and re.fullmatch(r"[a-z-]+", rest[0]) and not rest[0].startswith("-"):
        return [rest[0]]
    flags = {option for parameter in command.params for option in parameter.opts + parameter.secondary_opts}
    return [word for word in rest if re.fullmatch(r"--?[a-z][a-z-]*", word) and word not in {*flags, "--help"}]


@cache
def targets() -> frozenset[str]:
    """Targets of the Makefile."""
    return frozenset(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def is_module(name: str) -> bool:
    """Whether `python -m` finds a module of the repository under this name."""
    path = ROOT / name.replace(".", "/")
    return path.with_name(f"{path.name}.py").exists() or (path / "__main__.py").exists()


@cache
def _bottega() -> Any:
    """The command line, as Typer's own types do not show it."""
    from typer.main import get_command

    from agents.doors.cli.app import app

    return cast("Any", get_command(app))


def _subcommands(command: Any) -> Mapping[str, Any]:
    return getattr(command, "commands", {})


def _find_command(words: Sequence[str]) -> tuple[Any, list[str]]:
    """The innermost command that the first words name, and the words behind them."""
    command, rest = _bottega(), list(words)
    while rest and rest[0] in _subcommands(command):
        command = _subcommands(command)[rest.pop(0)]
    return command, rest


def _fault_of_bottega(words: Sequence[str]) -> str | None:
    command, rest = _find_command(words)
    if rest == ["--help"]:
        return None
    if _subcommands(command) and rest and not rest[0].startswith("-"):
        return f"bottega {' '.join(words)}: there is no command {rest[0]}"
    try:
        command.make_context(command.name, rest)  # reads flags and values, and runs nothing
    except WrongUsage as error:
        return f"bottega {' '.join(words)}: {error}"
    return None


def _fault_of_make(words: Sequence[str]) -> str | None:
    unknown = [word for word in words if not ASSIGNMENT.match(word) and word not in targets()]
    return f"make: there is no target {unknown}" if unknown else None


def _fault_of_python(words: Sequence[str]) -> str | None:
    if words[:2] == ["-m", "pytest"]:
        return _fault_of_pytest(words[2:])
    if len(words) < 2 or words[0] != "-m" or not is_module(words[1]):
        return f"python: there is no module {words}"
    return None


def _fault_of_pytest(words: Sequence[str]) -> str | None:
    missing = [word for word in words if "/" in word and not (ROOT / word.split("::")[0]).exists()]
    return f"pytest: there is no {missing}" if missing else None


def _fault_of_pip(words: Sequence[str]) -> str | None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = {extra for word in words for extra in re.findall(r"\[([\w,]+)\]", word)}
    unknown = {name for extra in wanted for name in extra.split(",")} - set(extras)
    return f"pip: there is no extra {sorted(unknown)}" if unknown else None


def _no_fault(words: Sequence[str]) -> None:
    """Of the shell itself: what is assigned is checked as a name of a variable."""


CHECKS: Mapping[str, Callable[[Sequence[str]], str | None]] = {
    "bottega": _fault_of_bottega,
    "make": _fault_of_make,
    "python": _fault_of_python,
    "pytest": _fault_of_pytest,
    "pip": _fault_of_pip,
    "export": _no_fault,
    "source": _no_fault,
    "cd": _no_fault,
}
"""Program -> what finds the fault of its arguments."""
