"""Which kind of file some bytes are, so that a refusal can say what was brought. Pure module."""

FORMATS = ("PNG", "JPEG", "WEBP")
"""Pictures that are read: Pillow's names of the decoders that may run."""

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
"""How the names of files in these formats end."""

UNREAD_SUFFIXES = frozenset(
    [
        ".heic",
        ".heif",
        ".hif",
        ".avif",
        ".gif",
        ".tif",
        ".tiff",
        ".bmp",
        ".jxl",
        ".jp2",
        ".j2k",
        ".psd",
        ".svg",
        ".ico",
        ".tga",
        ".qoi",
        ".exr",
        ".hdr",
        ".dds",
        ".pdf",
        ".dng",
        ".cr2",
        ".cr3",
        ".nef",
        ".arw",
        ".orf",
        ".rw2",
        ".raf",
        ".jfif",
        ".jpe",
        ".jif",
        ".apng",
        ".xcf",
        ".kra",
        ".eps",
        ".ai",
    ]
)
"""How the names of other pictures end, and those of the formats above under a name that is not looked for."""

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"BM", "BMP"),
    (b"8BPS", "Photoshop"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"%PDF", "PDF"),
    (b"<svg", "SVG"),
    (b"\0\0\1\0", "icon"),
    (b"qoif", "QOI"),
    (b"v/1\x01", "OpenEXR"),
    (b"DDS ", "DirectDraw"),
    (b"%!PS", "PostScript"),
)
"""First bytes, and the name of the format."""

_ISO_BRANDS: tuple[tuple[bytes, str], ...] = (
    (b"avi", "AVIF"),
    (b"hei", "HEIC"),
    (b"hev", "HEIC"),
    (b"mif1", "HEIC"),
    (b"msf1", "HEIC"),
    (b"crx", "raw"),
)
"""Brands of ISO base media files (ISO/IEC 23008-12, 10), the more telling first."""


def format_name(data: bytes) -> str | None:
    """The format of a picture that is not read, by its first bytes; null where they tell none."""
    if data[4:8] == b"ftyp":
        brands = data[8:64]
        return next((name for brand, name in _ISO_BRANDS if brand in brands), None)
    return next((name for sign, name in _SIGNATURES if data.startswith(sign)), None)
