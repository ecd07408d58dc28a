"""What the log of a broker tells of failed writes."""

from pathlib import Path

from bus.server_log import ServerLog

FULL = "write 1.blk: no space left on device"
FAILED = (
    f"[9] 2026/11/30 20:11:13 [ERR] Filestore [KV_acp_presence] Critical write error: {FULL}\n"
    f"[9] 2026/11/30 20:11:13 [ERR] JetStream failed to store a msg on stream '$G > ACP_WORK': {FULL}\n"
)
QUIET = "[9] 2026/11/30 20:11:13 [INF] Server is ready\n"


def test_only_new_lines_about_failed_writes_count(tmp_path: Path) -> None:
    file = tmp_path / "nats.log"
    file.write_text(FAILED)
    log = ServerLog(file)
    assert log.count_failed_writes() == 0
    with file.open("a") as lines:
        lines.write(QUIET + FAILED)
    assert log.count_failed_writes() == 2
    assert log.count_failed_writes() == 0


def test_a_log_that_was_set_aside_is_read_from_its_beginning(tmp_path: Path) -> None:
    file = tmp_path / "nats.log"
    file.write_text(QUIET * 50)
    log = ServerLog(file)
    file.write_text(FAILED)
    assert log.count_failed_writes() == 2


def test_no_log_tells_nothing(tmp_path: Path) -> None:
    assert ServerLog(tmp_path / "nats.log").count_failed_writes() == 0
