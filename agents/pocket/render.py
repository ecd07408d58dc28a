# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
"""Pictures from scenes: a small renderer of two-dimensional signed distance fields, in numpy alone.

A scene names what is seen by indices into the vocabulary and a seed for everything that is not
named (tilt, light, wobble). The same scene gives the same picture, byte for byte.
Distances are in units of half the picture's width; an object lives in about [-1, 1] squared, y up.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from agents.pocket.shapes import FEET, SHAPES, Field, Part
from agents.pocket.vocabulary import ATTRIBUTES, PALETTE

NATIVE = 128
STYLE_WEIGHTS = (0.44, 0.17, 0.14, 0.13, 0.06, 0.06)
EVEN_STYLE_WEIGHTS = (0.26, 0.17, 0.15, 0.16, 0.13, 0.13)
STROKE = 0.05
SHIFTS = (-0.38, 0.0, 0.38)
# For each count: the centres, those behind first, and the scales of small, medium and large things.
LAYOUTS: tuple[tuple[tuple[tuple[float, float], ...], tuple[float, float, float]], ...] = (
    (((0.0, 0.0),), (0.42, 0.62, 0.78)),
    (((-0.48, 0.0), (0.48, 0.0)), (0.3, 0.38, 0.46)),
    (((0.0, 0.46), (-0.49, -0.42), (0.49, -0.42)), (0.27, 0.34, 0.4)),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """What one picture shows: indices into `vocabulary.ATTRIBUTES`, and a seed for the rest."""

    object: int
    colour: int
    background: int
    style: int
    size: int = 2
    position: int = 1
    count: int = 0
    seed: int = 0

    def labels(self) -> tuple[int, ...]:
        """The indices in the order of `vocabulary.ATTRIBUTES`."""
        return (
            self.object,
            self.colour,
            self.background,
            self.style,
            self.size,
            self.position,
            self.count,
        )

    def names(self) -> dict[str, str]:
        """The plain names of what is seen."""
        return {k: v[i] for (k, v), i in zip(ATTRIBUTES.items(), self.labels(), strict=True)}


@cache
def _grid(size: int) -> tuple[Field, Field]:
    axis = ((np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1).astype(np.float32)
    return np.meshgrid(axis, -axis)  # type: ignore[return-value]


def _noise(rng: np.random.Generator, cells: int, size: int) -> Field:
    """Smooth noise of about unit spread."""
    small = Image.fromarray(rng.standard_normal((cells + 2, cells + 2)).astype(np.float32))
    big = np.asarray(small.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float32)
    return big * np.float32(1.5)


def _facets(rng: np.random.Generator, cells: int, size: int) -> tuple[NDArray[np.intp], NDArray[Any], NDArray[Any]]:
    """For each pixel the number of its nearest jittered grid point, and those points' pixels."""
    step = size / cells
    gy, gx = np.mgrid[-1 : cells + 1, -1 : cells + 1]
    px = (gx + rng.uniform(0.1, 0.9, gx.shape)) * step
    py = (gy + rng.uniform(0.1, 0.9, gy.shape)) * step
    iy, ix = np.mgrid[0:size, 0:size]
    cy, cx = (iy / step).astype(int) + 1, (ix / step).astype(int) + 1
    best = np.full((size, size), 1e9)
    owner = np.zeros((size, size), dtype=np.intp)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            ny, nx = np.clip(cy + dy, 0, cells + 1), np.clip(cx + dx, 0, cells + 1)
            d = (px[ny, nx] - ix) ** 2 + (py[ny, nx] - iy) ** 2
            near = d < best
            best = np.where(near, d, best)
            owner = np.where(near, ny * (cells + 2) + nx, owner)
    return (
        owner,
        np.clip(py.ravel(), 0, size - 1).astype(int),
        np.clip(px.ravel(), 0, size - 1).astype(int),
    )


class Painter:
    """Paints one scene; holds what its style needs."""

    def __init__(self, scene: Scene, size: int) -> None:
        self.rng = np.random.default_rng([scene.seed, *scene.labels()])
        self.scene, self.size = scene, size
        self.style = scene.style
        self.x, self.y = _grid(size)
        colours = [np.array(v, np.float32) / 255 for v in PALETTE.values()]
        self.base, self.ground = colours[scene.colour], colours[scene.background]
        side = 1.0 if self.rng.random() < 0.5 else -1.0
        self.light = np.array([-0.55 * side, 0.55, 0.63], np.float32)
        self.light /= np.linalg.norm(self.light)
        if self.style == 2:
            self.wobble = _noise(self.rng, 12, size) * np.float32(0.011)
            self.wash = _noise(self.rng, 6, size) * np.float32(0.045)
            self.grain = _noise(self.rng, 40, size) * np.float32(0.018)
        if self.style == 4:
            self.cells = _facets(self.rng, 10, size)
            self.shade = self.rng.uniform(-1, 1, 12 * 12).astype(np.float32)

    def backdrop(self) -> Field:
        """The picture before anything stands in it."""
        x, y, ground = self.x, self.y, self.ground
        one = np.ones((self.size, self.size, 1), np.float32)
        if self.style == 0:
            fall = 1.03 - 0.13 * (x * x + (y - 0.15) ** 2) - 0.05 * np.clip((-y - 0.35) * 4, 0, 1)
            return ground * fall[..., None] * one
        if self.style == 2:
            soft = ground * 0.88 + 0.12
            return soft * (1 + self.wash + self.grain)[..., None]
        if self.style == 4:
            owner, _, _ = self.cells
            return ground * (0.98 + 0.07 * self.shade[owner])[..., None]
        if self.style == 5:
            dark = ground * 0.42 + np.array([0.0, 0.0, 0.02], np.float32)
            picture = dark * (1.05 - 0.3 * (x * x + y * y))[..., None]
            for _ in range(7):
                cx, cy = self.rng.uniform(-0.95, 0.95), self.rng.uniform(0.45, 0.95)
                spot = np.clip((0.035 - np.hypot(x - cx, y - cy)) * self.size / 2 + 0.5, 0, 1)
                picture += (spot * 0.5)[..., None]
            return picture
        return ground * one

    def parts(self, x: Field, y: Field) -> list[Part]:
        """The object's parts, those behind first."""
        return SHAPES[self.scene.object](x, y)

    def feet(self) -> float:
        """How far below its centre the object touches the ground."""
        return FEET[self.scene.object]

    def shadow(self, picture: Field, cx: float, cy: float, scale: float) -> None:
        """The soft contact shadow under an object."""
        foot = cy - scale * self.feet()
        d = np.hypot((self.x - cx) / (0.95 * scale), (self.y - foot) / (0.2 * scale))
        strength = {0: 0.42, 1: 0.0, 2: 0.12, 3: 0.0, 4: 0.3, 5: 0.3}[self.style]
        if strength:
            picture *= (1 - strength * np.exp(-1.6 * d * d))[..., None]

    def colour(self, part: Part) -> Field:
        """The unlit colour of a part."""
        if part.fixed is not None:
            return np.array(part.fixed, np.float32)
        if part.tone <= 1:
            return self.base * np.float32(part.tone)
        return self.base + (1 - self.base) * np.float32((part.tone - 1) * 0.7)

    def normals(self, part: Part, scale: float) -> tuple[Field, Field, Field]:
        """The surface of a part, from how far each point lies inside it."""
        if part.height is not None:
            height = part.height * np.float32(scale)
        else:
            t = np.clip(-part.field / part.inflate, 0, 1)
            height = np.sqrt(np.maximum(1 - (1 - t) ** 2, 0)) * np.float32(part.inflate * scale)
            if part.inflate >= 1:
                height = np.zeros_like(height)
        gy, gx = np.gradient(height, 2 / self.size)
        n = np.sqrt(gx * gx + gy * gy + 1)
        return -gx / n, gy / n, 1 / n

    def lit(self, part: Part, scale: float) -> Field:
        """A part as light falls on it."""
        nx, ny, nz = self.normals(part, scale)
        colour = self.colour(part)
        if self.style == 4:
            _, py, px = self.cells
            nx, ny, nz = (n[py, px][self.cells[0]] for n in (nx, ny, nz))
        diffuse = np.clip(nx * self.light[0] + ny * self.light[1] + nz * self.light[2], 0, 1)
        if self.style == 5:
            rim = np.clip(nx * self.light[0] * 1.5 + 0.25, 0, 1) ** 2
            return colour * (0.5 + 0.35 * diffuse)[..., None] + (rim * 0.22)[..., None]
        if self.style == 4:
            return colour * (0.52 + 0.62 * diffuse + 0.07 * self.shade[self.cells[0]])[..., None]
        half = self.light + np.array([0, 0, 1], np.float32)
        half /= np.linalg.norm(half)
        spec = np.clip(nx * half[0] + ny * half[1] + nz * half[2], 0, 1) ** 28
        shine = 0.35 if part.inflate < 1 else 0.0
        return colour * (0.5 + 0.62 * diffuse)[..., None] + (spec * shine)[..., None]

    def paint(self, picture: Field, part: Part, scale: float) -> Field:
        """Lay one part over the picture."""
        field = part.field * np.float32(scale)
        if self.style == 2:
            field = field + self.wobble
        soft = self.size / 2
        cover = np.clip(0.5 - field * soft, 0, 1)[..., None]
        if self.style == 3:
            if part.detail:
                return picture * (1 - cover) + self.base * cover
            picture = picture * (1 - cover) + self.ground * cover
            line = np.clip(0.5 - (np.abs(field + STROKE * 0.5) - STROKE) * soft, 0, 1)[..., None]
            return picture * (1 - line) + self.base * line
        if self.style == 1:
            paint = self.colour(part) * np.ones_like(picture)
            if not part.detail:
                side = (self.x * self.light[0] * -1.0 - self.y * 0.35) > 0.10
                paint = paint * np.where(side, 0.86, 1.0)[..., None]
        elif self.style == 2:
            edge = np.exp(-((field / 0.035) ** 2))
            wet = 0.86 + 0.14 * np.clip(-field * 3, 0, 1)
            paint = self.colour(part) * 0.9 + 0.1
            paint = paint * ((1 + self.wash * 1.6 + self.grain) * (1 - 0.25 * edge) * wet)[..., None]
        else:
            paint = self.lit(part, scale)
        return picture * (1 - cover) + paint * cover


def render(scene: Scene, size: int = NATIVE, kind: type[Painter] = Painter) -> NDArray[np.uint8]:
    """The picture of a scene as (size, size, 3) bytes, by a painter of some kind."""
    painter = kind(scene, size)
    rng = painter.rng
    picture = painter.backdrop()
    centres, scales = LAYOUTS[scene.count]
    for right, up in centres:
        scale = scales[scene.size] * rng.uniform(0.93, 1.07)
        cx = right + (SHIFTS[scene.position] if scene.count == 0 else 0.0) + rng.uniform(-0.04, 0.04)
        cy = up + rng.uniform(-0.05, 0.05)
        tilt = rng.normal(0, 0.06)
        mirror = -1.0 if rng.random() < 0.3 else 1.0
        painter.shadow(picture, cx, cy, scale)
        px, py = (painter.x - cx) / scale, (painter.y - cy) / scale
        c, s = np.cos(tilt), np.sin(tilt)
        ox = ((c * px + s * py) * mirror).astype(np.float32)
        oy = (c * py - s * px).astype(np.float32)
        for part in painter.parts(ox, oy):
            picture = painter.paint(picture, part, float(scale))
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def sample(rng: np.random.Generator, *, plain: bool = True) -> Scene:
    """A scene at random; a plain one shows one object, in the centre and not small, mostly as a studio photograph."""
    kinds, colours = len(SHAPES), len(PALETTE)
    colour = int(rng.integers(colours))
    background = int((colour + 1 + rng.integers(colours - 1)) % colours)
    style = int(rng.choice(len(STYLE_WEIGHTS), p=STYLE_WEIGHTS if plain else EVEN_STYLE_WEIGHTS))
    size, position, count = int(rng.choice(3, p=(0.0, 0.3, 0.7))), 1, 0
    if not plain:
        count = int(rng.choice(3, p=(0.46, 0.27, 0.27)))
        position = 1 if count else int(rng.integers(3))
        size = int(rng.integers(2)) if position != 1 else int(rng.integers(3))
    return Scene(
        int(rng.integers(kinds)),
        colour,
        background,
        style,
        size,
        position,
        count,
        int(rng.integers(2**31)),
    )


def contact_sheet(
    pictures: Iterable[NDArray[np.uint8]],
    captions: Iterable[str] = (),
    *,
    columns: int = 8,
    cell: int = NATIVE,
) -> Image.Image:
    """Pictures side by side, each above its caption."""
    items = [Image.fromarray(p).resize((cell, cell), Image.Resampling.BICUBIC) for p in pictures]
    words = list(captions)
    words += [""] * (len(items) - len(words))
    room = 38 if any(words) else 0
    rows = -(-len(items) // columns)
    sheet = Image.new("RGB", (columns * (cell + 4) + 4, rows * (cell + room + 4) + 4), "white")
    pen = ImageDraw.Draw(sheet)
    for i, (item, text) in enumerate(zip(items, words, strict=True)):
        left, top = 4 + (i % columns) * (cell + 4), 4 + (i // columns) * (cell + room + 4)
        sheet.paste(item, (left, top))
        for k, line in enumerate(textwrap.wrap(text, cell // 6)[:3]):
            pen.text((left, top + cell + 1 + 12 * k), line, fill="black")
    return sheet
