"""Sequences: what a command asks of one, and what a job carries. Pure module."""

from typing import Annotated

from msgspec import Meta, Struct

MAX_FRAMES = 32
"""As many as a motion adapter of AnimateDiff was trained to keep together (`motion_max_seq_length`)."""

MAX_PIXELS = 2**24
"""Pixels of all frames together: as file they stay within what any picture may have."""


class Animation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A short sequence of one scene instead of a still picture, as an animated PNG."""

    frames: Annotated[int, Meta(ge=2, le=MAX_FRAMES)] = 16
    fps: Annotated[int, Meta(ge=1, le=60)] = 8
    """Frames a second."""


class Motion(Struct, frozen=True, kw_only=True):
    """How many frames are made together by the motion adapter `model`, and how many are shown a second."""

    model: str
    frames: int
    fps: int
