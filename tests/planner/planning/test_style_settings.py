"""Settings of a style: they apply where the command is silent, and the plan says so."""

from dataclasses import replace

import msgspec
import pytest

from agents.planner.planning.capabilities import merge_presences
from agents.planner.planning.recipe import Recipe, resolve
from protocol.commands import GenerateImages, Lora, Requirements
from protocol.messages import Presence
from protocol.parameters import StyleSettings, Sweep
from tests.planner.planning.test_recipe import ALONE, FLUX, LORA, POCKET, SDXL, workshop

PRESET = StyleSettings(
    sampler="DPM++ 2M Karras", steps=25, guidance=7.0, lora_weight=0.7, quantity=6, resolution="9:16"
)
TALL = msgspec.structs.replace(SDXL, installed=True, native_sizes=[(1024, 1024), (768, 1344)])
STYLED = replace(
    workshop(
        msgspec.structs.replace(POCKET, unfit_samplers=["DPM++ 2M Karras"]),
        TALL,
        msgspec.structs.replace(FLUX, installed=True),
        loras=(msgspec.structs.replace(LORA, installed=True),),
    ),
    styles=("brand", "plain"),
    style_settings={"brand": PRESET},
)
SILENT = GenerateImages(style="brand", platform="stable_diffusion_xl", requirements=Requirements(quantity=6))
SAYS = {
    "steps": "style brand sets steps 25",
    "guidance": "style brand sets guidance 7",
    "sampler": "style brand sets sampler DPM++ 2M Karras",
    "resolution": "style brand sets resolution 9:16",
}


def planned(**changes: object) -> Recipe:
    return resolve(msgspec.structs.replace(SILENT, **changes), STYLED, ALONE)


def test_a_silent_command_gets_the_settings_of_its_style_and_the_plan_says_so() -> None:
    recipe = planned()
    pixels = recipe.pixels
    assert (pixels.steps, pixels.guidance, pixels.sampler) == (25, 7.0, "DPM++ 2M Karras")
    assert (pixels.width, pixels.height) == (768, 1344)
    assert recipe.warnings == list(SAYS.values())


def test_without_the_style_nothing_of_it_applies() -> None:
    recipe = planned(style=None)
    assert (recipe.pixels.steps, recipe.pixels.sampler, recipe.pixels.width) == (30, "Euler", 1024)
    assert recipe.warnings == []


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("steps", {"steps": 12}),
        ("guidance", {"guidance": 8.0}),
        ("sampler", {"sampler": "Euler a"}),
        ("resolution", {"requirements": Requirements(quantity=6, resolution="1024x1024")}),
    ],
)
def test_what_the_command_says_wins(name: str, changes: dict[str, object]) -> None:
    recipe = planned(**changes)
    asked = changes.get(name, "1024x1024")
    made = getattr(recipe.pixels, name, f"{recipe.pixels.width}x{recipe.pixels.height}")
    assert made == asked
    assert recipe.warnings == [says for setting, says in SAYS.items() if setting != name]


def test_a_setting_whose_field_is_swept_is_not_claimed() -> None:
    recipe = planned(sweep=Sweep(values={"steps": [10, 20], "resolution": ["1:1", "9:16"]}))
    assert recipe.warnings == [SAYS["guidance"], SAYS["sampler"]]
    assert (recipe.pixels.guidance, recipe.sizes["1:1"]) == (7.0, (1024, 1024))


def test_pictures_of_several_styles_share_no_settings_of_one() -> None:
    recipe = planned(sweep=Sweep(values={"style": ["brand", "plain"]}))
    assert recipe.warnings == []
    assert recipe.pixels.steps == 30


def test_settings_for_models_of_another_kind_are_left_out_and_named() -> None:
    recipe = planned(platform="flux_1_dev")
    assert (recipe.pixels.steps, recipe.pixels.guidance, recipe.pixels.sampler) == (28, 3.5, "Euler")
    assert recipe.warnings[0] == (
        "style brand has settings for other models than flux_dev, which are left out: "
        "steps 25, guidance 7, sampler DPM++ 2M Karras"
    )


def test_a_sampler_that_the_model_has_not_is_left_out_and_named() -> None:
    recipe = resolve(
        msgspec.structs.replace(SILENT, platform="pocket"),
        replace(STYLED, models={"pocket": msgspec.structs.replace(STYLED.models["pocket"], sampler="Euler")}),
        ALONE,
    )
    assert (recipe.pixels.sampler, recipe.pixels.steps) == ("Euler", 25)
    assert "style brand names a sampler that pocket has not, which is left out: DPM++ 2M Karras" in recipe.warnings


def test_adapters_that_are_named_without_a_weight_get_that_of_the_style() -> None:
    among_models = planned(platform=None, models=["base_sdxl", "product_lora_v3"])
    assert among_models.pixels.loras == [Lora(name="product_lora_v3", weight=0.7)]
    assert "style brand sets LoRA weight 0.7" in among_models.warnings
    weighed = planned(loras=[Lora(name="product_lora_v3", weight=0.9)])
    assert weighed.pixels.loras == [Lora(name="product_lora_v3", weight=0.9)]
    assert weighed.warnings == list(SAYS.values())


def test_the_batch_that_a_style_is_meant_for_is_told_and_not_made() -> None:
    one = planned(requirements=Requirements())
    assert one.warnings[-1].startswith("style brand is meant for batches of 6")


def test_settings_are_announced_by_the_process_that_writes_prompts() -> None:
    generator = Presence(
        role="generator", instance="generator-1", pid=1, host="h", version="v", started_at="t", slots=1
    )
    prompt = msgspec.structs.replace(generator, role="prompt", instance="prompt-1", style_settings={"brand": PRESET})
    assert merge_presences([prompt, generator]).style_settings == {"brand": PRESET}
