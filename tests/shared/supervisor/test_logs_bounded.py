"""The log of a process that lives and says a lot stays within its bound."""

import os
from pathlib import Path

from agents.shared.supervisor.child import MAX_LOG_BYTES, open_log, set_aside_full_log


def test_a_log_that_grew_too_large_is_set_aside_while_its_process_goes_on_writing(tmp_path: Path) -> None:
    log, old = tmp_path / "planner.log", tmp_path / "planner.old.log"
    with open_log(log) as descriptor:
        for _ in range(3):
            os.write(descriptor, b"x" * (MAX_LOG_BYTES - 1) + b"\n")
            set_aside_full_log(log)
            assert log.stat().st_size <= MAX_LOG_BYTES
            os.write(descriptor, b"after\n")
            set_aside_full_log(log)
        os.write(descriptor, b"last\n")
    assert log.read_bytes() == b"last\n"
    assert old.read_bytes().endswith(b"\nafter\n")
    assert old.stat().st_size <= 2 * MAX_LOG_BYTES


def test_a_small_log_and_none_stay_as_they_are(tmp_path: Path) -> None:
    log = tmp_path / "qa.log"
    set_aside_full_log(log)
    log.write_text("one line\n")
    set_aside_full_log(log)
    assert log.read_text() == "one line\n"
    assert list(tmp_path.iterdir()) == [log]
