"""Hostile files from sound ones, by the structure of each format. Pure module."""

import json
import random
import struct
import zlib
from typing import Any

from tests.fuzz.hostile_values import HOSTILE_TEXT, RAW_VALUES
from tests.fuzz.json_places import sample_of, with_edits
from tests.fuzz.mutations import edit, flipped, recut

Dice = random.Random
Parts = list[bytes]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
SIDES = (0, 1, 2, 7, 255, 4097, 16_384, 16_385, 65_535, 2**31 - 1, 2**31, 2**32 - 1)
_PNG_KINDS = (
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iCCP", b"zTXt", b"iTXt", b"tEXt", b"eXIf", b"acTL",
    b"fcTL", b"fdAT", b"gAMA", b"cHRM", b"pHYs", b"sBIT", b"cICP", b"xxxx", b"\0\0\0\0",
)  # fmt: skip
_WEBP_KINDS = (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP ", b"xxxx")
_MARKERS = (0xC0, 0xC1, 0xC2, 0xC4, 0xC9, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD, 0xE0, 0xE1, 0xE2, 0xEE, 0xFE, 0x00)
TAIL = (b"PK\x03\x04" + b"x" * 40, b"<script>alert(1)</script>", b"\0" * 100, b"\x89PNG\r\n\x1a\n")


def by_bytes(data: bytes, dice: Dice) -> bytes:
    """What needs no knowledge of the format."""
    match dice.randrange(4):
        case 0:
            return flipped(data, dice)
        case 1:
            return recut(data, dice)
        case 2:
            return data[: dice.randrange(len(data) + 1)]
        case _:
            return data + dice.choice(TAIL)


def reordered(parts: Parts, dice: Dice) -> Parts:
    """Parts with one dropped, said again, or moved."""
    if not parts:
        return parts
    place, other = dice.randrange(len(parts)), dice.randrange(len(parts))
    match dice.randrange(4):
        case 0:
            return parts[:place] + parts[place + 1 :]
        case 1:
            return [*parts[:other], parts[place], *parts[other:]]
        case 2:
            moved = list(parts)
            moved[place], moved[other] = moved[other], moved[place]
            return moved
        case _:
            return parts[:place] + [parts[place]] * dice.choice((2, 3, 50)) + parts[place + 1 :]


def png_file(data: bytes, dice: Dice) -> bytes:
    """A PNG with changed chunks, mostly of sound checksums."""
    chunks = _png_chunks(data)
    if not chunks or dice.random() < 0.15:
        return by_bytes(data, dice)
    for _ in range(dice.choice((1, 1, 2, 3))):
        place = dice.randrange(len(chunks))
        kind, content = chunks[place]
        match dice.randrange(6):
            case 0:
                chunks[place] = (kind, flipped(content, dice))
            case 1:
                chunks[0] = (b"IHDR", _ihdr(chunks[0][1], dice))
            case 2:
                chunks.insert(place, (dice.choice(_PNG_KINDS), _png_content(dice)))
            case 3:
                chunks[place] = (dice.choice(_PNG_KINDS), content)
            case 4:
                chunks[place] = (kind, recut(content, dice))
            case _:
                order = reordered([bytes([number]) for number in range(min(len(chunks), 200))], dice)
                chunks = [chunks[number[0]] for number in order] or chunks
    return PNG_SIGNATURE + b"".join(_png_chunk(kind, content, dice) for kind, content in chunks)


def _png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    chunks: list[tuple[bytes, bytes]] = []
    at = 8
    while data.startswith(PNG_SIGNATURE) and at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4])
        chunks.append((data[at + 4 : at + 8], data[at + 8 : end]))
        at = end + 4
    return chunks


def _png_chunk(kind: bytes, content: bytes, dice: Dice) -> bytes:
    length = len(content) if dice.random() < 0.99 else dice.choice((0, 1, len(content) + 1, 2**31, 2**32 - 1))
    checksum = zlib.crc32(kind + content) if dice.random() < 0.99 else dice.getrandbits(32)
    return struct.pack(">I", length) + kind + content + struct.pack(">I", checksum)


def _ihdr(content: bytes, dice: Dice) -> bytes:
    """Another size, depth, colour type or interlacing."""
    header = bytearray(content.ljust(13, b"\0"))
    match dice.randrange(3):
        case 0:
            struct.pack_into(">I", header, dice.choice((0, 4)), dice.choice(SIDES))
        case 1:
            header[8], header[9] = dice.choice((1, 2, 4, 8, 16, 0, 255)), dice.choice((0, 2, 3, 4, 6, 1, 255))
        case _:
            header[dice.randrange(8, 13)] = dice.randrange(256)
    return bytes(header)


def _png_content(dice: Dice) -> bytes:
    text = b"key\0" + dice.choice((b"", b"\0"))
    return dice.choice(
        (
            b"",
            dice.randbytes(dice.choice((1, 4, 26, 100))),
            text + zlib.compress(b"\0" * dice.choice((10, 100_000, 4_000_000))),
            struct.pack(">II", dice.choice(SIDES), dice.choice(SIDES)) + dice.randbytes(18),
            b"Exif\0\0" + _tiff(dice),
            _tiff(dice),
        )
    )


def _tiff(dice: Dice) -> bytes:
    """A block of EXIF, whose offsets may lead anywhere, also back to itself."""
    order = dice.choice("<>")
    entries = b"".join(
        struct.pack(
            f"{order}HHII",
            dice.choice((0x0112, 0x8769, 0x8825, 0xA005, 0x0201, dice.getrandbits(16))),
            dice.randrange(14),
            dice.choice((0, 1, 2, 1000, 2**32 - 1)),
            dice.choice((0, 1, 6, 8, 26, 2**32 - 1)),
        )
        for _ in range(dice.choice((0, 1, 3)))
    )
    mark = b"II*\0" if order == "<" else b"MM\0*"
    count = struct.pack(f"{order}H", dice.choice((0, 1, 3, 65_535)))
    return mark + struct.pack(f"{order}I", dice.choice((8, 0, 2**32 - 1))) + count + entries + b"\0\0\0\x08"


def jpeg_file(data: bytes, dice: Dice) -> bytes:
    """A JPEG with changed segments."""
    parts = _jpeg_segments(data)
    if len(parts) < 3 or dice.random() < 0.15:
        return by_bytes(data, dice)
    for _ in range(dice.choice((1, 1, 2, 3))):
        place = dice.randrange(len(parts))
        match dice.randrange(6):
            case 0:
                parts[place] = parts[place][:4] + flipped(parts[place][4:], dice)
            case 1:
                parts = [_other_sof(part, dice) for part in parts]
            case 2:
                parts.insert(max(1, place), _segment(dice))
            case 3:
                parts[place] = b"\xff" + bytes([dice.choice(_MARKERS)]) + parts[place][2:]
            case 4:
                parts[place] = parts[place][:2] + struct.pack(">H", dice.choice((0, 1, 2, 65_535))) + parts[place][4:]
            case _:
                parts = reordered(parts, dice)
        if not parts:
            break
    return b"".join(parts)


def _jpeg_segments(data: bytes) -> Parts:
    """The segments up to the first scan, which is one with all that follows."""
    parts, at = [data[:2]], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        parts.append(data[at:end])
        at = end
    return [*parts, data[at:]]


def _other_sof(part: bytes, dice: Dice) -> bytes:
    """A start of frame of another size or sampling."""
    if len(part) < 12 or part[1] not in (0xC0, 0xC1, 0xC2):
        return part
    changed = bytearray(part)
    if dice.random() < 0.5:
        struct.pack_into(">H", changed, dice.choice((5, 7)), min(dice.choice(SIDES), 65_535))
    else:
        changed[dice.randrange(4, len(changed))] = dice.randrange(256)
    return bytes(changed)


def _segment(dice: Dice) -> bytes:
    marks = (b"Exif\0\0", b"ICC_PROFILE\0\x01\x01", b"ICC_PROFILE\0\x02\xff", b"JFIF\0", b"Adobe\0", b"MPF\0", b"")
    content = dice.choice(marks) + dice.choice((_tiff(dice), dice.randbytes(dice.choice((0, 5, 300)))))
    return b"\xff" + bytes([dice.choice(_MARKERS)]) + struct.pack(">H", len(content) + 2) + content


def webp_file(data: bytes, dice: Dice) -> bytes:
    """A WebP with changed chunks."""
    chunks = _riff_chunks(data)
    if not chunks or dice.random() < 0.15:
        return by_bytes(data, dice)
    for _ in range(dice.choice((1, 1, 2, 3))):
        place = dice.randrange(len(chunks))
        chunk = chunks[place]
        match dice.randrange(6):
            case 0:
                chunks[place] = chunk[:8] + flipped(chunk[8:], dice)
            case 1:
                chunks[place] = chunk[:8] + flipped(chunk[8:26], dice) + chunk[26:]
            case 2:
                content = dice.choice((b"", _tiff(dice), dice.randbytes(dice.choice((10, 16, 400)))))
                chunks.insert(place, dice.choice(_WEBP_KINDS) + struct.pack("<I", len(content)) + content)
            case 3:
                chunks[place] = dice.choice(_WEBP_KINDS) + chunk[4:]
            case 4:
                chunks[place] = chunk[:4] + struct.pack("<I", dice.choice((0, 1, 2**31, 2**32 - 1))) + chunk[8:]
            case _:
                chunks = reordered(chunks, dice) or chunks
    body = b"WEBP" + b"".join(chunks)
    length = len(body) if dice.random() < 0.95 else dice.choice((0, 1, 2**32 - 1))
    return b"RIFF" + struct.pack("<I", length) + body


def _riff_chunks(data: bytes) -> Parts:
    chunks: Parts = []
    at = 12
    while data.startswith(b"RIFF") and at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + length + length % 2
        chunks.append(data[at:end])
        at = end
    return chunks


def json_file(content: dict[str, Any], dice: Dice) -> bytes:
    """A JSON object with changed values."""
    sample = sample_of(content)
    match dice.randrange(12):
        case 0:
            return by_bytes(sample.data, dice)
        case 1:
            place = dice.choice(sample.places)
            return sample.data[: place.start] + dice.choice(RAW_VALUES) + sample.data[place.end :]
        case 2:
            place = dice.choice(sample.places)
            depth = dice.choice((60, 1000, 5000)) if dice.random() < 0.95 else 200_000
            nested = dice.choice((b"[", b'{"a":')) * depth
            return sample.data[: place.start] + nested + sample.data[place.end :]
        case _:
            edits = [edit(sample, dice.choice(sample.places), dice) for _ in range(dice.choice((1, 1, 2, 4)))]
            return with_edits(sample.data, edits)


def safetensors_file(header: dict[str, Any], dice: Dice) -> bytes:
    """A safetensors file whose header, or what is written in its metadata, was changed."""
    size = max((one["data_offsets"][1] for one in header.values() if "data_offsets" in one), default=0)
    header = dict(header)
    if "__metadata__" in header and dice.random() < 0.5:
        header["__metadata__"] = _other_metadata(dict(header["__metadata__"]), dice)
    if dice.random() < 0.2:
        header = _renamed(header, dice)
    text = json_file(header, dice) if dice.random() < 0.6 else json.dumps(header).encode("utf-8", "surrogatepass")
    length = len(text) if dice.random() < 0.95 else dice.choice((0, 1, len(text) - 1, 2**31, 2**63, 2**64 - 1))
    data = bytes(size) if dice.random() < 0.8 else dice.choice((b"", bytes(size + 1), b"\xff" * size))
    return struct.pack("<Q", length) + text + data


def _other_metadata(metadata: dict[str, Any], dice: Dice) -> dict[str, Any]:
    name = dice.choice([*metadata])
    text = str(metadata[name])
    if text.startswith("{") and dice.random() < 0.8:
        metadata[name] = json_file(json.loads(text), dice).decode("utf-8", "replace")
    else:
        metadata[name] = dice.choice(HOSTILE_TEXT)
    if dice.random() < 0.05:
        many = dice.choice((200, 2000))
        metadata["ss_output_name"] = "x" * dice.choice((10, 1000, 100_000))
        metadata["ss_tag_frequency"] = json.dumps({f"{n}_{'a' * 20}": {f"tag {n}": 1} for n in range(many)})
    return metadata


_ODD_PIECES = ("0", "999999999", "\u00b2", "", "alpha", "v_pred")


def _renamed(header: dict[str, Any], dice: Dice) -> dict[str, Any]:
    """Tensors under names made of the pieces of others, and of numbers no layer has."""
    pieces = [piece for name in header for piece in name.split(".")] + [
        "0",
        "999999999",
        "\u00b2",
        "",
        "alpha",
        "v_pred",
    ]
    chosen = dice.choice([*header])
    other = ".".join(dice.choice(pieces) for _ in range(dice.randint(1, 6)))
    return {other if name == chosen else name: value for name, value in header.items()}


_UNITS = (b"\n", b"---\n", b"[", b"(", b" ", b"{a|", b"<lora:", b"a.", b"# ", b"::", b"\xef\xbb\xbf")


def text_file(data: bytes, dice: Dice) -> bytes:
    """Text with lines changed, repeated, or made of what a reader of it may stumble over."""
    lines = data.split(b"\n")
    for _ in range(dice.choice((1, 1, 2, 4))):
        place = dice.randrange(len(lines))
        match dice.randrange(7):
            case 0:
                lines = reordered(lines, dice) or lines
            case 1:
                lines[place] = dice.choice(HOSTILE_TEXT).encode("utf-8", "surrogatepass")
            case 2:
                lines[place] = lines[place] * dice.choice((2, 20, 200))
            case 3:
                lines[place] = _other_value(lines[place], dice)
            case 4:
                lines[place] = flipped(lines[place], dice)
            case 5:
                unit = dice.choice(
                    (b"\n", b"---\n", b"[", b"(", b" ", b"{a|", b"<lora:", b"a.", b"# ", b"::", b"\xef\xbb\xbf")
                )
                lines.insert(place, unit * dice.choice((3, 100, 3000)))
            case _:
                return by_bytes(b"\n".join(lines), dice)
        place = min(place, len(lines) - 1)
    return b"\n".join(lines)


def _other_value(line: bytes, dice: Dice) -> bytes:
    """A line `name = value` with another value or name."""
    name, equals, value = line.partition(b"=")
    if not equals:
        return line[: dice.randrange(len(line) + 1)] + dice.choice((b"=", b'"', b"'", b"]", b"\\", b"\0", b"\xff"))
    values = (
        b"[" * 200, b"[[1]]", b"{}", b"{a = 1}", b"1979-05-27T07:32:00Z", b"0x" + b"f" * 100, b"9" * 5000,
        b"inf", b"nan", b"true", b'"""', b"'''x'''", b'"\\uD800"', b'"' + b"x" * 5000 + b'"', b"[]", b"-1",
        b"1e400",
    )  # fmt: skip
    match dice.randrange(3):
        case 0:
            return name + equals + dice.choice(values)
        case 1:
            return name.strip() + b"." + b"a." * dice.choice((1, 10, 500)) + b"b" + equals + value
        case _:
            return dice.choice((b"x", b'"\\u0000"', b"path", b"provider", b"aliases", name.upper())) + equals + value
