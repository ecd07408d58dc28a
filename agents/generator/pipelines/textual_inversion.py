# pyright: basic
"""Words that the text encoders of one pipeline were taught (textual inversion): learnt when a prompt first has them.

A word once learnt stays: it changes no prompt without it. Only the device's thread calls this.
"""

from collections.abc import Sequence
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from agents.generator.files.embedding_file import EMBEDDING_BOUNDS, describe
from agents.generator.files.safetensors_header import inspect_file
from agents.generator.orders.order import TextualInversion
from protocol.errors import AcpError, Refused


class TextualInversions:
    """The words that one pipeline knows."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._loaded_tokens: set[str] = set()

    def load(self, words: Sequence[TextualInversion]) -> None:
        """Make sure that these words are known.

        Raises:
            AcpError: a file is no embedding of this model's text encoders.
        """
        for word in words:
            if word.token not in self._loaded_tokens:
                try:
                    self._load(word)
                except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
                    raise _unusable_error(word, " ".join(str(error).split())[:300]) from error
                self._loaded_tokens.add(word.token)

    def _load(self, word: TextualInversion) -> None:
        found = describe(inspect_file(word.file, EMBEDDING_BOUNDS))
        if not hasattr(self._pipeline, "load_textual_inversion"):
            raise ValueError(f"{type(self._pipeline).__name__} learns no words")
        encoders = [
            (getattr(self._pipeline, f"text_encoder{end}", None), getattr(self._pipeline, f"tokenizer{end}", None))
            for end in ("", "_2")
        ]
        for name, number, width in found.encoder_vectors:
            encoder, _ = encoders[number]
            own = encoder.get_input_embeddings().weight.shape[1] if encoder is not None else 0
            if own != width:
                raise ValueError(f"{name!r} is {width} wide, text encoder {number + 1} of the model {own}")
        tensors = load_file(word.file)
        for name, number, _ in found.encoder_vectors:
            encoder, tokenizer = encoders[number]
            self._pipeline.load_textual_inversion(
                {word.token: tensors[name]}, token=word.token, text_encoder=encoder, tokenizer=tokenizer
            )


def _unusable_error(word: TextualInversion, reason: str) -> AcpError:
    return Refused(
        "not_installed",
        f"the word {word.token} ({word.file}) cannot be used: {reason}",
        path="$.job.pixels.prompt.text",
        hint="check that it was made for this model's platform, or leave the word out",
    )
