"""Steps after generation in a plan: what is settled, the stages and sizes they make, their time, and why not."""

import dataclasses

import pytest
from msgspec.structs import replace

from agents.planner.planning import post_processing
from agents.planner.planning.capabilities import Capabilities
from agents.planner.planning.recipe import Defaults, Recipe, resolve
from agents.planner.planning.source_images import LoadedImage, SourceImages
from agents.planner.planning.variation import vary
from agents.planner.scheduling.reuse import digests
from agents.planner.scheduling.upgrade import upgrade_job
from agents.planner.scheduling.work_messages import build_job
from protocol.commands import GenerateImages, Lora, Requirements
from protocol.errors import AcpError
from protocol.messages import Presence, Prompt
from protocol.offers import LoraInfo, ModelInfo, ToolInfo
from protocol.parameters import ImageSource, Region, Sweep
from protocol.pixels import pixel_digest
from protocol.post import CorrectColour, PostStep, Refine, RemoveArtefacts, RestoreFaces, Upscale
from tests.planner.workbench import new_batch

POCKET = ModelInfo(
    name="pocket", platform="pocket", installed=True, native_sizes=[(128, 128)], steps=20, guidance=3.0,
    guidance_range=(2.0, 8.0), sampler="Euler", negative_prompt=True, max_pixels=256 * 256, multiple_of=16,
    starts=["picture"], engine="steps", seconds_per_image=2.0, version="aa",
)  # fmt: skip
KANDINSKY = replace(POCKET, name="kandinsky", platform="kandinsky_3", starts=[])
CLOUD = replace(POCKET, name="cloud", platform="cloud", provider="openai")
TOOLS = (
    ToolInfo(name="lanczos", kind="upscaler", installed=True, scale=8, seconds_per_megapixel=0.0),
    ToolInfo(name="x4", kind="upscaler", installed=True, scale=4, seconds_per_megapixel=1.0, version="ee"),
    ToolInfo(name="clean", kind="upscaler", installed=True, scale=1),
    ToolInfo(name="swin", kind="upscaler", installed=False, scale=4, install="pip install it"),
    ToolInfo(name="faces", kind="face_restorer", installed=True, scale=1),
)
LORAS = (
    LoraInfo(name="neon", platform="pocket", installed=True, trigger="neon sign", version="bb"),
    LoraInfo(name="ink", platform="pocket", installed=False, install="put it there"),
    LoraInfo(name="xl", platform="stable_diffusion_xl", installed=True),
)
WORKSHOP = Capabilities(
    models={model.name: model for model in (POCKET, KANDINSKY, CLOUD)},
    loras={lora.name: lora for lora in LORAS},
    tools={tool.name: tool for tool in TOOLS},
    samplers=("Euler",),
    generators=1,
)
NEON = Lora(name="neon")
DEFAULTS = Defaults(stand_in=None, min_score=0.5, max_attempts=3, price_per_hour=3.6)


def planned(*steps: PostStep, model: str = "pocket", given: SourceImages | None = None, **fields: object) -> Recipe:
    command = replace(GenerateImages(brief="a car", models=[model], post=list(steps)), **fields)
    return resolve(command, WORKSHOP, DEFAULTS, given=given or SourceImages())


def test_without_steps_a_plan_lists_no_stages():
    assert (planned().stages, planned().pixels.post, planned().seconds_per_image) == ([], [], 2.0)


def test_base_style_refinement_and_upscale_are_four_stages_with_their_sizes_steps_and_engines():
    recipe = planned(
        Upscale(),
        Refine(strength=0.5, loras=[NEON]),
        CorrectColour(towards=ImageSource(image_id="gen_1_000000")),
        Upscale(model="x4"),
        given=SourceImages(colour_targets={2: LoadedImage("c" * 64, 64, 64)}),
    )
    assert [(one.op, one.model, one.size.width, one.engine, one.steps) for one in recipe.stages] == [
        ("generate", "pocket", 128, "steps", 20),
        ("upscale", "lanczos", 256, "pipeline", None),
        ("refine", "pocket", 256, "steps", 10),
        ("colour_correct", None, 256, "pipeline", None),
        ("upscale", "x4", 1024, "pipeline", None),
    ]
    assert recipe.pixels.post == [
        Upscale(scale=2.0),
        Refine(strength=0.5, loras=[NEON], prompt_suffix="neon sign"),
        CorrectColour(towards=ImageSource(blob="c" * 64)),
        Upscale(model="x4", scale=4.0),
    ]
    assert (recipe.pixels.width, recipe.pixels.height) == (128, 128)


def test_time_and_cost_count_every_stage_once_each_was_measured():
    recipe = planned(Upscale(), Refine(strength=0.5), Upscale(model="x4"))
    # 2 s, half of them at four times the pixels, and a megapixel of x4.
    seconds = 2.0 + 4.0 + 1024 * 1024 / 1e6
    assert recipe.seconds_per_image == pytest.approx(seconds, abs=1e-3)
    assert recipe.price_micros == pytest.approx(1000 * seconds, rel=1e-3)
    unmeasured = planned(RemoveArtefacts(model="clean"))
    assert (unmeasured.seconds_per_image, unmeasured.price_micros) == (None, None)
    assert unmeasured.highest_micros == 120_000


@pytest.mark.parametrize(
    ("steps", "tile"),
    [([Refine()], None), ([Upscale(scale=2.0), Refine()], None), ([Upscale(scale=3.0), Refine()], 128),
     ([Upscale(scale=1.3), Refine()], 128), ([Refine(tile=64)], 64)],
)  # fmt: skip
def test_what_does_not_suit_the_model_is_refined_in_tiles_of_its_native_size(steps: list[PostStep], tile: int | None):
    recipe = planned(*steps)
    refine = recipe.pixels.post[-1]
    assert isinstance(refine, Refine)
    assert refine.tile == tile
    assert any("tiles of" in note for note in recipe.warnings) == (tile is not None)


def test_a_refinement_costs_a_row_for_each_prompt_of_a_region_where_it_is_refined_whole():
    regions = [Region(prompt=word, box=[0.0, 0.0, 0.5, 1.0]) for word in ("a star", "a mug")]
    seconds = [
        planned(Refine(strength=0.5, tile=tile, guidance=guidance), regions=regions).stages[-1].seconds
        for tile, guidance in ((None, None), (None, 1.0), (128, None))
    ]
    assert seconds == [2.0, 1.5, 1.0]


def test_each_swept_size_has_its_own_tiles():
    sweep = Sweep(values={"resolution": ["128x128", "256x256"]})
    recipe = planned(Upscale(), Refine(), sweep=sweep)
    command = GenerateImages(brief="a car", sweep=sweep)
    jobs = [vary(build_job(new_batch(2), Prompt(text="a"), index, 1), command, recipe, 7) for index in range(2)]
    assert [job.pixels.post[-1] for job in jobs] == [Refine(), Refine(tile=128)]


@pytest.mark.parametrize(
    ("steps", "fields", "code", "path", "hint"),
    [
        ([Upscale(model="x9")], {}, "not_installed", "$.post[0].model", "known: clean, lanczos"),
        ([Upscale(model="faces")], {}, "not_installed", "$.post[0].model", "lanczos"),
        ([Upscale(model="swin")], {}, "not_installed", "$.post[0].model", "pip install it"),
        ([Upscale(model="clean")], {}, "not_supported", "$.post[0].model", "artefact_removal"),
        ([Upscale(model="x4", scale=6.0)], {}, "invalid_value", "$.post[0].scale", "a second step"),
        ([Upscale(model="x4"), Upscale(model="x4"), Upscale(model="x4")], {}, "too_large", "$.post[2]", "16777216"),
        ([RemoveArtefacts(model="x4")], {}, "not_supported", "$.post[0].model", "upscale"),
        ([RestoreFaces(model="x4", faces=[[0, 0, 1, 1]])], {}, "not_installed", "$.post[0].model", "faces"),
        ([RestoreFaces(model="faces", faces=[[0.8, 0, 0.4, 1]])], {}, "invalid_value", "$.post[0].faces[0]", "parts"),
        ([CorrectColour(), Refine(strength=0.01)], {}, "invalid_value", "$.post[1].strength", "at least 0.05"),
        ([Upscale(scale=8.0), Upscale(scale=4.0), Refine(tile=64)], {}, "too_large", "$.post[2].tile", "a larger tile"),
        ([Refine(tile=100)], {}, "invalid_value", "$.post[0].tile", "a multiple of 16"),
        ([Upscale(scale=1.1), Refine(tile=256)], {}, "invalid_value", "$.post[1]", "multiples of 16"),
        ([Refine(loras=[Lora(name="nein")])], {}, "not_installed", "$.post[0].loras[0].name", "neon"),
        ([Refine(loras=[Lora(name="ink")])], {}, "not_installed", "$.post[0].loras[0].name", "put it there"),
        ([Refine(loras=[Lora(name="xl")])], {}, "invalid_value", "$.post[0].loras[0].name", "pocket"),
        ([Refine(loras=[NEON], prompt_suffix="x" * 3999)], {}, "invalid_value", "$.post[0].prompt_suffix", "shorter"),
        ([Refine()], {"model": "kandinsky"}, "not_supported", "$.post[0]", "platforms that do: cloud, pocket"),
        ([Upscale()], {"model": "cloud"}, "not_supported", "$.post", "leave post out"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_with_the_field_and_what_works(
    steps: list[PostStep], fields: dict[str, str], code: str, path: str, hint: str
):
    with pytest.raises(AcpError) as refused:
        planned(*steps, **fields)  # pyright: ignore[reportArgumentType]
    assert (refused.value.code, refused.value.body.path) == (code, path)
    assert hint in (refused.value.body.hint or "")


def test_a_stand_in_refines_without_the_adapters_of_the_other_model():
    base = post_processing.BaseGeneration(POCKET, (128, 128), 20, [], 3.0, stand_in=True)
    after = post_processing.plan_stages([Refine(loras=[Lora(name="product_lora_v3")])], SourceImages(), base, WORKSHOP)
    assert after.steps == [Refine(loras=[])]
    assert after.not_honoured == ["post[0].loras: product_lora_v3 left out with the stand-in"]


def test_weights_of_every_step_are_part_of_what_a_picture_is_found_by():
    steps = [Upscale(scale=2.0), Upscale(model="x4", scale=4.0), Refine(loras=[NEON]), Upscale(model="x4")]
    job = build_job(new_batch(1), Prompt(text="a"), 0, 1).with_pixels(model="pocket", loras=[], post=steps)
    generator = Presence(
        role="generator", instance="x", pid=1, host="h", version="1", started_at="", slots=1,
        models=[POCKET], loras=list(LORAS), tools=list(TOOLS),
    )  # fmt: skip
    assert digests([job], [generator]) == {0: pixel_digest(job.pixels, "aa+ee+bb")}
    unhashed = replace(generator, tools=[replace(tool, version=None) for tool in TOOLS])
    assert digests([job], [unhashed]) == {}


def test_the_size_of_a_command_is_that_of_its_generation():
    recipe = planned(Upscale(), requirements=Requirements(resolution="192x128"))
    assert (recipe.stages[-1].size.width, recipe.stages[-1].size.height) == (384, 256)


def test_an_upgrade_does_the_same_steps_with_pictures_of_its_own_size():
    recipe = planned(Upscale(), Refine(), requirements=Requirements(resolution="256x256"))
    original = build_job(new_batch(1), Prompt(text="a"), 0, 1).with_pixels(post=[Upscale(scale=2.0), Refine()])
    made = upgrade_job(dataclasses.replace(new_batch(1), recipe=recipe), original, 0, 1)
    assert (made.pixels.width, made.pixels.post) == (256, [Upscale(scale=2.0), Refine(tile=128)])
