"""Steps after generation: what is done with a picture once it is denoised, in order. Pure module.

Jobs carry them as commands do, but for what a plan has settled: every scale is there, and pictures are named by their
bytes in the blob store.
"""

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta, Struct

from protocol.ids import Label
from protocol.parameters import Fraction, ImageSource, Lora, Text

LANCZOS = "lanczos"
"""The upscaler that needs no network."""

LANCZOS_SCALE = 2.0
"""Of Lanczos where no scale is named."""


class Upscale(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="op", tag="upscale"):
    """Make the picture larger."""

    model: Label = LANCZOS
    """An upscaler by name; `lanczos` is there without one."""
    scale: Annotated[float, Meta(ge=1.0, le=8.0)] | None = None
    """Times as wide and as high, at most what the upscaler does; null is what it does, 2 for `lanczos`."""


class Refine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="op", tag="refine"):
    """Denoise the picture again from noise of a strength, at the size that it has (img2img). What is null is as for the
    picture."""

    strength: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.3
    """How much is made anew: that part of the steps is run."""
    steps: Annotated[int, Meta(ge=1, le=150)] | None = None
    """Denoising steps, of which the last part is run."""
    guidance: Annotated[float, Meta(ge=0.0, le=50.0)] | None = None
    """Classifier-free guidance scale."""
    loras: Annotated[list[Lora], Meta(max_length=16)] | None = None
    """Adapters instead of the picture's own."""
    prompt_suffix: Text | None = None
    """Words after the picture's prompt."""
    tile: Annotated[int, Meta(ge=64, le=4096)] | None = None
    """Pixels of the sides of overlapping tiles that are refined one by one; null is the whole picture, or tiles of the
    model's native size where that is too large for it."""


class CorrectColour(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="op", tag="colour_correct"
):
    """Give the picture the mean and the spread of another one's colours."""

    towards: ImageSource | None = None
    """The other picture; null is the picture as it was generated, before all steps."""
    strength: Fraction = 1.0
    """How far towards it."""


class RemoveArtefacts(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="op", tag="artefact_removal"
):
    """Clean the picture by a network that keeps its size."""

    model: Label
    """The network by name."""
    strength: Fraction = 1.0
    """How much of what it makes is taken."""


FaceBox = Annotated[list[Fraction], Meta(min_length=4, max_length=4)]
"""Left, top, width, height of a face, as parts of the picture's width and height."""


class RestoreFaces(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="op", tag="face_restore"):
    """Make faces anew by a network that knows faces."""

    model: Label
    """The network by name."""
    faces: Annotated[list[FaceBox], Meta(min_length=1, max_length=64)]
    """Where the faces are: left, top, width and height as parts of the picture, since nothing looks for them."""
    strength: Fraction = 1.0
    """How much of what it makes is taken."""


PostStep = Upscale | Refine | CorrectColour | RemoveArtefacts | RestoreFaces


def size_after(steps: Iterable[PostStep], width: int, height: int) -> tuple[int, int]:
    """(width, height) in pixels after the steps of a job."""
    for step in steps:
        if isinstance(step, Upscale):
            scale = step.scale or LANCZOS_SCALE
            width, height = round(width * scale), round(height * scale)
    return width, height
