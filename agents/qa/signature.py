"""A 32-byte signature by which two nearly equal pictures are found, whatever their size and encoding. Pure.

Bytes 0-27: the lowest 28 DCT coefficients of a 16×16 luma thumbnail, without the constant one, scaled to the largest
(int8): the shape, blind to brightness and contrast. Bytes 28-31: mean and spread of the two colour differences B-Y and
R-Y (int8, units of 2 levels of 255): the colour. Amplitudes are kept, unlike in a sign hash of the same length, because
pictures of one prompt and different seeds share every sign (README, "Near-duplicates").
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from agents.qa.measures import LUMA
from agents.shared.picture import Rgb

SIDE = 16
SHAPE_BYTES = 28
LENGTH = 32

MAX_SHAPE_DISTANCE = 0.02
"""Greatest distance of two unit shape vectors. Of copies (JPEG 70 and 90, WebP 60 and 85, ±5 % brightness) 81 % stay
below it; in a batch of 24 renders that differ in the seed alone, 0.03 pictures on average come below it (at 0.035: 93 %
and 0.4). A copy that slips through costs less than a picture that is refused three times for its plain subject."""

MAX_COLOUR_DISTANCE = 4
"""Greatest difference of a colour byte: 8 levels of 255. Copies stay below 3.5."""

_FREQUENCIES = sorted(((v, u) for v in range(SIDE) for u in range(SIDE)), key=lambda at: (sum(at), at))
_ROWS, _COLUMNS = np.array(_FREQUENCIES[1 : SHAPE_BYTES + 1]).T


def _dct() -> NDArray[np.float64]:
    """The orthonormal DCT-II of SIDE points, as a matrix."""
    k = np.arange(SIDE)
    matrix = np.cos(np.pi / SIDE * (k[None] + 0.5) * k[:, None]) * np.sqrt(2 / SIDE)
    matrix[0] /= np.sqrt(2)
    return matrix


_DCT = _dct()


def signature(rgb: Rgb) -> bytes:
    """The signature of a picture, 32 bytes."""
    small = Image.fromarray(rgb).resize((SIDE, SIDE), Image.Resampling.BOX)
    thumb = np.asarray(small, dtype=np.float64)
    y = thumb @ LUMA
    shape = (_DCT @ y @ _DCT.T)[_ROWS, _COLUMNS]
    # Below one level of amplitude there is no shape, and scaling would only show rounding.
    shape = np.rint(shape / max(float(np.abs(shape).max()), 1.0) * 127)
    differences = [thumb[..., 2] - y, thumb[..., 0] - y]
    colour = np.array([d.mean() for d in differences] + [d.std() for d in differences])
    return np.concatenate([shape, np.clip(np.rint(colour / 2), -128, 127)]).astype(np.int8).tobytes()


def find_near_duplicate(one: bytes, others: Sequence[bytes]) -> tuple[int, float] | None:
    """Position of the near-duplicate with the smallest shape distance among `others`, and that distance (0 to 2).

    None where none of them is a near-duplicate. All signatures are 32 bytes.
    """
    if not others:
        return None
    table = np.frombuffer(b"".join(others), np.int8).reshape(len(others), LENGTH).astype(np.float32)
    probe = np.frombuffer(one, np.int8).astype(np.float32)
    distance = np.linalg.norm(_normalise(table[:, :SHAPE_BYTES]) - _normalise(probe[None, :SHAPE_BYTES]), axis=1)
    colour = np.abs(table[:, SHAPE_BYTES:] - probe[SHAPE_BYTES:]).max(axis=1)
    distance[colour > MAX_COLOUR_DISTANCE] = np.inf
    best = int(distance.argmin())
    return (best, float(distance[best])) if distance[best] <= MAX_SHAPE_DISTANCE else None


def _normalise(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
