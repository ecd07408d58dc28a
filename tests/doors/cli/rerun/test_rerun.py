# pyright: basic, reportOptionalMemberAccess=false
"""A picture's own file is enough to make it again, and to notice what has changed since."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from agents.doors.cli.rerun.run import compare, differences_of, job_of, threads_of
from agents.doors.cli.rerun.source_files import BlobsWithFiles
from agents.generator.engine import Rendering
from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.images import png_writer
from agents.generator.orders.post_stages import order_with_stages
from agents.generator.orders.source_images import load_source_images as load_sources
from agents.generator.registry.registry import Registry, load
from agents.storage.filing import read_record
from agents.storage.png import with_text
from agents.storage.record import Record, record_of, texts_of
from protocol.messages import Assessment, Job, Picture, StoreImage
from protocol.pixels import PixelSpec
from protocol.post import CorrectColour, Refine, Upscale
from protocol.sources import InitImage
from tests.doors.cli.conftest import Home

POCKET: dict[str, Any] = {
    "hash": "gen_batch_1",
    "client_id": "local",
    "attempt": 1,
    "platform": "pocket",
}
POCKET_PIXELS: dict[str, Any] = {
    "prompt": "a red mug on a white background",
    "width": 128,
    "height": 128,
    "guidance": 3.0,
    "sampler": "DPM++ 2M Karras",
    "model": "pocket",
}


START = png_writer.encode(np.tile(np.arange(128, dtype=np.uint8)[:, None, None], (1, 128, 3)))


def record_for(job: Job, made: Rendering) -> Record:
    picture = Picture(
        blob="0" * 64,
        media_type=made.media_type,
        width=made.width,
        height=made.height,
        size_bytes=len(made.data),
        seconds=made.seconds,
        provider=made.provider,
        model=job.pixels.model,
        model_version=made.model_version,
        device=made.device,
        buckets=made.buckets,
        engine=made.engine,
        versions=made.versions,
    )
    return record_of(
        StoreImage(job=job, picture=picture, assessment=Assessment(score=None, accepted=True, measures={})), None
    )


def start_file(folder: Path) -> Path:
    """A stored picture that another is made from."""
    file = folder / "start.png"
    file.write_bytes(with_text(START, {"prompt": "a blue car"}))
    return file


def rewritten(file: Path, change: Callable[[Record], Record]) -> Path:
    """A copy of a picture that says something else of itself."""
    other = file.with_name("other.png")
    data = file.read_bytes()
    other.write_bytes(with_text(data, texts_of(change(read_record(data)))))
    return other


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of pictures that were made beside each other, by as many threads as a workshop takes."""
    folder = tmp_path_factory.mktemp("pictures")
    known: Registry = load(folder / "models", folder / "loras", folder / "models.toml")
    steps = {3: [Upscale(scale=1.5), Refine(strength=0.5), CorrectColour()]}
    starts = {1: InitImage(blob=hashlib.sha256(START).hexdigest(), strength=0.6)}
    blobs = BlobsWithFiles(folder / "blobs", [start_file(folder)])
    jobs = [
        Job(
            pixels=PixelSpec(
                seed=seed,
                steps=4 + seed,
                post=steps.get(seed, []),
                init_image=starts.get(seed),
                **POCKET_PIXELS,
            ),
            index=seed,
            image_id=f"gen_batch_1_{seed:06d}",
            **POCKET,
        )
        for seed in range(4)
    ]

    async def make() -> list[Rendering]:
        engine = DiffusersEngine("cpu", 1, folder / "run")
        orders = [await load_sources(blobs, order_with_stages(job, known)) for job in jobs]
        async with engine.open(), asyncio.timeout(50):
            return await asyncio.gather(
                *(engine.generate(order, lambda step, steps: None, lambda: False) for order in orders)
            )

    files: list[Path] = []
    for job, made in zip(jobs, asyncio.run(make()), strict=True):
        file = folder / f"{job.pixels.seed}.png"
        file.write_bytes(with_text(made.data, texts_of(record_for(job, made))))
        files.append(file)
    return files


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def said(home: Home, file: Path, *flags: str) -> tuple[int, dict[str, Any]]:
    done = home.run("rerun", str(file), "--json", *flags, BOTTEGA_DEVICE="cpu", BOTTEGA_TORCH_THREADS="2")
    return done.returncode, json.loads(done.stdout)


def test_a_picture_made_in_company_is_made_again_bit_for_bit_from_its_file(
    home: Home, pictures: list[Path], tmp_path: Path
):
    crowded = [
        file for file in pictures if any(room > 1 for room, _ in read_record(file.read_bytes()).pixels.buckets.denoise)
    ]
    assert crowded
    status, answer = said(home, crowded[0], "--out", str(tmp_path / "again.png"))
    assert (status, answer["verdict"], answer["largest"], answer["reasons"]) == (0, "identical", 0, [])
    assert (tmp_path / "again.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_of_several_stages_is_made_again_with_all_of_them(home: Home, pictures: list[Path], tmp_path: Path):
    record = read_record(pictures[3].read_bytes())
    assert (record.width, record.pixels.width, record.pixels.height) == (192, 128, 128)
    status, answer = said(home, pictures[3])
    assert (status, answer["verdict"], answer["reasons"]) == (0, "identical", [])


def test_a_picture_made_from_another_is_made_again_where_that_is_named_and_refused_with_its_name_where_it_is_gone(
    home: Home, pictures: list[Path], tmp_path: Path
):
    status, answer = said(home, pictures[1])
    assert (status, answer["error"]["code"], answer["error"]["path"]) == (
        2,
        "pixels_missing",
        "$.job.pixels.init_image",
    )
    assert hashlib.sha256(START).hexdigest() in answer["error"]["message"]
    assert "--source" in answer["error"]["hint"]
    status, answer = said(home, pictures[1], "--source", str(start_file(tmp_path)))
    assert (status, answer["verdict"]) == (0, "identical")


def test_another_picture_than_the_file_says_has_drifted_and_exits_with_1(home: Home, pictures: list[Path]):
    other = rewritten(
        pictures[0],
        lambda record: msgspec.structs.replace(
            record, pixels=msgspec.structs.replace(record.pixels, seed=99), model_version="0123abcd"
        ),
    )
    status, answer = said(home, other)
    assert (status, answer["verdict"]) == (1, "drifted")
    assert any("weights: was 0123abcd" in reason for reason in answer["reasons"])
    assert not any("threads" in reason for reason in answer["reasons"])


def test_a_person_sees_how_far_it_is(home: Home, pictures: list[Path]):
    done = home.run("rerun", str(pictures[0]), BOTTEGA_DEVICE="cpu")
    assert done.stdout.startswith("identical")
    first, *steps = done.stderr.splitlines()
    assert first == f"making {pictures[0].name} again with pocket …"
    assert [line.split(" · ")[1] for line in steps] == [f"step {step}/4" for step in (1, 2, 3, 4)]


def test_a_disk_without_room_for_the_new_picture_is_told_with_where_the_old_one_is(home: Home, pictures: list[Path]):
    status, answer = said(home, pictures[0], "--out", "/dev/full")
    assert (status, answer["error"]["code"]) == (2, "disk_full")
    assert answer["error"]["message"].startswith("/dev/full: No space left on device; the picture of ")
    assert answer["error"]["message"].endswith(f" is in {pictures[0]} as it was")


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_a_file_that_does_not_say_how_it_was_made_is_bad_input(home: Home, tmp_path: Path, content: bytes):
    (tmp_path / "stranger.png").write_bytes(content)
    status, answer = said(home, tmp_path / "stranger.png")
    assert status == 2
    assert "stranger.png" in answer["error"]["message"]
    assert answer["error"]["hint"]


def test_a_providers_picture_cannot_be_made_again(home: Home, pictures: list[Path]):
    other = rewritten(pictures[0], lambda record: msgspec.structs.replace(record, provider="openai"))
    status, answer = said(home, other)
    assert status == 2
    assert "openai" in answer["error"]["message"]


def test_a_model_that_is_not_here_is_named(home: Home, pictures: list[Path]):
    other = rewritten(
        pictures[0],
        lambda record: msgspec.structs.replace(
            record, pixels=msgspec.structs.replace(record.pixels, model="base_sdxl")
        ),
    )
    status, answer = said(home, other)
    assert status == 2
    assert answer["error"]["code"] == "not_installed"


@pytest.mark.parametrize(
    ("change", "verdict"), [(0, "identical"), (1, "same to tolerance"), (2, "same to tolerance"), (3, "drifted")]
)
def test_the_largest_difference_of_a_pixel_decides(change: int, verdict: str):
    before = np.full((4, 4, 3), 100, dtype=np.uint8)
    now = before.copy()
    now[1, 2, 0] -= change
    found, changed, largest = compare(before, now)
    assert (found, largest) == (verdict, change)
    assert changed == pytest.approx(bool(change) / 48)


def test_another_size_has_drifted():
    found = compare(np.zeros((4, 4, 3), dtype=np.uint8), np.zeros((4, 5, 3), dtype=np.uint8))
    assert found == ("drifted", None, None)


def test_reasons_name_what_is_not_as_it_was(pictures: list[Path]):
    record = read_record(pictures[0].read_bytes())
    same = Rendering(
        data=b"",
        media_type="image/png",
        width=1,
        height=1,
        seconds=0.0,
        provider="local",
        device="cpu",
        model_version=record.model_version,
        versions=record.versions,
    )
    assert "processor" in differences_of(record, same)[0]
    changed = msgspec.structs.replace(
        record,
        versions={"torch": "1.0", "threads": "3", "compile": "inductor"},
        device="cuda:0",
        pixels=msgspec.structs.replace(record.pixels, buckets=None),
    )
    told = "; ".join(differences_of(changed, same))
    assert "torch: was 1.0" in told
    assert "threads: was 3, is 1" in told
    assert "compile: was inductor, is not known" in told
    assert "device: was cuda:0, is cpu" in told
    assert "sizes of the model calls" in told


@pytest.mark.parametrize(("said", "threads"), [("3", 3), ("99999", 5), ("9999", 256), ("-1", 5), ("two", 5), (None, 5)])
def test_a_picture_is_made_again_by_as_many_threads_as_its_file_says_within_reason_and_else_as_the_setting_says(
    pictures: list[Path], said: str | None, threads: int
):
    record = read_record(pictures[0].read_bytes())
    assert threads_of(record, otherwise=5) == 1
    versions = {} if said is None else {"threads": said}
    assert threads_of(msgspec.structs.replace(record, versions=versions), otherwise=5) == threads


def test_the_job_of_a_record_has_its_buckets(pictures: list[Path]):
    record = read_record(pictures[0].read_bytes())
    assert job_of(record).pixels.buckets == record.pixels.buckets
