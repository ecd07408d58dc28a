"""pydantic models with the fields of our structs, derived from them, to compare like with like.

Constraints and tags are left out and binary fields stay text, which favours pydantic.
"""

import types
import typing
from functools import cache
from typing import Any

import msgspec
import pydantic


@cache
def pydantic_model(kind: type[msgspec.Struct]) -> type[pydantic.BaseModel]:
    """A model that reads and writes the same JSON as the struct."""
    tag = kind.__struct_config__.tag_field
    fields: dict[str, Any] = {tag: (str, kind.__struct_config__.tag)} if tag else {}
    for field in msgspec.structs.fields(kind):
        fields[field.encode_name] = (_translated(field.type), _default(field))
    return pydantic.create_model(kind.__name__, **fields)


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return pydantic.Field(default_factory=field.default_factory)
    if field.default is msgspec.NODEFAULT:
        return ...
    if field.default is msgspec.UNSET:
        return None
    return msgspec.to_builtins(field.default)


def _translated(annotation: Any) -> Any:
    if annotation is msgspec.UnsetType:
        return None
    if annotation is bytes:
        return str
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return pydantic_model(annotation)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _translated(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return typing.Union[tuple(map(_translated, arguments))]  # noqa: UP007 - built from values
    if origin in (list, dict, tuple):
        collection: Any = origin
        return collection[tuple(map(_translated, arguments))]
    return typing.cast("Any", annotation)
