"""Prompts of sweeps and catalogues: what a wish changes, and what goes along with a combo."""

from pathlib import Path

import msgspec
import pytest

from agents.prompt.agent import PromptWriter, build
from agents.prompt.prompt_requests import select_references
from agents.shared.settings import Settings
from bus.agent import Delivery
from bus.local_blobs import LocalBlobs
from protocol.catalogue import CatalogueCombo, CatalogueEntry, CatalogueSnapshot, ReferenceBlob
from protocol.errors import AcpError
from protocol.messages import Prompt, PromptsWritten, PromptWish, WritePrompts
from protocol.prompt_syntax import has_weights, plain_text

DELIVERY = Delivery("acp.v1.work.prompt.gen_batch_1.0", 1)


def reference(asset: str, pose: str | None = None) -> ReferenceBlob:
    blob = {"blob": f"{asset}{pose}".encode().hex().ljust(64, "0")[:64], "media_type": "image/png"}
    return msgspec.convert({**blob, "asset": asset, "pose": pose}, ReferenceBlob)


UI, MCU, FULL = reference("ui"), reference("pose", "mcu"), reference("pose", "full")

SNAPSHOT = CatalogueSnapshot(
    entries=[
        CatalogueEntry(catalogue="v3.2", id="ZH01_unboxing", text="a man opens a box"),
        CatalogueEntry(catalogue="v3.2", id="ZH02_travel", text="a straight, full-height shot", pose="full"),
    ],
    combos=[
        CatalogueCombo(
            id="C-U-009",
            wardrobe="zip-hoodie",
            ui_style="Orange",
            description="a black hoodie",
            references=[UI, MCU, FULL],
        )
    ],
)


@pytest.fixture
def agent(tmp_path: Path) -> PromptWriter:
    return build(Settings(home=tmp_path))


async def written(agent: PromptWriter, *wishes: PromptWish, **given: object) -> list[Prompt]:
    base = {"hash": "gen_batch_1", "client_id": "local", "first": 0, "count": len(wishes), "seed": 7}
    request = msgspec.convert({**base, "type": "WRITE_PROMPTS", **given}, WritePrompts)
    [answer] = await agent.handle(msgspec.structs.replace(request, wishes=list(wishes)), DELIVERY)
    assert isinstance(answer, PromptsWritten)
    return answer.prompts


async def test_a_wish_goes_before_what_the_page_asks_for(agent: PromptWriter) -> None:
    prompts = await written(
        agent,
        PromptWish(number=0),
        PromptWish(number=0, brief="a cup"),
        PromptWish(number=0, brief="a cup", prompt="a finished prompt"),
        PromptWish(number=0, negative_prompt="text"),
        PromptWish(number=0, style="product_photography", style_reference="brand_guidelines_v2"),
        brief="a mug",
        negative_prompt="frames",
    )

    assert [prompt.text for prompt in prompts[:4]] == ["a mug", "a cup", "a finished prompt", "a mug"]
    assert [prompt.negative for prompt in prompts[:4]] == ["frames", "frames", "frames", "text"]
    assert (prompts[4].template, prompts[4].style_reference) == ("product_photography", "brand_guidelines_v2")


async def test_words_are_dealt_by_the_number_of_a_wish(agent: PromptWriter) -> None:
    page = await written(
        agent, *(PromptWish(number=number) for number in (0, 1, 0, 1)), subjects=["mug", "cup", "lamp"]
    )

    assert page[:2] == page[2:]
    assert page[0] != page[1]


async def test_the_prompt_of_a_catalogue_goes_along_with_its_combo(agent: PromptWriter, tmp_path: Path) -> None:
    blob = await LocalBlobs(tmp_path / "blobs").put(msgspec.json.encode(SNAPSHOT))
    plain, full, alone = await written(
        agent,
        PromptWish(number=0, entry=0, combo=0),
        PromptWish(number=1, entry=1, combo=0),
        PromptWish(number=2, entry=0),
        catalogue=blob,
    )

    assert plain.text == (
        "a man opens a box\n"
        "\n"
        "Reference image shows: UI layout, composition, background, lighting.\n"
        "Keep exact: layout structure, text positions, color scheme, typography style.\n"
        "Replace model wardrobe with: a black hoodie"
    )
    assert plain.subject == "a man opens a box"
    assert (plain.references, full.references) == ([UI, MCU], [UI, FULL])
    assert (alone.text, alone.references) == ("a man opens a box", [])


@pytest.mark.parametrize(
    ("pose", "there", "kept"),
    [
        ("full", [UI, MCU, FULL], [UI, FULL]),
        ("full", [UI, MCU], [UI, MCU]),
        ("mcu", [UI, FULL, MCU], [UI, MCU]),
        (None, [UI, FULL, MCU], [UI, MCU]),
        ("full", [UI], [UI]),
        ("mcu", [UI, FULL], [UI, FULL]),
    ],
)
def test_a_pose_that_is_missing_falls_back_to_what_the_combo_has(
    pose: str | None, there: list[ReferenceBlob], kept: list[ReferenceBlob]
) -> None:
    assert select_references(pose, there) == kept  # pyright: ignore[reportArgumentType]


async def test_a_catalogue_that_is_not_there_yet_is_asked_for_again(agent: PromptWriter) -> None:
    with pytest.raises(AcpError) as refused:
        await written(agent, PromptWish(number=0, entry=0), catalogue="0" * 64)

    assert refused.value.retryable


@pytest.mark.parametrize("wish", [PromptWish(number=0, entry=2), PromptWish(number=0, entry=0, combo=-1)])
async def test_a_place_that_the_catalogue_has_not_is_a_broken_request(
    agent: PromptWriter, tmp_path: Path, wish: PromptWish
) -> None:
    blob = await LocalBlobs(tmp_path / "blobs").put(msgspec.json.encode(SNAPSHOT))
    with pytest.raises(AcpError) as refused:
        await written(agent, wish, catalogue=blob)

    assert not refused.value.retryable


async def test_a_page_has_one_wish_per_prompt_or_none(agent: PromptWriter) -> None:
    with pytest.raises(AcpError):
        await written(agent, PromptWish(number=0), count=2)


@pytest.mark.parametrize("worn", ["a hoodie (black)", "[a hoodie", r"a \(hoodie\)", r"a hoodie \ shirt"])
async def test_the_description_of_a_wardrobe_is_no_prompt(agent: PromptWriter, tmp_path: Path, worn: str) -> None:
    combo = msgspec.structs.replace(SNAPSHOT.combos[0], description=worn)
    blob = await LocalBlobs(tmp_path / "blobs").put(
        msgspec.json.encode(msgspec.structs.replace(SNAPSHOT, combos=[combo]))
    )
    [prompt] = await written(agent, PromptWish(number=0, entry=0, combo=0), catalogue=blob)

    assert not has_weights(prompt.text)
    assert plain_text(prompt.text).endswith(f"Replace model wardrobe with: {worn}")
