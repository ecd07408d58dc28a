"""The derived documents are current, valid, and true of the frames that travel and of the broker's streams."""

# pyright: reportUnknownMemberType=false

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker

from bus import accounts, topology
from bus.agent import Delivery
from bus.handling import dead_letter_headers
from protocol import subjects
from protocol.channel import Channel
from protocol.channels import CHANNELS
from protocol.commands import NOT_BUILT_COMMANDS, NOT_BUILT_FIELDS
from protocol.components import UNIONS, members
from protocol.errors import BadMessage
from protocol.messages import ROLES, Event, Progress, Work
from protocol.schema import FOLDER, FRAMES, documents, type_name
from tests.protocol.frames import FILES, KINDS, all_messages

DOCUMENTS = documents(FRAMES)
SCHEMA: dict[str, Any] = json.loads(DOCUMENTS["schema.json"])
ASYNCAPI: dict[str, Any] = json.loads(DOCUMENTS["asyncapi.json"])
CHANNEL_OF = {kind: channel for channel in CHANNELS for kind in channel.messages}


@cache
def validator(name: str) -> Draft202012Validator:
    schema = {"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]}
    return Draft202012Validator(schema, format_checker=FormatChecker())


def references(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        for name, value in cast("dict[str, Any]", document).items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(document, list):
        for value in cast("list[Any]", document):
            yield from references(value)


def resolve(document: Any, reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        document = document[step]
    return document


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_the_committed_document_is_current(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == DOCUMENTS[name]


def test_the_command_that_checks_the_documents_says_which_is_not_current(tmp_path: Path) -> None:
    check = [sys.executable, "-m", "protocol.schema", "--check", "--frames"]
    current = subprocess.run([*check, str(FRAMES)], capture_output=True, text=True, check=False)
    without_examples = subprocess.run([*check, str(tmp_path)], capture_output=True, text=True, check=False)

    assert (current.returncode, current.stderr) == (0, "")
    assert without_examples.returncode == 1
    assert "asyncapi.json" in without_examples.stderr


def test_every_schema_is_a_valid_json_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for name in SCHEMA["$defs"]:
        Draft202012Validator.check_schema(SCHEMA["$defs"][name])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_frame_satisfies_its_schema_its_union_and_the_whole(file: Path) -> None:
    frame = json.loads(file.read_bytes())
    name = type_name(frame)
    unions = [union for union, types in UNIONS.items() if KINDS[name] in members(types)]

    assert list(validator(name).iter_errors(frame)) == []
    assert all(validator(union).is_valid(frame) for union in unions)
    assert Draft202012Validator(SCHEMA).is_valid(frame)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("GenerateImages", {"cmd": "GENERATE_IMAGES", "styl": "plain"}),
        ("GenerateImages", {"cmd": "GENERATE_IMAGES", "requirements": {"quantity": 0}}),
        ("GenerateImages", {"cmd": "GENERATE_IMAGES", "client_id": "a.b"}),
        ("GenerateImages", {"cmd": "GENERATE_IMAGES", "seed": 2**53}),
        ("Status", {"cmd": "STATUS"}),
        ("Command", {"cmd": "STATUS", "hash": "a b"}),
        ("GenerationStatus", {"generation_status": {"completed": 1}, "hash": "x"}),
        ("Message", {"type": "CANCEL_BATCH", "hash": "x"}),
    ],
)
def test_the_schema_refuses_what_the_codec_refuses(name: str, wrong: dict[str, Any]) -> None:
    assert not validator(name).is_valid(wrong)


def test_every_field_of_a_generation_command_is_described() -> None:
    fields = SCHEMA["$defs"]["GenerateImages"]["properties"]
    described = {name for name, field in fields.items() if "description" in field or "$ref" in field}

    assert described == set(fields) - {"cmd"}


def test_what_is_not_built_is_marked() -> None:
    marked = {
        name for name, field in SCHEMA["$defs"]["GenerateImages"]["properties"].items() if "x-not-supported" in field
    }
    commands = {name for name, schema in SCHEMA["$defs"].items() if "x-not-supported" in schema}

    assert marked == set(NOT_BUILT_FIELDS[next(kind for kind in NOT_BUILT_FIELDS if kind.__name__ == "GenerateImages")])
    assert commands == {kind.__name__ for kind in NOT_BUILT_COMMANDS}


@pytest.mark.parametrize("document", [SCHEMA, ASYNCAPI], ids=["schema", "asyncapi"])
def test_every_reference_resolves(document: dict[str, Any]) -> None:
    found = list(references(document))

    assert found
    assert all(resolve(document, reference) for reference in found)


def test_no_schema_of_the_asyncapi_document_has_what_its_dialect_refuses() -> None:
    text = json.dumps(ASYNCAPI["components"]["schemas"])
    assert '"propertyName"' not in text
    assert '"prefixItems"' not in text


def test_the_asyncapi_document_names_its_version_and_no_real_host() -> None:
    server = ASYNCAPI["servers"]["workshop"]

    assert ASYNCAPI["asyncapi"] == "3.1.0"
    assert server["host"] == "{host}:{port}"
    assert set(server["variables"]) == {"host", "port"}


def test_every_channel_has_messages_parameters_and_at_least_one_speaker_and_listener() -> None:
    for name, channel in ASYNCAPI["channels"].items():
        parties = {
            (operation["action"], operation["x-party"])
            for operation in ASYNCAPI["operations"].values()
            if operation["channel"]["$ref"] == f"#/channels/{name}"
            or operation.get("reply", {}).get("channel", {}).get("$ref") == f"#/channels/{name}"
        }
        assert channel["messages"], name
        assert set(channel.get("parameters", {})) == set(re.findall(r"\{(\w+)\}", channel["address"] or "")), name
        assert {action for action, _ in parties} == {"send", "receive"}, name


def test_every_operation_has_a_channel_and_only_the_endpoint_has_a_queue_group() -> None:
    operations = ASYNCAPI["operations"]

    assert all(resolve(ASYNCAPI, operation["channel"]["$ref"]) for operation in operations.values())
    assert [name for name, operation in operations.items() if "bindings" in operation] == ["planner_receives_command"]


def test_every_message_of_the_document_has_a_golden_example_that_its_payload_schema_accepts() -> None:
    for name, message in ASYNCAPI["components"]["messages"].items():
        if name == "DeadLetter":
            continue
        payload = {"$ref": message["payload"]["$ref"], "components": ASYNCAPI["components"]}
        Draft7Validator.check_schema(payload)
        assert message["examples"], name
        for example in message["examples"]:
            assert list(Draft7Validator(payload).iter_errors(example["payload"])) == [], name


def test_the_headers_of_a_dead_letter_are_those_that_the_bus_writes() -> None:
    written = dead_letter_headers(Delivery("acp.v1.work.qa.x.0.1", 5), "ACP_WORK.7", BadMessage("invalid_json", "no"))

    assert set(ASYNCAPI["components"]["schemas"]["DeadLetterHeaders"]["properties"]) == set(written)


def test_every_type_that_travels_has_a_channel() -> None:
    assert set(CHANNEL_OF) == set(KINDS.values())


@pytest.mark.parametrize("message", all_messages(), ids=lambda message: type(message).__name__)
def test_the_subject_of_a_message_is_an_address_of_its_channel(message: Any) -> None:
    if not isinstance(message, Work | Event | Progress):
        return
    address = CHANNEL_OF[type(message)].address or ""
    pattern = re.sub(r"\\{\w+\\}", r"[A-Za-z0-9_-]+", re.escape(address))

    assert re.fullmatch(pattern, subjects.subject_of(message))


def covers(pattern: str, address: str) -> bool:
    """Whether a NATS pattern covers every subject of an address with `{parameters}`."""
    return subjects.subject_matches(pattern, re.sub(r"\{\w+\}", "*", address))


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_the_pattern_of_a_channel_covers_its_address(channel: Channel) -> None:
    assert (channel.pattern is None) == (channel.address is None)
    if channel.pattern is not None and channel.address is not None:
        assert covers(channel.pattern.replace("{role}", "*"), channel.address)


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_the_streams_and_rights_of_the_broker_are_those_of_the_channel(channel: Channel) -> None:
    if channel.address is None:
        return
    keepers = {
        str(stream.name)
        for stream in topology.streams()
        if any(covers(pattern, channel.address) for pattern in stream.subjects or ())
    }
    assert keepers == ({channel.stream} if channel.stream else set())
    for sender in channel.senders:
        name = {"supervisor": "admin", "client": "client_local"}.get(sender, sender)
        login = accounts.login_of(name)
        address = channel.address.replace("{role}", sender) if channel.senders == ROLES else channel.address
        if sender == "client":
            address = address.replace("{client}", "local")
        assert any(covers(pattern, address) for pattern in login.publish), sender
