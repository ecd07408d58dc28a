"""The settings, read once per command; what is wrong with them is said in their own words."""

import sys
import tomllib
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from agents.doors.cli.errors import bad_input
from agents.doors.cli.file_modes import protect_files
from agents.doors.cli.unknown_settings import unknown_keys, unknown_variables
from agents.shared.settings import Settings, default_home, variable_names

SECRETS = frozenset({"nats_url", "hub_token", "provider_keys"})
"""Settings that may carry a password or a key: their values are not repeated."""


def load_settings(**flags: Any) -> Settings:
    """As `read_settings`; those that nobody reads are pointed out on standard error, once per command.

    Raises:
        Failure: a value is not allowed, or the file is not TOML.
    """
    settings = read_settings(**flags)
    for sentence in find_unknown():
        _warn_once(sentence)
    return settings


@cache
def _warn_once(sentence: str) -> None:
    """A command may load its settings more than once."""
    sys.stderr.write(f"warning: {sentence}\n")


def find_unknown() -> list[str]:
    """A sentence for each variable and each key of `bottega.toml` that is no setting."""
    file, known = default_home() / "bottega.toml", Settings.model_fields
    keys = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return [*unknown_variables(variable_names(), known), *unknown_keys(str(file), keys, known)]


def read_settings(**flags: Any) -> Settings:
    """Settings from flags, then the environment, then `bottega.toml`; a flag that is null was not given.

    Raises:
        Failure: a value is not allowed, or the file is not TOML.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        settings = Settings(**given)
        protect_files(settings.shared_home)
        return settings
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        setting = name.split(".", maxsplit=1)[0]
        flag = f"--{name.replace('_', '-')}" if name in given else f"BOTTEGA_{setting.upper()}"
        value = "what it is" if setting in SECRETS else repr(first["input"])
        raise bad_input(
            f"{name} cannot be {value}: {first['msg']}",
            hint=f"mend {flag}" if name in given else f"mend {flag} or {name} in {default_home() / 'bottega.toml'}",
        ) from None
    except SettingsError as error:  # a variable that must hold JSON; its text does not repeat the value
        raise bad_input(str(error), hint='write it as JSON, such as {"NAME": "KEY"}') from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise bad_input(
            f"{default_home() / 'bottega.toml'} is not TOML: {error}", hint="mend the line it names"
        ) from None
