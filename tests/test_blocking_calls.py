"""What counts as a blocking call in an event loop, and that what is allowed is still there."""

import ast
import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.blocking_calls import ALLOWED, ROOT, BlockingCalls


async def test_a_coroutine_of_ours_that_blocks_is_noted_and_a_test_or_a_thread_that_does_is_not(
    blocking_calls: BlockingCalls, tmp_path: Path
) -> None:
    ours: dict[str, Any] = {}
    exec(compile("async def read(file):\n    return file.read_bytes()\n", ROOT / "agents" / "wrong.py", "exec"), ours)
    file = tmp_path / "x"
    file.write_bytes(b"x")
    await asyncio.to_thread(file.read_bytes)
    assert not blocking_calls.noted

    assert await ours["read"](file) == b"x"

    assert list(blocking_calls.noted) == ["io.BufferedReader.read in agents/wrong.py:2 read"]
    blocking_calls.noted.clear()


@pytest.mark.parametrize(("file", "function"), ALLOWED)
def test_what_may_block_is_there(file: str, function: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    assert function in {node.name for node in functions}
