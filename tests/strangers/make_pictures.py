# pyright: basic
"""Small pictures as cameras, phones and editors write them. Unless their name says otherwise, they are to be seen as
96x128 pixels whose upper half is red and lower half blue."""

import io
import struct
import zlib
from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageCms

SIZE = (96, 128)
ORANGE = (230, 120, 40)
PRESS_RED = (200, 40, 60)
"""sRGB colours that pictures with a profile show."""

_TURNED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How pixels are stored that are seen upright under an EXIF orientation."""


def make_pictures() -> dict[str, bytes]:
    """Files by their names; what each is to be seen as stands in `pictures.toml`."""
    return {**_turned(), **_modes(), **_moving(), **_with_profiles(), **_broken_marks(), **_unread()}


def upright() -> Image.Image:
    picture = Image.new("RGB", SIZE, "red")
    picture.paste((0, 0, 255), (0, 64, 96, 128))
    return picture


def _save(picture: Image.Image, kind: str, **how: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **how)
    return file.getvalue()


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def _turned() -> dict[str, bytes]:
    files: dict[str, bytes] = {"upright.png": _save(upright(), "PNG")}
    for orientation, turn in _TURNED.items():
        stored = upright() if turn is None else upright().transpose(turn)
        files[f"exif_{orientation}.jpg"] = _save(stored, "JPEG", quality=95, exif=_exif(orientation))
    sideways = upright().transpose(Image.Transpose.ROTATE_90)
    files["exif_6.png"] = _save(sideways, "PNG", exif=_exif(6))
    mask = Image.new("RGB", SIZE, "white")
    mask.paste((0, 0, 0), (0, 64, 96, 128))
    files["mask_exif_6.png"] = _save(mask.transpose(Image.Transpose.ROTATE_90), "PNG", exif=_exif(6))
    files["exif_6.webp"] = _save(sideways, "WEBP", exif=_exif(6), lossless=True)
    return files


def _modes() -> dict[str, bytes]:
    cut_out = upright().convert("RGBA")
    cut_out.putalpha(Image.new("L", SIZE, 255))
    cut_out.paste((0, 0, 255, 0), (0, 64, 96, 128))
    palette = Image.new("P", SIZE, 0)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.paste(1, (0, 64, 96, 128))
    grey = np.repeat(np.array([[51 * 257], [204 * 257]], np.uint16), [64, 64], axis=0).repeat(96, axis=1)
    rows = b"".join(b"\0" + (row.astype(">u2") * 257).tobytes() for row in np.asarray(upright()))
    return {
        "cmyk.jpg": _save(upright().convert("CMYK"), "JPEG", quality=95),
        "palette.png": _save(palette, "PNG"),
        "palette_transparent.png": _save(palette, "PNG", transparency=1),
        "cut_out.png": _save(cut_out, "PNG"),
        "grey_alpha.png": _save(upright().convert("LA"), "PNG"),
        "grey16.png": _save(Image.fromarray(grey), "PNG"),
        "rgb16.png": _png(b"\x10\x02", rows),
    }


def _png(depth_and_type: bytes, rows: bytes) -> bytes:
    """A PNG of rows that Pillow does not write."""
    header = struct.pack(">II", *SIZE) + depth_and_type + b"\0\0\0"
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def _moving() -> dict[str, bytes]:
    further = {"save_all": True, "append_images": [Image.new("RGB", SIZE, "green")]}
    return {
        "moving.png": _save(upright(), "PNG", duration=100, **further),
        "moving.webp": _save(upright(), "WEBP", duration=100, lossless=True, **further),
        "with_preview.jpg": _save(upright(), "MPO", quality=95, **further),
    }


def _with_profiles() -> dict[str, bytes]:
    orange = Image.new("RGB", SIZE, ORANGE)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    wide = wide_profile()
    stored = ImageCms.profileToProfile(orange, srgb, io.BytesIO(wide), outputMode="RGB")
    assert stored is not None
    shown_through = stored.convert("RGBA")
    shown_through.putalpha(Image.new("L", SIZE, 255))
    shown_through.paste((0, 0, 0, 0), (0, 64, 96, 128))
    return {
        "wide.png": _save(stored, "PNG", icc_profile=wide),
        "wide.jpg": _save(stored, "JPEG", icc_profile=wide, quality=98),
        "wide.webp": _save(stored, "WEBP", icc_profile=wide, lossless=True),
        "wide_alpha.png": _save(shown_through, "PNG", icc_profile=wide),
        "wide_palette.png": _save(stored.quantize(2), "PNG", icc_profile=wide),
        "srgb.png": _save(upright(), "PNG", icc_profile=srgb.tobytes()),
        "srgb.jpg": _save(upright(), "JPEG", quality=95, icc_profile=srgb.tobytes()),
        "grey_linear.png": _save(Image.new("L", SIZE, 128), "PNG", icc_profile=grey_profile()),
        "press.jpg": _save(Image.new("CMYK", SIZE, (0, 255, 255, 0)), "JPEG", quality=98, icc_profile=press_profile()),
    }


def _broken_marks() -> dict[str, bytes]:
    return {
        "broken_profile.png": _save(upright(), "PNG", icc_profile=b"not a profile" * 20),
        "cut_off_profile.png": _save(upright(), "PNG", icc_profile=wide_profile()[:200]),
        "press_profile_on_rgb.png": _save(upright(), "PNG", icc_profile=press_profile()),
        "broken_exif.jpg": _save(upright(), "JPEG", quality=95, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"),
        "orientation_9.jpg": _save(upright(), "JPEG", quality=95, exif=_exif(9)),
    }


def _unread() -> dict[str, bytes]:
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 2000
    return {
        "photo.heic": heic,
        "heic_by_another_name.jpg": heic,
        "photo.avif": b"\0\0\0\x1cftypavif\0\0\0\0mif1avifmiaf" + b"\0" * 2000,
        "photo.tif": _save(upright(), "TIFF"),
        "photo.bmp": _save(upright(), "BMP"),
        "moving.gif": _save(upright(), "GIF"),
        "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "layers.psd": b"8BPS\0\1" + b"\0" * 100,
        "text.png": b"no picture at all",
    }


def _number(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_number, values))


def _gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256)) + b"\0\0"


def _profile(kind: bytes, space: bytes, connection: bytes, tags: Mapping[bytes, bytes]) -> bytes:
    """An ICC profile of version 2.4 with these tags beside those that each must have."""
    description = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + b"\0" * 79
    common = {b"desc": description, b"cprt": b"text\0\0\0\0none\0\0\0\0", b"wtpt": _xyz(0.9642, 1, 0.8249)}
    every = {**common, **tags}
    table, body, start = struct.pack(">I", len(every)), b"", 132 + 12 * len(every)
    for name, data in every.items():
        padded = data + b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", start + len(body), len(padded))
        body += padded
    head = struct.pack(">I", 128 + len(table) + len(body)) + b"\0\0\0\0" + struct.pack(">I", 0x02400000)
    head += kind + space + connection + struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28
    return head + b"".join(map(_number, (0.9642, 1, 0.8249))) + b"\0" * 48 + table + body


def wide_profile() -> bytes:
    """The primaries of Display P3 with a plain gamma."""
    return _profile(
        b"mntr",
        b"RGB ",
        b"XYZ ",
        {
            b"rXYZ": _xyz(0.51512, 0.2412, -0.00105),
            b"gXYZ": _xyz(0.29198, 0.69225, 0.04189),
            b"bXYZ": _xyz(0.1571, 0.06657, 0.78407),
            **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _gamma(2.2)),
        },
    )


def grey_profile() -> bytes:
    """Grey in proportion to light."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _gamma(1.0)})


def press_profile() -> bytes:
    """A press whose magenta on yellow is `PRESS_RED`, whose paper is white, and whose other inks are black."""
    lab = ImageCms.profileToProfile(
        Image.new("RGB", (1, 1), PRESS_RED),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")),
        outputMode="LAB",
    )
    assert lab is not None
    # One corner of the space for each mixture of full inks: cyan changes slowest, black fastest.
    corners = [b"\0\x80\x80"] * 16
    corners[0b0000], corners[0b0110] = b"\xff\x80\x80", bytes(np.asarray(lab)[0, 0] ^ np.array([0, 128, 128], np.uint8))
    straight = bytes(range(256))
    unchanged = b"".join(_number(value) for value in (1, 0, 0, 0, 1, 0, 0, 0, 1))
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + unchanged + straight * 4 + b"".join(corners) + straight * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table, b"A2B1": table})
