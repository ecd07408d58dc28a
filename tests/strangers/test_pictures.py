"""Pictures as cameras, phones and editors write them, as every kind of input: seen as people see them, or refused in
words that name their format. The right values stand in `pictures.toml`."""

import struct
import tomllib
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from agents.doors.cli.errors import Failure
from agents.doors.cli.generate.source_images import parse_source
from agents.generator.orders.hosted_order import HostedOrder, load_pictures
from agents.generator.orders.reference_images import load_pixels
from agents.generator.registry.hosted import HostedModel
from agents.planner.inputs.catalogue_loader import CatalogueLoader
from agents.planner.inputs.image_loader import ImageLoader
from agents.planner.ledger.blob_owners import add_owners
from agents.planner.ledger.made_pixels import MadePixels
from agents.shared.database.group_commit import GroupCommit
from agents.shared.picture import Undecodable, decode
from bus.local_blobs import LocalBlobs
from protocol.commands import GenerateImages
from protocol.errors import AcpError, Refused
from protocol.messages import Job
from protocol.parameters import Catalogue, Combos, ControlNet, ImageSource, Reference
from protocol.pixels import PixelSpec
from protocol.post import CorrectColour
from protocol.sources import ImagePrompt
from tests.planner.catalogues import write_catalogue, write_combo
from tests.planner.workbench import new_engine
from tests.strangers.make_pictures import make_pictures

CASES: dict[str, dict[str, Any]] = tomllib.loads((Path(__file__).parent / "pictures.toml").read_text())
FILES = make_pictures()
READ = {name: case for name, case in CASES.items() if "refused" not in case}
REFUSED = {name: case["refused"] for name, case in CASES.items() if "refused" in case}

LEVELS = 3
"""Of 255, by which JPEG moves a flat colour."""

pytestmark = pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")


def test_every_file_has_its_right_value_beside_it() -> None:
    assert sorted(CASES) == sorted(FILES)


@pytest.mark.parametrize("name", READ)
def test_a_picture_is_decoded_as_it_is_to_be_seen(name: str) -> None:
    case, picture = READ[name], decode(FILES[name])

    assert picture.size == (96, 128)
    for row, right in ((5, case.get("upper", [255, 0, 0])), (-5, case.get("lower", [0, 0, 255]))):
        assert np.abs(picture.rgb[row].astype(int) - right).max() <= LEVELS
    assert (picture.frames, picture.adapted) == (case.get("frames", 1), case.get("adapted", False))
    assert picture.media_type == {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}[name.split(".")[1]]


@pytest.mark.parametrize(
    "name", ["upright.png", "exif_1.jpg", "srgb.png", "srgb.jpg", "cmyk.jpg", "broken_profile.png"]
)
def test_an_ordinary_picture_keeps_every_bit_that_its_decoder_gives(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(FILES[name])
    with Image.open(file) as plain:
        assert np.array_equal(decode(FILES[name]).rgb, np.asarray(plain.convert("RGB")))


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(Undecodable, match=REFUSED[name]) as refused:
        decode(FILES[name])
    assert refused.value.fault == "unknown_format"


@pytest.mark.parametrize(("colour_type", "interlacing"), [(3, 0), (2, 0xF6)], ids=["no palette", "no such interlacing"])
def test_a_header_that_no_decoder_expects_is_a_broken_picture(colour_type: int, interlacing: int) -> None:
    head = struct.pack(">IIBBBBB", 8, 8, 8, colour_type, 0, 0, interlacing)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 200)), (b"IEND", b""))
    parts = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    with pytest.raises(Undecodable) as refused:
        decode(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    assert refused.value.fault == "broken"


@pytest.mark.parametrize("name", ["photo.heic", "heic_by_another_name.jpg"])
def test_the_terminal_says_what_was_brought_and_what_to_give(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOTTEGA_HOME", str(tmp_path))
    (tmp_path / name).write_bytes(FILES[name])
    with pytest.raises(Failure) as refused:
        parse_source(str(tmp_path / name))
    assert "HEIC files are not read" in refused.value.body.message
    assert refused.value.body.hint == "give PNG, JPEG, WEBP"


async def test_a_picture_that_was_taken_sideways_is_planned_upright_wherever_a_command_names_it(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    names = ("exif_6.jpg", "mask_exif_6.png", "moving.webp")
    turned, mask, moving = [ImageSource(blob=await blobs.put(FILES[name])) for name in names]
    whole = GenerateImages(
        brief="a mug",
        init_image=turned,
        mask=mask,
        controls=[ControlNet(kind="canny", image=turned)],
        references=[Reference(image=turned, role="style")],
        post=[CorrectColour(towards=turned)],
    )
    async with GroupCommit(new_engine(f"sqlite:///{tmp_path}/ledger.db")) as ledger:
        brought = [("local", str(one.blob)) for one in (turned, mask, moving)]
        await ledger.write(lambda connection: add_owners(connection, brought, 0.0))
        given = await ImageLoader(ledger, MadePixels(ledger), blobs, tmp_path).load(whole, "local")
        first_frames = await ImageLoader(ledger, MadePixels(ledger), blobs, tmp_path).load(
            replace(whole, init_image=moving), "local"
        )

    loaded = [given.init, given.mask, *given.controls, *given.references, *given.colour_targets.values()]
    assert [(one.width, one.height) for one in loaded if one is not None] == [(96, 128)] * 5
    assert given.animation_notes == []
    assert first_frames.animation_notes == ["init_image: the first of 2 frames is used"]


async def test_generators_see_what_the_planner_measured(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    turned, unread = await blobs.put(FILES["exif_6.jpg"]), await blobs.put(FILES["photo.heic"])

    assert (await load_pixels(blobs, turned, "$.job.pixels.init_image")).shape == (128, 96, 3)
    with pytest.raises(AcpError, match="HEIC files are not read"):
        await load_pixels(blobs, unread, "$.job.pixels.init_image")


async def test_a_provider_is_sent_what_anybody_sees_the_same_in(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    turned, plain = await blobs.put(FILES["exif_6.jpg"]), await blobs.put(FILES["exif_1.jpg"])
    pixels = PixelSpec(
        prompt="a mug", negative_prompt="", seed=1, width=64, height=64, steps=1, guidance=1.0, sampler="", model="m",
        image_prompts=[ImagePrompt(blob=blob, role="style") for blob in (turned, plain)],
    )  # fmt: skip
    job = Job(
        hash="gen_batch_1", client_id="local", index=0, attempt=1, image_id="gen_batch_1_000000", pixels=pixels,
        platform="m",
    )  # fmt: skip
    order = HostedOrder(job, HostedModel(name="m", provider="p", vendor_model="m", sizes=((64, 64),)))

    sent = (await load_pictures(blobs, order)).pictures

    assert sent[plain] == FILES["exif_1.jpg"]
    upright = decode(sent[turned])
    assert (upright.size, upright.adapted, upright.media_type) == ((96, 128), False, "image/png")


def shelves(home: Path) -> CatalogueLoader:
    return CatalogueLoader(home / "catalogues", home / "combos", LocalBlobs(home / "blobs"))


def order(*combos: str) -> GenerateImages:
    return GenerateImages(catalogue=Catalogue(names=["v3.2"]), combos=Combos(names=list(combos)))


async def test_what_a_combo_or_a_catalogue_leaves_out_stands_in_the_plan(tmp_path: Path) -> None:
    write_catalogue(tmp_path)
    (tmp_path / "catalogues" / "catalog_v3.2" / "ZH03_night.docx").write_bytes(b"PK")
    (tmp_path / "catalogues" / "catalog_v3.2" / ".DS_Store").write_bytes(b"\0")
    combo = write_combo(tmp_path, "C-U-001", "ui.png")
    for name in ("photo.heic", "photo.tif", "moving.webp", "exif_6.jpg"):
        (combo / name).write_bytes(FILES[name])
    (combo.parent / "C-U-002.HEIC").write_bytes(FILES["photo.heic"])

    shelf = await shelves(tmp_path).load(order())

    assert shelf is not None
    assert shelf.warnings[-4:] == [
        "catalog_v3.2: not read: ZH03_night.docx; prompts are .md files",
        "combos/Hoodie_combo/Orange_UI_Combos: not read: C-U-002.HEIC; pictures are PNG, JPEG, WEBP files",
        "Hoodie_combo/Orange_UI_Combos/C-U-001: not read: photo.heic, photo.tif; pictures are PNG, JPEG, WEBP files",
        "Orange_UI_Combos/C-U-001/moving.webp: the first of 2 frames is used",
    ]
    again = await shelves(tmp_path).load(order("C-U-001"))
    assert again is not None
    assert not any("C-U-002" in warning for warning in again.warnings)


@pytest.mark.parametrize("combo", ["C-U-002", "C-U-003"], ids=["a picture", "a folder"])
async def test_a_combo_of_pictures_that_are_not_read_is_refused_by_their_names(tmp_path: Path, combo: str) -> None:
    write_catalogue(tmp_path)
    folder = write_combo(tmp_path, "C-U-001", "ui.png").parent
    (folder / "C-U-002.heic").write_bytes(FILES["photo.heic"])
    (folder / "C-U-003").mkdir()
    (folder / "C-U-003" / "ui.heic").write_bytes(FILES["photo.heic"])

    with pytest.raises(Refused) as refused:
        await shelves(tmp_path).load(order(combo))

    assert combo in refused.value.body.message
    assert ".heic" in refused.value.body.message
    assert "no PNG, JPEG, WEBP file" in refused.value.body.message
