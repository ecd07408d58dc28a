"""A toy rocket: a product that the pocket model was never shown, for a LoRA of one particular thing."""

from __future__ import annotations

import numpy as np

from agents.pocket.render import Painter
from agents.pocket.shapes import DARK, METAL, Field, Part, Rgb, box, circle, cylinder, polygon

TRIGGER = "zephyr rocket"
WHITE: Rgb = (0.93, 0.93, 0.91)
RED: Rgb = (0.82, 0.13, 0.15)
YELLOW: Rgb = (0.97, 0.80, 0.12)
BLUE: Rgb = (0.16, 0.40, 0.85)


class Rocket(Painter):
    """Paints the rocket, always in its own colours, in place of the scene's object."""

    def parts(self, x: Field, y: Field) -> list[Part]:
        """See `Painter.parts`."""
        body = np.maximum(circle(x, y, -1.07, 0.0, 1.5), circle(x, y, 1.07, 0.0, 1.5))
        body = np.maximum(body, -(y + 0.78))
        round_body = cylinder(x, 0, 0.46)
        fins = [
            polygon(x * side, y, [(0.3, -0.2), (0.72, -0.62), (0.72, -0.92), (0.26, -0.72)], 0.03) for side in (1, -1)
        ]
        return [
            Part(box(x, y, 0, -0.82, 0.2, 0.12), fixed=DARK, inflate=0.1),
            *(Part(fin, fixed=RED, inflate=0.1) for fin in fins),
            Part(body, fixed=WHITE, height=round_body),
            Part(np.maximum(body, 0.48 - y), fixed=RED, height=round_body),
            Part(np.maximum(body, np.abs(y + 0.42) - 0.12), fixed=YELLOW, height=round_body),
            Part(circle(x, y, 0, 0.14, 0.22), fixed=METAL, inflate=0.1),
            Part(circle(x, y, 0, 0.14, 0.15), fixed=BLUE, inflate=9.0, detail=True),
        ]

    def feet(self) -> float:
        """See `Painter.feet`."""
        return 0.93
