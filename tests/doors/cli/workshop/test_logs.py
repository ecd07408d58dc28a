"""`bottega logs`: the ends of the logs of a home, and what is written after."""

from pathlib import Path

from agents.doors.cli.workshop.logs import LogTail
from tests.doors.cli.conftest import Home


def test_the_last_lines_of_one_log_or_of_all_are_printed(home: Home) -> None:
    nothing = home.run("logs")
    assert nothing.returncode == 2
    assert str(home.folder / "logs") in nothing.stderr
    (home.folder / "logs").mkdir(parents=True)
    (home.folder / "logs" / "planner.log").write_text("one\ntwo\nthree\n")
    (home.folder / "nats").mkdir()
    (home.folder / "nats" / "nats.log").write_text("ready\n")

    assert home.run("logs", "planner", "-n", "2").stdout == "two\nthree\n"
    everything = home.run("logs").stdout
    assert f"==> planner: {home.folder / 'logs' / 'planner.log'} <==\none\ntwo\nthree\n" in everything
    assert everything.endswith(f"==> nats: {home.folder / 'nats' / 'nats.log'} <==\nready\n")
    assert home.run("logs", "nobody").returncode == 2


def test_what_is_written_later_is_read_as_whole_lines(tmp_path: Path) -> None:
    file = tmp_path / "qa.log"
    tail = LogTail("qa", file)
    assert tail.last_lines(5) == []
    file.write_text("one\ntw")
    assert tail.new_lines() == ["one"]
    with file.open("a") as opened:
        opened.write("o\nthree\n")
    assert tail.new_lines() == ["two", "three"]
    assert tail.new_lines() == []


def test_a_log_that_was_set_aside_goes_on_from_its_new_file(tmp_path: Path) -> None:
    file = tmp_path / "qa.log"
    file.write_text("old\n")
    tail = LogTail("qa", file)
    assert tail.last_lines(1) == ["old"]
    file.replace(tmp_path / "qa.old.log")
    file.write_text("new and longer\n")
    assert tail.new_lines() == ["new and longer"]


def test_the_last_words_before_a_log_was_set_aside_are_not_lost(tmp_path: Path) -> None:
    file = tmp_path / "qa.log"
    file.write_text("old\n")
    tail = LogTail("qa", file)
    assert tail.last_lines(1) == ["old"]
    with file.open("a") as opened:
        opened.write("Traceback\nerror: it broke")
    assert tail.new_lines() == ["Traceback"]
    with file.open("a") as opened:
        opened.write(" for good")
    file.replace(tmp_path / "qa.old.log")
    file.write_text("new\n")
    assert tail.new_lines() == ["error: it broke for good", "new"]
