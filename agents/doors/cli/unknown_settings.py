"""Settings that nobody reads, because their names are misspelt. Pure module."""

from collections.abc import Iterable

from protocol.nearest import nearest

PREFIX = "BOTTEGA_"
OTHER_VARIABLES = ("FAILPOINT",)
"""Variables that are read and are no settings."""


def unknown_variables(environment: Iterable[str], known: Iterable[str]) -> list[str]:
    """A sentence for each variable of the environment that no setting is given by."""
    names = [name.upper() for name in (*known, *OTHER_VARIABLES)]
    ours = [(name, name.upper().removeprefix(PREFIX)) for name in sorted(environment) if is_ours(name)]
    return [f"{name} is no setting{_guess(setting, names, PREFIX)}" for name, setting in ours if setting not in names]


def is_ours(variable: str) -> bool:
    """Whether a variable is meant for this program; case does not count, as for settings."""
    return variable.upper().startswith(PREFIX)


def unknown_keys(file: str, keys: Iterable[str], known: Iterable[str]) -> list[str]:
    """A sentence for each key of the file of settings that is none."""
    names = list(known)
    return [f"{key} in {file} is no setting{_guess(key, names)}" for key in keys if key not in names]


def _guess(name: str, known: Iterable[str], prefix: str = "") -> str:
    """The nearest name, where one is near."""
    before, asked, guess = nearest(name, known).partition("did you mean ")
    return f"; {asked}{prefix}{guess}" if asked and not before else ""
