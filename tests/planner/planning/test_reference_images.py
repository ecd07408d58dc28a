"""Reference pictures: by which IP-Adapter a model follows them, and why it does not."""

import pytest
from msgspec.structs import replace

from agents.planner.planning.capabilities import Capabilities, merge_presences
from agents.planner.planning.prompt_catalogue import CatalogueSelection
from agents.planner.planning.recipe import Defaults, Recipe, resolve
from agents.planner.planning.reference_images import ReferenceSupport, add_combo_references
from agents.planner.planning.source_images import LoadedImage, SourceImages
from protocol.catalogue import Asset, ReferenceBlob
from protocol.commands import GenerateImages
from protocol.errors import AcpError
from protocol.messages import Presence
from protocol.offers import IpAdapterInfo, ModelInfo
from protocol.parameters import ImageSource, Reference, ReferenceRole
from protocol.sources import ImagePrompt

XL = ModelInfo(
    name="base_sdxl", platform="stable_diffusion_xl", installed=True, native_sizes=[(1024, 1024)], steps=30,
    guidance=7.0, guidance_range=(4.0, 9.0), sampler="Euler", negative_prompt=True, max_pixels=1 << 22, references=4,
)  # fmt: skip
SD15 = replace(XL, name="base_sd15", platform="stable_diffusion_1_5", references=0)
FLUX = replace(XL, name="flux_dev", platform="flux_1_dev", references=0)
SERVICE = replace(XL, name="service", platform="service", provider="somebody", references=2)
PLAIN = IpAdapterInfo(
    name="plain_xl", platform="stable_diffusion_xl", roles=["style", "composition", "character"], installed=True
)
FACES = IpAdapterInfo(name="faces_xl", platform="stable_diffusion_xl", roles=["character"], installed=True)
MISSING = IpAdapterInfo(
    name="plain_sd15", platform="stable_diffusion_1_5", roles=["style"], installed=False, install="pull plain_sd15"
)
WORKSHOP = Capabilities(
    models={model.name: model for model in (XL, SD15, FLUX, SERVICE)},
    samplers=("Euler",),
    ip_adapters=(PLAIN, FACES, MISSING),
    generators=1,
)
DEFAULTS = Defaults(stand_in=None, min_score=0.5, max_attempts=3)
SOURCE = ImageSource(blob="a" * 64)


def planned(model: str, *wanted: Reference, shelf: CatalogueSelection | None = None) -> Recipe:
    command = GenerateImages(brief="a mug", models=[model], references=list(wanted))
    found = tuple(LoadedImage(f"{number:064d}", 64, 64) for number in range(len(wanted)))
    return resolve(command, WORKSHOP, DEFAULTS, shelf, SourceImages(references=found))


def reference(role: ReferenceRole, weight: float = 0.6) -> Reference:
    return Reference(image=SOURCE, role=role, weight=weight)


def test_each_picture_is_followed_by_the_adapter_that_is_most_for_its_role() -> None:
    recipe = planned("base_sdxl", reference("style"), reference("character", 0.8))

    assert recipe.pixels.image_prompts == [
        ImagePrompt(blob="0".zfill(64), role="style", adapter="plain_xl", weight=0.6),
        ImagePrompt(blob="1".zfill(64), role="character", adapter="faces_xl", weight=0.8),
    ]


def test_what_follows_pictures_by_itself_needs_no_adapter() -> None:
    assert [one.adapter for one in planned("service", reference("palette")).pixels.image_prompts] == [None]


@pytest.mark.parametrize(
    ("model", "wanted", "code", "path", "hint"),
    [
        ("base_sdxl", [reference("style")] * 5, "invalid_value", "$.references", "leave some out"),
        (
            "base_sdxl", [reference("style"), reference("subject")],
            "not_supported", "$.references[1].role", "base_sdxl follows character, composition, style",
        ),
        ("base_sdxl", [reference("palette")], "not_supported", "$.references[0].role", "requirements.style_reference"),
        ("base_sd15", [reference("style")], "not_installed", "$.references[0].role", "pull plain_sd15"),
        (
            "flux_dev", [reference("style")],
            "not_supported", "$.references[0].role", "stable_diffusion_1_5, stable_diffusion_xl",
        ),
    ],
    ids=["too many", "no such role", "a palette", "to install", "another platform"],
)  # fmt: skip
def test_what_is_not_followed_is_refused_with_the_field_and_what_works(
    model: str, wanted: list[Reference], code: str, path: str, hint: str
) -> None:
    with pytest.raises(AcpError) as caught:
        planned(model, *wanted)

    body = caught.value.body
    assert (body.code, body.path) == (code, path)
    assert hint in (body.hint or "")


def shown(asset: Asset) -> ReferenceBlob:
    return ReferenceBlob(blob=asset.encode().hex().zfill(64), media_type="image/png", asset=asset)


def test_pictures_of_a_combo_come_after_the_commands_own_as_far_as_they_are_followed() -> None:
    own = [ImagePrompt(blob="a" * 64, role="character", adapter="plain")]
    following = ReferenceSupport(most=3, adapters={"subject": "plain", "character": "plain"})
    combo = [shown("ui"), shown("wardrobe"), shown("product"), shown("bottom")]

    assert [one.blob for one in add_combo_references(own, combo, following)] == ["a" * 64, combo[1].blob, combo[2].blob]
    assert add_combo_references([], combo, ReferenceSupport()) == []


def test_a_plan_says_which_pictures_of_combos_are_left_out() -> None:
    shelf = CatalogueSelection(
        blob="b" * 64, entries=[("v1", "P1")], combos=[("w", "u", "c")], references=5, assets=["bottom", "ui"]
    )

    assert planned("base_sdxl", shelf=shelf).not_honoured == [
        "references: base_sdxl follows at most 4 reference pictures; a combo has up to 5",
        "references: base_sdxl follows no subject; pictures of bottom are left out",
    ]


def test_a_model_follows_pictures_where_one_of_its_generators_has_the_adapter() -> None:
    def generator(instance: str, model: ModelInfo, adapter: IpAdapterInfo) -> Presence:
        return Presence(
            role="generator", instance=instance, pid=1, host="h", version="1", started_at="", slots=1,
            models=[model], ip_adapters=[adapter],
        )  # fmt: skip

    without = generator("two", replace(XL, references=0, seconds_per_image=1.0), replace(PLAIN, installed=False))
    merged = merge_presences([generator("one", XL, PLAIN), without])

    assert merged.models["base_sdxl"].references == 4
    assert [one.installed for one in merged.ip_adapters] == [True]
