"""Compressed messages: what is packed comes back, and a bomb is refused within bounded memory and time."""

import json
import os
import random
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zstandard

from protocol import codec
from protocol.errors import BadMessage
from tests.protocol.bombs import MIB, bombs, empty_blocks_frame, run_length_frame, sized, unsized
from tests.protocol.frames import FILES, decoded

ROOT = Path(__file__).parent.parent.parent
BOMBS = bombs()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_message_survives_packing_and_is_told_by_its_headers(file: Path) -> None:
    payload, headers = codec.pack(decoded(file))

    assert headers == {"Content-Encoding": "zstd", "Acp-Version": "1"}
    assert zstandard.frame_content_size(payload) == len(codec.encode(decoded(file)))
    assert codec.unpack(payload, headers) == codec.encode(decoded(file))


@pytest.mark.parametrize("headers", [None, {}, {"Content-Encoding": "identity"}, {"Content-Encoding": " Identity "}])
def test_plain_json_needs_no_header(headers: dict[str, str] | None) -> None:
    assert codec.unpack(b'{"cmd":"CAPABILITIES"}', headers) == b'{"cmd":"CAPABILITIES"}'


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd,zstd", "", "zstd\x00", "x" * 10_000])
def test_an_unknown_encoding_is_refused_with_those_that_are_known(encoding: str) -> None:
    with pytest.raises(BadMessage) as caught:
        codec.unpack(sized(b"{}"), {"Content-Encoding": encoding})

    assert caught.value.code == "bad_encoding"
    assert "zstd" in (caught.value.body.hint or "")
    assert len(caught.value.body.message) < 200


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 4096, MIB - 1, MIB])
@pytest.mark.parametrize("frame", [sized, unsized], ids=["sized", "unsized"])
def test_content_up_to_the_bound_comes_back(size: int, frame: Callable[[bytes], bytes]) -> None:
    content = random.Random(size).randbytes(size)

    assert codec.decompress(frame(content)) == content


@pytest.mark.parametrize("level", [1, 3, 9, 19])
def test_frames_of_any_ordinary_compressor_are_read(level: int) -> None:
    content = json.dumps({"cmd": "GENERATE_IMAGES", "brief": "a mug " * 500}).encode()
    stream = zstandard.ZstdCompressor(level=level, write_checksum=True).compressobj()

    assert codec.decompress(stream.compress(content) + stream.flush()) == content
    assert codec.decompress(zstandard.ZstdCompressor(level=level, write_checksum=True).compress(content)) == content


def test_a_frame_that_was_flushed_many_times_is_read() -> None:
    stream = zstandard.ZstdCompressor().compressobj()
    parts = [stream.compress(b"x") + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) for _ in range(500)]

    assert codec.decompress(b"".join(parts) + stream.flush()) == b"x" * 500


@pytest.mark.parametrize("name", list(BOMBS))
def test_a_bomb_or_a_broken_frame_is_refused_in_bounded_memory_and_time(name: str) -> None:
    tracemalloc.start()
    started = time.process_time()
    with pytest.raises(BadMessage) as caught:
        codec.decompress(BOMBS[name])
    spent, peak = time.process_time() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert caught.value.code in ("too_large", "bad_encoding")
    assert peak < 16 * MIB
    assert spent < 0.5


def test_a_bound_is_exact_to_a_byte_whether_the_size_is_named_or_not() -> None:
    for frame in (sized, unsized):
        assert len(codec.decompress(frame(bytes(1000)), limit=1000)) == 1000
        with pytest.raises(BadMessage, match="larger than 1000 bytes"):
            codec.decompress(frame(bytes(1001)), limit=1000)


def test_a_frame_of_empty_blocks_ends() -> None:
    assert codec.decompress(empty_blocks_frame(340_000)) == b""


def test_a_process_that_is_sent_every_bomb_stays_small(tmp_path: Path) -> None:
    """In a process of its own, because only the peak of a whole process sees what C allocates."""
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from protocol import codec\n"
        "from protocol.errors import BadMessage\n"
        "files = sorted(Path(sys.argv[1]).iterdir())\n"
        "codec.decompress(codec.compress(bytes(codec.MAX_MESSAGE_BYTES)))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for file in files:\n"
        "    try: codec.decompress(file.read_bytes())\n"
        "    except BadMessage: pass\n"
        "    else: sys.exit(file.name)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    for place, bomb in enumerate(BOMBS.values()):
        (tmp_path / str(place)).write_bytes(bomb)

    ran = subprocess.run(
        [sys.executable, "-c", program, tmp_path], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) < 16 * 1024  # KiB


def test_a_payload_above_the_bound_is_refused_before_it_is_unpacked() -> None:
    for headers in ({"Content-Encoding": "zstd"}, {}):
        with pytest.raises(BadMessage) as caught:
            codec.unpack(os.urandom(codec.MAX_MESSAGE_BYTES + 1), headers)
        assert caught.value.code == "too_large"


def test_threads_do_not_disturb_each_other() -> None:
    def there_and_back(number: int) -> bool:
        content = random.Random(number).randbytes(5000)
        frames = (codec.compress(content), unsized(content))
        return all(codec.decompress(frame) == content for frame in frames)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(there_and_back, range(400)))


def test_a_refused_frame_leaves_nothing_behind_for_the_next() -> None:
    for bomb in BOMBS.values():
        with pytest.raises(BadMessage):
            codec.decompress(bomb)
        assert codec.decompress(unsized(b"after")) == codec.decompress(sized(b"after")) == b"after"


def test_run_length_blocks_up_to_the_bound_are_an_ordinary_message() -> None:
    assert codec.decompress(run_length_frame(MIB)) == bytes(MIB)
