"""Settings that are wrong are named with what to mend; what is secret in them is not repeated."""

import pytest

from tests.doors.cli.conftest import Home


@pytest.mark.parametrize(
    "value", ['{"openai": ["sk-secret"]}', "sk-secret", '"sk-secret"'], ids=["a list", "no JSON", "a text"]
)
def test_a_key_in_a_wrong_place_is_refused_and_not_repeated(home: Home, value: str) -> None:
    done = home.run("list", BOTTEGA_PROVIDER_KEYS=value)
    assert done.returncode == 2
    assert "provider_keys" in done.stderr
    assert "sk-secret" not in done.stdout + done.stderr


def test_a_key_where_its_table_should_be_is_refused_and_not_repeated(home: Home) -> None:
    home.folder.mkdir()
    (home.folder / "bottega.toml").write_text('provider_keys = "sk-secret"\n')
    done = home.run("list")
    assert done.returncode == 2
    assert "provider_keys" in done.stderr
    assert "sk-secret" not in done.stdout + done.stderr
