"""Row 2, of files: text that makes a reader slow or recurse without end is read, or refused, at once."""

from pathlib import Path

import pytest

from agents.doors.cli.records.databases import MANIFEST, read_manifest
from agents.planner.planning.prompt_catalogue import prompt_of


@pytest.mark.timeout(5)
@pytest.mark.parametrize("text", ["---\n" + "\n" * 65_000, "---\n" + "\n---x" * 10_000, "---" + " " * 65_000])
def test_front_matter_without_an_end_is_read_in_linear_time(text: str) -> None:
    assert isinstance(prompt_of(text), str)


def test_front_matter_is_left_out_of_a_prompt() -> None:
    assert prompt_of("---\r\ntitle: x\r\n---\r\n# A\na mug\n") == "a mug"


def test_a_manifest_that_is_nested_without_end_is_no_backup(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text('{"format": ' + "[" * 200_000)
    assert read_manifest(tmp_path) is None
