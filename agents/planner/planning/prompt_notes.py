"""What is to be said of prompts before they are drawn: weights that do nothing or too much, and words that a model does
not read. Pure module."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from agents.planner.planning.command_texts import Note, group_notes
from protocol.commands import GenerateImages
from protocol.offers import ModelInfo, PromptReading
from protocol.prompt_syntax import MAX_CHUNKS, count_breaks, has_weights, parse_prompt, plain_text

MAX_USEFUL_WEIGHT = 2.0
"""Attention weight beyond which pictures are spoilt."""

_TOKEN = re.compile(r"[^\W\d_]+|\d|[^\s\w]+")
"""What is at least one token of any text encoder: a word, a digit, a run of other characters."""


def prompt_notes(
    command: GenerateImages, model: ModelInfo, catalogue: Iterable[Note] = ()
) -> tuple[list[str], list[str]]:
    """(what of the prompts is not honoured, warnings) where `model` reads them; `catalogue` are the prompts of one with
    their names."""
    reading = model.prompts
    if reading is None:
        return [], []
    not_honoured: list[Note] = []
    warnings: list[Note] = []
    for where, text in (*_texts_of(command), *catalogue):
        ignored, strong = notes_of_text(text, model.name, reading)
        not_honoured += [(where, note) for note in ignored]
        warnings += [(where, note) for note in strong]
    return group_notes(not_honoured), group_notes(warnings)


@lru_cache(maxsize=4096)
def notes_of_text(text: str, model: str, reading: PromptReading) -> tuple[list[str], list[str]]:
    """What is to be said of one text; kept, because each value of a sweep is planned with the same texts."""
    ignored: list[str] = []
    weighted = has_weights(text)
    if weighted and not reading.weights:
        ignored.append(f"attention weights are taken off, since {model} does not use them")
    if reading.weights and count_breaks(text) >= MAX_CHUNKS:
        ignored.append(f"BREAK begins a chunk {MAX_CHUNKS - 1} times at most; further ones do nothing")
    if reading.tokens is not None and (cut := count_tokens_at_least(plain_text(text)) - reading.tokens) > 0:
        ignored.append(f"{model} reads {reading.tokens} tokens; at least the last {cut} of this text are cut off")
    return ignored, _strong_weights(text) if weighted and reading.weights else []


def count_tokens_at_least(text: str) -> int:
    """How many tokens a text has at least, whatever the vocabulary; most words are one."""
    return sum(1 for _ in _TOKEN.finditer(text))


def _strong_weights(text: str) -> list[str]:
    return [
        f"{part.text.strip()[:40]!r} weighs {part.weight:g}; weights above {MAX_USEFUL_WEIGHT:g} spoil pictures"
        for chunk in parse_prompt(text)
        for part in chunk
        if abs(part.weight) > MAX_USEFUL_WEIGHT
    ]


def _texts_of(command: GenerateImages) -> Iterator[Note]:
    if command.brief is not None:
        yield "brief", command.brief
    for name in ("subjects", "prompts"):
        texts: list[str] = getattr(command, name)
        yield from ((f"{name}[{place}]", text) for place, text in enumerate(texts))
    if command.negative_prompt:
        yield "negative_prompt", command.negative_prompt
    for place, region in enumerate(command.regions):
        yield f"regions[{place}].prompt", region.prompt
