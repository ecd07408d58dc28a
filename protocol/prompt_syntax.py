"""Attention weights in prompts, as AUTOMATIC1111's web UI and ComfyUI write them. Pure module.

`(x)` weighs 1.1 times as much, `[x]` 1/1.1 times, `(x:1.4)` 1.4 times; brackets multiply. A bracket or a backslash
after a backslash is the character itself, as is a bracket without a partner. `BREAK` begins a new chunk of what a text
encoder reads at once.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import msgspec

WEIGHTS: Final = "weights"
"""The `prompt_syntax` of pixels whose prompts are written like this. Without it each character is a part of the
words, and what follows the first chunk of a text encoder is cut off."""

STEP = 1.1
MAX_WEIGHT = 10.0
"""Weights beyond it act as this one."""
_MAX_PRODUCT = 1e9
"""Of nested brackets: beyond it, numbers become infinite, and infinity times 0 is no number."""

MAX_CHUNKS = 32
"""Chunks that a prompt may ask for, which is more than the longest text fills: each costs its time at every step. A
further `BREAK` is a space."""

_TOKEN = re.compile(
    r"\\(?P<escaped>[()\[\]\\])"
    r"|(?P<open>[(\[])"
    r"|:\s{0,8}(?P<weight>[+-]?(?:\d{1,4}(?:\.\d{0,6})?|\.\d{1,6}))\s{0,8}(?=\))"
    r"|(?P<close>[)\]])"
    r"|(?P<break>\bBREAK\b)"
    r"|(?P<text>[^\\()\[\]:B]+|.)",
    re.DOTALL,
)
_SYNTAX = re.compile(r"[()\[\]]|\\(?=[()\[\]\\])")
_PARTNERS = {")": "(", "]": "["}


@dataclass(frozen=True)
class Weighted:
    """A part of a prompt and what it weighs; 1 is what it weighs by itself."""

    text: str
    weight: float = 1.0


Chunk = tuple[Weighted, ...]


@lru_cache(maxsize=256)
def parse_prompt(prompt: str) -> tuple[Chunk, ...]:
    """The parts of a prompt in their order, by the chunks that it asks for; at least one chunk, which may be empty.
    What is written as an object of JSON has no syntax but that."""
    if is_json_object(prompt):
        return ((Weighted(prompt),),)
    tokens = list(_TOKEN.finditer(prompt))
    factors = _bracket_factors(tokens)
    chunks: list[list[Weighted]] = [[]]
    stack: list[float] = [1.0]
    for position, token in enumerate(tokens):
        factor = factors.get(position)
        if token["break"] and len(chunks) < MAX_CHUNKS:
            chunks.append([])
        elif token["break"]:
            _append(chunks[-1], Weighted(" ", chunks[-1][-1].weight if chunks[-1] else 1.0))
        elif token["open"] and factor is not None:
            stack.append(min(max(stack[-1] * factor, -_MAX_PRODUCT), _MAX_PRODUCT))
        elif token["close"] and factor is not None:
            stack.pop()
        elif token["weight"] is None or position + 1 not in factors or not _is_round(tokens[position + 1]):
            weight = round(min(max(stack[-1], -MAX_WEIGHT), MAX_WEIGHT), 4)
            _append(chunks[-1], Weighted(token["escaped"] or token[0], weight))
    return tuple(map(tuple, chunks))


def is_json_object(text: str) -> bool:
    """Whether a text is an object of JSON, whose brackets are its own."""
    if not (text.lstrip().startswith("{") and text.rstrip().endswith("}")):
        return False
    try:
        msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True


def has_weights(prompt: str) -> bool:
    """Whether a prompt says more than its words: weights, or chunks of its own."""
    chunks = parse_prompt(prompt)
    return len(chunks) > 1 or any(part.weight != 1 for chunk in chunks for part in chunk)


def count_breaks(prompt: str) -> int:
    """How often a prompt asks for a new chunk."""
    return 0 if is_json_object(prompt) else sum(1 for token in _TOKEN.finditer(prompt) if token["break"])


def plain_text(prompt: str) -> str:
    """The words of a prompt without its syntax; a prompt that has none as it is."""
    return _join(prompt, parse_prompt(prompt))


def wanted_text(prompt: str) -> str:
    """As `plain_text`, without what weighs nothing or less: that is not to be seen."""
    return _join(prompt, tuple(tuple(part for part in chunk if part.weight > 0) for chunk in parse_prompt(prompt)))


def _join(prompt: str, chunks: tuple[Chunk, ...]) -> str:
    texts = ["".join(part.text for part in chunk) for chunk in chunks]
    if len(texts) == 1:
        return prompt if not any(mark in prompt for mark in "()[]\\") else texts[0]
    return ", ".join(text.strip(" ,") for text in texts if text.strip(" ,"))


def escape_prompt(text: str) -> str:
    """A text that nobody wrote as a prompt, as a prompt that says each of its brackets."""
    return _SYNTAX.sub(r"\\\g<0>", text)


def _is_round(token: re.Match[str]) -> bool:
    return token["close"] == ")"


def _bracket_factors(tokens: list[re.Match[str]]) -> dict[int, float]:
    """What each bracket with a partner multiplies by, by its position."""
    factors: dict[int, float] = {}
    opened: list[int] = []
    for position, token in enumerate(tokens):
        if token["open"]:
            opened.append(position)
        elif (close := token["close"]) and opened and tokens[opened[-1]]["open"] == _PARTNERS[close]:
            weight = tokens[position - 1]["weight"] if close == ")" else None
            usual = STEP if close == ")" else 1 / STEP
            factors[opened.pop()] = factors[position] = usual if weight is None else float(weight)
    return factors


def _append(chunk: list[Weighted], part: Weighted) -> None:
    if chunk and chunk[-1].weight == part.weight:
        part = Weighted(chunk.pop().text + part.text, part.weight)
    chunk.append(part)
