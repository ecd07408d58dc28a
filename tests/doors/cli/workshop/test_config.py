"""`bottega config`: every setting with its value and where that comes from."""

import json

from agents.shared.settings import Settings
from tests.doors.cli.conftest import Home


def test_every_setting_is_told_with_its_value_and_where_that_comes_from(home: Home) -> None:
    home.folder.mkdir()
    (home.folder / "bottega.toml").write_text('window = 7\nmin_score = 0.25\nhub_token = "hf_secret"\n')
    given = {"BOTTEGA_MIN_SCORE": "0.75", "BOTTEGA_PROVIDER_KEYS": '{"openai": "sk-secret"}'}
    address = {"BOTTEGA_LEDGER_URL": "postgresql://me:secret@host/db"}
    done = home.run("config", "--json", **given, **address)
    said = {one["name"]: (one["value"], one["source"]) for one in json.loads(done.stdout)["settings"]}

    assert list(said) == list(Settings.model_fields)
    assert said["home"] == (str(home.folder), "BOTTEGA_HOME")
    assert said["window"] == (4, "BOTTEGA_WINDOW")  # what every command of these tests is given
    assert said["min_score"] == (0.75, "BOTTEGA_MIN_SCORE")
    assert said["max_attempts"] == (3, "default")
    assert said["hub_token"] == ("(hidden)", "bottega.toml")
    assert said["provider_keys"] == ({"openai": "(hidden)"}, "BOTTEGA_PROVIDER_KEYS")
    assert said["ledger_url"] == ("postgresql://me:***@host/db", "BOTTEGA_LEDGER_URL")
    shown = home.run("config", **given, **address)
    assert "BOTTEGA_MIN_SCORE" in shown.stdout
    assert "secret" not in done.stdout + done.stderr + shown.stdout + shown.stderr
