# pyright: basic, reportPrivateImportUsage=false
"""`python -m agents.pocket.sheet`: the picture of the model card, one picture for each of sixteen briefs."""

from __future__ import annotations

import json

import numpy as np

from agents.pocket.evaluate import draw, load
from agents.pocket.paths import DEFAULTS, SHEET
from agents.pocket.render import contact_sheet

BRIEFS = (
    "a magenta mug on a teal background, studio light",
    "three yellow stars on a blue background, watercolour",
    "a red car on a white background, product photo",
    "a small green tree on the left, orange background, flat illustration",
    "two purple mushrooms on a yellow background, studio photograph",
    "a white house on a blue background, flat design",
    "a blue fish on the right on a pink background, watercolor",
    "line art of a black umbrella on a white background",
    "three orange cubes on a purple background, low poly",
    "an orange boat at night on a blue background",
    "a pink heart on a black background, 8k, masterpiece, highly detailed",
    "a teal lamp on a yellow background, low-poly",
    "two brown chairs against a green backdrop, studio photo",
    "a large red apple on a teal background, professional product photography",
    "three white bottles on a magenta background, flat illustration",
    "a tiny yellow ball in the middle, brown background, studio lighting",
)


def main() -> None:
    """Draw and write."""
    notes = json.loads(DEFAULTS.read_text())
    pictures = draw(load(), BRIEFS, steps=notes["steps"], guidance=notes["guidance"])
    contact_sheet([np.asarray(p) for p in pictures], BRIEFS).save(SHEET, optimize=True)
    print(f"sheet: {SHEET.name}")


if __name__ == "__main__":
    main()
