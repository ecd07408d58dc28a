"""Durable files: whole or absent, names never taken from another, leftovers of the dead swept."""

import fcntl
from pathlib import Path

import pytest

from agents.storage.atomic_files import PARTIAL_FOLDER, AtomicFiles


def everything(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_a_created_file_is_there_and_nothing_else(tmp_path: Path) -> None:
    AtomicFiles(tmp_path).create(tmp_path / "a" / "b" / "x.png", b"bytes")
    assert (tmp_path / "a" / "b" / "x.png").read_bytes() == b"bytes"
    assert everything(tmp_path) == ["a/b/x.png"]


def test_a_taken_name_is_left_as_it_is(tmp_path: Path) -> None:
    files = AtomicFiles(tmp_path)
    files.create(tmp_path / "x.png", b"first")
    with pytest.raises(FileExistsError):
        files.create(tmp_path / "x.png", b"second")
    assert (tmp_path / "x.png").read_bytes() == b"first"
    assert everything(tmp_path) == ["x.png"]


def test_replacing_swaps_the_whole_file(tmp_path: Path) -> None:
    files = AtomicFiles(tmp_path)
    files.replace(tmp_path / "x.png", b"first")
    files.replace(tmp_path / "x.png", b"2")
    assert (tmp_path / "x.png").read_bytes() == b"2"
    assert everything(tmp_path) == ["x.png"]


def test_the_partial_files_of_dead_processes_are_swept_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    folder = tmp_path / PARTIAL_FOLDER
    folder.mkdir()
    (folder / "dead").write_bytes(b"half")
    with (folder / "alive").open("xb") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        assert AtomicFiles(tmp_path).sweep() == 1
        assert everything(tmp_path) == [f"{PARTIAL_FOLDER}/alive"]


def test_there_is_nothing_to_sweep_before_the_first_file(tmp_path: Path) -> None:
    assert AtomicFiles(tmp_path / "absent").sweep() == 0
