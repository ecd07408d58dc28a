"""A command that cannot be understood is refused in words a client can act on: code, place, what to do."""

import json
import tracemalloc

import msgspec
import pytest

from protocol import codec
from protocol.errors import AcpError, BadCommand, BadMessage, Refused, Unavailable
from protocol.shape import is_deeper


def refused(data: bytes | str) -> AcpError:
    with pytest.raises(AcpError) as caught:
        codec.decode_command(data.encode() if isinstance(data, str) else data)
    return caught.value


@pytest.mark.parametrize(
    ("text", "code", "path", "hint"),
    [
        # which command
        ("{}", "unknown_command", "$.cmd", "GENERATE_IMAGES"),
        ('{"hash":"x"}', "unknown_command", "$.cmd", "STATUS"),
        ('{"cmd":"GENERAT_IMAGES"}', "unknown_command", "$.cmd", "did you mean GENERATE_IMAGES?"),
        ('{"cmd":"generate_images"}', "unknown_command", "$.cmd", "did you mean GENERATE_IMAGES?"),
        ('{"cmd":"STATSU","hash":"x"}', "unknown_command", "$.cmd", "did you mean STATUS?"),
        ('{"cmd":"unknown field `x`"}', "unknown_command", "$.cmd", "known: "),
        ('{"cmd":5}', "invalid_value", "$.cmd", None),
        ('{"cmd":null}', "invalid_value", "$.cmd", None),
        # unknown fields, at every depth
        ('{"cmd":"STATUS","hash":"x","hsah":"y"}', "unknown_field", "$.hsah", "did you mean hash?"),
        ('{"cmd":"GENERATE_IMAGES","stlye":"plain"}', "unknown_field", "$.stlye", "did you mean style?"),
        ('{"cmd":"GENERATE_IMAGES","Brief":"a mug"}', "unknown_field", "$.Brief", "did you mean brief?"),
        (
            '{"cmd":"GENERATE_IMAGES","requirements":{"qantity":3}}',
            "unknown_field",
            "$.requirements.qantity",
            "did you mean quantity?",
        ),
        (
            '{"cmd":"GENERATE_IMAGES","loras":[{"name":"a"},{"name":"b","wieght":1}]}',
            "unknown_field",
            "$.loras[1].wieght",
            "did you mean weight?",
        ),
        (
            '{"cmd":"GENERATE_IMAGES","controls":[{"kind":"canny","image":{"blb":"x"}}]}',
            "unknown_field",
            "$.controls[0].image.blb",
            "did you mean blob?",
        ),
        ('{"cmd":"GENERATE_IMAGES","zzzzz":1}', "unknown_field", "$.zzzzz", "known: "),
        ('{"cmd":"GENERATE_IMAGES","":1}', "unknown_field", "$.", "known: "),
        # missing
        ('{"cmd":"STATUS"}', "missing_field", "$.hash", "give hash"),
        ('{"cmd":"APPROVE","hash":"x"}', "missing_field", "$.approval", "give approval"),
        ('{"cmd":"GENERATE_IMAGES","loras":[{}]}', "missing_field", "$.loras[0].name", "give name"),
        # types
        ("[]", "invalid_value", "$", None),
        ("null", "invalid_value", "$", None),
        ('"STATUS"', "invalid_value", "$", None),
        ('{"cmd":"STATUS","hash":1}', "invalid_value", "$.hash", "letters, digits"),
        ('{"cmd":"GENERATE_IMAGES","requirements":[]}', "invalid_value", "$.requirements", None),
        ('{"cmd":"GENERATE_IMAGES","models":"base_sdxl"}', "invalid_value", "$.models", None),
        ('{"cmd":"GENERATE_IMAGES","models":[1]}', "invalid_value", "$.models[0]", "a name that is looked up"),
        ('{"cmd":"GENERATE_IMAGES","hold":"yes"}', "invalid_value", "$.hold", None),
        ('{"cmd":"GENERATE_IMAGES","hold":1}', "invalid_value", "$.hold", None),
        ('{"cmd":"GENERATE_IMAGES","seed":"42"}', "invalid_value", "$.seed", "below 2^53"),
        ('{"cmd":"GENERATE_IMAGES","seed":1.5}', "invalid_value", "$.seed", "below 2^53"),
        ('{"cmd":"GENERATE_IMAGES","seed":true}', "invalid_value", "$.seed", "below 2^53"),
        ('{"cmd":"GENERATE_IMAGES","metadata":{"a":{}}}', "invalid_value", "$.metadata[...]", None),
        ('{"cmd":"GENERATE_IMAGES","sweep":{"values":{"a":[[1]]}}}', "invalid_value", "$.sweep.values[...][0]", None),
        ('{"cmd":"GENERATE_IMAGES","deadline":"yesterday"}', "invalid_value", "$.deadline", None),
        # choices
        (
            '{"cmd":"GENERATE_IMAGES","respond_format":"GENERATION_PLN"}',
            "invalid_value",
            "$.respond_format",
            "did you mean GENERATION_PLAN?",
        ),
        (
            '{"cmd":"GENERATE_IMAGES","post":[{"op":"upscal"}]}',
            "invalid_value",
            "$.post[0].op",
            "did you mean upscale?",
        ),
        ('{"cmd":"CANCEL","hash":"x","what":"none"}', "invalid_value", "$.what", "known: all, pending"),
        # ranges
        ('{"cmd":"GENERATE_IMAGES","requirements":{"quantity":0}}', "invalid_value", "$.requirements.quantity", None),
        (
            '{"cmd":"GENERATE_IMAGES","requirements":{"quantity":1000001}}',
            "invalid_value",
            "$.requirements.quantity",
            None,
        ),
        ('{"cmd":"GENERATE_IMAGES","requirements":{"quantity":-1}}', "invalid_value", "$.requirements.quantity", None),
        ('{"cmd":"GENERATE_IMAGES","steps":151}', "invalid_value", "$.steps", None),
        ('{"cmd":"GENERATE_IMAGES","guidance":-0.1}', "invalid_value", "$.guidance", None),
        ('{"cmd":"GENERATE_IMAGES","guidance":1e999}', "invalid_value", "$.guidance", None),
        ('{"cmd":"GENERATE_IMAGES","seed":9007199254740992}', "invalid_value", "$.seed", "below 2^53"),
        ('{"cmd":"GENERATE_IMAGES","seed":-2}', "invalid_value", "$.seed", "below 2^53"),
        ('{"cmd":"GENERATE_IMAGES","seed":' + "9" * 400 + "}", "invalid_value", "$.seed", "below 2^53"),
        ('{"cmd":"GENERATE_IMAGES","metadata":{"a":' + "9" * 400 + "}}", "invalid_value", "$.metadata[...]", None),
        ('{"cmd":"GENERATE_IMAGES","metadata":{"a":' + "9" * 5000 + "}}", "invalid_value", "$.metadata[...]", None),
        ('{"cmd":"GENERATE_IMAGES","quality":{"min_score":1.01}}', "invalid_value", "$.quality.min_score", "0 to 1"),
        ('{"cmd":"GENERATE_IMAGES","brief":""}', "invalid_value", "$.brief", "1 to 4000"),
        ('{"cmd":"GENERATE_IMAGES","brief":"' + "x" * 4001 + '"}', "invalid_value", "$.brief", "1 to 4000"),
        ('{"cmd":"GENERATE_IMAGES","brief":"a\\u0000b"}', "invalid_value", "$.brief", "no NUL"),
        ('{"cmd":"GENERATE_IMAGES","style":"plain\\n"}', "invalid_value", "$.style", "no control characters"),
        # hostile ids
        ('{"cmd":"STATUS","hash":"a.b"}', "invalid_value", "$.hash", "letters, digits"),
        ('{"cmd":"STATUS","hash":"*"}', "invalid_value", "$.hash", "letters, digits"),
        ('{"cmd":"STATUS","hash":"abc\\n"}', "invalid_value", "$.hash", "letters, digits"),
        ('{"cmd":"STATUS","hash":"x\\r\\nPUB a 0\\r\\n"}', "invalid_value", "$.hash", "letters, digits"),
        ('{"cmd":"GENERATE_IMAGES","client_id":"../x"}', "invalid_value", "$.client_id", "letters, digits"),
        ('{"cmd":"GENERATE_IMAGES","command_id":">"}', "invalid_value", "$.command_id", "letters, digits"),
        # a name given twice
        ('{"cmd":"STATUS","hash":"x","hash":"y"}', "invalid_value", "$.hash", "give it once"),
        ('{"cmd":"STATUS","cmd":"LIST","hash":"x"}', "invalid_value", "$.cmd", "give it once"),
        (
            '{"cmd":"GENERATE_IMAGES","quality":{"min_score":0.1,"min_score":0.9}}',
            "invalid_value",
            "$.quality.min_score",
            "give it once",
        ),
        (
            '{"cmd":"GENERATE_IMAGES","loras":[{"name":"a"},{"name":"b","weight":1,"weight":2}]}',
            "invalid_value",
            "$.loras[1].weight",
            "give it once",
        ),
        ('{"cmd":"GENERATE_IMAGES","metadata":{"a":1,"\\u0061":2}}', "invalid_value", "$.metadata.a", "give it once"),
    ],
)
def test_a_wrong_command_is_refused_with_code_path_and_hint(text: str, code: str, path: str, hint: str | None) -> None:
    error = refused(text)

    assert isinstance(error, BadCommand)
    assert (error.code, error.body.path) == (code, path)
    assert error.body.hint is None if hint is None else hint in (error.body.hint or "")
    assert not error.retryable


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b'{"cmd":"STATUS","hash":"x"',
        b'{"cmd":"STATUS","hash":"x"} {}',
        b'{"cmd":"STATUS","hash":"x",}',
        b"{'cmd':'STATUS'}",
        b'\xef\xbb\xbf{"cmd":"CAPABILITIES"}',
        b'{"cmd":"GENERATE_IMAGES","guidance":NaN}',
        b'{"cmd":"GENERATE_IMAGES","guidance":Infinity}',
        b'{"cmd":"GENERATE_IMAGES","seed":+1}',
        b'{"cmd":"GENERATE_IMAGES","seed":01}',
        b'{"cmd":"GENERATE_IMAGES","brief":"\xff\xfe"}',
        b'{"cmd":"GENERATE_IMAGES","brief":"\xed\xa0\x80"}',
        b'{"cmd":"GENERATE_IMAGES","brief":"\\ud800"}',
        b'{"cmd":"GENERATE_IMAGES","brief":"\\udc00\\ud800"}',
        b'{"cmd":"GENERATE_IMAGES","brief":"a\nb"}',
        b'{"cmd":"GENERATE_IMAGES","brief":"\\x41"}',
        b"\x00" * 64,
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_bytes_that_are_not_json_are_refused_as_such(data: bytes) -> None:
    error = refused(data)

    assert isinstance(error, BadMessage)
    assert error.code == "invalid_json"


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 500_000,
        b'{"a":' * 80_000,
        b'{"cmd":"GENERATE_IMAGES","metadata":{"a":' + b"[" * 65 + b"]" * 65 + b"}}",
        b'{"cmd":"GENERATE_IMAGES","x":' + b'{"a":' * 70 + b"1" + b"}" * 70 + b"}",
        b'"\\"[' + b"[" * 100 + b'"' + b"[" * 100,
    ],
    ids=["open brackets", "open objects", "deep list", "deep object", "after a string"],
)
def test_deep_nesting_is_refused_before_it_is_parsed(data: bytes) -> None:
    assert refused(data).code == "invalid_json"
    assert "nested deeper" in str(refused(data))


@pytest.mark.parametrize("text", ["[" * 100, "]" * 100 + "[" * 100, '\\"[{' * 100])
def test_brackets_inside_a_string_are_no_nesting(text: str) -> None:
    data = json.dumps({"cmd": "GENERATE_IMAGES", "brief": text}).encode()

    assert codec.decode_command(data)


def test_a_command_above_the_bound_is_refused_unread_and_one_at_the_bound_is_read() -> None:
    frame = b'{"cmd":"CAPABILITIES"}'
    padding = b" " * (codec.MAX_COMMAND_BYTES - len(frame))

    assert codec.decode_command(frame + padding)
    assert refused(frame + padding + b" ").code == "too_large"


@pytest.mark.parametrize("size", [100, 100_000])
def test_an_error_quotes_only_the_beginning_of_a_long_name(size: int) -> None:
    for text in ('{"cmd":"%s"}', '{"cmd":"GENERATE_IMAGES","%s":1}', '{"cmd":"CANCEL","hash":"x","what":"%s"}'):
        error = refused(text % ("A" * size))

        assert len(codec.encode(error.body)) < 1500


def test_an_error_about_text_from_the_client_survives_the_wire() -> None:
    error = refused('{"cmd":"GENERATE_IMAGES","a`b\\n - at `$.x`\\u202e\\u0000":1}')

    assert msgspec.json.decode(codec.encode(error.body), type=type(error.body)) == error.body
    assert error.code == "unknown_field"


def test_decoding_a_large_command_takes_memory_in_proportion_to_it() -> None:
    data = json.dumps({"cmd": "GENERATE_IMAGES", "prompts": ["[]" * 240] * 1000}).encode()
    tracemalloc.start()
    codec.decode_command(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 8 * len(data)


def test_an_error_says_itself_in_one_line_and_keeps_foreign_text_to_itself() -> None:
    mine = Refused("not_installed", "no weights", path="$.platform", hint="download them")

    assert str(mine) == "not_installed at $.platform: no weights (download them)"
    assert codec.error_of(mine) is mine
    assert codec.error_of(ValueError("password=hunter2")).body.message == "the service failed: ValueError"
    assert Unavailable("no_generator", "nobody is there").retryable


@pytest.mark.parametrize("depth", [1, 2, 63, 64, 65, 66, 1000])
@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}")], ids=["lists", "objects"])
def test_the_bound_on_depth_is_exact(depth: int, pair: tuple[bytes, bytes]) -> None:
    opening, closing = pair
    nested = opening * depth + b"1" + closing * depth
    beside = b"[" + b",".join([b"[]"] * 200) + b"]"

    assert is_deeper(nested, 64) == (depth > 64)
    assert is_deeper(opening * depth, 64) == (depth > 64)
    assert not is_deeper(beside, 64)
