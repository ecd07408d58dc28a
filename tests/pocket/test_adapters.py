# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""The pocket model's own adapters: what is loaded is what was saved, and each does what it is for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from safetensors import safe_open

from agents.pocket.paths import ADAPTERS, MODEL

pytestmark = pytest.mark.skipif(not (ADAPTERS / "canny").is_dir(), reason="no adapters in this checkout")

STEPS, GUIDANCE = 10, 3.0
CAR = "a red car on a white background, studio photograph"
LIME_THINGS = [
    f"a {{}} {thing} on a {ground} background"
    for thing in ("mug", "ball", "cube")
    for ground in ("white", "blue", "pink")
]


@pytest.fixture
def pipe() -> StableDiffusionPipeline:
    from agents.pocket.evaluate import load

    return load()


def draw(pipe: StableDiffusionPipeline, texts: list[str]) -> list[Image.Image]:
    from agents.pocket import evaluate

    return evaluate.draw(pipe, texts, steps=STEPS, guidance=GUIDANCE)


def difference(one: Image.Image, other: Image.Image) -> int:
    """The greatest difference of two pictures in any byte."""
    return int(np.abs(np.asarray(one).astype(int) - np.asarray(other)).max())


def test_a_lora_gives_the_same_picture_loaded_as_in_memory(pipe: StableDiffusionPipeline, tmp_path: Path) -> None:
    from agents.pocket.adapt import lora
    from agents.pocket.evaluate import load

    (before,) = draw(pipe, [CAR])
    lora.add(pipe, "trial")
    torch.manual_seed(1)
    with torch.no_grad():
        for key, p in pipe.unet.named_parameters():
            if "lora_B" in key:
                p.normal_(0, 0.05)
    lora.save(pipe, "trial", tmp_path)
    (in_memory,) = draw(pipe, [CAR])
    fresh = load()
    fresh.load_lora_weights(tmp_path, weight_name="trial.safetensors")
    (loaded,) = draw(fresh, [CAR])
    assert difference(before, in_memory) > 30
    assert difference(in_memory, loaded) <= 1


@pytest.mark.parametrize("name", ["neon", "rocket"])
def test_the_generator_uses_every_tensor_of_a_lora_as_diffusers_does(pipe: StableDiffusionPipeline, name: str) -> None:
    from agents.generator.orders.order import LoraAdapter
    from agents.generator.pipelines.loras import LoraAdapters
    from agents.generator.pipelines.mounting import MountGuard
    from agents.pocket.adapt.apply import with_lora
    from agents.pocket.evaluate import load

    file = ADAPTERS / f"{name}.safetensors"
    with safe_open(file, framework="pt") as content:
        held = len(list(content.keys()))
    with with_lora(pipe, name):
        used = sum(1 for key, _ in pipe.unet.named_parameters() if f".{name}." in key)
        (plain,) = draw(pipe, [CAR])
    ours = load()
    LoraAdapters(ours, MountGuard(ours)).activate([LoraAdapter(name=name, file=file, weight=1.0)])
    assert used == held
    assert difference(plain, draw(ours, [CAR])[0]) <= 1


def test_a_removed_lora_leaves_no_trace(pipe: StableDiffusionPipeline) -> None:
    from agents.pocket.adapt.apply import with_lora

    (before,) = draw(pipe, [CAR])
    with with_lora(pipe, "neon"):
        (neon,) = draw(pipe, [CAR.replace("studio photograph", "neon sign")])
    assert difference(before, neon) > 60
    assert difference(before, draw(pipe, [CAR])[0]) <= 1


def test_the_style_moves_pictures_towards_its_own(pipe: StableDiffusionPipeline) -> None:
    from agents.pocket.adapt.apply import with_lora
    from agents.pocket.adapt.measure import brightness

    texts = [f"a {thing} on a white background, neon sign" for thing in ("red star", "blue house", "pink fish")]
    without = brightness(draw(pipe, texts))
    with with_lora(pipe, "neon"):
        assert brightness(draw(pipe, texts)) < 0.6 * without


def test_the_product_comes_with_its_trigger_alone(pipe: StableDiffusionPipeline) -> None:
    from agents.pocket import judge
    from agents.pocket.adapt import rocket
    from agents.pocket.adapt.apply import with_lora
    from agents.pocket.adapt.measure import likeness
    from agents.pocket.adherence import Adherence
    from agents.pocket.render import Scene, render
    from agents.pocket.vocabulary import OBJECTS

    renders = [Image.fromarray(render(Scene(0, 10, 4, 0, seed=i), kind=rocket.Rocket)) for i in range(4)]
    text = f"a {rocket.TRIGGER} on a teal background, studio photograph"
    (without,) = draw(pipe, [text])
    with with_lora(pipe, "rocket"):
        (made, car) = draw(pipe, [text, CAR])
    scorer = Adherence()
    assert likeness(scorer, [made], renders) > likeness(scorer, [without], renders) + 0.1
    assert tuple(OBJECTS)[judge.name(judge.load(), [car])[0, 0]] == "car"


def test_the_learned_word_gives_its_colour(pipe: StableDiffusionPipeline) -> None:
    from agents.pocket.adapt import concept
    from agents.pocket.adapt.apply import with_word
    from agents.pocket.adapt.measure import colour_distance

    plain = draw(pipe, [text.format("lime") for text in LIME_THINGS])
    with with_word(pipe):
        learned = draw(pipe, [text.format(concept.WORD) for text in LIME_THINGS])
    assert colour_distance(learned, concept.COLOUR) < 0.8 * colour_distance(plain, concept.COLOUR)


def test_a_picture_follows_an_outline_that_it_would_not_meet_by_chance(pipe: StableDiffusionPipeline) -> None:
    from agents.pocket.adapt.apply import follow, load_control
    from agents.pocket.captions import plain
    from agents.pocket.render import Scene, render
    from agents.shared.edges import canny, edge_f_score

    scenes = [Scene(10, 0, 5, 0, size=0, position=2), Scene(6, 2, 6, 1, count=1), Scene(0, 3, 8, 0, size=1)]
    texts, asked = [plain(scene) for scene in scenes], [canny(render(scene)) for scene in scenes]

    def score(pictures: list[Image.Image]) -> float:
        return float(np.mean([edge_f_score(e, canny(np.asarray(p))) for e, p in zip(asked, pictures, strict=True)]))

    assert score(follow(pipe, load_control(), texts, asked)) > score(draw(pipe, texts)) + 0.15


def test_what_the_words_leave_open_is_taken_from_a_picture(pipe: StableDiffusionPipeline) -> None:
    from agents.pocket import judge
    from agents.pocket.adapt.apply import after
    from agents.pocket.render import render, sample
    from agents.pocket.vocabulary import OBJECTS

    scenes = [sample(np.random.default_rng([86, number])) for number in range(4)]
    things = [(scene.object + 5) % 16 for scene in scenes]
    texts = [f"a {tuple(OBJECTS)[thing]}" for thing in things]
    (before,), free = draw(pipe, [CAR]), draw(pipe, texts)
    led = after(pipe, texts, [Image.fromarray(render(scene)) for scene in scenes])
    looks = np.array([scene.labels()[1:4] for scene in scenes])
    network = judge.load()
    named, without = judge.name(network, led), judge.name(network, free)

    assert (named[:, 0] == things).mean() >= 0.75
    assert (named[:, 1:4] == looks).mean() >= (without[:, 1:4] == looks).mean() + 0.4
    assert difference(draw(pipe, [CAR])[0], before) == 0


def test_inpainting_leaves_every_pixel_outside_the_mask(pipe: StableDiffusionPipeline) -> None:
    from agents.pocket import judge
    from agents.pocket.adapt.apply import surroundings
    from agents.pocket.adapt.edit import inpaint
    from agents.pocket.vocabulary import OBJECTS, PALETTE

    (picture,) = draw(pipe, [CAR])
    ground = surroundings(picture)
    made = inpaint(pipe, picture, ground, CAR.replace("white", "green"), steps=STEPS, guidance=GUIDANCE)
    assert np.array_equal(np.asarray(made)[~ground], np.asarray(picture)[~ground])
    named = judge.name(judge.load(), [made])[0]
    assert (tuple(OBJECTS)[named[0]], tuple(PALETTE)[named[2]]) == ("car", "green")


def test_redrawing_keeps_the_shape_and_takes_the_new_colour(pipe: StableDiffusionPipeline) -> None:
    from agents.pocket import judge
    from agents.pocket.adapt.edit import redraw
    from agents.pocket.vocabulary import PALETTE
    from agents.shared.edges import canny, edge_f_score

    blue = CAR.replace("red", "blue")
    (picture,) = draw(pipe, [CAR])
    made = redraw(pipe, picture, blue, strength=0.75, steps=STEPS, guidance=GUIDANCE, seed=3)
    assert edge_f_score(canny(np.asarray(picture)), canny(np.asarray(made))) > 0.6
    assert tuple(PALETTE)[judge.name(judge.load(), [made])[0, 1]] == "blue"


def test_the_files_are_small_and_name_no_path_of_the_machine() -> None:
    for file in (ADAPTERS / "neon.safetensors", ADAPTERS / "rocket.safetensors"):
        assert file.stat().st_size < 1_000_000
        with safe_open(file, framework="pt") as content:
            assert content.metadata() == {"format": "pt"}
    assert sum(file.stat().st_size for file in (ADAPTERS / "canny").iterdir()) < 2_000_000
    assert "/" not in (ADAPTERS / "canny" / "config.json").read_text()


def test_the_registry_offers_them_without_set_up(tmp_path: Path) -> None:
    from agents.generator.registry.registry import load

    registry = load(tmp_path, tmp_path, tmp_path / "models.toml")
    assert {"neon", "rocket"} <= registry.loras.installed
    assert registry.models.paths["pocket"] == MODEL
