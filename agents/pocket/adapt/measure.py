# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""What each adapter does, in figures, over scenes that none of them has learned from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from diffusers import StableDiffusionPipeline
from PIL import Image

from agents.pocket import evaluate, judge
from agents.pocket.adapt import concept, lora
from agents.pocket.adapt.apply import (
    HOW,
    after,
    draw,
    follow,
    load_control,
    silhouette,
    surroundings,
    with_lora,
    with_word,
)
from agents.pocket.adapt.edit import inpaint, redraw
from agents.pocket.adherence import Adherence
from agents.pocket.bar import Figures, shares, table
from agents.pocket.captions import plain
from agents.pocket.render import Scene, render, sample
from agents.shared.edges import canny, edge_f_score

STUDIO, FLAT = 0, 1
STRENGTH = 0.75
"""How far img2img may go from its picture, of 1."""

Pictures = Sequence[Image.Image]


def scenes_of(count: int, seed: int, *, simple: bool = True) -> list[Scene]:
    """Scenes in the style of a studio photograph."""
    return [replace(sample(np.random.default_rng([seed, i]), plain=simple), style=STUDIO) for i in range(count)]


def likeness(scorer: Adherence, pictures: Pictures, like: Pictures) -> float:
    """The mean cosine between the scorer's embeddings of pictures and of others."""
    return float((scorer.embed_images(list(pictures)) @ scorer.embed_images(list(like)).T).mean())


def brightness(pictures: Pictures) -> float:
    """The mean of all pixels, 0 to 255."""
    return float(np.mean([np.asarray(p) for p in pictures]))


def colour_distance(pictures: Pictures, colour: tuple[int, int, int]) -> float:
    """How far the things' median colours are from a colour, in levels of 255 in the space of red, green and blue."""
    medians = [np.median(np.asarray(p)[silhouette(p)], 0) for p in pictures]
    return float(np.mean([np.linalg.norm(m - np.array(colour)) for m in medians]))


def edges_shared(some: Pictures, others: Pictures) -> float:
    """The mean agreement of the edges of each picture with those of its partner."""
    edges = [[canny(np.asarray(p)) for p in pictures] for pictures in (some, others)]
    return float(np.mean([edge_f_score(one, other) for one, other in zip(*edges, strict=True)]))


def of_loras(pipe: StableDiffusionPipeline, count: int) -> Iterator[tuple[str, dict[str, Figures]]]:
    """Each LoRA asked for by its trigger, and what it does to everything else."""
    scorer, network = Adherence(), judge.load()
    for made in lora.LORAS.values():
        rng = np.random.default_rng([81, made.pictures])
        scenes = [made.scene(rng) for _ in range(count)]
        texts = [made.sentence(scene, rng) for scene in scenes]
        others, sentences = evaluate.prompts(count, seed=82)
        pictures = {"renders of the same": [Image.fromarray(render(scene, kind=made.painter)) for scene in scenes]}
        pictures["without it"], usual = draw(pipe, texts), draw(pipe, sentences)
        with with_lora(pipe, made.name):
            pictures["with it"], still = draw(pipe, texts), draw(pipe, sentences)
        like = pictures["renders of the same"]
        yield (
            made.name,
            {
                title: {"likeness to renders": likeness(scorer, shown, like), "brightness": brightness(shown)}
                for title, shown in pictures.items()
            },
        )
        yield (
            f"{made.name}, sentences without its trigger",
            {
                "without it": shares(judge.name(network, usual), others),
                "with it": shares(judge.name(network, still), others),
            },
        )


def of_concept(pipe: StableDiffusionPipeline, count: int) -> Iterator[tuple[str, dict[str, Figures]]]:
    """The colour of things asked for with the learned word, and with words that come near."""
    scenes = [replace(concept.scene(np.random.default_rng([83, i])), style=FLAT) for i in range(count)]
    texts = [concept.sentence(scene) for scene in scenes]
    pictures = {"renders": [Image.fromarray(render(scene, kind=concept.Lime)) for scene in scenes]}
    for known in (*concept.LIKE, concept.NAME):
        pictures[f"“{known}”"] = draw(pipe, [text.replace(concept.WORD, known) for text in texts])
    with with_word(pipe):
        pictures[f"“{concept.WORD}”"] = draw(pipe, texts)
    yield (
        "word",
        {title: {"distance of colour": colour_distance(shown, concept.COLOUR)} for title, shown in pictures.items()},
    )


def of_control(pipe: StableDiffusionPipeline, count: int) -> Iterator[tuple[str, dict[str, Figures]]]:
    """How well pictures follow an outline, and how far they meet it by the sentence alone."""
    network = judge.load()
    scenes = scenes_of(count, 84, simple=False)
    renders = [Image.fromarray(render(scene)) for scene in scenes]
    texts, asked = [plain(scene) for scene in scenes], [canny(np.asarray(p)) for p in renders]
    pictures = {"sentence alone": draw(pipe, texts), "with its outline": follow(pipe, load_control(), texts, asked)}
    yield (
        "control",
        {
            title: {"edges": edges_shared(renders, shown), **shares(judge.name(network, shown), scenes)}
            for title, shown in pictures.items()
        },
    )


def of_look(pipe: StableDiffusionPipeline, count: int) -> Iterator[tuple[str, dict[str, Figures]]]:
    """Whether pictures of a thing that is named alone have the rest of another picture, and what becomes of sentences
    that say all."""
    network = judge.load()
    scenes = [sample(np.random.default_rng([86, i])) for i in range(count)]
    things = [replace(scene, object=(scene.object + 5) % 16) for scene in scenes]
    like = [Image.fromarray(render(scene)) for scene in scenes]
    texts, whole = [f"a {scene.names()['object']}" for scene in things], [plain(scene) for scene in things]
    against = [Image.fromarray(render(sample(np.random.default_rng([87, i])))) for i in range(count)]
    pictures = {
        "the thing's name alone": draw(pipe, texts),
        "after a picture": after(pipe, texts, like),
        "after a picture, weight 1": after(pipe, texts, like, 1.0),
        "a whole sentence alone": draw(pipe, whole),
        "a whole sentence after another picture": after(pipe, whole, against),
    }
    yield (
        "look",
        {title: shares(judge.name(network, shown), things) for title, shown in pictures.items()},
    )


def of_edits(pipe: StableDiffusionPipeline, count: int) -> Iterator[tuple[str, dict[str, Figures]]]:
    """What img2img and inpainting keep, and whether what they change is what was asked for."""
    network = judge.load()
    scenes = scenes_of(count, 85)
    base = draw(pipe, [plain(scene) for scene in scenes])
    dyed = [replace(scene, colour=_other(scene)) for scene in scenes]
    texts = [plain(scene) for scene in dyed]
    made = {
        "drawn afresh": draw(pipe, texts, seed=1000),
        "img2img": [redraw(pipe, p, t, strength=STRENGTH, **HOW) for p, t in zip(base, texts, strict=True)],
    }
    yield (
        "another colour",
        {
            title: {"edges kept": edges_shared(base, shown), **shares(judge.name(network, shown), dyed)}
            for title, shown in made.items()
        },
    )
    moved = [replace(scene, background=_other(scene)) for scene in scenes]
    masks = [surroundings(p) for p in base]
    done = [inpaint(pipe, p, m, plain(s), **HOW) for p, m, s in zip(base, masks, moved, strict=True)]
    kept = [
        np.abs(np.asarray(a).astype(int) - np.asarray(b))[~m].max(initial=0)
        for a, b, m in zip(base, done, masks, strict=True)
    ]
    figures: Figures = {"greatest change of kept pixels": float(max(kept))}
    yield "another ground", {"inpainted": {**figures, **shares(judge.name(network, done), moved)}}


def _other(scene: Scene) -> int:
    """A colour that is neither the thing's nor its ground's."""
    return next(c for c in ((scene.colour + k) % 12 for k in range(5, 12)) if c not in (scene.colour, scene.background))


def measure(folder: Path, count: int = 24) -> None:
    """Print all figures as Markdown tables."""
    pipe = evaluate.load(folder)
    for part in (of_loras, of_concept, of_control, of_look, of_edits):
        for title, rows in part(pipe, count):
            print(table(f"{title}, n = {count}", rows), end="\n\n", flush=True)
