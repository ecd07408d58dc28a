"""Row 4 of the attack table, hostile ids: 10,000 of them at every place where an id comes in, and none gets further."""

import copy
import json
import random
import types
import typing
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import msgspec
import pytest
from pydantic import TypeAdapter, ValidationError

from agents.generator.registry.entries import Name
from agents.storage.names import batch_folder
from bus.consumers import refuse_foreign
from protocol.components import members
from protocol.consumers import PutConsumer
from protocol.errors import AcpError
from protocol.ids import Id, index_of, is_id
from protocol.replies import Reply
from tests.fuzz.doors import DOORS
from tests.fuzz.mutations import Payload
from tests.protocol.frames import FILES, kind_of

COUNT = 10_000
PIECES = (
    *(
        ".",
        "..",
        "*",
        ">",
        "/",
        "\\",
        "\0",
        "\n",
        "\r\n",
        " ",
        "\t",
        "$",
        "%2e",
        "{",
        "}",
        "~",
        ":",
        "'",
        '"',
        "`",
        ";",
    ),
    *("é", "\uff0e", "\u2024", "\u202e", "\u200b", "\ufeff", "१", "ａ", "\U0001f3a8", "\u2215", "\u0085", "\u0000"),
    *("a" * 65, "../../etc/passwd", "a.b.>", "$JS.API.>", "_INBOX.x", "PUB x 0\r\n", "<script>", "%s%n", "${HOME}"),
)
IDS = ("", "local", "gen_batch_42", "A-Z_0-9", "a" * 64)


@cache
def hostile_ids() -> tuple[str, ...]:
    """Ids with something in them that no id has."""
    dice = random.Random(4)

    def one() -> str:
        whole, place = dice.choice(IDS), dice.randrange(65)
        return whole[:place] + "".join(dice.choices(PIECES, k=dice.choice((1, 1, 2, 3)))) + whole[place:]

    return ("", *(one() for _ in range(COUNT - 1)))


def refused_by(call: Callable[[str], object], *errors: type[Exception]) -> Callable[[str], bool]:
    def refuses(text: str) -> bool:
        try:
            call(text)
        except errors:
            return True
        return False

    return refuses


_NAME: TypeAdapter[str] = TypeAdapter(Name)


def _consumer(text: str) -> PutConsumer:
    return PutConsumer(stream="ACP_WORK", durable=text, filter_subjects=["acp.v1.work.generate.x.>"], ack_wait_s=1.0)


ENTRIES: dict[str, Callable[[str], bool]] = {
    "every id in a message": refused_by(lambda text: msgspec.convert(text, Id), msgspec.ValidationError),
    "the client of a subject, a login, a flag of the terminal": lambda text: not is_id(text),
    "the folder of a client": refused_by(lambda text: batch_folder(text, "gen_batch_1"), AcpError),
    "the folder of a batch": refused_by(lambda text: batch_folder("local", text), AcpError),
    "a name in models.toml": refused_by(_NAME.validate_python, ValidationError),
    "the name of a durable consumer": refused_by(lambda text: refuse_foreign("generator", _consumer(text)), AcpError),
    "the index of a picture": lambda text: index_of("gen_batch_42", text) is None,
}
"""Where an id comes in -> whether it is refused there."""


@pytest.mark.parametrize("entry", [*ENTRIES])
def test_ten_thousand_hostile_ids_are_refused_at_every_entry(entry: str) -> None:
    """Row 4."""
    assert [text for text in hostile_ids() if not ENTRIES[entry](text)] == []


def test_every_field_of_a_message_that_is_an_id_refuses_them_at_its_door() -> None:
    """Row 4. Each field tries some of the ids, so that together they try all of them."""
    fields = [(door, frame, path) for door in DOORS for frame in door.frames for path in id_paths(frame)]
    share = -(-COUNT // len(fields))
    taken: list[str] = []
    for position, (door, frame, path) in enumerate(fields):
        before, after = json.dumps(with_value(frame, path, "@id@")).split('"@id@"')
        for text in hostile_ids()[position * share : (position + 1) * share]:
            changed = f"{before}{json.dumps(text)}{after}".encode()
            if door.read(Payload(changed, {}, "id")) is not None:
                taken.append(f"{door.name} {path}: {text!r}")

    assert len(fields) > 150
    assert taken == []


def with_value(frame: dict[str, Any], path: tuple[str | int, ...], value: str) -> dict[str, Any]:
    changed = copy.deepcopy(frame)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


_KIND_OF_FRAME = {json.dumps(json.loads(file.read_bytes())): kind_of(file) for file in FILES}


def id_paths(frame: dict[str, Any]) -> Iterator[tuple[str | int, ...]]:
    """Where a frame holds ids, by the types of its fields; replies to clients hold none that anybody acts on."""
    kind = _KIND_OF_FRAME[json.dumps(frame)]
    return iter(()) if kind in members(Reply) else _id_paths(kind, frame, ())


def _id_paths(annotation: Any, value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if annotation == Id:
        yield path
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for one in typing.get_args(annotation):
            if value is not None:
                yield from _id_paths(one, value, path)
    elif typing.get_origin(annotation) is list and isinstance(value, list) and value:
        yield from _id_paths(typing.get_args(annotation)[0], value[0], (*path, 0))  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(annotation, type) and issubclass(annotation, msgspec.Struct) and isinstance(value, dict):
        for field in msgspec.structs.fields(annotation):
            if field.encode_name in value:
                yield from _id_paths(field.type, value[field.encode_name], (*path, field.encode_name))
