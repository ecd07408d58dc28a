"""A prompt's tokens in the chunks that a text encoder reads at once."""

import pytest

from agents.generator.pipelines.prompt_chunks import Token, split_into_chunks


def tokens(*pieces: str) -> list[Token]:
    return [Token(number, piece) for number, piece in enumerate(pieces)]


def words(count: int) -> list[str]:
    return [f"{number}</w>" for number in range(count)]


Cases = list[tuple[list[list[str]], list[int]]]

CASES: Cases = [
    ([[]], [0]),
    ([words(8)], [8]),
    ([words(9)], [8, 1]),
    ([words(8), words(8)], [8, 8]),
    ([words(2), [], words(3)], [2, 3]),
    ([[*words(6), ",</w>", *words(4)]], [7, 4]),
    ([[*words(3), ",</w>", *words(7)]], [8, 3]),
    ([[*words(6), "long", "er", "</w>"]], [6, 3]),
    ([["x"] * 20], [8, 8, 4]),
]


@pytest.mark.parametrize(("parts", "lengths"), CASES)
def test_a_chunk_ends_at_a_comma_or_a_word_and_each_part_begins_one(parts: list[list[str]], lengths: list[int]) -> None:
    chunks = split_into_chunks([tokens(*part) for part in parts], 8)

    assert [len(chunk) for chunk in chunks] == lengths
    assert [token.piece for chunk in chunks for token in chunk] == [piece for part in parts for piece in part]
