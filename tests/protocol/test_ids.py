"""Ids are one subject token, one path segment, and nobody's reserved word."""

import re

import msgspec
import pytest

from protocol import ids

HOSTILE = [
    "",
    " ",
    ".",
    "..",
    "a.b",
    "*",
    ">",
    "a>",
    "$JS",
    "a b",
    "a\tb",
    "a\r\nPUB x 0",
    "abc\n",
    "\nabc",
    "a\x00b",
    "a/b",
    "../x",
    "a\\b",
    "%2e%2e",
    "été",
    "\uff41\uff42",
    "a\u202eb",
    "a\u2028b",
    "a\u200bb",
    "१२",
    "a" * 65,
    "a" * 1_000_000,
]


@pytest.mark.parametrize("text", ["a", "local", "gen_batch_42", "A-Z_0-9", "-", "_", "a" * 64])
def test_plain_names_are_ids(text: str) -> None:
    assert ids.is_id(text)
    assert msgspec.convert(text, ids.Id) == text


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:24])
def test_hostile_text_is_no_id_for_the_function_nor_for_the_type(text: str) -> None:
    assert not ids.is_id(text)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, ids.Id)


@pytest.mark.parametrize("word", sorted(ids.RESERVED))
def test_reserved_words_name_nobody_in_any_case(word: str) -> None:
    assert not ids.is_id(word)
    assert not ids.is_id(word.upper())
    assert not ids.is_id(word.lower())


def test_batch_names_are_fresh_ids_of_the_known_form() -> None:
    names = {ids.new_batch_hash() for _ in range(1000)}

    assert len(names) == 1000
    assert all(ids.is_id(name) and re.fullmatch(r"gen_batch_[0-9a-f]{20}", name) for name in names)


def test_image_ids_are_ids_that_sort_by_index_and_differ_between_batches() -> None:
    batch = ids.new_batch_hash()
    names = [ids.image_id(batch, index) for index in (0, 1, 9, 10, 99_999, 999_999)]

    assert names == sorted(names)
    assert all(ids.is_id(name) for name in names)
    assert ids.image_id("a", 1) != ids.image_id("a_000001", 1)


@pytest.mark.parametrize("seed", [0, 1, ids.MAX_SEED])
def test_a_seed_survives_a_reader_that_knows_only_doubles(seed: int) -> None:
    assert msgspec.convert(seed, ids.Seed) == int(float(seed))


@pytest.mark.parametrize("seed", [-1, ids.MAX_SEED + 1, 2**64])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(seed, ids.Seed)


@pytest.mark.parametrize("text", ["a\nb", "a\n", "a\x00", "\x7f", "", "a" * 129])
def test_a_label_has_no_control_characters_and_an_end(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, ids.Label)


@pytest.mark.parametrize("text", ["DPM++ 2M Karras", "été", "black-forest-labs/FLUX.1-dev", "16:9"])
def test_a_label_may_be_any_readable_name(text: str) -> None:
    assert msgspec.convert(text, ids.Label) == text
