"""Sweeps and catalogues through five agents over a real broker, from the command to the files."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import msgspec
import pytest

from agents.storage.filing import read_record
from bus.client import Client
from bus.connection import Address
from bus.local_blobs import LocalBlobs
from protocol.commands import GenerateImages, Result
from protocol.parameters import Catalogue, Combos, Requirements, Sweep
from protocol.plans import GenerationPlan
from protocol.replies import ErrorReply
from protocol.results import GenerationResult, ResultBody
from tests.planner.catalogues import write_home
from tests.workshop import instant_settings, served

WIDE = {"seed": list(range(1000)), "steps": list(range(1, 101))}
"""100,000 combinations."""

Login = Callable[[str], Address]


@pytest.fixture
async def client(tmp_path: Path, login: Login) -> AsyncGenerator[Client]:
    write_home(tmp_path / "home")
    async with served(instant_settings(tmp_path / "home"), login) as client:
        yield client


async def made(client: Client, command: GenerateImages) -> tuple[GenerationPlan, ResultBody]:
    """The plan of a command and, once it has ended, its result."""
    async with asyncio.timeout(50):
        plan = await client.request(command)
        assert isinstance(plan, GenerationPlan)
        assert plan.hash is not None, plan
        while True:
            result = await client.request(Result(hash=plan.hash, wait_s=5), timeout=10)
            assert isinstance(result, GenerationResult)
            if result.generation_result.state == "completed":
                return plan, result.generation_result


async def test_a_swept_batch_makes_each_combination_with_the_same_seeds_and_says_so_in_names_and_files(client: Client):
    sweep = Sweep(values={"steps": [4, 8], "prompt": ["a red mug", "a teal mug"]})
    order = GenerateImages(platform="pocket", seed=100, sweep=sweep, requirements=Requirements(quantity=2))
    plan, result = await made(client, order)

    assert plan.generation_plan.quantity == result.quantity == 8
    combinations = [(steps, prompt) for steps in (4, 8) for prompt in ("a red mug", "a teal mug") for _ in range(2)]
    assert [(image.swept["steps"], image.swept["prompt"]) for image in result.images] == combinations
    for image, (steps, prompt) in zip(result.images, combinations, strict=True):
        assert image.path is not None
        assert f"steps-{steps}_prompt-{prompt.replace(' ', '-')}" in Path(image.path).name
        record = read_record(Path(image.path).read_bytes())
        assert (record.pixels.steps, record.pixels.prompt, record.swept) == (steps, prompt, image.swept)
        assert record.pixels.seed == 100 + image.index % 2
        assert json.loads(Path(image.path).with_suffix(".json").read_bytes())["swept"] == image.swept


async def test_a_catalogue_with_combos_is_filed_in_its_tree_with_its_references_as_hashes(
    client: Client, tmp_path: Path
):
    order = GenerateImages(
        platform="pocket",
        catalogue=Catalogue(names=["v3.2"]),
        combos=Combos(wardrobe="zip-hoodie", ui_style="Orange"),
        requirements=Requirements(resolution="1K"),
    )
    plan, result = await made(client, order)

    assert any(
        wish.startswith("references: pocket follows no composition; pictures of pose, ui are left out")
        for wish in plan.generation_plan.not_honoured
    )
    assert any("MCU" in warning for warning in plan.generation_plan.warnings)
    assert result.quantity == 4
    blobs = LocalBlobs(tmp_path / "home" / "blobs")
    for image in result.images:
        place = image.catalogued
        assert image.path is not None
        assert place is not None
        record = read_record(Path(image.path).read_bytes())
        assert record.pixels.prompt.endswith("Replace model wardrobe with: a black zip hoodie, half open")
        assert [one.asset for one in record.pixels.references] == ["ui", "pose"]
        assert all([await blobs.has(one.blob) for one in record.pixels.references])
        tree = Path("zip-hoodie", "v3.2", place.prompt_id, "Orange", str(place.combo))
        assert Path(image.path).parent == tmp_path / "home" / "pictures" / "local" / str(plan.hash) / tree
        assert Path(image.path).name.endswith(f"-{place.prompt_id[:4]}-256x256.png")


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"sweep": {"values": {"stepps": [1]}}}, "$.sweep.values.stepps"),
        ({"sweep": {"values": {"steps": [4, 8, 0]}}}, "$.sweep.values.steps[2]"),
        ({"sweep": {"values": {"sampler": ["Oiler"]}}}, "$.sweep.values.sampler[0]"),
        ({"sweep": {"values": WIDE}, "requirements": {"quantity": 11}}, "$.requirements.quantity"),
        ({"catalogue": {"names": ["v3.2"], "output_template": "{prompt}/{sead}"}}, "$.catalogue.output_template"),
        ({"combos": {"wardrobe": "zip-hoodie"}}, "$.combos"),
    ],
)  # fmt: skip
async def test_what_cannot_be_swept_or_found_is_refused_with_its_place(
    client: Client, fields: dict[str, object], path: str
):
    reply = await client.request(msgspec.json.encode({"cmd": "GENERATE_IMAGES", "platform": "pocket", **fields}))

    error = reply.error if isinstance(reply, ErrorReply) else None
    assert error is not None, reply
    assert (error.path, bool(error.message)) == (path, True)
