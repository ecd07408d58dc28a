# pyright: basic, reportAttributeAccessIssue=false
"""A stranger's safetensors file: what a real one tells, and that no other bytes get further than a typed refusal."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from agents.generator.files.safetensors_header import (
    ADAPTER_BOUNDS,
    DTYPE_BYTES,
    Bounds,
    UnsoundFile,
    inspect_file,
    read_header,
)

quick = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def packed(header: Any, data: bytes = b"") -> bytes:
    """A file of a header and data, however little they fit together."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype: str = "F32", shape: tuple[int, ...] = (2,), begin: int = 0, end: int = 8) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "strange.safetensors"


def test_a_file_that_safetensors_wrote_is_read_as_it_was_written(file: Path):
    tensors = {"a.weight": np.ones((2, 3), np.float32), "b": np.zeros((2, 4), np.float16), "c": np.array(7, np.int64)}
    save_file(tensors, file, {"trigger": "glow"})

    header = inspect_file(file, ADAPTER_BOUNDS)

    assert {name: one.shape for name, one in header.tensors.items()} == {"a.weight": (2, 3), "b": (2, 4), "c": ()}
    assert {name: one.dtype for name, one in header.tensors.items()} == {"a.weight": "F32", "b": "F16", "c": "I64"}
    assert header.metadata == {"trigger": "glow"}
    one = header.tensors["a.weight"]
    assert file.read_bytes()[header.data + one.begin : header.data + one.end] == tensors["a.weight"].tobytes()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param(b"", "not_safetensors", id="empty"),
        pytest.param(b"PK\x03\x04 a zip, as pickled weights are", "not_safetensors", id="zip"),
        pytest.param(b"\x80\x02}q\x00.", "not_safetensors", id="pickle"),
        pytest.param(b"\xff" * 64, "not_safetensors", id="a-header-longer-than-the-file"),
        pytest.param(packed(b" {}"), "not_safetensors", id="a-header-that-begins-with-a-space"),
        pytest.param(packed(b"{" * 100_000), "bad_header", id="nested-deeply"),
        pytest.param(packed(b'{"a":' * 100_000), "bad_header", id="nested-deeply-in-names"),
        pytest.param(packed(b'{"a": 1'), "bad_header", id="cut-off-json"),
        pytest.param(packed(b"{\xff}"), "bad_header", id="not-utf-8"),
        pytest.param(packed({"a": [1, 2]}), "bad_header", id="an-entry-that-is-a-list"),
        pytest.param(packed({"__metadata__": {"a": 1}}), "bad_header", id="metadata-that-is-no-text"),
        pytest.param(packed({"__metadata__": []}), "bad_header", id="metadata-that-is-a-list"),
        pytest.param(packed({"a": entry() | {"code": "x"}}, bytes(8)), "bad_header", id="an-unknown-field"),
        pytest.param(packed({"a": entry(shape=(-2,))}, bytes(8)), "bad_header", id="a-negative-side"),
        pytest.param(packed({"a": entry(shape=(1,) * 9)}, bytes(8)), "bad_header", id="nine-dimensions"),
        pytest.param(packed({"a": entry(shape=(1 << 50,))}, bytes(8)), "bad_header", id="a-side-of-a-petabyte"),
        pytest.param(packed(b'{"a":%s,"a":%s}' % ((json.dumps(entry()).encode(),) * 2), bytes(8)), "bad_header",
                     id="a-name-given-twice"),
        pytest.param(packed(b'{"a": ' + b"9" * 5000 + b"}"), "bad_header", id="a-number-of-5000-digits"),
        pytest.param(packed({"a": entry(dtype="F128")}, bytes(8)), "bad_tensor", id="an-unknown-type"),
        pytest.param(packed({"": entry()}, bytes(8)), "bad_tensor", id="no-name"),
        pytest.param(packed({"a\nb": entry()}, bytes(8)), "bad_tensor", id="a-line-break-in-a-name"),
        pytest.param(packed({"a" * 513: entry()}, bytes(8)), "bad_tensor", id="a-long-name"),
        pytest.param(packed({"a": entry(shape=(3,))}, bytes(8)), "bad_tensor", id="a-shape-that-needs-more-bytes"),
        pytest.param(packed({"a": entry(begin=8, end=0)}, bytes(8)), "bad_tensor", id="an-end-before-its-beginning"),
        pytest.param(packed({"a": entry(begin=8, end=16)}, bytes(16)), "bad_offsets", id="a-gap"),
        pytest.param(packed({"a": entry(), "b": entry()}, bytes(8)), "bad_offsets", id="an-overlap"),
        pytest.param(packed({"a": entry()}, bytes(7)), "bad_offsets", id="cut-off"),
        pytest.param(packed({"a": entry()}, bytes(9)), "bad_offsets", id="something-behind-the-tensors"),
        pytest.param(packed({"a": entry()}, np.array([1, np.nan], "<f4").tobytes()), "not_finite", id="nan"),
        pytest.param(packed({"a": entry()}, np.array([1, -np.inf], "<f4").tobytes()), "not_finite", id="infinity"),
        pytest.param(packed({"a": entry("F8_E4M3", (8,))}, bytes(7) + b"\xff"), "not_finite", id="nan-in-a-byte"),
    ],
)  # fmt: skip
def test_a_hostile_file_is_refused_by_its_fault(file: Path, content: bytes, fault: str):
    file.write_bytes(content)
    with pytest.raises(UnsoundFile) as refused:
        inspect_file(file, ADAPTER_BOUNDS)
    assert refused.value.fault == fault


@pytest.mark.parametrize("bounds", [Bounds(file=100), Bounds(file=1000, header=40), Bounds(file=1000, tensors=1)])
def test_a_file_over_a_bound_is_refused_before_it_is_read(file: Path, bounds: Bounds):
    save_file({"a": np.zeros(9, np.float32), "b": np.zeros(9, np.float32)}, file)
    with pytest.raises(UnsoundFile) as refused:
        inspect_file(file, bounds)
    assert refused.value.fault == "too_large"


@pytest.mark.parametrize(
    ("dtype", "worst"),
    [("F16", 0x7BFF), ("BF16", 0x7F7F), ("F32", 0x7F7F_FFFF), ("F64", 0x7FEF_FFFF_FFFF_FFFF), ("F8_E5M2", 0x7B),
     ("F8_E4M3", 0x7E), ("U8", 0xFF), ("I64", 0x7FFF_FFFF_FFFF_FFFF)],
)  # fmt: skip
def test_the_largest_number_of_a_type_is_a_number(file: Path, dtype: str, worst: int):
    width = DTYPE_BYTES[dtype]
    content = packed({"a": entry(dtype, (1,), 0, width)}, worst.to_bytes(width, "little"))
    file.write_bytes(content)
    assert inspect_file(file, ADAPTER_BOUNDS).tensors["a"].dtype == dtype


@quick
@given(content=some.binary(max_size=300))
def test_arbitrary_bytes_never_end_otherwise_than_refused(file: Path, content: bytes):
    file.write_bytes(content)
    with pytest.raises(UnsoundFile):
        inspect_file(file, ADAPTER_BOUNDS)


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=8),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(max_size=8), inner, max_size=4),
)
ENTRIES = some.dictionaries(
    some.sampled_from(["a", "b", "__metadata__", ""]),
    JSON
    | some.fixed_dictionaries(
        {
            "dtype": some.sampled_from([*DTYPE_BYTES, "F4"]),
            "shape": some.lists(some.integers(-1, 5), max_size=9),
            "data_offsets": some.lists(some.integers(-1, 40), min_size=1, max_size=3),
        }
    ),
    max_size=3,
)


@quick
@given(header=ENTRIES, data=some.binary(max_size=40))
def test_what_passes_is_what_safetensors_itself_opens_to_the_same_shapes(
    file: Path, header: dict[str, Any], data: bytes
):
    file.write_bytes(packed(header, data))
    try:
        found = read_header(file, ADAPTER_BOUNDS)
    except UnsoundFile:
        return
    with safe_open(file, framework="np") as theirs:
        shapes = {name: tuple(theirs.get_slice(name).get_shape()) for name in theirs.keys()}  # noqa: SIM118 - no mapping
    assert {name: tensor.shape for name, tensor in found.tensors.items()} == shapes


@quick
@given(at=some.integers(0, 10_000), bit=some.integers(0, 7))
def test_a_flipped_bit_is_noticed_or_changes_a_value_or_a_name_only(file: Path, at: int, bit: int):
    save_file({"unet.a": np.ones((3, 4), np.float32), "unet.b": np.ones(5, np.float16)}, file)
    content = bytearray(file.read_bytes())
    content[at % len(content)] ^= 1 << bit
    file.write_bytes(content)
    try:
        found = inspect_file(file, ADAPTER_BOUNDS)
    except UnsoundFile:
        return
    with safe_open(file, framework="np") as theirs:
        assert {tensor.shape for tensor in found.tensors.values()} == {
            tuple(theirs.get_slice(name).get_shape())
            for name in theirs.keys()  # noqa: SIM118 - no mapping
        }


@pytest.mark.parametrize(
    "spoil", [lambda content: content[:-4], lambda content: content + b"\0"], ids=["cut", "longer"]
)
def test_what_safetensors_refuses_is_refused_here(file: Path, spoil: Callable[[bytes], bytes]):
    save_file({"a": np.ones((3, 4), np.float32)}, file)
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(SafetensorError), safe_open(file, framework="np"):
        pass
    with pytest.raises(UnsoundFile):
        inspect_file(file, ADAPTER_BOUNDS)
