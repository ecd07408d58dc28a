"""Rules that every type of the protocol keeps."""

import json
import typing
from typing import Any

import msgspec
import pytest

from protocol.commands import Command
from protocol.components import members, tag_of
from protocol.counts import Int64
from protocol.errors import Code
from protocol.flat_jobs import KnownMessage
from protocol.messages import Picture
from protocol.operator import OperatorCommand
from protocol.replies import REPLY_TYPES, Reply
from protocol.results import GenerationResult, GenerationStatus
from protocol.spending import Micros
from tests.protocol.frames import FILES, KINDS, all_messages, decoded, kind_of


def structs_below(kinds: typing.Iterable[Any]) -> set[type[msgspec.Struct]]:
    found: set[type[msgspec.Struct]] = set()
    todo = list(kinds)
    while todo:
        annotation = todo.pop()
        if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
            if annotation not in found:
                found.add(annotation)
                todo.extend(field.type for field in msgspec.structs.fields(annotation))
        else:
            todo.extend(typing.get_args(annotation))
    return found


EVERY = sorted(structs_below(KINDS.values()), key=lambda kind: kind.__name__)
SPOKEN_AT_THE_DOOR = structs_below([*members(Command), *members(OperatorCommand)])
every_struct = pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)


@every_struct
def test_a_message_cannot_be_changed_and_is_built_by_names(kind: type[msgspec.Struct]) -> None:
    assert kind.__struct_config__.frozen
    with pytest.raises(TypeError):
        kind(*range(len(kind.__struct_fields__)))


@every_struct
def test_a_type_says_what_it_is(kind: type[msgspec.Struct]) -> None:
    assert kind.__doc__
    assert kind.__doc__.strip()[0].isupper() or kind.__doc__.startswith("`")


@every_struct
def test_only_what_a_client_sends_is_strict_about_unknown_fields(kind: type[msgspec.Struct]) -> None:
    assert kind.__struct_config__.forbid_unknown_fields == (kind in SPOKEN_AT_THE_DOOR)


def test_names_of_messages_and_types_are_unique() -> None:
    tags = [tag_of(kind) for union in (Command, OperatorCommand, Reply, KnownMessage) for kind in members(union)]

    assert len(tags) == len(set(tags))
    assert len(EVERY) == len({kind.__name__ for kind in EVERY})


def test_replies_are_told_apart_by_their_first_key() -> None:
    assert {tag_of(kind): kind for kind in members(Reply)} == REPLY_TYPES
    assert all(kind.__struct_config__.tag is None for kind in members(Reply))


def test_every_command_and_message_may_be_built_with_its_required_fields_alone() -> None:
    for file in FILES:
        kind, frame = kind_of(file), json.loads(file.read_bytes())
        required = [field.encode_name for field in msgspec.structs.fields(kind) if field.required]
        tag = kind.__struct_config__.tag_field
        least = {name: frame[name] for name in [*([tag] if tag else []), *required]}

        assert isinstance(msgspec.convert(least, type=kind), kind)


@every_struct
def test_money_between_agents_is_whole_micro_dollars_and_dollars_only_at_the_edge(kind: type[msgspec.Struct]) -> None:
    for field in msgspec.structs.fields(kind):
        if field.name.endswith("_micros"):
            assert field.type in (int | None, Micros) or Int64 in typing.get_args(field.type)
        elif {"cost", "price"} & set(field.name.split("_")):
            assert kind in structs_below(members(Reply))


@every_struct
def test_what_becomes_part_of_a_subject_or_a_path_is_an_id(kind: type[msgspec.Struct]) -> None:
    if kind in structs_below(members(Reply)):
        return
    for field in msgspec.structs.fields(kind):
        if field.name in ("hash", "client_id", "image_id", "command_id", "approval", "instance"):
            with pytest.raises(msgspec.ValidationError):
                msgspec.convert("../a.b", type=field.type)


def test_a_figure_that_was_not_measured_may_be_null() -> None:
    for name in ("peak_memory", "gpu_util", "mfu", "cost_micros"):
        field = next(field for field in msgspec.structs.fields(Picture) if field.name == name)
        assert type(None) in typing.get_args(field.type)
        assert field.default is None


def test_the_counts_of_a_status_add_up_to_the_quantity() -> None:
    results = [message for message in all_messages() if isinstance(message, GenerationResult)]
    for body in (result.generation_result for result in results):
        status = msgspec.to_builtins(body.generation_status)
        counts = [status.get(name, 0) for name in ("completed", "processing", "queued", "failed", "cancelled")]
        assert sum(counts) == body.quantity

    seed = next(decoded(file) for file in FILES if file.stem == "seed_generation_status").generation_status
    assert seed.completed + seed.processing + seed.queued == 100


def test_failed_and_cancelled_and_stand_in_are_left_out_where_there_are_none() -> None:
    status = next(decoded(file) for file in FILES if file.stem == "seed_generation_status")

    assert isinstance(status, GenerationStatus)
    assert set(json.loads(msgspec.json.encode(status))["generation_status"]) == {
        "completed",
        "processing",
        "queued",
        "quality_metrics",
        "performance",
        "cost_per_image",
    }


def test_error_codes_are_one_sorted_list_of_plain_words() -> None:
    codes = typing.get_args(Code)

    assert list(codes) == sorted(set(codes))
    assert all(code.replace("_", "").isalpha() and code.islower() for code in codes)
