"""A prompt's tokens in the chunks that a text encoder reads at once. Pure module."""

from collections.abc import Sequence
from dataclasses import dataclass

WORD_END = "</w>"
"""How the last piece of a word ends in CLIP's vocabulary."""

BACKTRACK = 4
"""A chunk ends at a comma where one lies in its last quarter (1/4)."""


@dataclass(frozen=True)
class Token:
    """One token of a prompt: its number, the piece of text that the vocabulary has for it, and what it weighs."""

    number: int
    piece: str
    weight: float = 1.0


def split_into_chunks(parts: Sequence[Sequence[Token]], room: int) -> list[Sequence[Token]]:
    """Chunks of at most `room` tokens, at least one; each of `parts` that holds something begins a new one. They end at
    a comma or else at the end of a word, where there is one."""
    chunks: list[Sequence[Token]] = []
    for part in parts:
        rest = part
        while len(rest) > room:
            end = _chunk_end(rest, room)
            chunks.append(rest[:end])
            rest = rest[end:]
        if rest:
            chunks.append(rest)
    return chunks or [()]


def _chunk_end(tokens: Sequence[Token], room: int) -> int:
    """How many of the first tokens make up a chunk."""
    commas = range(room, room - room // BACKTRACK, -1)
    if found := next((end for end in commas if tokens[end - 1].piece == f",{WORD_END}"), None):
        return found
    return next((end for end in range(room, 0, -1) if tokens[end - 1].piece.endswith(WORD_END)), room)
