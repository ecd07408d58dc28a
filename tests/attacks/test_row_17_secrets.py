"""Row 17: a key that lies in the shell of whoever starts a workshop is in no process that has no use for it."""

import json
from pathlib import Path

import pytest

from protocol.messages import ROLES
from tests.doors.cli.conftest import Home, line_with

CANARIES = {
    "BOTTEGA_HUB_TOKEN": "canary-hub",
    "OPENAI_API_KEY": "canary-openai",
    "BOTTEGA_PROVIDER_KEYS": '{"none": "canary-provider"}',
    "AWS_SECRET_ACCESS_KEY": "canary-aws",
}


@pytest.mark.slow
def test_no_process_of_a_workshop_has_a_key_that_it_does_not_need_nor_may_leave_a_core_file(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with home.start("up", BOTTEGA_GENERATOR="instant", BOTTEGA_QA_SCORING="false", **CANARIES) as up:
        line_with(up, "workshop ready")
        told = json.loads(home.run("status", "--json").stdout)
        pids = {process["role"]: process["pid"] for process in told["processes"]} | {"nats": told["nats"]["pid"]}
        found = {
            name: sorted(key for key, canary in CANARIES.items() if canary.encode() in _environment(pid))
            for name, pid in pids.items()
        }
        limits = {name: Path(f"/proc/{pid}/limits").read_text() for name, pid in pids.items()}
    assert set(found) == {*ROLES, "nats"}
    assert found == {**{name: [] for name in found}, "generator": ["BOTTEGA_PROVIDER_KEYS"]}
    for name, text in limits.items():
        (core,) = (line.split() for line in text.splitlines() if line.startswith("Max core file size"))
        assert core[4:6] == ["0", "0"], name


def _environment(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()
