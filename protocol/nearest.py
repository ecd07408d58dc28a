"""Validation failures in words a client can act on: the code, the path, and the nearest known name.

Pure module.
"""

import re
import types
import typing
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import msgspec

from protocol.commands import Command
from protocol.errors import BadCommand, Code

_AT = re.compile(r"^(?P<message>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN_FIELD = re.compile(r"unknown field `(?P<name>.*)`", re.DOTALL)
_MISSING_FIELD = re.compile(r"missing required field `(?P<name>[^`]*)`")
_BAD_TAG = re.compile(r"^Invalid value (?P<name>.*)$", re.DOTALL)

COMMAND_TYPES: dict[str, type[msgspec.Struct]] = {
    str(kind.__struct_config__.tag): kind for kind in typing.get_args(Command)
}
"""`cmd` -> command type."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that offers the nearest known name, or lists the known ones."""
    names = sorted(known)
    close = get_close_matches(name[:64], names, n=1, cutoff=0.6) or get_close_matches(
        name[:64].lower(), [candidate.lower() for candidate in names], n=1, cutoff=0.6
    )
    if close:
        exact = next(candidate for candidate in names if candidate.lower() == close[0].lower())
        return f"did you mean {exact}?"
    if len(names) <= 24:
        return f"known: {', '.join(names)}"
    return f"known: {', '.join(names[:24])}, …"


def bad_command(error: msgspec.ValidationError, data: bytes) -> BadCommand:
    """The error of a command that msgspec refused."""
    match = _AT.match(str(error))
    message, path = (match["message"], match["path"] or "$") if match else (str(error), "$")
    if unknown := _UNKNOWN_FIELD.search(message):
        name = unknown["name"]
        return BadCommand(
            "unknown_field",
            f"the field {name[:64]!r} is not known",
            path=f"{path}.{name[:64]}",
            hint=nearest(name, _field_names(_command_type(data), path)),
        )
    if missing := _MISSING_FIELD.search(message):
        name = missing["name"]
        code: Code = "unknown_command" if name == "cmd" else "missing_field"
        hint = nearest("", COMMAND_TYPES) if name == "cmd" else f"give {name}"
        return BadCommand(code, f"the field {name!r} is missing", path=f"{path}.{name}", hint=hint)
    if path == "$.cmd" and (tag := _BAD_TAG.match(message)):
        name = tag["name"].strip("'")
        return BadCommand(
            "unknown_command", f"the command {name[:64]!r} is not known", path="$.cmd", hint=nearest(name, COMMAND_TYPES)
        )
    return BadCommand("invalid_value", message[:300], path=path)


def _command_type(data: bytes) -> type[msgspec.Struct] | None:
    try:
        raw = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        return COMMAND_TYPES.get(msgspec.json.decode(raw["cmd"], type=str))
    except (msgspec.DecodeError, KeyError):
        return None


def _field_names(kind: type[msgspec.Struct] | None, path: str) -> list[str]:
    """Field names of the object that `path`, such as `$.loras[...].weight`, leads to."""
    current: Any = kind
    for step in path.split(".")[1:]:
        current = _struct_in(current)
        if current is None:
            return []
        name = step.split("[", 1)[0]
        current = next((field.type for field in msgspec.structs.fields(current) if field.encode_name == name), None)
    struct = _struct_in(current)
    names = [field.encode_name for field in msgspec.structs.fields(struct)] if struct else []
    return [*names, "cmd"] if path == "$" else names


def _struct_in(annotation: Any) -> type[msgspec.Struct] | None:  # noqa: ANN401
    """The struct inside an annotation such as `list[Lora]`, `Annotated[…]` or `Sweep | None`."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return annotation
    if typing.get_origin(annotation) in (typing.Annotated, typing.Union, types.UnionType, list, dict):
        for argument in typing.get_args(annotation):
            if found := _struct_in(argument):
                return found
    return None
