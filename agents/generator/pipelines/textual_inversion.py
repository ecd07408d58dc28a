# pyright: basic
"""Words that the text encoders of one pipeline were taught (textual inversion): learnt when a prompt first has them.

A word once learnt stays: it changes no prompt without it. Only the device's thread calls this.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from agents.generator.device.errors import reason_of
from agents.generator.files.embedding_file import EMBEDDING_BOUNDS, describe
from agents.generator.files.safetensors_header import inspect_file
from agents.generator.orders.order import TextualInversion
from agents.generator.pipelines.mounting import MountGuard
from bus.failpoint import pass_failpoint
from protocol.errors import AcpError, Refused

FileKey = tuple[Path, int]
"""A file and its time of change."""


class TextualInversions:
    """The words that one pipeline knows."""

    def __init__(self, pipeline: Any, guard: MountGuard) -> None:
        self._pipeline = pipeline
        self._guard = guard
        self._files_by_token: dict[str, FileKey] = {}

    def load(self, words: Sequence[TextualInversion]) -> None:
        """Make sure that these words are known.

        Raises:
            AcpError: a file is no embedding of this model's text encoders.
            ModelThrownAway: the model has learnt one of them from another file.
        """
        for word in {word.token: word for word in reversed(words)}.values():
            unusable = partial(_unusable_error, word)
            file = (word.file, word.file.stat().st_mtime_ns)
            known = self._files_by_token.get(word.token)
            if known == file:
                continue
            if known is not None:
                raise self._guard.forget_model()
            try:
                parts = self._parts_of(word)
                tensors = load_file(word.file)
            except (OSError, ValueError, SafetensorError) as error:
                raise unusable(reason_of(error)) from error
            # A tokenizer forgets no word, so that nothing but another model undoes half of this.
            with self._guard.switching(unusable):
                for part in parts:
                    self._teach(word.token, part, tensors[part.tensor])
            self._files_by_token[word.token] = file

    def _parts_of(self, word: TextualInversion) -> list["_Part"]:
        """The text encoders that a file teaches.

        Raises:
            OSError, ValueError: it does not fit them, or they know the word.
        """
        found = describe(inspect_file(word.file, EMBEDDING_BOUNDS))
        if not hasattr(self._pipeline, "load_textual_inversion"):
            raise ValueError(f"{type(self._pipeline).__name__} learns no words")
        parts: list[_Part] = []
        for name, number, width in found.encoder_vectors:
            end = "_2" if number else ""
            encoder, tokenizer = (
                getattr(self._pipeline, f"{kind}{end}", None) for kind in ("text_encoder", "tokenizer")
            )
            own = encoder.get_input_embeddings().weight.shape[1] if encoder is not None else 0
            if encoder is None or tokenizer is None or own != width:
                raise ValueError(f"{name!r} is {width} wide, text encoder {number + 1} of the model {own}")
            if word.token in tokenizer.get_vocab():
                raise ValueError(f"text encoder {number + 1} of the model knows a word {word.token!r} of its own")
            parts.append(_Part(name, encoder, tokenizer))
        return parts

    def _teach(self, token: str, part: "_Part", vectors: torch.Tensor) -> None:
        self._pipeline.load_textual_inversion(
            {token: vectors}, token=token, text_encoder=part.encoder, tokenizer=part.tokenizer
        )
        pass_failpoint("mount.word_loaded")
        rows = vectors if vectors.ndim == 2 else vectors[None]
        names = [token, *(f"{token}_{number}" for number in range(1, len(rows)))]
        weights = part.encoder.get_input_embeddings().weight
        learnt = weights[part.tokenizer.convert_tokens_to_ids(names)]
        if not torch.equal(learnt, rows.to(learnt.device, learnt.dtype)):
            raise ValueError("the text encoder did not learn what the file teaches")


@dataclass(frozen=True)
class _Part:
    """A text encoder with its tokenizer, and the name of the vectors for it."""

    tensor: str
    encoder: Any
    tokenizer: Any


def _unusable_error(word: TextualInversion, reason: str) -> AcpError:
    return Refused(
        "not_installed",
        f"the word {word.token} ({word.file}) cannot be used: {reason}",
        path="$.job.pixels.prompt.text",
        hint="check that it was made for this model's platform, or leave the word out",
    )
