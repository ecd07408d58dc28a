"""The settings, read once per command; what is wrong with them is said in their own words."""

import tomllib
from typing import Any

from pydantic import ValidationError

from agents.doors.cli.errors import bad_input
from agents.shared.settings import Settings, default_home

SECRETS = frozenset({"nats_url", "hub_token"})
"""Settings that may carry a password: their values are not repeated."""


def load_settings(**flags: Any) -> Settings:
    """Settings from flags, then the environment, then `bottega.toml`; a flag that is null was not given.

    Raises:
        Failure: a value is not allowed, or the file is not TOML.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        flag = f"--{name.replace('_', '-')}" if name in given else f"BOTTEGA_{name.upper()}"
        value = "what it is" if name in SECRETS else repr(first["input"])
        raise bad_input(
            f"{name} cannot be {value}: {first['msg']}",
            hint=f"mend {flag}" if name in given else f"mend {flag} or {name} in {default_home() / 'bottega.toml'}",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise bad_input(
            f"{default_home() / 'bottega.toml'} is not TOML: {error}", hint="mend the line it names"
        ) from None
