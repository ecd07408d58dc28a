"""Row 12 of the attack table, requests to other machines: a URL in a command is refused, and nobody connects to it."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from protocol import subjects
from protocol.plans import GenerationPlan
from tests.fuzz.mutations import Payload
from tests.fuzz.planner_door import PlannerDoor


@pytest.fixture(scope="module")
def planner() -> Iterator[PlannerDoor]:
    with PlannerDoor() as opened:
        yield opened


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that others could connect to."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        opened.setblocking(False)
        yield opened


CONTROL: dict[str, Any] = {"kind": "canny", "image": {}}
FIELDS: dict[str, tuple[str, Any]] = {
    "$.init_image.url": ("init_image", {}),
    "$.mask.url": ("mask", {}),
    "$.controls[0].image.url": ("controls", [CONTROL]),
    "$.references[0].image.url": ("references", [{"role": "style", "image": {}}]),
    "$.post[0].towards.url": ("post", [{"op": "colour_correct", "towards": {}}]),
}
"""Path of the error -> a field that names a picture, and its value around the source."""


def _with_source(value: Any, source: dict[str, str]) -> Any:
    """The value with the source in the place of its empty object."""
    if value == {}:
        return source
    if isinstance(value, dict):
        return {name: _with_source(one, source) for name, one in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return [_with_source(one, source) for one in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]


@pytest.mark.parametrize("scheme", ["http", "https", "ftp", "gopher"])
@pytest.mark.parametrize("path", [*FIELDS])
def test_a_url_in_place_of_a_picture_is_refused_and_nobody_connects(
    path: str, scheme: str, planner: PlannerDoor, listener: socket.socket
) -> None:
    """Row 12."""
    field, value = FIELDS[path]
    url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/latest/meta-data"
    command = {"cmd": "GENERATE_IMAGES", "prompts": ["a mug"], "dry_run": True}
    command[field] = _with_source(value, {"url": url})

    reply = planner.reply_to(
        subjects.COMMANDS, subjects.command("local"), Payload(json.dumps(command).encode(), {}, "url")
    )

    assert isinstance(reply, GenerationPlan), reply
    refusal = reply.generation_plan.refusal
    assert refusal is not None
    assert (refusal.code, refusal.path) == ("not_supported", path)
    with pytest.raises(BlockingIOError):
        listener.accept()
