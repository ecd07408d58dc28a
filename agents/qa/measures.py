"""What can be measured on a picture's pixels alone: one pure numpy function per measure.

Pixels are `uint8` RGB of shape (height, width, 3). A measure states a fact in a fixed range and judges nothing: what
counts as good is decided in `agents.qa.score`.
"""

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from agents.shared.picture import Rgb

Floats = NDArray[np.float32]

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Weights of R, G, B (ITU-R BT.709), used on gamma-encoded values as video luma is."""

ANALYSIS_SIDE = 512
"""Edges are judged on a picture whose longer side is at most this: what a person sees who looks at the whole."""

STATISTICS_SIDE = 1024
"""Shares and means are taken over at most this many rows and columns of pixels, evenly spread: more would change no
digit that is shown and cost seconds."""

EDGE_RADIUS = 3
"""Half the window, in pixels, in which an edge must happen to be called sharp."""

MIN_EDGE = 15
"""Least contrast (of 255) of what is called an edge: below it lies the grain of decoders and of paper."""

CLIP_LOW, CLIP_HIGH = 2, 253
"""A pixel with all channels at or below, or at or above, these has lost its detail."""

BACKDROP_DISTANCE = 12
"""Greatest channel difference (of 255) to the border's median colour that still counts as backdrop."""

LEVEL_BINS = 64
"""Bins of the luma histogram for gaps: four levels each, so that a smooth ramp over 64 pixels has none."""


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Every measure of one picture, all between 0 and 1; null where it could not be taken."""

    spread: float
    entropy: float
    sharpness: float | None
    noise: float
    brightness: float
    clipped_shadows: float
    clipped_highlights: float
    posterisation: float
    adherence: float | None = None


def measure(rgb: Rgb) -> Measures:
    """Take every measure that needs pixels alone; `adherence` is the scorer's."""
    stride = -(-max(rgb.shape[:2]) // STATISTICS_SIDE)
    some = rgb[::stride, ::stride]
    shadows, highlights = clipping(some)
    return Measures(
        spread=spread(some),
        entropy=entropy(some),
        sharpness=sharpness(rgb),
        noise=noise(rgb),
        brightness=brightness(some),
        clipped_shadows=shadows,
        clipped_highlights=highlights,
        posterisation=posterisation(some),
    )


def luma(rgb: Rgb) -> Floats:
    """BT.709 luma, shape (height, width), 0 to 1."""
    return (rgb @ LUMA) / np.float32(255)


def spread(rgb: Rgb) -> float:
    """Root mean square distance of the pixels from their mean colour, over all three channels; 0 (one flat colour) to
    0.5. Colour counts, so that red on a green of equal luma is not blank."""
    variances = [float(plane.var()) for plane in _split_planes(rgb)]
    return float(np.sqrt(np.mean(variances)) / 255)


def entropy(rgb: Rgb) -> float:
    """Shannon entropy of the 256-level luma histogram, divided by its maximum of 8 bits; 0 to 1."""
    share = _histogram(rgb, 256)
    used = share[share > 0]
    return float(abs(-(used * np.log2(used)).sum()) / 8)


def sharpness(rgb: Rgb) -> float | None:
    """How abruptly the picture's edges happen, 0 (smeared) to 1 (within one pixel); null where there is no edge.

    Edge acutance: in a window of 7×7 pixels around each pixel, the steepest step between neighbours divided by the
    window's whole range, per channel; mapped so that an even ramp over the window (1/6) is 0 and a full step is 1.
    The figure is the 90th percentile over the windows whose range is at least a third of the largest one's. Only
    edges count, so that flat design is not called blurred, and a sharp subject before a soft background is sharp.
    After the edge-width measures of Marziliano et al., "A no-reference perceptual blur metric", ICIP 2002.
    """
    picture = _shrink(rgb, ANALYSIS_SIDE)
    if min(picture.shape[:2]) < 2 * EDGE_RADIUS + 1:
        return None
    reach = _window_extremes(picture, np.maximum) - _window_extremes(picture, np.minimum)
    edges = reach >= max(MIN_EDGE, int(reach.max()) / 3)
    if not edges.any():
        return None
    acutance = np.minimum(_window_extremes(_neighbour_differences(picture), np.maximum)[edges] / reach[edges], 1)
    ramp = 1 / (2 * EDGE_RADIUS)
    return float(np.clip((np.percentile(acutance, 90) - ramp) / (1 - ramp), 0, 1))


def noise(rgb: Rgb) -> float:
    """Standard deviation of pixel noise in the green channel in units of full range, 0 to about 0.5.

    Immerkær, "Fast noise variance estimation", CVIU 1996: the difference of two Laplacians, blind to gradients; here
    with the median instead of the mean (median |x| = 0.6745 sigma), so that edges and fine drawing do not count.
    """
    green = rgb[..., 1].astype(np.int16)
    if min(green.shape) < 3:
        return 0.0
    rows = green[:-2] - 2 * green[1:-1] + green[2:]
    response = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
    return float(np.median(np.abs(response)) / 0.6745 / 6 / 255)


def brightness(rgb: Rgb) -> float:
    """Mean luma, 0 to 1."""
    return float(luma(rgb).mean())


def clipping(rgb: Rgb) -> tuple[float, float]:
    """Shares, 0 to 1, of the pixels off the backdrop that are clipped to (shadow, highlight).

    The backdrop is what looks like the median colour of the picture's border: product shots on pure white and
    night scenes on pure black are a choice.
    """
    border = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]])
    ground = np.median(border, axis=0)
    away = [np.abs(plane.astype(np.int16) - int(of)) for plane, of in zip(_split_planes(rgb), ground, strict=True)]
    subject = reduce(np.maximum, away) > BACKDROP_DISTANCE
    count = int(subject.sum())
    if not count:
        return 0.0, 0.0
    low = (reduce(np.maximum, _split_planes(rgb)) <= CLIP_LOW) & subject
    high = (reduce(np.minimum, _split_planes(rgb)) >= CLIP_HIGH) & subject
    return float(low.sum() / count), float(high.sum() / count)


def posterisation(rgb: Rgb) -> float:
    """Share of tones missing between the darkest and the lightest, where many are used; 0 (smooth) to 1 (banded).

    The share of empty bins in the luma histogram of 64 bins, between its first and its last used one, times how many
    tones carry the picture: exp(entropy) of the bins, from 0 at 2.5 tones to 1 at 5. A drawing in two flat colours is
    design; anti-aliased edges fill the gaps between its tones.
    """
    share = _histogram(rgb, LEVEL_BINS)
    used = np.flatnonzero(share > 0)
    inner = share[used[0] : used[-1] + 1]
    gaps = float((inner == 0).mean())
    carried = share[used]
    tones = float(np.exp(-(carried * np.log(carried)).sum()))
    return gaps * float(np.clip((tones - 2.5) / 2.5, 0, 1))


def _split_planes(rgb: Rgb) -> list[NDArray[np.uint8]]:
    """The three channels, each contiguous: numpy is slow along an axis of three."""
    return [np.ascontiguousarray(rgb[..., channel]) for channel in range(3)]


def _histogram(rgb: Rgb, bins: int) -> NDArray[np.float64]:
    levels = (luma(rgb) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    counts = np.bincount(levels.ravel(), minlength=256)
    return counts.reshape(bins, -1).sum(axis=1) / levels.size


def _shrink(rgb: Rgb, side: int) -> Rgb:
    """The mean over whole blocks of pixels, so that the longer side is at most `side`."""
    factor = -(-max(rgb.shape[:2]) // side)
    if factor == 1:
        return rgb
    height, width = rgb.shape[0] // factor, rgb.shape[1] // factor
    blocks = rgb[: height * factor, : width * factor].reshape(height, factor, width, factor, 3)
    return blocks.mean(axis=(1, 3), dtype=np.float32).astype(np.uint8)


def _neighbour_differences(rgb: Rgb) -> Rgb:
    """Absolute difference to the next neighbour, the greater of the one below and the one to the right."""
    steps = np.zeros_like(rgb)
    for axis in (0, 1):
        here, there = (rgb[:-1], rgb[1:]) if axis == 0 else (rgb[:, :-1], rgb[:, 1:])
        inner = steps[:-1] if axis == 0 else steps[:, :-1]
        # max - min instead of a difference, which would wrap around in uint8.
        np.maximum(inner, np.maximum(here, there) - np.minimum(here, there), out=inner)
    return steps


def _window_extremes(values: Rgb, extreme: np.ufunc) -> Rgb:
    """Greatest or least value in the window around each pixel; separable, edges repeated."""
    for axis in (0, 1):
        pad = [(EDGE_RADIUS, EDGE_RADIUS) if a == axis else (0, 0) for a in range(3)]
        padded = np.pad(values, pad, mode="edge")
        length = values.shape[axis]
        values = values.copy()
        for k in range(2 * EDGE_RADIUS + 1):
            extreme(values, padded[k : k + length] if axis == 0 else padded[:, k : k + length], out=values)
    return values
