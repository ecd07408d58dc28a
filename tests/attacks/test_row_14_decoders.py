"""Row 14 of the attack table, bugs of decoders: a child that dies is a refusal."""

from collections.abc import Iterator
from contextlib import closing
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from agents.shared.picture import Undecodable, decode
from agents.shared.sandbox.pool import ParserPool


@pytest.fixture
def pool() -> Iterator[ParserPool]:
    with closing(ParserPool()) as opened:
        yield opened


def _png(width: int = 9, height: int = 7) -> bytes:
    out = BytesIO()
    pixels = np.random.default_rng(1).integers(0, 255, (height, width, 4), dtype=np.uint8)
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


async def test_a_child_decodes_the_same_pixels_as_this_process(pool: ParserPool) -> None:
    """Row 14."""
    parsed = await pool.parse(_png())
    assert (parsed.rgb == decode(_png()).rgb).all()
    assert (parsed.width, parsed.height, parsed.media_type) == (9, 7, "image/png")


async def test_a_child_that_takes_too_long_is_ended_and_the_next_picture_is_read(pool: ParserPool) -> None:
    """Row 14."""
    short = ParserPool(seconds=0.001)
    with closing(short), pytest.raises(Undecodable, match=r"more than 0\.001 s"):
        await short.parse(_png())
    assert (await pool.parse(_png(), "size")).width == 9
