"""Attention weights in prompts: what a text says, and its words alone."""

import pytest

from protocol.prompt_syntax import Weighted, has_weights, parse_prompt, plain_text, wanted_text

Part = tuple[str, float]

SAID: dict[str, tuple[list[list[Part]], str]] = {
    "a red car": ([[("a red car", 1)]], "a red car"),
    "a (red:1.4) car, ((blue)) sky, [dark]": (
        [[("a ", 1), ("red", 1.4), (" car, ", 1), ("blue", 1.21), (" sky, ", 1), ("dark", 0.9091)]],
        "a red car, blue sky, dark",
    ),
    "(a (b : 2 ) [c])": ([[("a ", 1.1), ("b ", 2.2), (" ", 1.1), ("c", 1)]], "a b  c"),
    r"snakebite \(piercing\), \[x\] \\": (
        [[(r"snakebite (piercing), [x] " + "\\", 1)]],
        "snakebite (piercing), [x] \\",
    ),
    r"a \ b": ([[(r"a \ b", 1)]], r"a \ b"),
    "a red car BREAK a blue sky": ([[("a red car ", 1)], [(" a blue sky", 1)]], "a red car, a blue sky"),
    "BREAKFAST with Bob": ([[("BREAKFAST with Bob", 1)]], "BREAKFAST with Bob"),
    "a :) face (": ([[("a :) face (", 1)]], "a :) face ("),
    "(a [b) c]": ([[("(a ", 1), ("b) c", 0.9091)]], "(a b) c"),
    "[a:1.2) b]": ([[("a:1.2) b", 0.9091)]], "a:1.2) b"),
    "(a:.5)(b:-1)(c:0)": ([[("a", 0.5), ("b", -1), ("c", 0)]], "abc"),
    "(a:900)": ([[("a", 10)]], "a"),
    "(" * 100 + "(a:0)b" + ":9999)" * 100: ([[("a", 0), ("b", 10)]], "ab"),
    "(:1.2)": ([[]], ""),
    "": ([[]], ""),
}


@pytest.mark.parametrize("prompt", SAID)
def test_a_prompt_is_read_as_other_programs_read_it(prompt: str) -> None:
    chunks, words = SAID[prompt]
    assert parse_prompt(prompt) == tuple(tuple(Weighted(*part) for part in chunk) for chunk in chunks)
    assert plain_text(prompt) == words
    assert has_weights(prompt) == (len(chunks) > 1 or any(weight != 1 for _, weight in chunks[0]))


@pytest.mark.parametrize("prompt", ["(a" * 2000 + ")" * 2000, "(" * 4000, ":" + " " * 3999, "[" * 2000 + "]" * 2000])
def test_brackets_without_end_are_read_in_time_that_grows_with_their_number(prompt: str) -> None:
    assert len(parse_prompt(prompt)) == 1
    assert all(abs(part.weight) <= 10 for part in parse_prompt(prompt)[0])


def test_a_flood_of_chunks_is_bounded_and_keeps_its_words() -> None:
    prompt = " BREAK ".join(f"(part{number}:1.5)" for number in range(100))
    chunks = parse_prompt(prompt)
    assert len(chunks) == 32
    assert "part30" in chunks[-2][1].text
    assert "".join(part.text for part in chunks[-1]).split()[-1] == "part99"
    assert plain_text(prompt).replace(",", "").split() == [f"part{number}" for number in range(100)]


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("a (red:0) car", "a  car"),
        ("a (red:-1) car BREAK (a boat:-0.5) BREAK night", "a  car, night"),
        ("a (red:0.1) car, [dark]", "a red car, dark"),
        ("a red car", "a red car"),
    ],
)
def test_what_weighs_nothing_is_not_wanted(prompt: str, wanted: str) -> None:
    assert wanted_text(prompt) == wanted
