"""Row 18: pixels are used by their hash only by a client that brought them or had them made."""

import asyncio
import io
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace
from PIL import Image

from bus.connection import Address
from bus.local_blobs import LocalBlobs
from bus.operator import Operator
from protocol.accounts import ClientReply
from protocol.commands import GenerateImages, Requirements
from protocol.errors import ErrorBody
from protocol.operator import CreateClient, OwnBlob
from protocol.parameters import ImageSource
from protocol.plans import GenerationPlan
from protocol.replies import ErrorReply, Reply
from tests.workshop import instant_settings, served

Login = Callable[[str], Address]


def picture(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), (shade, 40, 90)).save(file, "PNG")
    return file.getvalue()


def order(blob: str) -> GenerateImages:
    return GenerateImages(
        brief="a mug",
        hold=True,
        platform="pocket",
        init_image=ImageSource(blob=blob),
        requirements=Requirements(quantity=1),
    )


def refusal_of(reply: Reply) -> ErrorBody | None:
    """Why a command was refused; null where it was planned."""
    if isinstance(reply, ErrorReply):
        return reply.error
    assert isinstance(reply, GenerationPlan)
    return reply.generation_plan.refusal


async def test_a_blob_of_another_is_refused_in_the_words_of_one_that_is_nowhere(tmp_path: Path, login: Login) -> None:
    settings = instant_settings(tmp_path / "home", open_door=True)
    nowhere = "0" * 64
    async with (
        asyncio.timeout(60),
        served(settings, login, ("planner", "prompt", "generator")) as client,
        Operator.open(login("operator")) as operator,
    ):
        brought = await LocalBlobs(settings.blobs).put(picture(200))
        assert isinstance(await operator.request(CreateClient(client_id="acme")), ClientReply)
        assert isinstance(await operator.request(OwnBlob(client_id="acme", blob=brought)), ClientReply)

        absent = refusal_of(await client.request(order(nowhere), "other"))
        foreign = refusal_of(await client.request(order(brought), "other"))
        assert absent is not None
        assert foreign == replace(absent, message=absent.message.replace(nowhere, brought))
        assert refusal_of(await client.request(order(brought), "acme")) is None


async def test_who_had_a_picture_made_may_name_it_by_its_hash_and_nobody_else_may(tmp_path: Path, login: Login) -> None:
    settings = instant_settings(tmp_path / "home", open_door=True)
    async with asyncio.timeout(60), served(settings, login) as client:
        made = GenerateImages(brief="a mug", platform="pocket", seed=7, requirements=Requirements(quantity=1))
        plan = await client.request(made, "acme")
        assert isinstance(plan, GenerationPlan)
        assert plan.hash is not None
        async for status in client.watch_status("acme", plan.hash):
            if status.generation_status.completed:
                break
        (blob,) = {path.name for path in settings.blobs.glob("??/*")}
        foreign = refusal_of(await client.request(order(blob), "other"))
        assert foreign is not None
        assert foreign.code == "pixels_missing"
        assert refusal_of(await client.request(order(blob), "acme")) is None


async def test_a_client_cannot_say_itself_that_pixels_are_its_own(tmp_path: Path, login: Login) -> None:
    settings = instant_settings(tmp_path / "home")
    async with asyncio.timeout(60), served(settings, login, ("planner",)) as client:
        refused = await client.request(OwnBlob(client_id="local", blob="0" * 64), "local")
    assert isinstance(refused, ErrorReply)
    assert refused.error.code == "unknown_command"
