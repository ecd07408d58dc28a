"""Pictures that a picture is made from, as jobs carry them: by their bytes in the blob store, places in pixels. Pure
module."""

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta, Struct

from protocol.catalogue import Blob
from protocol.parameters import ControlKind, ReferenceRole

Box = Annotated[list[int], Meta(min_length=4, max_length=4)]
"""Left, top, width, height in pixels."""


class InitImage(Struct, frozen=True, kw_only=True):
    """The picture that denoising starts from, after noise of `strength` (0 to 1).

    White of the `mask`, which has the picture's size, is made anew, black stays as it is. `box` is where the picture
    lies in a larger one, whose rest is made; null where it fills it.
    """

    blob: Blob
    strength: float
    mask: Blob | None = None
    box: Box | None = None


class ControlImage(Struct, frozen=True, kw_only=True):
    """A picture whose structure is followed, through the ControlNet `model`, from part `start` of the steps to `end`
    (0 to 1). `preprocessed` says that it is a map of that kind already."""

    kind: ControlKind
    model: str
    blob: Blob
    weight: float = 1.0
    start: float = 0.0
    end: float = 1.0
    preprocessed: bool = False


class ImagePrompt(Struct, frozen=True, kw_only=True):
    """A picture whose look is followed beside the words, through the IP-Adapter `adapter`; null where whatever makes
    the picture follows references by itself."""

    blob: Blob
    role: ReferenceRole
    adapter: str | None = None
    weight: float = 0.6


def adapters_of(prompts: Iterable[ImagePrompt]) -> list[str]:
    """The IP-Adapters by which pictures are followed, each once, in the order of the pictures."""
    return list(dict.fromkeys(one.adapter for one in prompts if one.adapter is not None))
