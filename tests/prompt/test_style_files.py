"""Style files as people edit them: read, refused with reasons, overridden, changed while the agent runs."""

import os
from pathlib import Path

import pytest

from agents.prompt.agent import PACKAGE_FOLDER
from agents.prompt.style import StyleFileError, read_reference, read_style
from agents.prompt.style_files import StyleFiles

GOOD = 'version = "1"\ndescription = "d"\ntemplate = "{subject}, inked"\nsubjects = ["mug"]\n'


def put(path: Path, text: str, second: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(second * 10**9, second * 10**9))
    return path


def test_the_packaged_styles_and_references_can_be_read() -> None:
    styles = StyleFiles((PACKAGE_FOLDER / "styles",), read_style).read_all()
    references = StyleFiles((PACKAGE_FOLDER / "references",), read_reference).read_all()
    assert {"plain", "product_photography", "fowlai"} <= styles.keys()
    assert len(styles) >= 7
    assert [colour.hex for colour in references["brand_guidelines_v2"].palette] == ["#FE2C54", "#00E0FF", "#FFD500"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(GOOD.replace("{subject}", "thing"), "template: the template has no {subject}", id="no subject"),
        pytest.param(GOOD.replace("inked", "{ink}"), "{ink} has no words; give words.ink a list", id="no words"),
        pytest.param(GOOD.replace("inked", "{Ink"), "a brace that is not part of a placeholder", id="stray brace"),
        pytest.param(GOOD + 'subject = "x"\n', "subject: Extra inputs are not permitted", id="unknown field"),
        pytest.param(GOOD.replace('["mug"]', "[]"), "subjects: ", id="no subjects"),
        pytest.param(GOOD.replace('"1"', "1"), "version: ", id="wrong type"),
        pytest.param(GOOD + '[dialects]\npocket = "x"\n', "dialects.pocket: ", id="bad dialect"),
        pytest.param(GOOD + '[settings]\nresolution = "tall"\n', "settings.resolution: ", id="no size"),
        pytest.param(GOOD + "[settings]\nsteps = 0\n", "settings.steps: ", id="no steps"),
        pytest.param("template = ", "not TOML", id="not TOML"),
        pytest.param("#" * 300_000, "larger than 262144 bytes", id="huge"),
    ],
)
def test_a_broken_file_is_refused_by_file_and_field(tmp_path: Path, text: str, problem: str) -> None:
    path = put(tmp_path / "mine.toml", text)
    with pytest.raises(StyleFileError) as refused:
        read_style(path)
    assert str(path) in str(refused.value)
    assert problem in str(refused.value)


@pytest.mark.parametrize("table", ["settings", "advice"])
def test_settings_are_read_under_their_present_and_their_former_name(tmp_path: Path, table: str) -> None:
    style = read_style(put(tmp_path / "ink.toml", GOOD + f'[{table}]\nsteps = 25\nresolution = "9:16"\n'))
    assert (style.settings.steps, style.settings.resolution, style.settings.sampler) == (25, "9:16", None)


def test_a_file_whose_name_cannot_be_said_in_a_command_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StyleFileError):
        read_style(put(tmp_path / "My Style!.toml", GOOD))


def test_a_users_file_overrides_the_packaged_one_of_the_same_name(tmp_path: Path) -> None:
    packaged, own = tmp_path / "packaged", tmp_path / "own"
    put(packaged / "ink.toml", GOOD)
    put(packaged / "chalk.toml", GOOD)
    put(own / "ink.toml", GOOD.replace('"1"', '"9"'))
    styles = StyleFiles((packaged, own), read_style).read_all()
    assert {name: style.version for name, style in styles.items()} == {"ink": "9", "chalk": "1"}


def test_an_edit_is_picked_up_and_a_removed_file_is_forgotten(tmp_path: Path) -> None:
    path = put(tmp_path / "ink.toml", GOOD, second=1)
    library = StyleFiles((tmp_path,), read_style)
    assert library.read_all()["ink"].version == "1"
    put(path, GOOD.replace('"1"', '"2"'), second=2)
    assert library.read_all()["ink"].version == "2"
    path.unlink()
    assert library.read_all() == {}


def test_a_broken_edit_keeps_the_last_good_version_until_it_is_mended(tmp_path: Path) -> None:
    path = put(tmp_path / "ink.toml", GOOD, second=1)
    library = StyleFiles((tmp_path,), read_style)
    library.read_all()
    put(path, "template = ", second=2)
    assert library.read_all()["ink"].version == "1"
    assert library.read_all()["ink"].version == "1"
    put(path, GOOD.replace('"1"', '"3"'), second=3)
    assert library.read_all()["ink"].version == "3"


def test_a_users_broken_file_leaves_the_packaged_style_in_use(tmp_path: Path) -> None:
    put(tmp_path / "packaged" / "ink.toml", GOOD)
    put(tmp_path / "own" / "ink.toml", "nonsense")
    assert StyleFiles((tmp_path / "packaged", tmp_path / "own"), read_style).read_all()["ink"].version == "1"


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert StyleFiles((tmp_path / "absent",), read_style).read_all() == {}
