"""The command line is quick to answer, because what is heavy is imported by the command that needs it."""

import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "diffusers",
    "transformers",
    "nats",
    "sqlalchemy",
    "pydantic_settings",
    "opentelemetry",
    "PIL",
    "openai",
)


@pytest.mark.parametrize("arguments", [["--help"], ["generate", "--help"], ["models", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]):
    program = f"""
import sys
from agents.doors.cli.app import app
try:
    app({arguments!r})
except SystemExit as end:
    assert end.code == 0
print("heavy:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    ).stdout
    assert said.splitlines()[-1] == "heavy: []"
    assert "Usage:" in said
