"""The guide for agents, run as it stands: each request by a client's own login, each reply as the guide shows it."""
# pyright: reportUnknownMemberType=false
# nats-py leaves its options untyped.

import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, cast, get_args

import nats
import pytest
from nats.aio.msg import Msg

from bus.client_logins import put_client
from bus.connection import Address
from bus.server import EmbeddedServer
from protocol.commands import Command, not_built_names
from tests.workshop import instant_settings, served

pytestmark = pytest.mark.timeout(60)

GUIDE = (Path(__file__).parent.parent / "deploy" / "docs" / "guide" / "agents.md").read_text()
BLOCKS: list[dict[str, Any]] = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)]

TOLD = ("state", "code", "cmd", "type", "quantity", "cancelled", "client_id")
"""Members whose value the guide shows as it is, beside paths into a command; of all others it shows the kind."""


def examples() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Requests with the reply that stands under them."""
    for request, reply in pairwise(BLOCKS):
        if "cmd" in request:
            yield request, reply


def faults(shown: Any, actual: Any, place: str, name: str = "") -> Iterator[str]:
    """Where a reply is not as it is shown; what is not shown may be there."""
    if type(shown) is not type(actual) and not isinstance(shown, int | float):
        yield f"{place}: {shown!r} is shown, {actual!r} was said"
    elif isinstance(shown, dict):
        for key, value in cast("dict[str, Any]", shown).items():
            if key not in actual:
                yield f"{place}.{key} is not there"
            else:
                yield from faults(value, actual[key], f"{place}.{key}", key)
    elif isinstance(shown, list):
        for value in cast("list[Any]", shown):
            if not any(not list(faults(value, one, place, name)) for one in actual):
                yield f"{place}: nothing is like {value!r}"
    elif (name in TOLD or (name == "path" and str(shown).startswith("$"))) and shown != actual:
        yield f"{place}: {shown!r} is shown, {actual!r} was said"


def test_the_guide_shows_every_command_that_is_built() -> None:
    kinds = {kind.__struct_config__.tag for kind in get_args(Command)}
    assert {request["cmd"] for request, _ in examples()} == kinds - set(not_built_names())


async def test_every_example_of_the_guide_is_answered_as_it_is_shown_by_a_login_of_ones_own(
    tmp_path: Path, workshop_server: EmbeddedServer, login: Callable[[str], Address]
) -> None:
    heard: list[dict[str, Any]] = []
    known: dict[str, str] = {}
    wrong: list[str] = []

    async def hear(message: Msg) -> None:
        heard.append(json.loads(message.data))

    async def answer_to(request: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps(request)
        for shown, actual in known.items():
            text = text.replace(shown, actual)
        return json.loads((await connection.request("acp.v1.command.acme", text.encode(), timeout=10)).data)

    async with served(instant_settings(tmp_path / "home"), login):
        own = await put_client(workshop_server.folder, "acme")
        assert own is not None
        connection = await nats.connect(own.url_with_credentials)
        for kind in ("status", "progress"):
            await connection.subscribe(f"acp.v1.{kind}.acme.*", cb=hear)
        for request, shown in examples():
            actual = await answer_to(request)
            known |= names_of(shown, actual)
            wrong += faults(shown, actual, request["cmd"])
        late = await connection.request("acp.v1.command.acme", b'{"cmd": "LIST"}', headers={"Acp-Expires": "1"})
        await connection.close()

    assert wrong == []
    assert json.loads(late.data)["error"]["code"] == "expired"
    assert "`Acp-Expires`" in GUIDE
    alone = [block for before, block in pairwise([{}, *BLOCKS]) if "cmd" not in {*before, *block}]
    assert [next(iter(block)) for block in alone] == ["generation_status", "type"]
    for block in alone:
        assert any(not list(faults(block, one, "heard")) for one in heard), block


def names_of(shown: dict[str, Any], actual: dict[str, Any]) -> dict[str, str]:
    """What a reply names, as the guide shows it and as it is."""
    pairs = [(shown.get("hash"), actual.get("hash"))]
    pairs.append(tuple(one.get("generation_plan", {}).get("approval") for one in (shown, actual)))
    return {told: said for told, said in pairs if told and said}
