"""The client that README shows, run as it stands: it follows an order to its end, and tells a refusal."""

import asyncio
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bus.connection import Address
from tests.workshop import instant_settings, served

pytestmark = pytest.mark.timeout(60)

README = Path(__file__).parent.parent / "README.md"


async def said_by(program: str, path: str) -> list[str]:
    """The lines of a Python program, errors included."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        env={**os.environ, "PATH": path},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return said.decode().splitlines()


async def test_the_client_of_the_readme_follows_its_order_to_the_end_and_tells_a_refusal(
    tmp_path: Path, login: Callable[[str], Address]
) -> None:
    (client,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    url = tmp_path / "bin" / "bottega"
    url.parent.mkdir()
    url.write_text(f"#!/bin/sh\necho '{login('client_local').url_with_credentials}'\n")
    url.chmod(0o755)
    path = f"{url.parent}{os.pathsep}{os.environ['PATH']}"
    misspelt = client.replace('"brief"', '"briefs"')
    unknown = client.replace('"brief"', '"platform": "polaroid", "brief"')

    async with served(instant_settings(tmp_path / "home"), login):
        followed, *refused = await asyncio.gather(*(said_by(program, path) for program in (client, misspelt, unknown)))

    assert followed[0].startswith("accepted gen_batch_")
    assert followed[-1].strip() == "2 of 2"
    assert refused[0] == ["refused: the field 'briefs' is not known · did you mean brief?"]
    assert [line.split(" · ")[0] for line in refused[1]] == ["refused: the platform 'polaroid' is not known here"]
