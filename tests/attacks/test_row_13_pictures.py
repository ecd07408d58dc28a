"""Row 13 of the attack table, image bombs: what is too much is refused before it is decoded, and what is not found out
before costs a child no more than its limits; whoever brought it reads why, and the next picture is read."""

import asyncio
import io
import os
import select
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agents.shared.picture import DecodedPicture, Undecodable, decode, media_type_of
from agents.shared.picture_chunks import MAX_CHUNKS, MAX_FRAMES, MAX_PROFILES, MAX_SCANS, MAX_SEGMENTS
from agents.shared.sandbox.made_picture import decode_made
from agents.shared.sandbox.pool import ParsedPicture, ParserPool

SIDE = 5600
"""Of the largest square picture that is read."""

LIBRARIES_BYTES = 160 * 1024 * 1024
"""Address space of a child that has decoded nothing."""


@pytest.fixture
def pool() -> Iterator[ParserPool]:
    with closing(ParserPool()) as opened:
        yield opened


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """122 KB of PNG that are 31 megapixels of RGBA."""
    rows = zlib.compressobj()
    packed = b"".join(rows.compress(b"\0" * (1 + 4 * SIDE)) for _ in range(SIDE)) + rows.flush()
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(chunk, (b"IHDR", b"IDAT", b"IEND"), (head, packed, b"")))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def picture(form: str = "PNG", side: int = 16, **options: object) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(1).integers(0, 255, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, form, **options)
    return out.getvalue()


def with_chunks(count: int) -> bytes:
    plain = picture()
    return plain[:33] + chunk(b"tEXt", b"") * count + plain[33:]


def with_profiles(count: int) -> bytes:
    plain = picture()
    return plain[:33] + chunk(b"iCCP", b"p\0\0" + zlib.compress(b"")) * count + plain[33:]


def with_extensions(count: int) -> bytes:
    """Markers that hide what follows them from whoever heeds their length."""
    return b"\xff\xd8" + (b"\xff\xf0\xff\xff" + b"\xff\xfe\0\2" * 1000) * (count // 1000) + picture("JPEG")[2:]


def with_segments(count: int) -> bytes:
    return b"\xff\xd8" + b"\xff\xfe\0\2" * count + picture("JPEG")[2:]


def with_filling(count: int) -> bytes:
    return b"\xff\xd8" + b"\xff" * count + picture("JPEG")[2:]


def with_segments_after_an_end(count: int) -> bytes:
    return b"\xff\xd8\xff\xd9" + b"\xff\xfe\0\2" * count + picture("JPEG")[2:]


def with_scans(count: int) -> bytes:
    """A progressive picture whose last scan, that of luma, comes again and again."""
    plain = picture("JPEG", progressive=True)
    scan = plain[plain.rindex(b"\xff\xda") : -2]
    return plain[:-2] + scan * (count - plain.count(b"\xff\xda")) + plain[-2:]


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def with_webp_chunks(count: int) -> bytes:
    return riff(*[(b"note", b"x")] * count)


def with_frames(count: int) -> bytes:
    return riff(*[(b"ANMF", b"")] * count)


TOO_MUCH: dict[str, tuple[Callable[[int], bytes], int, str]] = {
    "chunks of a PNG": (with_chunks, MAX_CHUNKS, "more than 65536 chunks: save it again as PNG without metadata"),
    "segments of a JPEG": (with_segments, MAX_SEGMENTS, "more than 16384 segments: save it again as PNG, or as JPEG"),
    "profiles of a PNG": (with_profiles, MAX_PROFILES + 1, "more than 16 colour profiles: save it again as PNG"),
    "segments behind an extension": (with_extensions, MAX_SEGMENTS + 1000, "more than 16384 segments"),
    "segments after an end of the image": (with_segments_after_an_end, MAX_SEGMENTS, "more than 16384 segments"),
    "bytes between segments": (with_filling, MAX_SEGMENTS, "more than 16384 segments"),
    "scans of a JPEG": (with_scans, MAX_SCANS + 1, "more than 100 scans: save it again as PNG, or as JPEG that is not"),
    "chunks of a WebP": (with_webp_chunks, MAX_CHUNKS + 1, "more than 65536 chunks: save it again as PNG, or as WebP"),
    "frames of a WebP": (with_frames, MAX_FRAMES + 1, "more than 4096 frames: save the one that is meant as PNG"),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_more_pieces_than_any_program_writes_are_refused_with_what_to_do(what: str) -> None:
    """Row 13."""
    make, count, words = TOO_MUCH[what]
    with pytest.raises(Undecodable, match=words) as refused:
        media_type_of(make(count))
    assert refused.value.fault == "too_large"


@pytest.mark.parametrize("ordinary", [with_chunks(60), with_segments(600), with_filling(600), with_scans(MAX_SCANS)])
def test_a_picture_of_many_pieces_is_read(ordinary: bytes) -> None:
    """Row 13."""
    assert decode(ordinary).size == (16, 16)


@pytest.mark.parametrize(
    "whole",
    [
        picture("JPEG", 1200, subsampling=0, restart_marker_blocks=1),
        picture("JPEG", 64)[:-2] + b"\xff\xd9" + b"\xff\xfe\0\2" * (MAX_SEGMENTS + 1),
        picture("WEBP") + b"\0" * 9 * MAX_CHUNKS,
    ],
    ids=["restart markers", "behind a JPEG", "behind a WebP"],
)
def test_what_is_no_piece_or_lies_behind_a_picture_is_not_counted(whole: bytes) -> None:
    """Row 13."""
    assert media_type_of(whole) in ("image/jpeg", "image/webp")


@pytest.mark.parametrize(
    "cut", [b"PNG", picture("JPEG")[:100], b"\xff\xd8\xff\x01", b"RIFF\0\0\0\0WEBP", b"\xff\xd8\xff\xfe\0\0"]
)
def test_a_file_that_ends_early_is_for_its_decoder_to_refuse(cut: bytes) -> None:
    """Row 13."""
    with pytest.raises(Undecodable) as refused:
        decode(cut)
    assert refused.value.fault in ("broken", "unknown_format")


async def test_a_small_file_of_31_megapixels_costs_8_bytes_a_pixel_and_one_that_costs_more_is_refused(
    bomb: bytes,
) -> None:
    """Row 13."""
    assert len(bomb) < 125_000
    narrow = ParserPool(memory_bytes=LIBRARIES_BYTES + 8 * SIDE * SIDE)
    with closing(narrow):
        assert (await narrow.parse(bomb, "size")).size == (SIDE, SIDE)
    narrower = ParserPool(memory_bytes=LIBRARIES_BYTES + 4 * SIDE * SIDE)
    with closing(narrower):
        with pytest.raises(Undecodable, match="more memory than a picture may: save it again") as refused:
            await narrower.parse(bomb)
        assert refused.value.fault == "too_large"
        assert (await narrower.parse(picture())).size == (16, 16)


async def test_a_picture_of_31_megapixels_leaves_no_pixels_with_who_wants_its_size(
    pool: ParserPool, bomb: bytes
) -> None:
    """Row 13."""
    found = await pool.parse(bomb, "size", "a")
    assert (found.width, found.rgb.size) == (SIDE, 0)


async def test_a_picture_that_takes_too_much_processor_time_is_refused_in_words(bomb: bytes) -> None:
    """Row 13."""
    with closing(ParserPool(cpu_seconds=0.05)) as hasty:
        with pytest.raises(Undecodable, match=r"more than 0\.05 s of processor time.*save it again as PNG"):
            await hasty.parse(bomb)
        assert (await hasty.parse(picture())).size == (16, 16)


async def test_a_decoder_that_crashes_is_a_refusal_and_the_next_picture_is_parsed_by_a_fresh_child(
    pool: ParserPool,
) -> None:
    """Row 13."""
    before = children()
    await pool.parse(picture())
    [child] = children() - before
    os.kill(child, signal.SIGSTOP)
    parsing = asyncio.create_task(pool.parse(picture()))
    await asyncio.to_thread(wait_for_request, child)
    os.kill(child, signal.SIGSEGV)
    os.kill(child, signal.SIGCONT)
    with pytest.raises(Undecodable, match=r"its decoder crashed \(SIGSEGV\).*save it again as PNG"):
        await parsing
    assert (await pool.parse(picture())).size == (16, 16)
    assert child not in children()


def wait_for_request(child: int) -> None:
    """Wait until something is in the input of a child."""
    with Path(f"/proc/{child}/fd/0").open("rb") as requests:
        assert select.select([requests], [], [], 20)[0] == [requests]


KEEPS_A_CHILD = """
import sys
from pathlib import Path
from agents.shared.sandbox.pool import PARSERS
PARSERS.parse_blocking(sys.stdin.buffer.read(int(sys.argv[1])), "size")
print(*[line for file in Path("/proc/self/task").glob("*/children") for line in file.read_text().split()], flush=True)
sys.stdin.read()
"""


def test_the_children_of_a_process_that_is_killed_end_with_it() -> None:
    """Row 13."""
    brought = picture()
    command = [sys.executable, "-c", KEEPS_A_CHILD, str(len(brought))]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        parent.stdin.write(brought)
        parent.stdin.flush()
        ended = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        assert select.select([ended], [], [], 20)[0] == [ended]
        os.close(ended)


def test_what_a_provider_answered_is_parsed_by_a_child_and_what_our_own_writer_wrote_is_not() -> None:
    """Row 13."""
    assert isinstance(decode_made(picture(), "local"), DecodedPicture)
    assert isinstance(decode_made(picture(), "a vendor"), ParsedPicture)


def children() -> set[int]:
    """The processes that this one has started and not waited for."""
    return {int(pid) for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()}
