"""An endpoint as data: what of a request fails decides the reply, and the endpoint decides its form."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import pytest

from bus.agent import Caller, Endpoint, encode_compressed, encode_in_kind, encode_plain
from bus.service import respond
from protocol import codec
from protocol.commands import Command, List, Status
from protocol.errors import AcpError, BadMessage, Refused
from protocol.replies import ErrorReply, Reply
from protocol.results import BatchList, BatchListBody

EMPTY_LIST = BatchList(batch_list=BatchListBody(batches=[], next=None))
ZSTD = {"Content-Encoding": "zstd"}
PLAIN = {"Acp-Version": "1"}
PACKED = {"Content-Encoding": "zstd", "Acp-Version": "1"}
SUBJECT = "acp.v1.command.me"

Answering = Callable[[Command, Caller], Awaitable[Reply]]


async def answer(command: Command, caller: Caller) -> Reply:
    """Lists nothing, refuses STATUS, and fails at everything else."""
    match command:
        case List():
            return EMPTY_LIST
        case Status():
            raise Refused("unknown_batch", "there is no such batch", path="$.hash", hint="see LIST")
        case _:
            raise ZeroDivisionError("with a secret in its text")


def endpoint(**changes: Any) -> Endpoint[Command, Reply]:
    given: dict[str, Any] = {"encode": encode_plain, "on_error": ErrorReply.of, "failure_log": "a test failed"}
    return Endpoint("acp.v1.command.*", codec.decode_command, answer, **(given | changes))


def unpacked(payload: bytes, headers: Mapping[str, str]) -> Reply:
    return codec.decode_reply(codec.unpack(payload, headers))


FAILURES = [
    pytest.param(b'{"cmd":"STATUS","hash":"h"}', {}, "unknown_batch", id="refused by the agent"),
    pytest.param(b'{"cmd":"CAPABILITIES"}', {}, "internal", id="failed in the agent"),
    pytest.param(b'{"cmd":"LISTS"}', {}, "unknown_command", id="no such command"),
    pytest.param(b"{", {}, "invalid_json", id="no JSON"),
    pytest.param(b'{"cmd":"LIST"}', ZSTD, "bad_encoding", id="not the encoding that the header names"),
    pytest.param(b'{"cmd":"LIST"}', {"Content-Encoding": "br"}, "bad_encoding", id="an encoding that is not known"),
    pytest.param(codec.compress(b"x" * 2_000_000), ZSTD, "too_large", id="too large when decompressed"),
]


@pytest.mark.parametrize(("data", "headers", "code"), FAILURES)
async def test_a_failure_is_an_ordinary_reply_where_the_endpoint_has_one_for_errors(
    data: bytes, headers: Mapping[str, str], code: str
) -> None:
    payload, answered = await respond(endpoint(), data, Caller(SUBJECT, headers))

    reply = unpacked(payload, answered)
    assert isinstance(reply, ErrorReply)
    assert reply.error.code == code
    assert b"secret" not in payload
    assert answered == PLAIN


@pytest.mark.parametrize(("data", "headers", "code"), FAILURES)
async def test_a_failure_is_raised_for_the_service_where_the_endpoint_has_no_reply_for_errors(
    data: bytes, headers: Mapping[str, str], code: str
) -> None:
    expected = ZeroDivisionError if code == "internal" else AcpError
    with pytest.raises(expected) as failure:
        await respond(endpoint(on_error=None), data, Caller(SUBJECT, headers))

    assert codec.error_of(failure.value).code == code


@pytest.mark.parametrize(
    ("encode", "asked", "expected"),
    [
        (encode_plain, {}, PLAIN),
        (encode_plain, ZSTD, PLAIN),
        (encode_in_kind, {}, PLAIN),
        (encode_in_kind, ZSTD, PACKED),
        (encode_compressed, {}, PACKED),
        (encode_compressed, ZSTD, PACKED),
    ],
)
@pytest.mark.parametrize("command", [b'{"cmd":"LIST"}', b'{"cmd":"STATUS","hash":"h"}', b'{"cmd":"NO"}'])
async def test_an_endpoint_says_how_its_replies_are_encoded_errors_included(
    encode: Callable[[msgspec.Struct, codec.Encoding], tuple[bytes, Mapping[str, str]]],
    asked: Mapping[str, str],
    expected: Mapping[str, str],
    command: bytes,
) -> None:
    data = codec.compress(command) if asked else command
    payload, answered = await respond(endpoint(encode=encode), data, Caller(SUBJECT, asked))

    assert answered == expected
    assert isinstance(unpacked(payload, answered), BatchList if b"LIST" in command else ErrorReply)


async def test_a_reply_to_an_unknown_encoding_is_plain_because_no_other_is_agreed() -> None:
    caller = Caller(SUBJECT, {"Content-Encoding": "br"})
    _, answered = await respond(endpoint(encode=encode_in_kind), b'{"cmd":"LIST"}', caller)

    assert answered == PLAIN


async def test_an_error_reply_may_be_of_the_endpoints_own_type() -> None:
    async def refuse(question: bytes, caller: Caller) -> List:
        raise BadMessage("invalid_value", "an answer is no question")

    own = Endpoint("s", bytes, refuse, encode_plain, on_error=lambda error: List(client_id=error.code))
    payload, _ = await respond(own, b"", Caller("s"))

    assert codec.decode_command(payload) == List(client_id="invalid_value")


@pytest.mark.parametrize(
    ("subject", "client"), [("acp.v1.command.me", "me"), ("acp.v1.command.all", "all"), ("one", "one")]
)
def test_the_client_is_the_last_token_of_the_subject(subject: str, client: str) -> None:
    assert Caller(subject).client_id == client
