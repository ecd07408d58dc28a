"""Log lines of a process."""

import json
import subprocess
import sys

LINES = """
import structlog
from opentelemetry.sdk.trace import TracerProvider
from bus import telemetry

telemetry.configure_logging("qa", "info")
log = structlog.get_logger()
log.debug("too quiet")
log.info("outside", answer=42)
with TracerProvider().get_tracer("test").start_as_current_span("inside"):
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("inside")
"""


LINES_WITHOUT_ROOM = """
import sys
import structlog
from bus import telemetry

telemetry.configure_logging("qa", "info")
sys.stderr = open("/dev/full", "w", buffering=1)
structlog.get_logger().warning("lost")
structlog.get_logger("named").error("lost as well")
print("went on", flush=True)
import os
os._exit(0)
"""


def test_a_log_without_room_does_not_end_the_work_that_it_tells_of() -> None:
    run = subprocess.run(
        [sys.executable, "-c", LINES_WITHOUT_ROOM], capture_output=True, text=True, check=True, timeout=30
    )
    assert run.stdout == "went on\n"


def test_each_line_is_json_on_standard_error_with_role_and_trace() -> None:
    run = subprocess.run([sys.executable, "-c", LINES], capture_output=True, text=True, check=True, timeout=30)
    assert run.stdout == ""
    outside, inside = map(json.loads, run.stderr.splitlines())
    assert (outside["event"], outside["answer"], outside["role"], outside["level"]) == ("outside", 42, "qa", "info")
    assert "trace_id" not in outside
    assert len(inside["trace_id"]) == 32
    assert len(inside["span_id"]) == 16
    assert "ZeroDivisionError" in inside["exception"]
