# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""Textual inversion (Gal et al., 2022): a colour that the model has no word for, learned as the vectors of a word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import save_file
from torch import nn

from agents.pocket.adapt.lesson import encode, error, teach, tokens
from agents.pocket.captions import plain
from agents.pocket.paths import ADAPTERS
from agents.pocket.render import Painter, Scene, render, sample
from agents.pocket.vocabulary import PALETTE

NAME = "lime"
WORD = "<lime>"
LIKE = ("yellow", "green")
"""The words whose vectors it starts from."""
COLOUR = (160, 205, 30)
PICTURES = 30
STEPS = 400
RATE = 5e-3
BATCH = 10


class Lime(Painter):
    """Paints the scene's object in the colour without a name."""

    def __init__(self, scene: Scene, size: int) -> None:
        super().__init__(scene, size)
        self.base = np.array(COLOUR, np.float32) / 255


class Vectors(nn.Module):
    """The new word's vectors, (n, 160)."""

    def __init__(self, start: torch.Tensor) -> None:
        super().__init__()
        self.vectors = nn.Parameter(start.clone())


def scene(rng: np.random.Generator) -> Scene:
    """One thing in the middle, on a ground of another colour."""
    found = sample(rng)
    return replace(found, background=int(rng.choice([i for i, c in enumerate(PALETTE) if c not in LIKE])))


def sentence(scene: Scene) -> str:
    """The scene's sentence, with the new word for its colour."""
    names = scene.names()
    text = plain(scene).replace(f"{names['colour']} {names['object']}", f"{WORD} {names['object']}", 1)
    return text.replace("an <", "a <", 1)


def train(pipe: StableDiffusionPipeline) -> Path:
    """Learn and write the word, in the form that `load_textual_inversion` reads."""
    rng = np.random.default_rng(45)
    scenes = [scene(rng) for _ in range(PICTURES)]
    latents = encode(pipe, [render(s, kind=Lime) for s in scenes])
    table = pipe.text_encoder.get_input_embeddings().weight
    key = next(name for name, p in pipe.text_encoder.named_parameters() if p is table)
    known = [pipe.tokenizer(word, add_special_tokens=False).input_ids[0] for word in LIKE]
    learner = Vectors(table[known])
    pipe.load_textual_inversion({WORD: table[known]})
    size = len(table)

    def lesson(rng: np.random.Generator) -> torch.Tensor:
        picks = rng.integers(PICTURES, size=BATCH)
        texts = [pipe.maybe_convert_prompt(sentence(scenes[i]), pipe.tokenizer) for i in picks]
        whole = {key: torch.cat([table[:size], learner.vectors])}
        words = torch.func.functional_call(pipe.text_encoder, whole, (tokens(pipe, texts),)).last_hidden_state
        return error(pipe, latents[picks], words)

    teach(NAME, STEPS, RATE, learner, lesson)
    file = ADAPTERS / f"{NAME}.safetensors"
    file.parent.mkdir(exist_ok=True)
    save_file({WORD: learner.vectors.detach().half().cpu()}, file, {"format": "pt"})
    return file
