"""Files that survive a power cut, and are whole whenever they have their name."""

from pathlib import Path

import pytest

from bus.durable_files import partial_file, replace_file, write_new_file


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "below" / "x.json"
    replace_file(target, b"first")
    replace_file(target, b"2")

    assert target.read_bytes() == b"2"
    assert list(target.parent.iterdir()) == [target]


def test_a_new_file_that_is_refused_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "x.toml"
    target.write_bytes(b"old")

    def refuse(file: Path) -> None:
        assert file.read_bytes() == b"new"
        raise ValueError("not this one")

    with pytest.raises(ValueError, match="not this one"):
        replace_file(target, b"new", check=refuse)

    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_private_file_is_never_open_to_others(tmp_path: Path) -> None:
    target, modes = tmp_path / "secret", list[int]()
    replace_file(target, b"x", check=lambda file: modes.append(file.stat().st_mode & 0o777), mode=0o600)

    assert [*modes, target.stat().st_mode & 0o777] == [0o600, 0o600]


def test_a_file_that_is_not_named_goes_with_its_block(tmp_path: Path) -> None:
    with partial_file(tmp_path / "x", lambda file: file.write(b"data")) as partial:
        assert partial.read_bytes() == b"data"

    assert list(tmp_path.iterdir()) == []


def test_a_new_file_takes_no_name_that_is_taken(tmp_path: Path) -> None:
    write_new_file(tmp_path / "x", b"1")
    with pytest.raises(FileExistsError):
        write_new_file(tmp_path / "x", b"2")

    assert (tmp_path / "x").read_bytes() == b"1"
