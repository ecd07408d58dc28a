import stat
from pathlib import Path

import pytest

from agents.shared.supervisor.address import HomeTaken, WorkshopAddress, find_workshop, lock_home, write_address

ADDRESS = WorkshopAddress(
    url="nats://127.0.0.1:4222",
    user="client",
    password="secret",
    supervisor=1,
    nats=2,
    started_at="2026-01-01T00:00:00Z",
)


@pytest.fixture
def address_file(tmp_path: Path) -> Path:
    return tmp_path / "run" / "workshop.json"


def test_a_running_workshop_is_found_by_its_address_file(address_file: Path):
    with lock_home(address_file):
        write_address(address_file, ADDRESS)
        assert find_workshop(address_file) == ADDRESS


def test_the_address_file_is_readable_by_its_owner_alone(address_file: Path):
    with lock_home(address_file):
        write_address(address_file, ADDRESS)
        write_address(address_file, ADDRESS)
        assert stat.S_IMODE(address_file.stat().st_mode) == 0o600
        assert sorted(path.name for path in address_file.parent.iterdir()) == [
            "workshop.json",
            "workshop.lock",
        ]


def test_the_address_is_gone_when_the_workshop_ends(address_file: Path):
    with lock_home(address_file):
        write_address(address_file, ADDRESS)
    assert not address_file.exists()
    assert find_workshop(address_file) is None


def test_a_file_that_a_dead_supervisor_left_behind_counts_as_no_workshop(address_file: Path):
    with lock_home(address_file):
        pass
    write_address(address_file, ADDRESS)
    assert find_workshop(address_file) is None


@pytest.mark.parametrize("content", [b"", b"{", b'{"url": 1}', b"\xff"])
def test_a_damaged_address_file_counts_as_no_workshop(address_file: Path, content: bytes):
    with lock_home(address_file):
        address_file.write_bytes(content)
        assert find_workshop(address_file) is None


def test_there_is_no_workshop_in_an_empty_home(address_file: Path):
    assert find_workshop(address_file) is None
    assert not address_file.parent.exists()


def test_one_home_holds_one_workshop(address_file: Path):
    with lock_home(address_file):
        with pytest.raises(HomeTaken), lock_home(address_file):
            pass
        write_address(address_file, ADDRESS)
        assert find_workshop(address_file) == ADDRESS
