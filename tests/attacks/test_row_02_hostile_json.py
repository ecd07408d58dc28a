"""Row 2: hostile JSON is refused at the field, within bounds, and is never an internal error; also where it lies in a
picture that is to be made again."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from agents.doors.cli.rerun.bounds import find_excess
from agents.planner.planning.sizes import parse
from agents.planner.planning.time_limits import check_times
from agents.storage.png import with_text
from protocol import codec
from protocol.commands import GenerateImages
from protocol.errors import AcpError
from protocol.pixels import PixelSpec
from protocol.post import CorrectColour
from tests.doors.cli.conftest import Home
from tests.storage.making import png

PLAIN = PixelSpec(prompt="a mug", seed=1, width=64, height=64, steps=8, guidance=4.0, sampler="ddim", model="pocket")


def command(**fields: object) -> bytes:
    return json.dumps({"cmd": "GENERATE_IMAGES", "brief": "a mug", **fields}).encode()


@pytest.mark.parametrize(
    "data",
    [
        command(metadata={"a\0b": 1}),
        command(metadata={"a": "b\0c"}),
        command(brief="a\0b"),
        b'{"cmd": "GENERATE_IMAGES", "brief": "a mug", "seed": 1e999}',
        b'{"cmd": "GENERATE_IMAGES", "brief": "a mug", "seed": ' + b"9" * 300 + b"}",
        b'{"cmd": "GENERATE_IMAGES", "brief": "a mug", "metadata": ' + b"[" * 100_000,
    ],
)
def test_a_command_with_such_a_value_is_refused_when_it_is_read(data: bytes) -> None:
    with pytest.raises(AcpError) as refusal:
        codec.decode_command(data)
    assert refusal.value.code in ("invalid_value", "invalid_json", "too_large")


@pytest.mark.parametrize("text", ["128x128\n", "١٢٨x١٢٨", "128x128\u2028", "１２８x１２８", "1:1\n", "1٫5:1"])
def test_a_resolution_in_other_digits_or_with_a_line_feed_is_none(text: str) -> None:
    with pytest.raises(AcpError):
        parse(text)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_moment_that_utc_has_no_year_for_is_a_bad_value_or_far_away(moment: str) -> None:
    told = codec.decode_command(command(deadline=moment))
    assert isinstance(told, GenerateImages)
    if moment.startswith("0001"):
        with pytest.raises(AcpError) as refusal:
            check_times(told, datetime.now(UTC).timestamp())
        assert refusal.value.body.path == "$.deadline"
    else:
        check_times(told, datetime.now(UTC).timestamp())


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (replace(PLAIN, steps=10**9), "steps"),
        (replace(PLAIN, steps=-5), "steps"),
        (replace(PLAIN, width=100_000), "width"),
        (replace(PLAIN, height=0), "height"),
        (replace(PLAIN, guidance=float("inf")), "guidance"),
        (replace(PLAIN, seed=10**300), "seed"),
        (replace(PLAIN, seed=-1), "seed"),
        (replace(PLAIN, post=[CorrectColour(strength=0.5)] * 65), "post"),
    ],
)
def test_a_picture_that_asks_for_more_than_a_command_may_is_not_made_again(spec: PixelSpec, name: str) -> None:
    assert find_excess(PLAIN) is None
    assert (find_excess(spec) or "").startswith(f"{name} must be ")


@pytest.mark.parametrize("loras", ["[" * 200_000, '{"a":' * 100_000, "9" * 5_000])
def test_a_picture_whose_text_is_nested_too_deeply_ends_in_words(tmp_path: Path, loras: str) -> None:
    file = tmp_path / "changed.png"
    file.write_bytes(with_text(png(), {"prompt": "a mug", "loras": loras}))
    done = Home(tmp_path / "home").run("rerun", str(file), "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"]
