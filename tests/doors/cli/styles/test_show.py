"""`bottega styles`: what a person may name, the packaged files and their own."""

import json

from tests.doors.cli.conftest import Home

MINE = 'version = "2"\ndescription = "In [red] ink."\ntemplate = "{subject}, ink"\nsubjects = ["a crow"]\n'


def test_styles_and_style_references_are_listed_with_ones_own_over_the_packaged(home: Home) -> None:
    folder = home.folder / "styles"
    folder.mkdir(parents=True)
    (folder / "plain.toml").write_text(MINE)
    (folder / "broken.toml").write_text("version = 3")
    said = {one["name"]: one for one in json.loads(home.run("styles", "--json").stdout)["styles"]}
    assert (said["plain"]["yours"], said["plain"]["version"]) == (True, "2")
    assert said["cinematic"]["yours"] is False
    assert said["brand_guidelines_v2"]["kind"] == "style reference"
    assert "version" in said["broken"]["problem"]

    shown = home.run("styles").stdout
    assert "In [red] ink." in shown
    assert "cannot be used" in shown
    assert "--style-reference" in shown


def test_a_style_is_shown_with_all_that_its_file_says(home: Home) -> None:
    said = json.loads(home.run("styles", "show", "fowlai", "--json").stdout)
    assert (said["kind"], said["content"]["settings"]["guidance"]) == ("style", 7.0)
    shown = home.run("styles", "show", "brand_guidelines_v2").stdout
    assert "brand_guidelines_v2.toml" in shown
    assert "#" in shown


def test_a_style_that_is_not_there_is_answered_with_the_nearest(home: Home) -> None:
    done = home.run("styles", "show", "cinematik")
    assert done.returncode == 2
    assert "did you mean cinematic?" in done.stderr


def test_a_style_and_a_style_reference_of_one_name_are_both_shown_in_json(home: Home) -> None:
    folder = home.folder / "styles"
    folder.mkdir(parents=True)
    (folder / "brand_guidelines_v2.toml").write_text(MINE)
    lines = home.run("styles", "show", "brand_guidelines_v2", "--json").stdout.splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["style", "style reference"]
