"""What is declared and not built is refused by name, and its default is not."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from protocol import codec
from protocol.commands import NOT_BUILT_COMMANDS, NOT_BUILT_FIELDS, GenerateImages, not_built_names
from protocol.components import tag_of
from protocol.errors import BadCommand, NotSupported
from protocol.parameters import Export
from tests.protocol.frames import GOLDEN

FIELDS = [(kind, name) for kind, names in NOT_BUILT_FIELDS.items() for name in names if kind is not Export]


def frame_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    file: Path = GOLDEN / f"command_{tag_of(kind).lower()}.json"
    return json.loads(file.read_bytes())


def needed_by(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The least command of a kind: its tag and its required fields."""
    frame = frame_of(kind)
    required = [field.encode_name for field in msgspec.structs.fields(kind) if field.required]
    return {"cmd": frame["cmd"], **{name: frame[name] for name in required}}


@pytest.mark.parametrize(("kind", "name"), FIELDS, ids=[f"{kind.__name__}.{name}" for kind, name in FIELDS])
def test_a_field_that_is_not_built_is_refused_by_name(kind: type[msgspec.Struct], name: str) -> None:
    command = {**needed_by(kind), name: frame_of(kind)[name]}

    with pytest.raises(NotSupported) as caught:
        codec.decode_command(json.dumps(command).encode())

    assert caught.value.body.path == f"$.{name}"
    assert name in caught.value.body.message
    assert caught.value.body.hint == f"leave {name} out"


@pytest.mark.parametrize(("kind", "name"), FIELDS, ids=[f"{kind.__name__}.{name}" for kind, name in FIELDS])
def test_the_default_of_a_field_that_is_not_built_is_accepted(kind: type[msgspec.Struct], name: str) -> None:
    least = codec.decode_command(json.dumps(needed_by(kind)).encode())
    default = msgspec.to_builtins(getattr(least, name))

    assert codec.decode_command(json.dumps({**needed_by(kind), name: default}).encode()) == least


@pytest.mark.parametrize("part", [{"formats": ["jpeg"]}, {"jpeg_quality": 80}, {"best": 2}])
def test_a_part_of_a_field_that_is_not_built_is_refused_by_name(part: dict[str, Any]) -> None:
    [name] = part
    with pytest.raises(NotSupported) as caught:
        codec.decode_command(json.dumps({"cmd": "GENERATE_IMAGES", "export": part}).encode())

    assert caught.value.body.path == f"$.export.{name}"
    assert f"export.{name}" in not_built_names()


def test_files_may_be_named_by_a_template_that_can_be_used() -> None:
    asked = {"cmd": "GENERATE_IMAGES", "export": {"name_template": "{date}_{seed}"}}
    command = codec.decode_command(json.dumps(asked).encode())
    assert isinstance(command, GenerateImages)
    assert command.export == Export(name_template="{date}_{seed}")

    asked["export"] = {"name_template": "{sead}"}
    with pytest.raises(BadCommand) as caught:
        codec.decode_command(json.dumps(asked).encode())
    assert (caught.value.body.path, caught.value.body.hint) == ("$.export.name_template", "did you mean seed?")


@pytest.mark.parametrize("kind", NOT_BUILT_COMMANDS, ids=lambda kind: kind.__name__)
def test_a_command_that_is_not_built_is_refused_by_name(kind: type[msgspec.Struct]) -> None:
    with pytest.raises(NotSupported) as caught:
        codec.decode_command(json.dumps(frame_of(kind)).encode())

    assert caught.value.body.path == "$.cmd"
    assert tag_of(kind) in caught.value.body.message


def test_every_name_in_the_list_of_what_is_not_built_is_a_field() -> None:
    for kind, names in NOT_BUILT_FIELDS.items():
        assert set(names) <= {field.encode_name for field in msgspec.structs.fields(kind)}
        assert len(set(names)) == len(names)
