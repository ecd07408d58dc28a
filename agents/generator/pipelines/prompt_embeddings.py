# pyright: basic
"""Prompts with weights, and prompts longer than a text encoder reads at once, as the embeddings that diffusers'
pipelines of CLIP-encoded models take instead of words.

What exceeds a text encoder's length is read in chunks, whose embeddings follow each other, as in AUTOMATIC1111's web
UI. Weights act as in compel (`embeddings_provider.py`) and ComfyUI (`sd1_clip.py`): they move a token's embedding on
the line from the empty prompt's, where weight 0 is, through its own, where weight 1 is. A weight below 1 also takes
words out of what the tokens after them know of them, in proportion: the encoder reads the chunk again without. The web
UI multiplies embeddings and then restores the mean of all, which is no more than noise where that mean is near 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from agents.generator.pipelines.prompt_chunks import Token, split_into_chunks
from protocol.prompt_syntax import has_weights, parse_prompt

WEIGHT_STEPS = 20
"""Distinct weights below 1 in what a chunk's words know of each other; a 20th cannot be seen."""


def embed_prompts(pipeline: Any, prompts: Sequence[str], negative: str | None) -> dict[str, torch.Tensor] | None:
    """The arguments of a pipeline that say what `prompts` and the negative prompt say, with a row for each prompt; null
    where the pipeline says the same by itself, since there are no weights and all fits."""
    encoders = _text_encoders(pipeline)
    texts = [*prompts, negative or ""]
    chunks = [[encoder.chunks_of(text) for text in texts] for encoder in encoders]
    count = max(len(one) for chunked in chunks for one in chunked)
    if count == 1 and not any(map(has_weights, texts)):
        return None
    embedded = [
        [encoder.embed_chunks(one, count) for one in chunked] for encoder, chunked in zip(encoders, chunks, strict=True)
    ]
    rows = [torch.cat([by_encoder[place].hidden for by_encoder in embedded], dim=-1) for place in range(len(texts))]
    pooled = [one.pooled for one in embedded[-1] if one.pooled is not None]
    arguments = {"prompt_embeds": torch.cat(rows[:-1])}
    if pooled:
        arguments["pooled_prompt_embeds"] = torch.cat(pooled[:-1])
    if negative is None and getattr(pipeline.config, "force_zeros_for_empty_prompt", False):
        # The pipeline takes zeros of its own.
        return arguments
    arguments["negative_prompt_embeds"] = rows[-1].repeat(len(prompts), 1, 1)
    if pooled:
        arguments["negative_pooled_prompt_embeds"] = pooled[-1].repeat(len(prompts), 1)
    return arguments


@dataclass(frozen=True)
class _Embedding:
    """What a text encoder makes of a prompt: a vector for each token, and one of the whole where it has such."""

    hidden: torch.Tensor
    pooled: torch.Tensor | None


class _TextEncoder:
    """One of a pipeline's text encoders. `penultimate` takes the answers of its last layer but one, as SDXL does."""

    def __init__(self, pipeline: Any, tokenizer: Any, model: Any, penultimate: bool) -> None:
        self._pipeline = pipeline
        self._tokenizer = tokenizer
        self._model = model
        self._penultimate = penultimate
        self._length = min(tokenizer.model_max_length, model.config.max_position_embeddings)

    def chunks_of(self, prompt: str) -> list[Sequence[Token]]:
        """The tokens of a prompt, by the chunks that are read at once."""
        parts = [
            [token for part in chunk for token in self._tokens(part.text, part.weight)]
            for chunk in parse_prompt(prompt)
        ]
        return split_into_chunks(parts, self._length - 2)

    def embed_chunks(self, chunks: Sequence[Sequence[Token]], count: int) -> _Embedding:
        """The embeddings of chunks one after the other, filled up with empty ones to `count`."""
        empty = self._embed_numbers(())
        embedded = [self._embed_chunk(chunk, empty) for chunk in chunks]
        filled = [one.hidden for one in embedded] + [empty.hidden] * (count - len(chunks))
        return _Embedding(torch.cat(filled, dim=1), embedded[0].pooled)

    def _tokens(self, text: str, weight: float) -> list[Token]:
        text = self._pipeline.maybe_convert_prompt(text, self._tokenizer)
        numbers = self._tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        pieces = self._tokenizer.convert_ids_to_tokens(numbers)
        return [Token(number, piece, weight) for number, piece in zip(numbers, pieces, strict=True)]

    def _embed_chunk(self, chunk: Sequence[Token], empty: _Embedding) -> _Embedding:
        numbers = [token.number for token in chunk]
        own = self._embed_numbers(numbers)
        if all(token.weight == 1 for token in chunk):
            return own
        # One more at the start, which the tokenizer puts before every prompt.
        weights = torch.ones(self._length)
        weights[1 : 1 + len(chunk)] = torch.tensor([token.weight for token in chunk])
        weights = weights.to(own.hidden)[None, :, None]
        moved = torch.where(weights == 1, own.hidden, empty.hidden + (own.hidden - empty.hidden) * weights)
        below = [(place, _in_steps(token.weight)) for place, token in enumerate(chunk, 1) if token.weight < 1]
        for weight in sorted({weight for _, weight in below} - {1.0}):
            unread = [place for place, one in below if one == weight]
            known = own.hidden - self._embed_numbers(numbers, unread).hidden
            known[:, unread] = 0
            moved = moved - known * (1 - weight)
        return _Embedding(moved, own.pooled)

    def _embed_numbers(self, numbers: Sequence[int], unread: Sequence[int] = ()) -> _Embedding:
        """What the pipeline's own encoding of these tokens is; no token sees those at the places in `unread`."""
        tokenizer, length = self._tokenizer, self._length
        filling = [tokenizer.pad_token_id] * (length - 2 - len(numbers))
        framed = [tokenizer.bos_token_id, *numbers, tokenizer.eos_token_id]
        ids = torch.tensor([framed + filling]).to(self._pipeline._execution_device)
        mask = None
        if getattr(self._model.config, "use_attention_mask", False):
            mask = torch.tensor([[1] * len(framed) + [0] * len(filling)]).to(ids.device)
        if unread:
            mask = torch.ones_like(ids) if mask is None else mask
            mask[:, unread] = 0
        if not self._penultimate:
            return _Embedding(self._model(ids, attention_mask=mask)[0], None)
        said = self._model(ids, output_hidden_states=True, **({} if mask is None else {"attention_mask": mask}))
        return _Embedding(said.hidden_states[-2], said[0] if said[0].ndim == 2 else None)


def _in_steps(weight: float) -> float:
    """A weight below 1 as what is taken out of the other tokens has it: each one that is distinct has the encoder read
    the chunk again."""
    return round(max(weight, 0.0) * WEIGHT_STEPS) / WEIGHT_STEPS


def _text_encoders(pipeline: Any) -> list[_TextEncoder]:
    several = hasattr(pipeline, "text_encoder_2")
    pairs = [
        (getattr(pipeline, f"tokenizer{end}", None), getattr(pipeline, f"text_encoder{end}", None))
        for end in ("", "_2")
    ]
    return [
        _TextEncoder(pipeline, tokenizer, model, several)
        for tokenizer, model in pairs
        if tokenizer is not None and model is not None
    ]
