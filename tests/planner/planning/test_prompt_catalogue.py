"""Catalogues and combos: what the names of their folders mean, and which picture is of which prompt and combo."""

import os
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from agents.planner.inputs.catalogue_loader import CatalogueLoader
from agents.planner.planning.prompt_catalogue import (
    CatalogueSelection,
    asset_of,
    catalogue_folder,
    prompt_of,
    requested_pose,
    ui_style_folder,
    wardrobe_folder,
)
from agents.planner.planning.variation import catalogue_position, count_pictures, name_template, variation
from bus.local_blobs import LocalBlobs
from protocol.catalogue import CatalogueSnapshot
from protocol.commands import GenerateImages
from protocol.errors import AcpError, BadCommand, Refused
from protocol.parameters import Catalogue, Combos, Export, Requirements, Sweep
from protocol.post import PostStep, Upscale
from protocol.template import CATALOGUE_TEMPLATE
from tests.planner.catalogues import ORANGE, STUDIO, write_catalogue, write_combo, write_home
from tests.planner.workbench import RECIPE

WARDROBES = ("Hoodie_combo", "longsleeve_combo", "t-shirt_combo")


def order(*names: str, combos: Combos | None = None, prompts: tuple[str, ...] = (), **fields: object) -> GenerateImages:
    base = GenerateImages(catalogue=Catalogue(names=list(names) or ["v3.2"], prompts=list(prompts)), combos=combos)
    return msgspec.structs.replace(base, **fields)


def shelves(home: Path) -> CatalogueLoader:
    return CatalogueLoader(home / "catalogues", home / "combos", LocalBlobs(home / "blobs"))


async def snapshot(home: Path, command: GenerateImages) -> CatalogueSnapshot:
    shelf = await shelves(home).load(command)
    assert shelf is not None
    return msgspec.json.decode(await LocalBlobs(home / "blobs").get(shelf.blob), type=CatalogueSnapshot)


@pytest.mark.parametrize(
    ("wardrobe", "folder"),
    [
        ("zip-hoodie", "Hoodie_combo"),
        ("hoodie", "Hoodie_combo"),
        ("longsleeve", "longsleeve_combo"),
        ("t-shirt", "t-shirt_combo"),
        ("T-Shirt", "t-shirt_combo"),
        ("t-shirt_combo", "t-shirt_combo"),
    ],
)
def test_wardrobes_are_found_by_the_names_that_people_use(wardrobe: str, folder: str) -> None:
    assert wardrobe_folder(wardrobe, WARDROBES) == folder


def test_catalogues_and_styles_are_found_by_their_short_names() -> None:
    assert catalogue_folder("v3.2", ("catalog_v2.2", "catalog_v3.2"), "$") == "catalog_v3.2"
    assert catalogue_folder("catalog_v3.2", ("catalog_v2.2", "catalog_v3.2"), "$") == "catalog_v3.2"
    assert ui_style_folder("orange", ("Orange_UI_Combos", "Studio_UI_Combos")) == "Orange_UI_Combos"


def test_a_name_that_no_folder_has_is_refused_with_the_nearest() -> None:
    with pytest.raises(Refused) as refused:
        catalogue_folder("v3.3", ("catalog_v2.2", "catalog_v3.2"), "$.catalogue.names[0]")

    assert refused.value.body.path == "$.catalogue.names[0]"
    assert refused.value.body.hint == "did you mean v3.2?"


@pytest.mark.parametrize("name", ["../catalogues", "..", "/etc", "../../x", ""])
def test_a_name_leads_nowhere_but_to_the_folders_that_are_there(name: str) -> None:
    with pytest.raises(AcpError):
        catalogue_folder(name, ("catalog_v3.2",), "$")
    assert catalogue_folder(f"{name}/catalog_v3.2/../v3.2", ("catalog_v3.2",), "$") == "catalog_v3.2"


@pytest.mark.parametrize(
    ("markdown", "prompt"),
    [
        ("a mug\n", "a mug"),
        ("# Title\n\na mug\n\non a table\n", "a mug\n\non a table"),
        ("---\na: 1\n---\n\n# Title\na mug", "a mug"),
        ("\ufeffa mug", "a mug"),
        ("a mug\n# not a title", "a mug\n# not a title"),
    ],
)
def test_the_prompt_is_the_text_without_front_matter_and_title(markdown: str, prompt: str) -> None:
    assert prompt_of(markdown) == prompt


@pytest.mark.parametrize(
    ("text", "pose"),
    [
        ("a straight, full-height shot", "full"),
        ("Full height portrait", "full"),
        ("MCU of a man", "mcu"),
        ("a medium close-up", "mcu"),
        ("a mug on a table", None),
    ],
)
def test_a_prompt_says_which_pose_it_asks_for(text: str, pose: str | None) -> None:
    assert requested_pose(text) == pose


@pytest.mark.parametrize(
    ("stem", "shown"),
    [
        ("ui", ("ui", None)),
        ("C-U-009_UI_layout", ("ui", None)),
        ("wardrobe_front", ("wardrobe", None)),
        ("bottom", ("bottom", None)),
        ("product_2", ("product", None)),
        ("pose_MCU", ("pose", "mcu")),
        ("pose-full-height", ("pose", "full")),
        ("IMG_0001", ("other", None)),
    ],
)
def test_the_name_of_a_file_says_what_it_shows(stem: str, shown: tuple[str, str | None]) -> None:
    assert asset_of(stem) == shown


async def test_the_combo_folder_is_the_only_source_of_references(tmp_path: Path) -> None:
    write_home(tmp_path)
    found = await snapshot(tmp_path, order(combos=Combos(wardrobe="zip-hoodie", ui_style="Orange")))

    assert [entry.id for entry in found.entries] == ["ZH01_unboxing_experience", "ZH02_travel_ready"]
    assert [entry.text.split()[1] for entry in found.entries] == ["red", "blue"]
    assert tuple(combo.id for combo in found.combos) == ORANGE
    for combo in found.combos:
        assert (combo.wardrobe, combo.ui_style) == ("zip-hoodie", "Orange")
        assert combo.description == "a black zip hoodie, half open"
        assert [(one.asset, one.media_type) for one in combo.references] == [
            ("ui", "image/png"),
            ("pose", "image/jpeg"),
        ]
        assert all([await LocalBlobs(tmp_path / "blobs").has(one.blob) for one in combo.references])


async def test_pictures_of_a_combo_that_is_planned_with_again_stay_as_long_as_if_they_were_put_anew(
    tmp_path: Path,
) -> None:
    write_home(tmp_path)
    blobs, keeper = LocalBlobs(tmp_path / "blobs"), shelves(tmp_path)
    await keeper.load(order(combos=Combos()))
    names = [path.name for path in blobs.folder.rglob("*") if path.is_file()]
    for name in names:
        os.utime(blobs.path(name), (1000.0, 1000.0))
    await keeper.load(order(combos=Combos()))
    assert [await blobs.remove_idle(name, 1001.0) for name in names] == [0] * len(names)


async def test_all_combos_are_taken_where_none_is_named_and_the_named_ones_where_some_are(tmp_path: Path) -> None:
    write_home(tmp_path)
    every = await snapshot(tmp_path, order(combos=Combos()))
    some = await snapshot(tmp_path, order(combos=Combos(names=["C-U-001"]), prompts=("ZH02",)))

    assert {combo.id for combo in every.combos} == {*ORANGE, *STUDIO}
    assert {combo.wardrobe for combo in every.combos} == {"Hoodie"}
    assert ([combo.id for combo in some.combos], [entry.id for entry in some.entries]) == (
        ["C-U-001"],
        ["ZH02_travel_ready"],
    )


async def test_a_single_picture_may_be_a_combo(tmp_path: Path) -> None:
    write_catalogue(tmp_path)
    write_combo(tmp_path, ".", "C-U-003.webp")
    found = await snapshot(tmp_path, order(combos=Combos()))

    assert [(combo.id, combo.references[0].asset) for combo in found.combos] == [("C-U-003", "ui")]
    assert found.combos[0].description == "Hoodie"


async def test_a_missing_full_height_pose_is_said_and_not_looked_for_elsewhere(tmp_path: Path) -> None:
    write_home(tmp_path)
    write_combo(tmp_path, "C-U-020", "ui.png", "pose_mcu.png", "pose_full.png")
    shelf = await shelves(tmp_path).load(order(combos=Combos(ui_style="Orange")))

    assert shelf is not None
    [warning] = shelf.warnings
    assert "asked for by ZH02_travel_ready and missing in C-U-009 and 1 more" in warning
    assert "MCU" in warning


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (GenerateImages(combos=Combos()), "$.combos"),
        (order("v9"), "$.catalogue.names[0]"),
        (order(prompts=("ZH01", "ZH07")), "$.catalogue.prompts[1]"),
        (order(combos=Combos(wardrobe="kilt")), "$.combos.wardrobe"),
        (order(combos=Combos(ui_style="Purple")), "$.combos.ui_style"),
        (order(combos=Combos(names=["C-U-009", "C-U-999"])), "$.combos.names[1]"),
    ],
)
async def test_what_is_not_there_is_refused_at_its_place(tmp_path: Path, command: GenerateImages, path: str) -> None:
    write_home(tmp_path)
    with pytest.raises((BadCommand, Refused)) as refused:
        await shelves(tmp_path).load(command)

    assert refused.value.body.path == path
    assert refused.value.body.hint


@pytest.mark.parametrize(
    ("data", "problem"),
    [(b"not a picture", "no PNG, JPEG, WEBP picture"), (b"GIF89a" + b"\0" * 60, "no PNG, JPEG, WEBP picture")],
)
async def test_a_file_that_is_no_picture_is_named(tmp_path: Path, data: bytes, problem: str) -> None:
    write_home(tmp_path)
    (write_combo(tmp_path, "C-U-009") / "ui.png").write_bytes(data)
    with pytest.raises(Refused) as refused:
        await shelves(tmp_path).load(order(combos=Combos()))

    assert "C-U-009/ui.png" in refused.value.body.message
    assert problem in refused.value.body.message


async def test_a_picture_that_ends_too_soon_is_named_before_any_job_follows_it(tmp_path: Path) -> None:
    write_home(tmp_path)
    cut = write_combo(tmp_path, "C-U-009") / "pose_mcu.jpg"
    Image.effect_noise((24, 16), 99).save(cut)
    cut.write_bytes(cut.read_bytes()[:-64])
    with pytest.raises(Refused) as refused:
        await shelves(tmp_path).load(order(combos=Combos()))

    assert "C-U-009/pose_mcu.jpg: " in refused.value.body.message
    assert "truncated" in refused.value.body.message


async def test_an_empty_combo_and_an_empty_prompt_are_named(tmp_path: Path) -> None:
    write_home(tmp_path)
    (tmp_path / "combos" / "Hoodie_combo" / "Orange_UI_Combos" / "C-U-011").mkdir()
    with pytest.raises(Refused) as combo:
        await shelves(tmp_path).load(order(combos=Combos()))
    write_catalogue(tmp_path, ZH03_empty="# Only a title\n")
    with pytest.raises(Refused) as prompt:
        await shelves(tmp_path).load(order())

    assert "C-U-011: a combo has 1 to 16 pictures, not 0" in combo.value.body.message
    assert "ZH03_empty.md: it has no prompt" in prompt.value.body.message


async def test_a_batch_stays_what_it_was_when_the_files_change_and_the_next_one_sees_the_change(tmp_path: Path) -> None:
    write_home(tmp_path)
    reader = shelves(tmp_path)
    command = order(combos=Combos(ui_style="Orange"))
    first, again = await reader.load(command), await reader.load(command)
    changed = write_combo(tmp_path, "C-U-009", "pose_mcu.png", "ui.png") / "ui.png"
    os.utime(changed, ns=(1, 1))
    later = await reader.load(command)

    assert first == again
    assert first is not None
    assert later is not None
    assert first.blob != later.blob


async def shelf_of(home: Path, command: GenerateImages) -> CatalogueSelection:
    write_home(home)
    shelf = await shelves(home).load(command)
    assert shelf is not None
    return shelf


async def test_every_prompt_meets_every_combo_as_often_as_is_asked_for(tmp_path: Path) -> None:
    command = order(
        combos=Combos(wardrobe="zip-hoodie", ui_style="Orange"), requirements=Requirements(quantity=2, resolution="2K")
    )
    recipe = msgspec.structs.replace(RECIPE, catalogue=await shelf_of(tmp_path, command))
    recipe = recipe.with_pixels(width=2048, height=2048)
    places = [catalogue_position(command, recipe, variation(command, recipe, index)) for index in range(8)]

    assert count_pictures(command, recipe) == 8
    assert [(place.combo, place.prompt_id[:4]) for place in places if place] == [
        (combo, prompt) for combo in ORANGE for prompt in ("ZH01", "ZH02") for _ in range(2)
    ]
    assert {(place.wardrobe, place.ui_style, place.catalogue, place.quality) for place in places if place} == {
        ("zip-hoodie", "Orange", "v3.2", "2K")
    }
    assert len({variation(command, recipe, index).number for index in range(8)}) == 8


@pytest.mark.parametrize(
    ("asked", "size", "post", "name"),
    [
        ("2K", (2048, 2048), [], "2K"),
        ("2K", (256, 256), [], "256x256"),
        ("2K", (512, 512), [Upscale(scale=4.0)], "2K"),
        ("1K", (1024, 1024), [Upscale(scale=2.0)], "2048x2048"),
        ("16:9", (1344, 768), [], "16:9"),
        ("16:9", (128, 128), [], "128x128"),
        ("1024x1024", (128, 128), [], "128x128"),
        ("1024x1024", (1024, 1024), [], "1024x1024"),
        (None, (768, 1344), [], "768x1344"),
    ],
)
async def test_a_file_says_the_size_that_was_asked_for_only_where_the_picture_has_it(
    tmp_path: Path, asked: str | None, size: tuple[int, int], post: list[PostStep], name: str
) -> None:
    command = order(requirements=Requirements(resolution=asked))
    recipe = msgspec.structs.replace(RECIPE, catalogue=await shelf_of(tmp_path, command))
    recipe = recipe.with_pixels(width=size[0], height=size[1], post=post)
    place = catalogue_position(command, recipe, variation(command, recipe, 0))

    assert place is not None
    assert place.quality == name


async def test_a_sweep_runs_within_each_prompt_and_combo(tmp_path: Path) -> None:
    command = order(combos=Combos(ui_style="Orange"), sweep=Sweep(values={"steps": [10, 20, 30]}))
    recipe = msgspec.structs.replace(RECIPE, catalogue=await shelf_of(tmp_path, command))
    varied = [variation(command, recipe, index) for index in range(12)]

    assert count_pictures(command, recipe) == 12
    assert [one.swept["steps"] for one in varied] == [10, 20, 30] * 4
    assert [one.number for one in varied] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_the_files_of_a_catalogue_are_named_by_its_tree_or_as_asked() -> None:
    asked = Catalogue(names=["v3.2"], output_template="{prompt_id}/{seed}")

    assert name_template(order()) == CATALOGUE_TEMPLATE
    assert name_template(order(catalogue=asked)) == "{prompt_id}/{seed}"
    assert name_template(GenerateImages()) is None
    assert name_template(GenerateImages(export=Export(name_template="{seed}"))) == "{seed}"
    assert name_template(order(export=Export(name_template="{seed}"))) == "{seed}"
    assert name_template(order(catalogue=asked, export=Export(name_template="{seed}"))) == "{prompt_id}/{seed}"


async def test_the_prompts_of_a_catalogue_go_along_with_what_is_planned(tmp_path: Path) -> None:
    shelf = await shelf_of(tmp_path, order())
    kept = await snapshot(tmp_path, order())
    assert shelf.texts == [(f"{entry.catalogue}/{entry.id}", entry.text) for entry in kept.entries] != []
