"""A folder that cannot be written is told in one sentence, whatever the system says of it."""

import errno
from pathlib import Path

import pytest

from agents.doors.cli.copies import pictures_kept, report_unwritable
from agents.doors.cli.errors import BAD_INPUT, Failure, report_failures

BATCH = "sha256-abc"


@pytest.mark.parametrize(
    ("number", "code", "todo"),
    [
        (errno.ENOSPC, "disk_full", "make room there"),
        (errno.EDQUOT, "disk_full", "make room there"),
        (errno.EACCES, "invalid_value", "make it writable"),
        (errno.EROFS, "invalid_value", "make it writable"),
    ],
)
def test_what_cannot_be_written_is_told_with_where_the_pictures_are(number: int, code: str, todo: str) -> None:
    kept = pictures_kept(BATCH, [None, f"/home/pictures/{BATCH}/v3/a.png"])
    with pytest.raises(Failure) as caught, report_unwritable(Path("/out"), kept=kept):
        raise OSError(number, "said by the system")
    body = caught.value.body
    assert body.message == f"/out: said by the system; the pictures of {BATCH} are in /home/pictures/{BATCH}"
    assert (body.code, caught.value.exit_code) == (code, BAD_INPUT)
    assert body.hint == f"{todo}, or name another place"


def test_pictures_on_another_machine_stay_in_the_workshops_store() -> None:
    assert pictures_kept(BATCH, [None]) == f"the pictures of {BATCH} stay in the workshop's store"


def write_to_full_device(grouped: bool) -> None:
    try:
        Path("/dev/full").write_bytes(b"x")
    except OSError as error:
        raise ExceptionGroup("tasks", [error]) if grouped else error from None


@pytest.mark.parametrize("grouped", [False, True])
def test_any_write_without_room_ends_a_command_with_a_sentence(
    capsys: pytest.CaptureFixture[str], grouped: bool
) -> None:
    with pytest.raises(SystemExit) as ended, report_failures():
        write_to_full_device(grouped)
    assert ended.value.code == BAD_INPUT
    assert capsys.readouterr().err.splitlines()[0].endswith("No space left on device")
