"""Records that cannot be read, or are not there, are told in a sentence."""

import sqlite3

import pytest

from tests.doors.cli.conftest import Home


@pytest.mark.parametrize("question", [["list"], ["status", "gen_x"], ["result", "gen_x"], ["costs"]])
def test_a_home_without_records_needs_a_workshop(home: Home, question: list[str]) -> None:
    done = home.run(*question)
    assert done.returncode == 3
    assert "start one: bottega up" in done.stderr
    assert not (home.folder / "ledger.db").exists(), "a question makes no ledger"


def test_a_ledger_of_another_version_is_not_guessed_at(home: Home) -> None:
    home.folder.mkdir()
    with sqlite3.connect(home.folder / "ledger.db") as ledger:
        ledger.execute("CREATE TABLE alembic_version (version_num TEXT)")
        ledger.execute("INSERT INTO alembic_version VALUES ('0001')")
    done = home.run("list")
    assert done.returncode == 3
    assert "revision 0001" in done.stderr
    assert "bottega up" in done.stderr


def test_a_database_that_does_not_answer_is_told_without_a_traceback(home: Home) -> None:
    done = home.run("list", BOTTEGA_LEDGER_URL="postgresql://nobody@127.0.0.1:1/nothing")
    assert done.returncode == 3
    assert "the ledger cannot be read" in done.stderr
