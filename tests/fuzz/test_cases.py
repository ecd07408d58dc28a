"""What hostile inputs have found: each of them is read, or refused in the words of its door."""

import json
from pathlib import Path
from typing import Any

import pytest

from agents.generator.library.recognise import recognise
from agents.generator.registry import registry
from protocol import codec
from protocol.errors import AcpError
from tests.fuzz.doors import DOORS, read_dead_letter
from tests.fuzz.files import FORMATS
from tests.fuzz.mutations import Payload

BIG = 10**30
REF = {"hash": "gen_batch_1", "client_id": "local", "image_id": "gen_batch_1_0003"}

MESSAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "an index that no database keeps": (
        "ledger_intent",
        {
            "type": "OPEN_INTENT",
            "ref": {**REF, "index": BIG, "attempt": 1},
            "provider": "fal",
            "request": "0" * 64,
            "max_micros": 1,
            "key": "call_1",
        },
    ),
    "an attempt that no database keeps": (
        "event_cancelled",
        {"type": "JOB_CANCELLED", "ref": {**REF, "index": 1, "attempt": 2**63}},
    ),
    "a type of 100,000 letters": ("event_stored", {"type": "a" * 100_000}),
    "a reply of 100,000 letters": ("reply", {"error": {"code": "a" * 100_000}}),
    "a filter of 100,000 letters": (
        "consumer",
        {
            "type": "PUT_CONSUMER",
            "stream": "ACP_WORK",
            "durable": "qa",
            "filter_subjects": ["[a|b]" * 20_000],
            "ack_wait_s": 30.0,
        },
    ),
}
"""What it is -> (channel, message); every one is refused, and its error is small."""

FILES: dict[str, tuple[str, bytes]] = {
    "arrays in arrays": ("toml", b"x = " + b"[" * 5000),
    "tables in tables": ("toml", b"x = " + b"{a=" * 5000),
    "a number of 5,000 digits": ("toml", b"[models.x]\nsteps = " + b"9" * 5000),
    "an architecture that is a table": (
        "toml",
        b'[platforms.p]\narchitecture = {a = 1}\n[loras.x]\nplatform = "p"\n[controls.x]\nplatform = "p"\n',
    ),
    "aliases that are a number": ("toml", b'[platforms.p]\naliases = 3\n[models.x]\nplatform = "p"\naliases = ["a"]\n'),
    "a name of 20,000 parts": ("toml", b"a." * 20_000 + b"b = 1\n"),
    "more than a file may have": ("toml", b"#" * (1 << 20) + b"#"),
    "not UTF-8": ("toml", b"x = '\xff'"),
    "a manifest nested without end": ("manifest", b'{"format": ' + b"[" * 200_000),
}
"""What it is -> (format, file)."""


@pytest.mark.parametrize("what", [*MESSAGES])
def test_a_message_that_was_found_is_refused_with_a_small_error(what: str) -> None:
    name, message = MESSAGES[what]
    (door,) = (door for door in DOORS if door.name == name)

    assert door.read(Payload(json.dumps(message).encode(), {}, what)) is None


@pytest.mark.parametrize("text", ["null", "", "\uff11", "9" * 5000, "-1"])
def test_a_dead_letter_whose_count_is_no_number_is_listed_all_the_same(text: str) -> None:
    read_dead_letter({"Acp-Dead-Delivered": text}, b"{}")


@pytest.mark.timeout(10)
@pytest.mark.parametrize("what", [*FILES])
def test_a_file_that_was_found_is_refused_in_time(what: str) -> None:
    kind, data = FILES[what]

    assert FORMATS[kind][2](data) == "refused"


def test_a_path_that_cannot_be_looked_at_is_an_error_of_the_registry(tmp_path: Path) -> None:
    own = tmp_path / "models.toml"
    own.write_text(f'[models.x]\nplatform = "stable_diffusion_xl"\npath = "{"a" * 5000}"\n')

    with pytest.raises(registry.RegistryError, match="cannot be looked at"):
        registry.load(tmp_path, tmp_path, own)


def test_a_text_file_beside_a_lora_that_is_nested_without_end_tells_nothing(tmp_path: Path) -> None:
    file = tmp_path / "one.safetensors"
    file.write_bytes(b"\0" * 8)
    header = json.dumps(
        {
            "unet.x.lora_A.weight": {"dtype": "F16", "shape": [1, 1], "data_offsets": [0, 2]},
            "unet.x.lora_B.weight": {"dtype": "F16", "shape": [1, 1], "data_offsets": [2, 4]},
        }
    ).encode()
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    file.with_suffix(".civitai.info").write_text('{"baseModel": ' + "[" * 100_000)

    assert recognise(file).kind == "lora"


def test_a_refusal_quotes_the_begin_and_the_end_of_what_it_cannot_read() -> None:
    with pytest.raises(AcpError) as refused:
        codec.decode_message(json.dumps({"type": "a" * 100_000}).encode())
    assert len(refused.value.body.message) < 600
    assert refused.value.body.message.endswith("`$.type`")
