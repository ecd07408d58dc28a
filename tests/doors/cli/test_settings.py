"""Settings that are wrong are named with what to mend; what is secret in them is not repeated."""

from pathlib import Path

import pytest

from agents.doors.cli.unknown_settings import unknown_keys, unknown_variables
from agents.shared.settings import Settings
from tests.doors.cli.conftest import Home


@pytest.mark.parametrize(
    "value", ['{"openai": ["sk-secret"]}', "sk-secret", '"sk-secret"'], ids=["a list", "no JSON", "a text"]
)
def test_a_key_in_a_wrong_place_is_refused_and_not_repeated(home: Home, value: str) -> None:
    done = home.run("list", BOTTEGA_PROVIDER_KEYS=value)
    assert done.returncode == 2
    assert "provider_keys" in done.stderr
    assert "sk-secret" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("names", "sentences"),
    [
        (["BOTTEGA_WINDOW", "BOTTEGA_HOME", "BOTTEGA_FAILPOINT", "bottega_log_level", "PATH"], []),
        (["BOTTEGA_WINDOWS"], ["BOTTEGA_WINDOWS is no setting; did you mean BOTTEGA_WINDOW?"]),
        (["BOTTEGA_XQZW"], ["BOTTEGA_XQZW is no setting"]),
    ],
)
def test_a_variable_that_nobody_reads_is_named_with_the_nearest(names: list[str], sentences: list[str]) -> None:
    assert unknown_variables(names, Settings.model_fields) == sentences


def test_a_key_that_nobody_reads_is_named_with_its_file_and_the_nearest() -> None:
    assert unknown_keys("bottega.toml", ["window", "stand-in"], Settings.model_fields) == [
        "stand-in in bottega.toml is no setting; did you mean stand_in?"
    ]


def test_settings_that_nobody_reads_are_pointed_out_once_and_the_command_goes_on(home: Home) -> None:
    home.folder.mkdir()
    (home.folder / "bottega.toml").write_text("min_scor = 0.7\nstorage_files = true\n")
    done = home.run("models", "--json", BOTTEGA_MIN_SCOER="0.5")
    assert (done.returncode, done.stdout[:1]) == (0, "{")
    assert done.stderr.splitlines() == [
        "warning: BOTTEGA_MIN_SCOER is no setting; did you mean BOTTEGA_MIN_SCORE?",
        f"warning: min_scor in {home.folder / 'bottega.toml'} is no setting; did you mean min_score?",
    ]


def test_a_key_where_its_table_should_be_is_refused_and_not_repeated(home: Home) -> None:
    home.folder.mkdir()
    (home.folder / "bottega.toml").write_text('provider_keys = "sk-secret"\n')
    done = home.run("list")
    assert done.returncode == 2
    assert "provider_keys" in done.stderr
    assert "sk-secret" not in done.stdout + done.stderr


def test_a_url_that_no_nats_server_has_is_bad_input_and_its_password_is_not_repeated(home: Home):
    done = home.run("status", BOTTEGA_NATS_URL="http://me:secret@broker")
    assert done.returncode == 2
    assert "BOTTEGA_NATS_URL" in done.stderr
    assert "secret" not in done.stderr


def test_a_home_that_cannot_be_made_is_bad_input(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    done = Home(tmp_path / "file" / "home").run("up")
    assert done.returncode == 2
    assert str(tmp_path / "file") in done.stderr


def test_a_setting_that_is_not_allowed_is_named(home: Home):
    done = home.run("generate", "a red car", BOTTEGA_DRAIN_S="soon")
    assert done.returncode == 2
    assert "drain_s" in done.stderr
    home.folder.mkdir()
    (home.folder / "bottega.toml").write_text("window =")
    done = home.run("generate", "a red car")
    assert done.returncode == 2
    assert "bottega.toml" in done.stderr
