"""Orders of strangers against what plans are made by: each is drawn, named or refused as its table says."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from agents.doors.cli.batches.send import read_command
from agents.doors.cli.errors import BAD_INPUT, report_failures
from agents.doors.cli.generate.order import GenerateOptions
from agents.doors.cli.generate.order import command_of as generate_command
from agents.generator import announce
from agents.generator.registry import registry, samplers
from agents.planner.inputs.catalogue_loader import CatalogueLoader
from agents.planner.planning.capabilities import Capabilities, merge_presences
from agents.planner.planning.command_texts import ReadCommand, read_texts
from agents.planner.planning.recipe import Defaults, Recipe, resolve
from bus.connection import Address
from bus.local_blobs import LocalBlobs
from protocol.catalogue import CatalogueSnapshot
from protocol.codec import decode_command
from protocol.commands import Catalogue, GenerateImages
from protocol.errors import AcpError
from protocol.messages import Presence
from protocol.offers import EmbeddingOffer, LoraInfo, LoraOffer, ModelOffer, Offer
from protocol.plans import GenerationPlan
from tests.workshop import instant_settings, served

ORDERS: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "orders.toml").read_text())["order"]
DETAILS = " ".join(f"detail number {number}," for number in range(60))
DEFAULTS = Defaults(stand_in=None, min_score=0.5, max_attempts=3)


def here(offer: Offer) -> Offer:
    """The offer as of a generator that has it."""
    return replace(offer, info=replace(offer.info, installed=True))


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Capabilities:
    """All models and words that come with the registry, one LoRA, and a QA that can judge any text of them."""
    home = tmp_path_factory.mktemp("home")
    known = registry.load(home / "models", home / "loras", home / "models.toml")
    offers = announce.announce(known, announce.Versions(), announce.Speeds())
    lora = LoraOffer(info=LoraInfo(name="kohya_plain", platform="stable_diffusion_1_5", installed=True))
    process = Presence(
        role="generator", instance="one", pid=1, host="here", version="0", started_at="2026-01-01T00:00:00Z", slots=1
    )
    generator = replace(
        process,
        offers=[*(here(one) for one in offers if isinstance(one, ModelOffer | EmbeddingOffer)), lora],
        samplers=[one.name for one in samplers.SAMPLERS],
        sampler_aliases=samplers.ALIASES,
    )
    judge = replace(process, role="qa", scorers=["*"])
    return merge_presences([generator, replace(process, role="prompt", styles=["plain"]), judge])


def command_of(order: dict[str, Any]) -> GenerateImages:
    """The command of an order, through the door that all commands come in by."""
    fields: dict[str, Any] = {"cmd": "GENERATE_IMAGES", "platform": "pocket", **order.get("wish", {})}
    if "prompt" in order:
        fields["prompts"] = [order["prompt"]]
    fields = {name: value for name, value in fields.items() if value != ""}
    text = msgspec.json.encode(fields).decode().replace("$DETAILS", DETAILS)
    text = text.replace("$LONG", "x" * 5000).replace("$NEARLY_LONG", "x" * 3999)
    text = text.replace("$BREAKS", "a red car" + " BREAK red" * 40)
    command = decode_command(text.encode())
    assert isinstance(command, GenerateImages)
    return command


def planned(order: dict[str, Any], workshop: Capabilities) -> tuple[ReadCommand, Recipe]:
    read = read_texts(command_of(order), workshop)
    return read, resolve(read.command, workshop, DEFAULTS)


def values_of(command: GenerateImages, recipe: Recipe) -> dict[str, Any]:
    """What an order may set, as its table says it."""
    return {
        **msgspec.structs.asdict(recipe.pixels),
        "size": [recipe.pixels.width, recipe.pixels.height],
        "loras": [[one.name, one.weight] for one in recipe.pixels.loras],
        "seed": "random" if command.seed is None else command.seed,
        "negative_prompt": command.negative_prompt,
    }


def unmatched(said: list[str], expected: list[str]) -> tuple[list[str], list[str]]:
    """Lines that nothing was expected of, and what was expected of no line."""
    return (
        [line for line in said if not any(part in line for part in expected)],
        [part for part in expected if not any(part in line for line in said)],
    )


@pytest.mark.parametrize("order", [one for one in ORDERS if "refused" not in one], ids=lambda one: one["name"])
def test_what_is_accepted_is_drawn_as_understood_and_the_plan_names_the_rest(
    order: dict[str, Any], workshop: Capabilities
) -> None:
    read, recipe = planned(order, workshop)
    wish, command = command_of(order), read.command

    drawn = order.get("drawn", (wish.prompts or [wish.brief])[0])
    assert (command.prompts or [command.brief])[0] == drawn
    found = values_of(command, recipe)
    assert {name: found[name] for name in order.get("sets", {})} == order.get("sets", {})
    assert unmatched([*read.not_honoured, *recipe.not_honoured], order.get("named", [])) == ([], [])
    assert unmatched([*read.warnings, *recipe.warnings], order.get("warned", [])) == ([], [])


@pytest.mark.parametrize("order", [one for one in ORDERS if "refused" in one], ids=lambda one: one["name"])
def test_what_is_refused_names_the_field_and_says_what_to_do(order: dict[str, Any], workshop: Capabilities) -> None:
    code, path, advice = order["refused"]
    with pytest.raises(AcpError) as refused:
        planned(order, workshop)
    body = refused.value.body
    assert (body.code, body.path) == (code, path)
    assert advice in (body.hint or "")


async def test_a_planner_reads_an_order_of_a_stranger_and_says_what_it_sets_and_leaves_out(
    tmp_path: Path, login: Callable[[str], Address]
) -> None:
    wish = GenerateImages(
        prompts=["a (red:1.4) car --ar 1:1 --v 6"], platform="pocket", seed=-1, sampler="k_euler_a", hold=True
    )
    async with served(instant_settings(tmp_path / "home"), login) as client:
        reply = await client.request(wish, client_id="local", timeout=35)
    assert isinstance(reply, GenerationPlan)
    plan = reply.generation_plan
    assert (plan.state, plan.sampler, plan.prompts) == ("held", "Euler a", ["a (red:1.4) car"])
    assert "prompts[0]: --v 6 is left out: nothing here does it" in plan.not_honoured
    assert "prompts[0]: --ar 1:1 sets the resolution of the batch" in plan.warnings
    assert "seed: -1 draws one at random, as leaving it out does" in plan.warnings


BYTES: dict[str, tuple[bytes, str]] = {
    "a byte order mark": (b'\xef\xbb\xbf{"cmd":"LIST"}', "without a byte order mark"),
    "UTF-16": ('{"cmd":"LIST"}'.encode("utf-16"), "this is UTF-16"),
    "UTF-16 without a mark": ('{"cmd":"LIST"}'.encode("utf-16-be"), "this is UTF-16"),
    "half of a character": (rb'{"cmd":"GENERATE_IMAGES","brief":"a \ud83d\n car"}', r"\ud83d is half of a character"),
    "the other half": (rb'{"cmd":"GENERATE_IMAGES","brief":"\ude97 a car"}', r"\ude97 is half of a character"),
    "Latin-1": ('{"cmd":"GENERATE_IMAGES","brief":"é"}'.encode("latin-1"), "the byte at 34 is none of it"),
    "a whole character in what ends early": (rb'{"cmd":"GENERATE_IMAGES","brief":"\ud83d\ude97 \n', "send one object"),
    "nothing": (b"", "send one object"),
}


@pytest.mark.parametrize("name", BYTES)
def test_bytes_that_are_no_json_are_refused_with_what_to_do(name: str) -> None:
    data, advice = BYTES[name]
    with pytest.raises(AcpError) as refused:
        decode_command(data)
    assert refused.value.code == "invalid_json"
    assert advice in (refused.value.body.hint or "")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_an_order_file_is_read_whichever_editor_saved_it(encoding: str, tmp_path: Path) -> None:
    text = '{"cmd": "GENERATE_IMAGES", "brief": "é 🚗"}'
    file = tmp_path / "order.json"
    file.write_bytes(text.encode(encoding))
    assert read_command(str(file)) == text.encode()
    for foreign in (b"", b"\xff\xfe\xff"):
        file.write_bytes(foreign)
        assert read_command(str(file)) == foreign


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
async def test_a_prompt_file_of_a_catalogue_is_read_whichever_editor_saved_it_and_as_a_prompt_is(
    encoding: str, tmp_path: Path
) -> None:
    folder = tmp_path / "catalogues" / "catalog_v1"
    folder.mkdir(parents=True)
    text = "# Title\n\na [red:blue:0.5] mug é <lora:ink:1> --ar 9:16"
    (folder / "ZH01_mug.md").write_bytes(text.encode(encoding))
    blobs = LocalBlobs(tmp_path / "blobs")
    loader = CatalogueLoader(tmp_path / "catalogues", tmp_path / "combos", blobs)
    read = await loader.load(GenerateImages(catalogue=Catalogue(names=["v1"])))
    assert read is not None
    snapshot = msgspec.json.decode(await blobs.get(read.blob, limit=10_000), type=CatalogueSnapshot)
    assert [entry.text.strip() for entry in snapshot.entries] == ["a blue mug é"]
    said = ["--ar 9:16 is left out", "[red:blue:0.5]: words do not change", "<lora:ink:1> is left out"]
    assert unmatched(read.warnings, said) == ([], [])


@pytest.mark.parametrize("text", ["--ar 9:16 --v 6", "((:1.2)) BREAK []"])
async def test_a_prompt_file_of_nothing_but_settings_is_refused_by_its_name(text: str, tmp_path: Path) -> None:
    folder = tmp_path / "catalogues" / "catalog_v1"
    folder.mkdir(parents=True)
    (folder / "ZH01_mug.md").write_text(f"# Title\n\n{text}")
    loader = CatalogueLoader(tmp_path / "catalogues", tmp_path / "combos", LocalBlobs(tmp_path / "blobs"))
    with pytest.raises(AcpError, match="v1/ZH01_mug") as refused:
        await loader.load(GenerateImages(catalogue=Catalogue(names=["v1"])))
    assert refused.value.body.path == "$.catalogue"


def test_a_brief_whose_bytes_are_no_text_gets_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, report_failures():
        generate_command(GenerateOptions(brief="a red \udcff car"))
    assert ended.value.code == BAD_INPUT
    assert "is no text in UTF-8" in capsys.readouterr().err
