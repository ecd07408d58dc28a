"""Names of pictures, by tables, hostile ones included."""

from typing import Any

import pytest

from agents.storage.names import FIELDS, batch_folder, candidate_names, image_key, picture_folder, picture_path
from agents.storage.record import Record, record_of
from protocol.catalogue import Catalogued
from protocol.errors import AcpError, BadCommand
from protocol.messages import Prompt
from protocol.template import CATALOGUE_TEMPLATE, check_template
from protocol.template import FIELDS as TEMPLATE_FIELDS
from tests.storage.making import png, store_image

DEFAULT = "{date}_{section}_{colour}_{seed}"


def file_name(template: str, made: Record) -> str:
    return picture_path(template, made).name


def record(disposition: str = "accepted", score: float | None = 0.87, **job: Any) -> Record:
    return record_of(store_image(data=png(), disposition=disposition, score=score, **job), "teal")


@pytest.mark.parametrize(
    ("template", "job", "name"),
    [
        pytest.param(DEFAULT, {}, "20261120_hero_teal_1000", id="the convention"),
        pytest.param(DEFAULT, {"section": None}, "20261120_teal_1000", id="no section leaves no gap"),
        pytest.param(DEFAULT, {"created_at": ""}, "hero_teal_1000", id="no date is not invented"),
        pytest.param(
            DEFAULT, {"created_at": "2026-11-21T00:30:00+01:00"}, "20261120_hero_teal_1000", id="dates are UTC"
        ),
        pytest.param("{time}-{index}-{attempt}", {"index": 7, "attempt": 2}, "235958-000007-2", id="numbers"),
        pytest.param("{model}_{style}_{score}", {}, "pocket_product_photography_0.87", id="model, style and score"),
        pytest.param("{client}_{hash}_{image_id}", {}, "local_gen_batch_1_gen_batch_1_000000", id="ids"),
        pytest.param("{prompt}", {"prompt": Prompt(text="A Mug, (red:1.2)!")}, "a-mug-red-1.2", id="prompt as a slug"),
        pytest.param("{prompt}", {"prompt": Prompt(text="猫 と 星")}, "猫-と-星", id="letters of any script"),
        pytest.param("{prompt}", {"prompt": Prompt(text="../../etc/passwd")}, "etc-passwd", id="traversal"),
        pytest.param("{prompt}", {"prompt": Prompt(text="..\\..\\x\x00y")}, "x-y", id="backslash and null"),
        pytest.param("{prompt}", {"prompt": Prompt(text="C:\\x|y?*")}, "c-x-y", id="characters of Windows"),
        pytest.param("{prompt}", {"prompt": Prompt(text="a\u202egnp.exe")}, "a-gnp.exe", id="writing direction"),
        pytest.param("{prompt}", {"prompt": Prompt(text=".hidden.")}, "hidden", id="dots at the ends"),
        pytest.param("{prompt}", {"prompt": Prompt(text="CON")}, "_con", id="a device of Windows"),
        pytest.param("{prompt}", {"prompt": Prompt(text="lpt1.txt")}, "_lpt1.txt", id="a device with an ending"),
        pytest.param("{prompt}", {"prompt": Prompt(text="?!")}, "gen_batch_1_000000", id="nothing left"),
        pytest.param("../{seed}/x", {}, "1000/x", id="a template cannot leave the folder"),
        pytest.param("", {}, "gen_batch_1_000000", id="an empty template"),
    ],
)
def test_names_by_template(template: str, job: dict[str, Any], name: str) -> None:
    assert picture_path(template, record(**job)).as_posix() == name


def test_a_long_prompt_does_not_push_the_seed_out() -> None:
    name = file_name("{prompt}_{seed}", record(prompt=Prompt(text="very " * 200)))
    assert name.endswith("_1000")
    assert len(name) < 60


def test_a_name_stays_within_the_bound_of_file_systems_in_any_script() -> None:
    name = file_name("{prompt}_{prompt}_{prompt}_{prompt}", record(prompt=Prompt(text="猫" * 4000)))
    assert len(name.encode()) <= 180
    assert name == name.encode().decode()


def test_an_unscored_picture_has_no_score_in_its_name() -> None:
    assert file_name("{score}_{seed}", record(score=None)) == "1000"


def test_names_that_collide_get_the_index() -> None:
    assert list(candidate_names("x", record(index=7))) == ["x", "x_7", "x_gen_batch_1_000007"]


PLACE = Catalogued(
    catalogue="v3.2",
    prompt_id="ZH01_unboxing_experience",
    quality="1K",
    wardrobe="zip-hoodie",
    ui_style="Studio",
    combo="C-U-002",
)


def test_a_picture_of_a_catalogue_lies_in_the_tree_of_its_seed() -> None:
    made = record(catalogued=PLACE, name_template=CATALOGUE_TEMPLATE, created_at="2025-01-15T14:30:22+00:00")
    assert (
        picture_path(DEFAULT, made).as_posix()
        == "zip-hoodie/v3.2/ZH01_unboxing_experience/Studio/C-U-002/2025-01-15-14-30-22-ZH01-1K"
    )


def test_a_catalogue_without_combos_has_no_empty_folders() -> None:
    alone = Catalogued(catalogue="v3.2", prompt_id="ZH01_unboxing", quality="1K")
    made = record(catalogued=alone, name_template=CATALOGUE_TEMPLATE)
    assert picture_path(DEFAULT, made).parent.as_posix() == "v3.2/ZH01_unboxing"


def test_swept_values_are_in_the_name() -> None:
    made = record(swept={"steps": 28, "guidance": 3.5, "prompt": "a very long prompt about a mug", "lora:gold": 0.6})
    assert picture_path("{seed}", made).as_posix() == "1000_steps-28_guidance-3.5_prompt-a-very-long-prom_lora-gold-0.6"
    assert picture_path("{sweep}/{seed}", made).name == "1000"


def test_every_field_that_a_template_may_have_has_a_value_here() -> None:
    assert set(FIELDS) == set(TEMPLATE_FIELDS)


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{sead}", "{sead} is not a field"),
        ("{seed", "brace"),
        ("{}", "{} is not a field"),
        ("{seed.x}", "{seed.x}"),
        ("", "1 to 400"),
        ("a/" * 9, "8 folders"),
    ],
)
def test_a_bad_template_is_refused_by_field(template: str, problem: str) -> None:
    with pytest.raises(BadCommand) as refused:
        check_template(template, "$.catalogue.output_template")
    assert problem in str(refused.value)
    assert refused.value.body.path == "$.catalogue.output_template"


def test_accepted_and_kept_pictures_lie_apart() -> None:
    assert picture_folder(record()).as_posix() == "local/gen_batch_1"
    assert picture_folder(record(disposition="kept")).as_posix() == "local/gen_batch_1/_Rejected/Maybe Later"


@pytest.mark.parametrize("name", ["..", "a/b", "", "CON", "a" * 65, "a.b", "a\n"])
def test_what_is_no_id_never_becomes_a_folder(name: str) -> None:
    with pytest.raises(AcpError):
        batch_folder(name, "gen_batch_1")
    with pytest.raises(AcpError):
        batch_folder("local", name)


def test_keys_are_per_client() -> None:
    assert image_key("acme", "gen_batch_1_000007") == "clients/acme/images/gen_batch_1_000007.png"
