"""Names of pictures, by tables, hostile ones included."""

from typing import Any

import pytest

from agents.storage.names import BadTemplate, alternatives, batch_folder, check_template, folder, image_key, stem
from agents.storage.record import Record, record_of
from protocol.errors import AcpError
from protocol.messages import Prompt
from tests.storage.making import png, store_image

DEFAULT = "{date}_{section}_{colour}_{seed}"


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
        pytest.param("../{seed}/x", {}, "1000-x", id="a template cannot leave the folder"),
        pytest.param("", {}, "gen_batch_1_000000", id="an empty template"),
    ],
)
def test_names_by_template(template: str, job: dict[str, Any], name: str) -> None:
    assert stem(template, record(**job)) == name


def test_a_long_prompt_does_not_push_the_seed_out() -> None:
    name = stem("{prompt}_{seed}", record(prompt=Prompt(text="very " * 200)))
    assert name.endswith("_1000")
    assert len(name) < 60


def test_a_name_stays_within_the_bound_of_file_systems_in_any_script() -> None:
    name = stem("{prompt}_{prompt}_{prompt}_{prompt}", record(prompt=Prompt(text="猫" * 4000)))
    assert len(name.encode()) <= 180
    assert name == name.encode().decode()


def test_an_unscored_picture_has_no_score_in_its_name() -> None:
    assert stem("{score}_{seed}", record(score=None)) == "1000"


def test_names_that_collide_get_the_index() -> None:
    assert list(alternatives("x", record(index=7))) == ["x", "x_7", "x_gen_batch_1_000007"]


@pytest.mark.parametrize(
    ("template", "problem"),
    [("{sead}", "{sead} is not a field"), ("{seed", "brace"), ("{}", "{} is not a field"), ("{seed.x}", "{seed.x}")],
)
def test_a_bad_template_is_refused_by_field(template: str, problem: str) -> None:
    with pytest.raises(BadTemplate) as refused:
        check_template(template)
    assert problem in str(refused.value)


def test_accepted_and_kept_pictures_lie_apart() -> None:
    assert folder(record()).as_posix() == "local/gen_batch_1"
    assert folder(record(disposition="kept")).as_posix() == "local/gen_batch_1/_Rejected/Maybe Later"


@pytest.mark.parametrize("name", ["..", "a/b", "", "CON", "a" * 65, "a.b", "a\n"])
def test_what_is_no_id_never_becomes_a_folder(name: str) -> None:
    with pytest.raises(AcpError):
        batch_folder(name, "gen_batch_1")
    with pytest.raises(AcpError):
        batch_folder("local", name)


def test_keys_are_per_client() -> None:
    assert image_key("acme", "gen_batch_1_000007") == "clients/acme/images/gen_batch_1_000007.png"
