"""What the README shows is what the workshop says and understands."""

import ast
import json
import re
from pathlib import Path
from typing import cast

import pytest

from agents.shared.settings import Settings
from protocol import codec
from protocol.commands import GenerateImages
from protocol.results import GenerationStatus

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """Fenced code of one language, in its order."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_order_is_a_command_and_the_status_is_a_status() -> None:
    order, status = blocks("json")
    assert isinstance(codec.decode_command(order.encode()), GenerateImages)
    shown = codec.decode_reply(status.encode())
    assert isinstance(shown, GenerationStatus)
    assert json.loads(codec.encode(shown)) == json.loads(status)


def test_the_python_example_sends_a_command_that_is_understood() -> None:
    (example,) = blocks("python")
    commands = [
        ast.literal_eval(node.value)
        for node in ast.walk(ast.parse(example))
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
    ]
    assert [type(codec.decode_command(json.dumps(command).encode())) for command in commands] == [GenerateImages]


def test_the_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {word for block in blocks("sh") for word in re.findall(r"^make ([a-z-]+)", block, re.MULTILINE)}
    assert named == {"demo", "test"}
    assert named <= targets


def test_the_commands_shown_are_commands_of_the_command_line() -> None:
    from typer.main import get_command

    from agents.doors.cli.app import app

    known = set(cast("dict[str, object]", getattr(get_command(app), "commands")))  # noqa: B009 - Typer's own types hide it
    named = {word for block in blocks("sh") for word in re.findall(r"^bottega ([a-z]+)", block, re.MULTILINE)}
    assert named
    assert named <= known


READMES = sorted(
    file for folder in ("agents", "bus", "deploy", "protocol", "tests") for file in ROOT.glob(f"{folder}/**/README.md")
)


@pytest.mark.parametrize("readme", [ROOT / "README.md", *READMES], ids=lambda file: str(file.relative_to(ROOT)))
def test_what_a_readme_points_to_is_there(readme: Path) -> None:
    text = readme.read_text()
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)\)", text)
    modules = [name.replace(".", "/") for name in re.findall(r"python -m ([\w.]+)", text)]
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert [link for link in links if not (readme.parent / link).exists()] == []
    assert [
        name for name in modules if not ((ROOT / f"{name}.py").exists() or (ROOT / name / "__main__.py").exists())
    ] == []
    assert set(re.findall(r"`make ([a-z-]+)", text)) <= targets
    settings = {*Settings.model_fields, "failpoint"}
    assert {name.lower() for name in re.findall(r"BOTTEGA_([A-Z_]+[A-Z])", text)} <= settings
