"""Recipes: what a command becomes in this workshop, or why it is refused and what would work."""

from dataclasses import replace

import msgspec
import pytest

from agents.planner.planning.capabilities import Capabilities, merge_presences
from agents.planner.planning.prompt_catalogue import CatalogueSelection
from agents.planner.planning.recipe import Defaults, alternatives, resolve
from protocol.commands import GenerateImages, Lora, Quality, Requirements
from protocol.errors import AcpError, ErrorBody
from protocol.messages import LoraInfo, ModelInfo, Presence
from protocol.offers import PromptReading

POCKET = ModelInfo(
    name="pocket",
    platform="pocket",
    installed=True,
    native_sizes=[(128, 128)],
    steps=20,
    guidance=4.0,
    guidance_range=(2.0, 8.0),
    sampler="DPM++ 2M Karras",
    negative_prompt=True,
    max_pixels=128 * 128,
)
SDXL = ModelInfo(
    name="base_sdxl",
    platform="stable_diffusion_xl",
    aliases=["SDXL"],
    installed=False,
    native_sizes=[(1024, 1024)],
    steps=30,
    guidance=7.0,
    guidance_range=(7.0, 12.0),
    sampler="Euler",
    negative_prompt=True,
    max_pixels=1536 * 1536,
    priority=5,
    install="put the folder of stable-diffusion-xl-base-1.0 at models/base_sdxl",
)
FLUX = msgspec.structs.replace(
    SDXL,
    name="flux_dev",
    platform="flux_1_dev",
    aliases=["FLUX.1-dev"],
    negative_prompt=False,
    guidance=3.5,
    guidance_range=(3.0, 4.0),
    steps=28,
)
LORA = LoraInfo(name="product_lora_v3", platform="stable_diffusion_xl", installed=False, install="put it into loras/")
SEED = GenerateImages(
    style="product_photography",
    requirements=Requirements(quantity=100, resolution="1024x1024", style_reference="brand_guidelines_v2"),
    platform="stable_diffusion_xl",
    models=["base_sdxl", "product_lora_v3"],
    quality=Quality(min_score=0.85, consistency=0.90),
)
ALONE = Defaults(stand_in=None, min_score=0.5, max_attempts=3)
STAND_IN = Defaults(stand_in="pocket", min_score=0.5, max_attempts=3)


def workshop(*models: ModelInfo, loras: tuple[LoraInfo, ...] = (LORA,)) -> Capabilities:
    return Capabilities(
        models={model.name: model for model in models},
        loras={lora.name: lora for lora in loras},
        samplers=("DPM++ 2M Karras", "Euler", "Euler a"),
        styles=("plain", "product_photography"),
        style_references=("brand_guidelines_v2",),
        generators=1,
        prompt_writers=1,
    )


BARE = workshop(POCKET, SDXL, FLUX)
INSTALLED = replace(
    workshop(
        POCKET, msgspec.structs.replace(SDXL, installed=True), loras=(msgspec.structs.replace(LORA, installed=True),)
    ),
    scorers=frozenset({"*"}),
)


def test_where_no_scorer_compares_pictures_consistency_is_not_honoured() -> None:
    unseen = "consistency: no scorer is running, so pictures cannot be compared"
    assert resolve(SEED, replace(INSTALLED, scorers=None), STAND_IN).not_honoured == [unseen]
    warned = resolve(SEED, INSTALLED, STAND_IN).warnings
    assert any("below 0.9 are made again" in warning for warning in warned)


def test_the_seeds_command_runs_on_its_own_models_where_they_are_installed() -> None:
    recipe = resolve(SEED, INSTALLED, STAND_IN)
    assert (recipe.pixels.model, recipe.platform, recipe.stand_in_for) == ("base_sdxl", "stable_diffusion_xl", None)
    assert (recipe.pixels.width, recipe.pixels.height, recipe.pixels.steps, recipe.pixels.guidance) == (
        1024,
        1024,
        30,
        7.0,
    )
    assert recipe.pixels.loras == [Lora(name="product_lora_v3", weight=0.8)]
    assert recipe.min_score == 0.85
    assert not recipe.not_honoured


def test_the_seeds_command_is_refused_with_what_to_install_where_they_are_not() -> None:
    with pytest.raises(AcpError) as caught:
        resolve(SEED, BARE, ALONE)
    body = caught.value.body
    assert body.code == "not_installed"
    assert "base_sdxl" in body.message
    assert "product_lora_v3" in body.message
    assert "models/base_sdxl" in (body.hint or "")
    assert any("--stand-in pocket" in way for way in alternatives(body, BARE, ALONE))


def test_what_would_work_is_told_where_something_is_not_installed() -> None:
    missing = ErrorBody(code="not_installed", message="no model", path="$.platform")
    assert alternatives(missing, INSTALLED, STAND_IN) == [
        f'"platform": "{platform}"' for platform in ("pocket", "stable_diffusion_xl")
    ]
    assert alternatives(missing, INSTALLED, STAND_IN, "Pocket") == ['"platform": "stable_diffusion_xl"']
    assert not any("pocket" in way for way in alternatives(missing, INSTALLED, ALONE, "pocket"))
    assert alternatives(msgspec.structs.replace(missing, path="$.loras[0].name"), INSTALLED, ALONE) == []
    assert alternatives(msgspec.structs.replace(missing, path="$.post[0].model"), INSTALLED, ALONE) == []
    assert alternatives(msgspec.structs.replace(missing, code="unknown_style"), INSTALLED, ALONE) == []


def test_the_pocket_model_stands_in_at_its_own_native_size_and_the_recipe_says_so() -> None:
    recipe = resolve(SEED, BARE, STAND_IN)
    assert (recipe.pixels.model, recipe.platform, recipe.stand_in_for) == ("pocket", "pocket", "stable_diffusion_xl")
    assert (recipe.pixels.width, recipe.pixels.height) == (128, 128)
    assert recipe.models == ["base_sdxl", "product_lora_v3"]
    assert recipe.pixels.loras == []
    said = " ".join(recipe.not_honoured)
    assert all(word in said for word in ("base_sdxl", "stands in", "product_lora_v3", "128x128"))


def test_a_recipe_names_the_model_that_was_meant_where_a_stand_in_draws() -> None:
    recipe = resolve(GenerateImages(platform="sdxl"), BARE, STAND_IN)
    assert (recipe.pixels.model, recipe.models) == ("pocket", ["base_sdxl"])


@pytest.mark.parametrize("name", ["SDXL", "sdxl", "stable_diffusion_xl", "Stable-Diffusion-XL"])
def test_platforms_are_known_by_the_names_that_people_use(name: str) -> None:
    assert resolve(GenerateImages(platform=name), INSTALLED, ALONE).pixels.model == "base_sdxl"


def test_a_silent_command_gets_an_installed_model_before_a_better_one_that_is_not() -> None:
    assert resolve(GenerateImages(), BARE, ALONE).pixels.model == "pocket"
    assert resolve(GenerateImages(), INSTALLED, ALONE).pixels.model == "base_sdxl"


def test_named_values_win_over_defaults_and_unwise_ones_are_warned_of_not_changed() -> None:
    recipe = resolve(
        GenerateImages(steps=40, guidance=12.0, sampler="euler A", max_attempts=5), workshop(POCKET), ALONE
    )
    assert (recipe.pixels.steps, recipe.pixels.guidance, recipe.pixels.sampler, recipe.max_attempts) == (
        40,
        12.0,
        "Euler a",
        5,
    )
    assert len(recipe.warnings) == 2


def test_a_size_that_a_model_was_not_trained_on_is_warned_of_in_the_plan() -> None:
    def warnings(size: str | None) -> list[str]:
        wish = GenerateImages(platform="stable_diffusion_xl", requirements=Requirements(resolution=size))
        return resolve(wish, INSTALLED, ALONE).warnings

    assert warnings(None) == []
    assert warnings("1536x1536") == [
        "1536x1536 is larger than 1024x1024, the native size of base_sdxl: it repeats things there"
    ]
    assert "soft" in warnings("512x512")[0]


def test_a_negative_prompt_that_a_model_ignores_is_said() -> None:
    installed = workshop(msgspec.structs.replace(FLUX, installed=True))
    recipe = resolve(GenerateImages(negative_prompt="text"), installed, ALONE)
    assert not recipe.negative_supported
    assert any(line.startswith("negative_prompt") for line in recipe.not_honoured)


@pytest.mark.parametrize(
    ("command", "code", "path", "hint"),
    [
        (GenerateImages(style="product_fotography"), "unknown_style", "$.style", "product_photography"),
        (
            GenerateImages(requirements=Requirements(style_reference="brand_guidelines_v3")),
            "unknown_style",
            "$.requirements.style_reference",
            "brand_guidelines_v2",
        ),
        (GenerateImages(platform="midjourney"), "not_installed", "$.platform", "pocket"),
        (GenerateImages(models=["base_sdx"]), "not_installed", "$.models[0]", "base_sdxl"),
        (GenerateImages(loras=[Lora(name="nobody")]), "not_installed", "$.loras[0].name", "nobody.safetensors"),
        (GenerateImages(sampler="DPM"), "invalid_value", "$.sampler", "Euler"),
        (GenerateImages(platform="pocket", models=["base_sdxl"]), "invalid_value", "$.platform", "stable_diffusion_xl"),
        (GenerateImages(platform="FLUX.1-dev"), "not_installed", "$.models", "models/"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_path_and_what_would_work(
    command: GenerateImages, code: str, path: str, hint: str
) -> None:
    with pytest.raises(AcpError) as caught:
        resolve(command, BARE, ALONE)
    body = caught.value.body
    assert (body.code, body.path) == (code, path)
    assert hint in (body.hint or "")


def test_a_lora_of_another_platform_is_refused() -> None:
    mixed = workshop(POCKET, loras=(msgspec.structs.replace(LORA, installed=True),))
    with pytest.raises(AcpError) as caught:
        resolve(GenerateImages(platform="pocket", loras=[Lora(name="product_lora_v3")]), mixed, ALONE)
    assert caught.value.code == "invalid_value"


def test_without_a_generator_the_answer_is_to_come_again() -> None:
    with pytest.raises(AcpError) as caught:
        resolve(GenerateImages(), Capabilities(), ALONE)
    assert caught.value.code == "no_generator"
    assert caught.value.retryable


def test_a_model_counts_as_installed_if_any_generator_has_it() -> None:
    def presence(instance: str, model: ModelInfo) -> Presence:
        return Presence(
            role="generator", instance=instance, pid=1, host="h", version="0", started_at="", slots=1, models=[model]
        )

    found = merge_presences(
        [presence("a", SDXL), presence("b", msgspec.structs.replace(SDXL, installed=True)), presence("c", SDXL)]
    )
    assert found.models["base_sdxl"].installed
    assert found.generators == 3


def test_the_command_that_adds_a_missing_lora_is_one_for_a_shell() -> None:
    with pytest.raises(AcpError) as refused:
        resolve(GenerateImages(loras=[Lora(name="add detail v1.2")]), INSTALLED, ALONE)
    assert "bottega models add 'add detail v1.2.safetensors'" in (refused.value.body.hint or "")


def test_prompts_of_a_catalogue_are_read_for_what_a_plan_says_of_prompts() -> None:
    reads = msgspec.structs.replace(POCKET, prompts=PromptReading(tokens=4))
    shelf = CatalogueSelection(
        blob="b" * 64,
        entries=[("v1", "P1")],
        texts=[("v1/P1", "a (smiling:1.4) woman at a wedding in Paris")],
    )
    recipe = resolve(GenerateImages(), replace(workshop(reads), scorers=frozenset({"pocket"})), ALONE, shelf)

    assert "v1/P1: attention weights are taken off, since pocket does not use them" in recipe.not_honoured
    assert any("v1/P1: pocket reads 4 tokens" in note for note in recipe.not_honoured)
    assert any("smiling woman at a wedding in paris" in warning for warning in recipe.warnings)
    assert recipe.catalogue is not None
    assert recipe.catalogue.texts == []
