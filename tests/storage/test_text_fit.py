"""Text in lines that fit: a font whose characters are all one wide measures it."""

import pytest

from agents.storage.text_fit import fit_lines


@pytest.mark.parametrize(
    ("text", "width", "lines", "fitted"),
    [
        ("a red mug", 9, 1, ["a red mug"]),
        ("a red mug", 8, 1, ["a red…"]),
        ("a red mug", 8, 2, ["a red", "mug"]),
        ("a red mug on a table", 6, 2, ["a red", "mug…"]),
        ("a red mug on a table", 6, 4, ["a red", "mug on", "a", "table"]),
        ("  a\n red\tmug ", 20, 1, ["a red mug"]),
        ("abcdefghij", 4, 2, ["abcd", "efg…"]),
        ("abcdefgh", 4, 2, ["abcd", "efgh"]),
        ("abc", 0, 2, ["a", "b…"]),
        ("", 10, 3, []),
        ("a red mug", 8, 0, []),
    ],
)
def test_words_are_wrapped_and_what_is_left_over_is_cut_off(
    text: str, width: int, lines: int, fitted: list[str]
) -> None:
    assert fit_lines(text, len, width, lines) == fitted
