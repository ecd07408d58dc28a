"""JSON Schemas (2020-12) of every message, derived from the types and their docstrings. Pure module."""

import ast
import inspect
import sys
import typing
from functools import cache
from typing import Any

import msgspec

from protocol.commands import NOT_BUILT_COMMANDS, NOT_BUILT_FIELDS, Command
from protocol.consumers import Consumers
from protocol.drafts import Drafts
from protocol.flat_jobs import KnownMessage, KnownWork
from protocol.messages import Control, Event
from protocol.operator import OperatorCommand
from protocol.replies import Reply
from protocol.reuse import Reuse
from protocol.spending import Spending

Schema = dict[str, Any]

UNIONS: dict[str, Any] = {
    "Command": Command,
    "OperatorCommand": OperatorCommand,
    "Reply": Reply,
    "Message": KnownMessage,
    "Work": KnownWork,
    "Event": Event,
    "Control": Control,
    "Spending": Spending,
    "Reuse": Reuse,
    "Drafts": Drafts,
    "Consumers": Consumers,
}
"""Name of a union -> the union."""


def members(union: Any) -> tuple[type[msgspec.Struct], ...]:
    """The struct types of a union."""
    return typing.get_args(union) or (union,)


def tag_of(kind: type[msgspec.Struct]) -> str:
    """The name of a message on the wire: its tag, or the first key of a reply."""
    return str(kind.__struct_config__.tag or msgspec.structs.fields(kind)[0].encode_name)


def components(ref_template: str) -> dict[str, Schema]:
    """Schemas by type name, referring to each other by `ref_template`, such as `#/$defs/{name}`."""
    travelling = (Command, OperatorCommand, Reply, KnownMessage, Spending, Reuse, Drafts, Consumers)
    kinds = [kind for union in travelling for kind in members(union)]
    _, schemas = msgspec.json.schema_components(kinds, ref_template=ref_template)
    for kind in _reachable(kinds):
        _describe(kind, schemas[kind.__name__])
    return {name: schemas[name] for name in sorted(schemas)}


def unions(ref_template: str) -> dict[str, Schema]:
    """Schemas of the unions by name; in those with a tag, the tag tells the members apart."""
    return {
        name: {
            "description": f"One of the {name.lower()} messages.",
            "anyOf": [{"$ref": ref_template.format(name=kind.__name__)} for kind in members(union)],
        }
        for name, union in UNIONS.items()
    }


def json_schema() -> Schema:
    """One document with every message under `$defs`; it accepts any command, reply or agents' message."""
    ref = "#/$defs/{name}"
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:bottega:acp:v1",
        "title": "ACP version 1",
        "description": "Messages of the bottega workshop. Validate a single one against its name under $defs.",
        "anyOf": [
            {"$ref": ref.format(name=name)}
            for name in ("Command", "OperatorCommand", "Reply", "Message", "Spending", "Reuse", "Drafts", "Consumers")
        ],
        "$defs": {**unions(ref), **components(ref)},
    }


def _describe(kind: type[msgspec.Struct], schema: Schema) -> None:
    """Add what the docstrings say of the fields, and mark what this version refuses."""
    schema["description"] = inspect.cleandoc(schema["description"])
    if kind in NOT_BUILT_COMMANDS:
        schema["x-not-supported"] = True
    not_built = NOT_BUILT_FIELDS.get(kind, ())
    docs = _docstrings(kind.__module__).get(kind.__name__, {})
    for name, field in schema["properties"].items():
        if name in docs:
            field["description"] = docs[name]
        if name in not_built:
            field["x-not-supported"] = True


def _reachable(kinds: typing.Sequence[type[msgspec.Struct]]) -> list[type[msgspec.Struct]]:
    """The given struct types and all that their fields mention."""
    found: dict[type[msgspec.Struct], None] = {}
    todo: list[Any] = list(kinds)
    while todo:
        annotation = todo.pop()
        if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
            if annotation not in found:
                found[annotation] = None
                todo.extend(field.type for field in msgspec.structs.fields(annotation))
        else:
            todo.extend(typing.get_args(annotation))
    return list(found)


@cache
def _docstrings(module: str) -> dict[str, dict[str, str]]:
    """Class name -> field name -> the string that stands under the field."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return {node.name: dict(_field_docs(node)) for node in classes}


def _field_docs(node: ast.ClassDef) -> typing.Iterator[tuple[str, str]]:
    for field, below in zip(node.body, node.body[1:], strict=False):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, inspect.cleandoc(text).replace("\n", " ")
            case _:
                pass
