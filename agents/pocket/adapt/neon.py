"""Neon signs: a style that the pocket model was never shown, for a LoRA of a style."""

from __future__ import annotations

import numpy as np

from agents.pocket.render import Painter, Scene
from agents.pocket.shapes import Field, Part

TRIGGER = "neon sign"
TUBE = 0.035
GLOW = 0.13


class Neon(Painter):
    """Paints a scene as glass tubes that glow in front of a dark wall.

    The tubes have the object's colour, the wall a trace of the background's.
    """

    def __init__(self, scene: Scene, size: int) -> None:
        super().__init__(scene, size)
        bright = 0.12 + self.base
        self.glow = (bright / bright.max()).astype(np.float32)

    def backdrop(self) -> Field:
        """The wall, darker towards the corners."""
        shade = 1.1 - 0.35 * (self.x**2 + self.y**2)
        return (self.ground * 0.17 + 0.05) * shade[..., None]

    def shadow(self, picture: Field, cx: float, cy: float, scale: float) -> None:
        """A light casts none."""

    def paint(self, picture: Field, part: Part, scale: float) -> Field:
        """One part as a tube along its outline, over what lies behind it."""
        field = part.field * np.float32(scale)
        soft = self.size / 2
        inside = np.clip(0.5 - field * soft, 0, 1)[..., None]
        picture = picture * (1 - 0.7 * inside)
        away = np.abs(field + TUBE)
        glow = np.exp(-((away / GLOW) ** 1.2))[..., None] * 0.55 * self.glow
        tube = np.clip((TUBE - away) * soft + 0.5, 0, 1)[..., None] * (0.35 + 0.65 * self.glow)
        return np.maximum(picture + glow * (1 - picture), tube)
