"""Where the workshop keeps its things when nobody says."""

import sys
from pathlib import Path

import pytest

from agents.shared.settings import default_home

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="other platforms have other user data folders")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOTTEGA_HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/ada")


@on_linux
def test_the_home_is_the_users_data_folder() -> None:
    assert default_home() == Path("/home/ada/.local/share/bottega")


@on_linux
def test_the_home_follows_the_desktops_setting_for_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_home() == Path("/data/bottega")
    monkeypatch.setenv("XDG_DATA_HOME", "")
    assert default_home() == Path("/home/ada/.local/share/bottega")


def test_a_home_that_is_named_goes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.setenv("BOTTEGA_HOME", str(tmp_path))
    assert default_home() == tmp_path
    monkeypatch.setenv("BOTTEGA_HOME", "~/works")
    assert default_home() == Path("/home/ada/works")
