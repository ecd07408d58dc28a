"""The objects of the pocket model as parts, each a two-dimensional signed distance field.

Distances are in units of half an object's width; an object lives in about [-1, 1] squared, y up. A field is
negative inside its part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating[Any]]
Rgb = tuple[float, float, float]

CREAM: Rgb = (0.96, 0.93, 0.85)
DARK: Rgb = (0.17, 0.17, 0.19)
METAL: Rgb = (0.47, 0.47, 0.5)
WOOD: Rgb = (0.47, 0.3, 0.17)
LEAF: Rgb = (0.26, 0.56, 0.22)
GLASS: Rgb = (0.75, 0.86, 0.92)


@dataclass(slots=True)
class Part:
    """One piece of an object: its distance field and how it is coloured and rounded."""

    field: Field
    tone: float = 1.0
    fixed: Rgb | None = None
    inflate: float = 0.25
    height: Field | None = None
    detail: bool = False


# --- distance fields ---------------------------------------------------------------------------


def circle(x: Field, y: Field, cx: float, cy: float, r: float) -> Field:
    """A disc of radius r."""
    return np.hypot(x - cx, y - cy) - np.float32(r)


def ellipse(x: Field, y: Field, cx: float, cy: float, rx: float, ry: float) -> Field:
    """About the distance to an ellipse of radii rx and ry."""
    u, v = (x - cx) / rx, (y - cy) / ry
    k0 = np.hypot(u, v)
    k1 = np.hypot(u / rx, v / ry)
    return k0 * (k0 - 1) / np.maximum(k1, 1e-4)


def box(x: Field, y: Field, cx: float, cy: float, hw: float, hh: float, r: float = 0.04) -> Field:
    """A box of half width hw and half height hh with corners rounded by r."""
    dx, dy = np.abs(x - cx) - (hw - r), np.abs(y - cy) - (hh - r)
    return np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0) - np.float32(r)


def capsule(x: Field, y: Field, a: tuple[float, float], b: tuple[float, float], r: float) -> Field:
    """A line from a to b, as thick as r on each side."""
    bx, by = b[0] - a[0], b[1] - a[1]
    px, py = x - a[0], y - a[1]
    t = np.clip((px * bx + py * by) / (bx * bx + by * by), 0, 1)
    return np.hypot(px - t * bx, py - t * by) - np.float32(r)


def polygon(x: Field, y: Field, points: Iterable[tuple[float, float]], r: float = 0.0) -> Field:
    """A polygon through points, swollen by r."""
    pts = list(points)
    best = np.full_like(x, 1e9)
    sign = np.ones_like(x)
    for (ax, ay), (bx, by) in zip(pts, [pts[-1], *pts[:-1]], strict=True):
        ex, ey = bx - ax, by - ay
        wx, wy = x - ax, y - ay
        t = np.clip((wx * ex + wy * ey) / (ex * ex + ey * ey), 0, 1)
        best = np.minimum(best, (wx - ex * t) ** 2 + (wy - ey * t) ** 2)
        c1, c2, c3 = y >= ay, y < by, ex * wy > ey * wx
        flip = (c1 & c2 & c3) | ~(c1 | c2 | c3)
        sign = np.where(flip, -sign, sign)
    return sign * np.sqrt(best) - np.float32(r)


def join(a: Field, b: Field, k: float) -> Field:
    """A smooth union with a fillet of about k."""
    h = np.maximum(k - np.abs(a - b), 0) / k
    return np.minimum(a, b) - h * h * np.float32(k * 0.25)


def cylinder(x: Field, cx: float, hw: float) -> Field:
    """The height of an upright cylinder of half width hw over the picture, for shading."""
    u = np.clip((x - cx) / hw, -0.985, 0.985)
    return np.sqrt(1 - u * u) * np.float32(hw)


# --- objects -----------------------------------------------------------------------------------


def _mug(x: Field, y: Field) -> list[Part]:
    body = box(x, y, -0.16, -0.06, 0.55, 0.66, 0.14)
    handle = np.abs(ellipse(x, y, 0.42, -0.04, 0.36, 0.36)) - np.float32(0.11)
    rim = ellipse(x, y, -0.16, 0.58, 0.53, 0.15)
    return [
        Part(handle, 0.92, inflate=0.11),
        Part(np.minimum(body, rim), height=cylinder(x, -0.16, 0.58)),
        Part(ellipse(x, y, -0.16, 0.6, 0.43, 0.09), 0.5, inflate=9.0),
    ]


def _bottle(x: Field, y: Field) -> list[Part]:
    body = join(box(x, y, 0, -0.38, 0.38, 0.56, 0.12), box(x, y, 0, 0.35, 0.14, 0.42), 0.3)
    return [
        Part(body, height=cylinder(x, 0, 0.4)),
        Part(box(x, y, 0, 0.83, 0.18, 0.13), 0.55, height=cylinder(x, 0, 0.2)),
        Part(box(x, y, 0, -0.4, 0.37, 0.2, 0.01), 1.5, height=cylinder(x, 0, 0.4)),
    ]


def _lamp(x: Field, y: Field) -> list[Part]:
    return [
        Part(capsule(x, y, (0, 0.1), (0, -0.8), 0.07), fixed=METAL, inflate=0.07),
        Part(ellipse(x, y, 0, -0.84, 0.42, 0.12), fixed=METAL, inflate=0.12),
        Part(
            polygon(x, y, [(-0.32, 0.86), (0.32, 0.86), (0.7, 0.06), (-0.7, 0.06)], 0.03),
            1.1,
            height=cylinder(x, 0, 0.8),
        ),
    ]


def _chair(x: Field, y: Field) -> list[Part]:
    legs = [
        Part(capsule(x, y, a, b, 0.075), 0.65, inflate=0.07)
        for a, b in (
            ((-0.46, -0.05), (-0.46, -0.72)),
            ((0.34, -0.1), (0.34, -0.72)),
            ((-0.3, -0.28), (-0.3, -0.9)),
            ((0.52, -0.28), (0.52, -0.9)),
        )
    ]
    back = polygon(x, y, [(-0.5, 0.0), (-0.46, 0.88), (0.34, 0.88), (0.38, 0.0)], 0.05)
    hole = box(x, y, -0.06, 0.3, 0.24, 0.13)
    seat = polygon(x, y, [(-0.5, 0.0), (0.38, 0.0), (0.58, -0.26), (-0.34, -0.26)], 0.05)
    return [*legs, Part(np.maximum(back, -hole), 1.0, inflate=0.08), Part(seat, 0.84, inflate=0.06)]


def _ball(x: Field, y: Field) -> list[Part]:
    return [Part(circle(x, y, 0, 0, 0.8), inflate=0.8)]


def _cube(x: Field, y: Field) -> list[Part]:
    top, mid, low = (0, 0.86), (0, 0.0), (0, -0.86)
    left, right = (-0.76, 0.43), (0.76, 0.43)
    left_low, right_low = (-0.76, -0.43), (0.76, -0.43)
    return [
        Part(polygon(x, y, [left, mid, low, left_low]), 0.92, inflate=9.0),
        Part(polygon(x, y, [right, mid, low, right_low]), 0.58, inflate=9.0),
        Part(polygon(x, y, [top, right, mid, left]), 1.3, inflate=9.0),
    ]


def _star(x: Field, y: Field) -> list[Part]:
    angles = [np.pi / 2 + i * np.pi / 5 for i in range(10)]
    pts = [(float(r * np.cos(a)), float(r * np.sin(a)) - 0.06) for a, r in zip(angles, [0.92, 0.42] * 5, strict=True)]
    return [Part(polygon(x, y, pts, 0.04), inflate=0.3)]


def _heart(x: Field, y: Field) -> list[Part]:
    u, v = np.abs(x) / 1.6, y / 1.6 + 0.53
    top = np.hypot(u - 0.25, v - 0.75) - np.float32(np.sqrt(2) / 4)
    m = 0.5 * np.maximum(u + v, 0)
    low = np.sqrt(np.minimum(u**2 + (v - 1) ** 2, (u - m) ** 2 + (v - m) ** 2)) * np.sign(u - v)
    return [Part(np.where(u + v > 1, top, low) * 1.6, inflate=0.42)]


def _house(x: Field, y: Field) -> list[Part]:
    return [
        Part(box(x, y, 0.36, 0.55, 0.11, 0.28), 0.6, inflate=9.0),
        Part(box(x, y, 0, -0.36, 0.58, 0.5), 1.0, inflate=0.12),
        Part(polygon(x, y, [(-0.78, 0.1), (0.78, 0.1), (0, 0.82)], 0.04), 0.62, inflate=0.2),
        Part(box(x, y, -0.22, -0.54, 0.15, 0.31), fixed=CREAM, inflate=9.0, detail=True),
        Part(box(x, y, 0.27, -0.3, 0.15, 0.15), fixed=CREAM, inflate=9.0, detail=True),
    ]


def _tree(x: Field, y: Field) -> list[Part]:
    crown = join(circle(x, y, -0.32, 0.12, 0.4), circle(x, y, 0.32, 0.12, 0.4), 0.1)
    crown = join(crown, circle(x, y, 0, 0.46, 0.44), 0.1)
    return [Part(box(x, y, 0, -0.56, 0.12, 0.36), fixed=WOOD, inflate=0.12), Part(crown, inflate=0.42)]


def _car(x: Field, y: Field) -> list[Part]:
    cabin = polygon(x, y, [(-0.58, 0.0), (-0.36, 0.42), (0.28, 0.42), (0.58, 0.0)], 0.06)
    body = box(x, y, 0, -0.15, 0.94, 0.24, 0.16)
    parts = [
        Part(np.minimum(body, cabin), inflate=0.2),
        Part(
            polygon(x, y, [(-0.42, 0.06), (-0.28, 0.34), (-0.06, 0.34), (-0.06, 0.06)], 0.02),
            fixed=GLASS,
            inflate=9.0,
            detail=True,
        ),
        Part(
            polygon(x, y, [(0.06, 0.06), (0.06, 0.34), (0.24, 0.34), (0.42, 0.06)], 0.02),
            fixed=GLASS,
            inflate=9.0,
            detail=True,
        ),
    ]
    for cx in (-0.5, 0.5):
        parts.append(Part(circle(x, y, cx, -0.38, 0.23), fixed=DARK, inflate=0.1))
        parts.append(Part(circle(x, y, cx, -0.38, 0.09), fixed=METAL, inflate=9.0, detail=True))
    return parts


def _mushroom(x: Field, y: Field) -> list[Part]:
    cap = np.maximum(ellipse(x, y, 0, 0.02, 0.84, 0.8), -(y + 0.04)) - np.float32(0.02)
    stem = join(box(x, y, 0, -0.4, 0.22, 0.44, 0.1), ellipse(x, y, 0, -0.72, 0.3, 0.14), 0.2)
    spots = [
        Part(ellipse(x, y, cx, cy, r, r * 0.8), fixed=CREAM, inflate=9.0, detail=True)
        for cx, cy, r in ((-0.42, 0.26, 0.13), (0.06, 0.48, 0.15), (0.46, 0.22, 0.11))
    ]
    return [Part(stem, fixed=CREAM, height=cylinder(x, 0, 0.32)), Part(cap, inflate=0.6), *spots]


def _apple(x: Field, y: Field) -> list[Part]:
    body = join(ellipse(x, y, -0.27, -0.12, 0.5, 0.66), ellipse(x, y, 0.27, -0.12, 0.5, 0.66), 0.5)
    leaf = np.maximum(circle(x, y, 0.2, 0.92, 0.34), circle(x, y, 0.42, 0.52, 0.34))
    return [
        Part(capsule(x, y, (0, 0.38), (0.05, 0.82), 0.065), fixed=WOOD, inflate=0.06, detail=True),
        Part(leaf, fixed=LEAF, inflate=0.15, detail=True),
        Part(body, inflate=0.6),
    ]


def _umbrella(x: Field, y: Field) -> list[Part]:
    dome = np.maximum(circle(x, y, 0, -0.02, 0.92), -(y + 0.02))
    for cx in (-0.615, -0.205, 0.205, 0.615):
        dome = np.maximum(dome, -ellipse(x, y, cx, -0.04, 0.2, 0.12))
    hook = np.maximum(np.abs(circle(x, y, 0.17, -0.74, 0.17)) - np.float32(0.06), y + 0.74)
    pole = np.minimum(capsule(x, y, (0, 0.1), (0, -0.74), 0.06), hook)
    inner = np.maximum(dome, np.abs(x) - np.float32(0.32) * np.sqrt(np.clip(1 - ((y) / 0.92) ** 2, 0, 1)))
    return [
        Part(pole, fixed=WOOD, inflate=0.06),
        Part(dome, 0.9, inflate=0.7),
        Part(inner, 1.22, inflate=0.7),
    ]


def _fish(x: Field, y: Field) -> list[Part]:
    tail = polygon(x, y, [(0.36, 0.0), (0.9, 0.46), (0.78, 0.0), (0.9, -0.46)], 0.03)
    fin = polygon(x, y, [(-0.32, 0.3), (0.02, 0.7), (0.28, 0.28)], 0.03)
    return [
        Part(tail, 0.78, inflate=0.2),
        Part(fin, 0.78, inflate=0.2),
        Part(ellipse(x, y, -0.18, 0, 0.68, 0.44), inflate=0.42),
        Part(circle(x, y, -0.52, 0.1, 0.12), fixed=CREAM, inflate=9.0),
        Part(circle(x, y, -0.54, 0.1, 0.065), fixed=DARK, inflate=9.0, detail=True),
    ]


def _boat(x: Field, y: Field) -> list[Part]:
    hull = polygon(x, y, [(-0.86, -0.34), (0.86, -0.34), (0.52, -0.8), (-0.56, -0.8)], 0.05)
    return [
        Part(capsule(x, y, (0, -0.3), (0, 0.9), 0.05), fixed=WOOD, inflate=0.05, detail=True),
        Part(polygon(x, y, [(0.1, 0.86), (0.1, -0.16), (0.72, -0.16)], 0.02), 1.35, inflate=0.3),
        Part(polygon(x, y, [(-0.1, 0.66), (-0.1, -0.16), (-0.58, -0.16)], 0.02), 1.15, inflate=0.3),
        Part(hull, 0.85, inflate=0.2),
    ]


SHAPES: tuple[Callable[[Field, Field], list[Part]], ...] = (
    _mug,
    _bottle,
    _lamp,
    _chair,
    _ball,
    _cube,
    _star,
    _heart,
    _house,
    _tree,
    _car,
    _mushroom,
    _apple,
    _umbrella,
    _fish,
    _boat,
)
# How far below the centre each object touches the ground.
FEET = (0.72, 0.94, 0.94, 0.94, 0.8, 0.84, 0.8, 0.85, 0.86, 0.92, 0.6, 0.86, 0.78, 0.95, 0.6, 0.85)
