"""Subjects and message ids: one place for each message, no id can change the place, and what differs has another id."""

import itertools
import typing
from typing import Any

import msgspec
import pytest

from protocol import codec, ids, subjects
from protocol.errors import AcpError
from protocol.messages import (
    ROLES,
    Event,
    GenerateImage,
    ImageGenerated,
    JobFailed,
    MakeContactSheet,
    Progress,
    PromptsWritten,
    ScoreImage,
    StoreImage,
    Work,
    WritePrompts,
)
from tests.protocol.frames import all_messages
from tests.protocol.test_ids import HOSTILE

PLACED: list[Work | Event] = [message for message in all_messages() if isinstance(message, Work | Event)]
NAMES = ("a", "b", "a_b", "b_a", "a-b", "1", "11")


def with_value(message: Any, name: str, value: Any) -> Any:
    """The message with every field of that name, at any depth, set to the value."""
    changes = {
        field.name: with_value(getattr(message, field.name), name, value)
        for field in msgspec.structs.fields(message)
        if isinstance(getattr(message, field.name), msgspec.Struct)
    }
    if name in message.__struct_fields__:
        changes[name] = value
    return msgspec.structs.replace(message, **changes)


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        (WritePrompts, "acp.v1.work.prompt.gen_batch_42.16"),
        (GenerateImage, "acp.v1.work.generate.pocket.gen_batch_42.7.2"),
        (ScoreImage, "acp.v1.work.qa.gen_batch_42.7.2"),
        (StoreImage, "acp.v1.work.storage.gen_batch_42.7.2"),
        (MakeContactSheet, "acp.v1.work.storage.gen_batch_42.sheet"),
        (PromptsWritten, "acp.v1.event.studio.gen_batch_42.prompts_written"),
        (ImageGenerated, "acp.v1.event.studio.gen_batch_42.generated"),
        (JobFailed, "acp.v1.event.studio.gen_batch_42.failed"),
        (Progress, "acp.v1.progress.studio.gen_batch_42"),
    ],
)
def test_a_message_has_its_place(name: type[msgspec.Struct], subject: str) -> None:
    message: Any = next(message for message in all_messages() if isinstance(message, name))

    assert subjects.subject_of(message) == subject


def test_the_fixed_subjects_are_those_of_the_specification() -> None:
    assert subjects.command("local") == "acp.v1.command.local"
    assert subjects.status("local", "gen_batch_42") == "acp.v1.status.local.gen_batch_42"
    assert [subjects.control(role) for role in ROLES] == [f"acp.v1.control.{role}" for role in ROLES]
    assert [subjects.dead_letter(role) for role in ROLES] == [f"acp.v1.dead.{role}" for role in ROLES]


def test_every_event_has_a_kind_of_its_own() -> None:
    assert set(subjects.EVENT_KINDS) == set(typing.get_args(Event))
    assert len(set(subjects.EVENT_KINDS.values())) == len(subjects.EVENT_KINDS)


@pytest.mark.parametrize("message", PLACED, ids=lambda message: type(message).__name__)
def test_the_same_message_said_twice_has_the_same_id(message: Any) -> None:
    again = codec.decode_message(codec.encode(message))

    assert isinstance(again, Work | Event)
    assert again is not message
    assert subjects.message_id(again) == subjects.message_id(message)
    assert subjects.batch_of(message) == "gen_batch_42"


def test_different_messages_of_a_batch_have_different_ids() -> None:
    kinds: dict[str, set[type]] = {}
    for message in PLACED:
        kinds.setdefault(subjects.message_id(message), set()).add(type(message))

    assert all(len(kind) == 1 for kind in kinds.values())


def test_what_is_asked_for_again_after_a_change_has_an_id_of_its_own() -> None:
    again = [message for message in PLACED if getattr(message, "revision", 0) or getattr(message, "edition", 0)]
    assert len(again) == 6
    assert len({subjects.message_id(message) for message in PLACED if type(message) in map(type, again)}) == 10


@pytest.mark.parametrize("kind", [GenerateImage, ScoreImage, StoreImage, ImageGenerated, JobFailed])
def test_each_attempt_at_each_picture_of_each_batch_has_an_id_of_its_own(kind: type[msgspec.Struct]) -> None:
    message = next(message for message in PLACED if type(message) is kind)
    made: list[Any] = [
        with_value(with_value(with_value(message, "hash", batch), "index", index), "attempt", attempt)
        for batch, index, attempt in itertools.product(NAMES, (0, 1, 11, 111), (1, 2, 11))
    ]

    assert len({subjects.message_id(each) for each in made}) == len(made)


def test_clients_and_batches_cannot_be_taken_for_each_other() -> None:
    pairs = list(itertools.product(NAMES, NAMES))

    assert len({subjects.status(client, batch) for client, batch in pairs}) == len(pairs)
    assert len({subjects.progress(client, batch) for client, batch in pairs}) == len(pairs)


@pytest.mark.parametrize("message", PLACED, ids=lambda message: type(message).__name__)
def test_a_legal_id_is_one_token_wherever_it_stands(message: Any) -> None:
    tokens = subjects.subject_of(message).count(".")
    for name in ("hash", "client_id", "platform"):
        longest = with_value(message, name, "_-Z" + "9" * 61)

        assert subjects.subject_of(longest).count(".") == tokens
        assert all(ids.is_id(token) for token in subjects.subject_of(longest).split("."))


@pytest.mark.parametrize("field", ["hash", "client_id", "platform"])
@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda text: ascii(text)[:24])
def test_no_hostile_id_gets_from_the_wire_to_a_subject(field: str, hostile: str) -> None:
    for message in PLACED:
        twisted = with_value(message, field, hostile)
        if subjects.subject_of(twisted) == subjects.subject_of(message):
            continue  # this message does not carry the id into its subject
        with pytest.raises(AcpError):
            codec.decode_message(codec.encode(twisted))


def test_filters_cover_their_subjects_and_no_others() -> None:
    every = [subjects.subject_of(message) for message in all_messages() if isinstance(message, Work | Event | Progress)]

    def matching(pattern: str) -> set[str]:
        return {subject for subject in every if matches(pattern, subject)}

    assert matching(subjects.WORK) == {s for s in every if s.startswith("acp.v1.work.")}
    assert matching(subjects.EVENTS) == {s for s in every if s.startswith("acp.v1.event.")}
    assert matching(subjects.work_filter("qa")) == {"acp.v1.work.qa.gen_batch_42.7.2"}
    assert matching(subjects.work_filter("generate.pocket")) == {"acp.v1.work.generate.pocket.gen_batch_42.7.2"}
    assert matching(subjects.event_filter("scored")) == {"acp.v1.event.studio.gen_batch_42.scored"}
    assert set().union(*map(matching, subjects.batch_work("gen_batch_42"))) == matching(subjects.WORK)
    assert set().union(*map(matching, subjects.batch_work("gen_batch_4"))) == set()


def matches(pattern: str, subject: str) -> bool:
    """NATS matching: `*` is one token, a last `>` is one or more."""
    given, tokens = pattern.split("."), subject.split(".")
    if given[-1] == ">":
        given, tokens = given[:-1], tokens[: len(given) - 1] if len(tokens) >= len(given) else []
    return len(given) == len(tokens) and all(g in ("*", t) for g, t in zip(given, tokens, strict=True))
