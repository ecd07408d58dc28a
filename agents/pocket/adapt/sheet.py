# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""The figure sheet: the same subjects by the model alone and with each adapter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from agents.pocket import evaluate
from agents.pocket.adapt import concept, neon, rocket
from agents.pocket.adapt.apply import HOW, draw, follow, load_control, surroundings, with_lora, with_word
from agents.pocket.adapt.control import outline
from agents.pocket.adapt.edit import inpaint, redraw
from agents.pocket.adapt.measure import STRENGTH
from agents.pocket.captions import plain
from agents.pocket.paths import HERE
from agents.pocket.render import Scene, contact_sheet, render
from agents.pocket.vocabulary import ATTRIBUTES
from agents.shared.edges import canny

FILE = HERE / "adapters.png"
SUBJECTS = (
    ("car", "red", "white", "blue", "green"),
    ("house", "yellow", "teal", "magenta", "purple"),
    ("umbrella", "blue", "pink", "orange", "yellow"),
    ("mushroom", "magenta", "black", "teal", "orange"),
    ("boat", "orange", "blue", "green", "pink"),
)
"""Object, colour and background; then the colour it is redrawn in, and the background it is put before."""


def _scene(thing: str, colour: str, ground: str) -> Scene:
    at = {
        key: ATTRIBUTES[key].index(value)
        for key, value in (("object", thing), ("colour", colour), ("background", ground))
    }
    return Scene(at["object"], at["colour"], at["background"], 0)


def draw_sheet(folder: Path) -> None:
    """Draw and write the sheet."""
    pipe = evaluate.load(folder)
    scenes = [_scene(*subject[:3]) for subject in SUBJECTS]
    grounds = [ATTRIBUTES["background"][scene.background] for scene in scenes]
    cores = [plain(scene).removesuffix(", studio photograph") for scene in scenes]
    texts = {
        "base": [plain(scene) for scene in scenes],
        "neon": [f"{core}, {neon.TRIGGER}" for core in cores],
        "rocket": [f"a {rocket.TRIGGER} on a {ground} background" for ground in grounds],
        "concept": [concept.sentence(scene) for scene in scenes],
        "redrawn": [plain(_scene(thing, new, ground)) for thing, _, ground, new, _ in SUBJECTS],
        "inpainted": [plain(_scene(thing, colour, new)) for thing, colour, _, _, new in SUBJECTS],
    }
    columns: dict[str, list[Image.Image]] = {"base": draw(pipe, texts["base"])}
    for name in ("neon", "rocket"):
        with with_lora(pipe, name):
            columns[name] = draw(pipe, texts[name])
    with with_word(pipe):
        columns["concept"] = draw(pipe, texts["concept"])
    placed = [replace(scene, size=row % 2, position=2 * (row % 2)) for row, scene in enumerate(scenes)]
    edges = [canny(render(scene)) for scene in placed]
    columns["outline"] = [outline(mask) for mask in edges]
    columns["followed"] = follow(pipe, load_control(), texts["base"], edges)
    columns["redrawn"] = [
        redraw(pipe, p, t, strength=STRENGTH, **HOW) for p, t in zip(columns["base"], texts["redrawn"], strict=True)
    ]
    columns["inpainted"] = [
        inpaint(pipe, p, surroundings(p), t, **HOW) for p, t in zip(columns["base"], texts["inpainted"], strict=True)
    ]
    said = {
        **texts,
        "outline": ["an outline given"] * len(scenes),
        "followed": ["the first sentence along it"] * len(scenes),
        "redrawn": [f"img2img of the first: {text}" for text in texts["redrawn"]],
        "inpainted": [f"all but the thing inpainted: {text}" for text in texts["inpainted"]],
    }
    order = [(name, row) for row in range(len(scenes)) for name in columns]
    pictures = [np.asarray(columns[name][row]) for name, row in order]
    captions = [said[name][row].removesuffix(", studio photograph") for name, row in order]
    contact_sheet(pictures, captions, columns=len(columns)).save(FILE, optimize=True)
