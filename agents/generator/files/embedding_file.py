"""What a textual inversion file teaches, by the names and shapes in its header: its word and the width of each encoder.
Pure module."""

from collections.abc import Mapping
from dataclasses import dataclass

from agents.generator.files.safetensors_header import Bounds, Header, Tensor

EMBEDDING_BOUNDS = Bounds(file=64 << 20, header=1 << 20, tensors=16)
"""75 vectors of the widest encoder are 0.4 MB."""

MAX_VECTORS = 75
"""CLIP reads 77 tokens, of which two are its own."""

_ENCODER_NUMBERS = {"emb_params": 0, "clip_l": 0, "clip_g": 1}
"""Names that other programs give to the vectors of a text encoder -> its number."""


class NotAnEmbedding(ValueError):
    """The file holds something else."""


@dataclass(frozen=True)
class EmbeddingFile:
    """`encoder_vectors` are (name of the tensor, number of the text encoder, width). `token` is null where the file
    names none."""

    token: str | None
    encoder_vectors: tuple[tuple[str, int, int], ...]


def is_embedding(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a file's tensors are named and shaped as those of a textual inversion may be."""
    if len(tensors) == 1:
        return len(next(iter(tensors.values())).shape) <= 2
    return bool(tensors) and tensors.keys() <= _ENCODER_NUMBERS.keys()


def describe(header: Header) -> EmbeddingFile:
    """What the file is.

    Raises:
        NotAnEmbedding: its tensors are not vectors of text encoders.
    """
    names = list(header.tensors)
    known = all(name in _ENCODER_NUMBERS for name in names)
    if not names or (not known and len(names) != 1):
        raise NotAnEmbedding("its tensors are not named as those of a textual inversion")
    parts = tuple((name, _ENCODER_NUMBERS.get(name, 0), _vector_width(name, header.tensors[name])) for name in names)
    return EmbeddingFile(None if known else names[0], parts)


def _vector_width(name: str, tensor: Tensor) -> int:
    vectors = tensor.shape[0] if len(tensor.shape) == 2 else 1
    if len(tensor.shape) not in (1, 2) or not 1 <= vectors <= MAX_VECTORS:
        raise NotAnEmbedding(f"{name!r} of shape {tensor.shape} is not 1 to {MAX_VECTORS} vectors")
    return tensor.shape[-1]
