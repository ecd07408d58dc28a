"""Row 18: pixels are used by their hash only by a client that brought them or had them made."""

import asyncio
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from PIL import Image

from agents.planner.inputs.image_loader import ImageLoader
from agents.planner.ledger.blob_owners import add_owners, forget_owners, is_owner
from agents.planner.ledger.made_pixels import MadePixels
from agents.shared.database.group_commit import GroupCommit
from bus.connection import Address
from bus.local_blobs import LocalBlobs
from bus.operator import Operator
from protocol.accounts import ClientReply
from protocol.commands import GenerateImages, Requirements
from protocol.errors import ErrorBody, Refused
from protocol.operator import CreateClient, OwnBlob
from protocol.parameters import ControlNet, ImageSource, Reference
from protocol.plans import GenerationPlan
from protocol.post import CorrectColour
from protocol.replies import ErrorReply, Reply
from tests.planner.workbench import new_engine
from tests.workshop import instant_settings, served

Login = Callable[[str], Address]


def picture(shade: int, stripes: int = 0) -> bytes:
    """A picture of one colour, with white stripes where something has to be led by it."""
    file, image = io.BytesIO(), Image.new("RGB", (64, 64), (shade, 40, 90))
    for stripe in range(stripes):
        image.paste((255, 255, 255), (8 * stripe, 0, 8 * stripe + 4, 64))
    image.save(file, "PNG")
    return file.getvalue()


def order(blob: str) -> GenerateImages:
    return GenerateImages(
        brief="a mug",
        hold=True,
        platform="pocket",
        init_image=ImageSource(blob=blob),
        requirements=Requirements(quantity=1),
    )


def orders_by_field(blob: str, own: str) -> dict[str, GenerateImages]:
    """Commands that name a blob, each in another of the fields that take a picture."""
    source, plain = ImageSource(blob=blob), replace(order(own), init_image=None)
    return {
        "$.init_image": order(blob),
        "$.mask": replace(order(own), mask=source),
        "$.controls[0].image": replace(plain, controls=[ControlNet(kind="canny", image=source)]),
        "$.references[0].image": replace(plain, references=[Reference(image=source, role="style")]),
        "$.post[0].towards": replace(plain, post=[CorrectColour(towards=source)]),
    }


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


async def test_in_every_field_that_takes_a_picture_only_its_owner_names_it(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    foreign, own = await blobs.put(picture(200)), await blobs.put(picture(100, stripes=8))
    async with GroupCommit(new_engine(f"sqlite:///{tmp_path}/ledger.db")) as ledger:
        await ledger.write(lambda connection: add_owners(connection, [("acme", foreign), ("other", own)], 0.0))
        loader = ImageLoader(ledger, MadePixels(ledger), blobs, tmp_path / "pictures")
        for path, command in orders_by_field(foreign, own).items():
            with pytest.raises(Refused) as refused:
                await loader.load(command, "other")
            assert (refused.value.body.code, refused.value.body.path) == ("pixels_missing", path)
        for command in orders_by_field(own, own).values():
            await loader.load(command, "other")


async def test_pixels_that_are_brought_again_while_their_blob_goes_keep_their_owner(tmp_path: Path) -> None:
    async with GroupCommit(new_engine(f"sqlite:///{tmp_path}/ledger.db")) as ledger:
        await ledger.write(lambda connection: add_owners(connection, [("acme", "a" * 64), ("old", "a" * 64)], 10.0))
        await ledger.write(lambda connection: add_owners(connection, [("acme", "a" * 64)], 30.0))
        await ledger.write(lambda connection: forget_owners(connection, ["a" * 64], 20.0))
        assert await ledger.read(lambda connection: is_owner(connection, "acme", "a" * 64))
        assert not await ledger.read(lambda connection: is_owner(connection, "old", "a" * 64))


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
