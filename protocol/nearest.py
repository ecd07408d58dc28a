"""Validation failures in words a client can act on: the code, the path, and the nearest known name.

Pure module.
"""

import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Literal

import msgspec

from protocol.commands import Command
from protocol.errors import BadCommand, Code
from protocol.operator import OperatorCommand

_AT = re.compile(r"^(?P<message>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN_FIELD = re.compile(r"^Object contains unknown field `(?P<name>.*)`$", re.DOTALL)
_MISSING_FIELD = re.compile(r"^Object missing required field `(?P<name>[^`]*)`$")
_BAD_CHOICE = re.compile(r"^Invalid enum value (?P<name>.*)$", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>[^.\[\]]+)|\[[^\]]*\]")
_PATTERN = re.compile(r" matching regex '.*'$", re.DOTALL)
_BAD_TAG = re.compile(r"^Invalid value (?P<name>.*)$", re.DOTALL)

Kinds = Mapping[str, type[msgspec.Struct]]

COMMAND_TYPES: Kinds = {str(kind.__struct_config__.tag): kind for kind in typing.get_args(Command)}
"""`cmd` -> command type."""

OPERATOR_TYPES: Kinds = {str(kind.__struct_config__.tag): kind for kind in typing.get_args(OperatorCommand)}
"""The same for the operator."""


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


def bad_command(error: msgspec.ValidationError, data: bytes, kinds: Kinds = COMMAND_TYPES) -> BadCommand:
    """The error of a command, one of `kinds` by `cmd`, that msgspec refused."""
    match = _AT.match(str(error))
    message, path = (match["message"], match["path"] or "$") if match else (str(error), "$")
    if unknown := _UNKNOWN_FIELD.match(message):
        name = unknown["name"][:64]
        known = _field_names(_annotation_at(_command_type(data, kinds), path))
        return BadCommand(
            "unknown_field",
            f"the field {name!r} is not known",
            path=f"{path}.{name}",
            hint=nearest(name, [*known, "cmd"] if path == "$" else known),
        )
    if missing := _MISSING_FIELD.match(message):
        name = missing["name"]
        code: Code = "unknown_command" if name == "cmd" else "missing_field"
        hint = nearest("", kinds) if name == "cmd" else f"give {name}"
        return BadCommand(code, f"the field {name!r} is missing", path=f"{path}.{name}", hint=hint)
    if path == "$.cmd" and (tag := _BAD_TAG.match(message)):
        return _bad_tag(tag["name"].strip("'"), kinds)
    return bad_value(error, _annotation_at(_command_type(data, kinds), path), path)


def bad_value(error: msgspec.ValidationError, annotation: Any, path: str) -> BadCommand:
    """The error of a value at `path` that msgspec would not take for what `annotation` says."""
    match = _AT.match(str(error))
    message = match["message"] if match else str(error)
    sentence = _PATTERN.sub(" of the allowed form", message)[:300]
    return BadCommand("invalid_value", sentence, path=path, hint=_value_hint(annotation, message))


def _bad_tag(name: str, kinds: Kinds) -> BadCommand:
    if name in kinds:
        return BadCommand("invalid_value", "the field is given twice", path="$.cmd", hint="give it once")
    return BadCommand(
        "unknown_command",
        f"the command {name[:64]!r} is not known",
        path="$.cmd",
        hint=nearest(name, kinds),
    )


def _value_hint(annotation: Any, message: str) -> str | None:
    """What would be accepted, from the field's annotation: its choices, or how its type describes itself."""
    parts = list(_flatten(annotation))
    choices = [choice for part in parts if typing.get_origin(part) is Literal for choice in typing.get_args(part)]
    if choices:
        bad = _BAD_CHOICE.match(message) or _BAD_TAG.match(message)
        return nearest(bad["name"].strip("'") if bad else "", choices)
    return next((part.description for part in parts if isinstance(part, msgspec.Meta) and part.description), None)


def _command_type(data: bytes, kinds: Kinds) -> type[msgspec.Struct] | None:
    try:
        raw = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        return kinds.get(msgspec.json.decode(raw["cmd"], type=str))
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError):
        return None


def _annotation_at(kind: type[msgspec.Struct] | None, path: str) -> Any:
    """The annotation that `path`, such as `$.loras[0].weight`, leads to; None where it leads nowhere."""
    current: Any = kind
    for step in _STEP.finditer(path):
        current = _field(current, step["name"]) if step["name"] else _element(current)
    return current


def _field(annotation: Any, name: str) -> Any:
    """The annotation of a field; where structs are told apart by `name`, the tags to choose from."""
    structs = _structs_in(annotation)
    tags = tuple(kind.__struct_config__.tag for kind in structs if kind.__struct_config__.tag_field == name)
    if tags:
        return Literal[tags]
    fields = (field for kind in structs for field in msgspec.structs.fields(kind))
    return next((field.type for field in fields if field.encode_name == name), None)


def _element(annotation: Any) -> Any:
    """The annotation of what a list or the values of a dict hold."""
    for part in _flatten(annotation):
        if typing.get_origin(part) in (list, dict):
            return typing.get_args(part)[-1]
    return None


def _field_names(annotation: Any) -> list[str]:
    return [field.encode_name for kind in _structs_in(annotation) for field in msgspec.structs.fields(kind)]


def _structs_in(annotation: Any) -> list[type[msgspec.Struct]]:
    """The structs of an annotation such as `Annotated[…]`, `Sweep | None` or a union of tagged ones."""
    return [part for part in _flatten(annotation) if isinstance(part, type) and issubclass(part, msgspec.Struct)]


def _flatten(annotation: Any) -> Iterator[Any]:
    """An annotation, its alternatives, and what describes them."""
    yield annotation
    if typing.get_origin(annotation) is typing.Annotated:
        yield from typing.cast("tuple[Any, ...]", annotation.__metadata__)
    if typing.get_origin(annotation) in (typing.Annotated, typing.Union, types.UnionType):
        for argument in typing.get_args(annotation):
            yield from _flatten(argument)
