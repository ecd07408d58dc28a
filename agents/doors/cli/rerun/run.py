"""`bottega rerun`: make a picture again from its own file, and say whether it is the same. Needs no workshop; one
that runs is asked first, because its models are loaded."""

import asyncio
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from agents.doors.cli.copies import report_unwritable
from agents.doors.cli.errors import ALL_STORED, SOME_FAILED, bad_input
from agents.doors.cli.rerun.bounds import find_excess
from agents.doors.cli.rerun.source_files import BlobsWithFiles
from agents.doors.cli.rerun.warm import has_warm_workshop, is_remade
from agents.doors.cli.settings import load_settings
from agents.doors.cli.terminal.console import open_console
from agents.doors.cli.terminal.steps import show_steps
from agents.generator.device.tuning import tuning_from_versions
from agents.generator.engine import OnProgress, Rendering
from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.orders.order import Order
from agents.generator.orders.post_stages import order_with_stages
from agents.generator.orders.source_images import load_source_images
from agents.generator.registry import registry
from agents.shared.picture import MAX_BYTES, Undecodable
from agents.shared.sandbox.pool import PARSERS
from agents.shared.settings import Settings
from agents.storage.filing import read_record
from agents.storage.png import BrokenPng, without_text
from agents.storage.record import Record
from bus.blobs import Blobs
from bus.durable_files import replace_file
from protocol.codec import encode
from protocol.errors import AcpError
from protocol.messages import Job

Frames = NDArray[np.uint8]
"""Shape (frames, height, width, 3); one frame of a still picture."""

TOLERANCE = 2
"""Levels of 255 by which sums in another order changed a pixel at most, in all measurements."""

MAX_THREADS = 256
"""Threads that a picture's file may ask for."""

Verdict = Literal["identical", "same to tolerance", "drifted"]


class Rerun(Struct, frozen=True, kw_only=True):
    """What `bottega rerun --json` prints. `changed` is the share of values of pixels that differ, `largest` the largest
    difference in levels of 255; null where the sizes differ. `reasons` say what is not as it was. `by_workshop` is true
    where the running workshop made it."""

    image: str
    verdict: Verdict
    changed: float | None
    largest: int | None
    reasons: list[str]
    seconds: float
    path: str | None = None
    by_workshop: bool = False


def rerun(image: Path, out: Path | None, sources: Sequence[Path], json: bool) -> int:
    """Make the picture in `image` again, write it to `out` if that is given, and print what became of it. Pictures
    that it was made from are in the blob store or among `sources`.

    Raises:
        Failure: the file is not a picture of this program, or one that it was made from is missing.
        AcpError: the model is not here, or the device is taken.
    """
    record, before, filed = _read_picture(image)
    settings = load_settings()
    started = time.perf_counter()
    told = f"making {image.name} again with {record.pixels.model}"
    with show_steps(open_console(stderr=True), told, silent=json) as progressed:
        by_workshop = has_warm_workshop(settings) and asyncio.run(
            is_remade(settings, job_of(record), record.device, filed)
        )
        if by_workshop:
            data, now, reasons = filed, before, list[str]()
        else:
            rendering = asyncio.run(_render_again(settings, record, sources, progressed))
            data, now, reasons = rendering.data, _frames_of(rendering.data), differences_of(record, rendering)
    seconds = time.perf_counter() - started
    verdict, changed, largest = compare(before, now)
    if out is not None:
        with report_unwritable(out, kept=f"the picture of {record.batch} is in {image} as it was"):
            _write_picture(out, data)
    said = Rerun(
        image=str(image),
        verdict=verdict,
        changed=changed,
        largest=largest,
        reasons=[] if verdict == "identical" else reasons,
        seconds=seconds,
        path=None if out is None else str(out),
        by_workshop=by_workshop,
    )
    sys.stdout.write(encode(said).decode() + "\n" if json else _format_result(said))
    return SOME_FAILED if verdict == "drifted" else ALL_STORED


def job_of(record: Record) -> Job:
    """The job that makes the picture of a record, in calls of the same sizes."""
    return Job(
        hash=record.batch,
        client_id=record.client,
        index=record.index,
        attempt=record.attempt,
        image_id=record.image_id,
        pixels=record.pixels,
        platform=record.platform,
    )


def compare(before: Frames, now: Frames) -> tuple[Verdict, float | None, int | None]:
    """The verdict, the share of values that differ, and the largest difference in levels of 255."""
    if before.shape != now.shape:
        return "drifted", None, None
    difference = np.abs(before.astype(np.int16) - now.astype(np.int16))
    largest = int(difference.max(initial=0))
    verdict = "identical" if largest == 0 else "same to tolerance" if largest <= TOLERANCE else "drifted"
    return verdict, float((difference > 0).mean()), largest


def differences_of(record: Record, rendering: Rendering) -> list[str]:
    """What is not as it was when the picture was made."""
    found = [
        f"{what}: was {then or 'not known'}, is {now or 'not known'}"
        for what, then, now in (
            ("weights", record.model_version, rendering.model_version),
            *(
                (name, record.versions.get(name), rendering.versions.get(name))
                for name in sorted({*record.versions, *rendering.versions})
            ),
            ("device", record.device, rendering.device),
        )
        if then != now
    ]
    if record.pixels.buckets is None:
        found.append("the sizes of the model calls are not known")
    return found or ["weights, libraries, device and the number of CPU threads are the same; the processor may differ"]


def threads_of(record: Record, *, otherwise: int) -> int:
    """CPU threads that made a picture, since with another number the last bits differ; `otherwise` where that is not
    known."""
    said = record.versions.get("threads", "")
    return min(int(said), MAX_THREADS) if re.fullmatch("[0-9]{1,4}", said) else otherwise


async def _render_again(settings: Settings, record: Record, given: Sequence[Path], progressed: OnProgress) -> Rendering:
    known = registry.load(settings.models, settings.loras, settings.home / "models.toml")
    on_cpu = record.device == "cpu"
    with tempfile.TemporaryDirectory() as folder:
        # A CPU is shared with a workshop that runs, any other device has to be free.
        run = Path(folder) if on_cpu else settings.home / "run"
        threads = threads_of(record, otherwise=settings.torch_threads)
        tuning = tuning_from_versions(record.versions, settings.offload)
        engine = DiffusersEngine("cpu" if on_cpu else settings.device, threads, run, tuning)
        async with engine.open():
            ready = await _load_sources(BlobsWithFiles(settings.blobs, given), order_with_stages(job_of(record), known))
            return await engine.generate(ready, progressed, lambda: False)


async def _load_sources(blobs: Blobs, order: Order) -> Order:
    try:
        return await load_source_images(blobs, order)
    except AcpError as error:
        if error.code != "pixels_missing":
            raise
        raise bad_input(
            error.body.message,
            code=error.code,
            path=error.body.path,
            hint="name it, whether it was brought or made here: bottega rerun IMAGE --source FILE",
        ) from error


def _read_picture(image: Path) -> tuple[Record, Frames, bytes]:
    """What a file says of its picture, the picture, and the bytes that it was filed from."""
    try:
        with image.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        # First of all, so that a file of too many chunks is refused before anything else goes through them.
        pixels = _frames_of(data)
        record, filed = read_record(data), without_text(data)
    except OSError as error:
        raise bad_input(f"{image} cannot be read: {error.strerror}", path=str(image)) from error
    except RecursionError:
        raise bad_input(
            f"{image} does not say how it was made: it is nested too deeply",
            hint="give a PNG file of this workshop's pictures",
        ) from None
    except (BrokenPng, msgspec.MsgspecError, Undecodable, ValueError) as error:
        raise bad_input(
            f"{image} does not say how it was made: {error}", hint="give a PNG file of this workshop's pictures"
        ) from error
    if (excess := find_excess(record.pixels)) is not None:
        raise bad_input(
            f"{image} asks for more than a command may: {excess}", hint="give a file as this workshop wrote it"
        )
    if record.provider != "local":
        raise bad_input(
            f"{image} was made by {record.provider}, not by a model of this workshop",
            hint="only local models make a picture again from its seed",
        )
    return record, pixels, filed


def _frames_of(data: bytes) -> Frames:
    found = PARSERS.parse_blocking(data, "frames")
    return found.rgb.reshape(found.frames, found.height, found.width, 3)


def _write_picture(target: Path, data: bytes) -> None:
    """Write a file whole or not at all; what is no file, such as a pipe, is written to as it is."""
    if target.exists() and not target.is_file():
        target.write_bytes(data)
    else:
        replace_file(target.resolve(), data)


def _format_result(said: Rerun) -> str:
    much = "" if not said.largest or said.changed is None else f", {said.changed:.1%} by up to {said.largest} of 255"
    lines = [
        f"{said.verdict}{much}  ({said.seconds:.1f} s{', by the running workshop' if said.by_workshop else ''})",
        *(f"  {reason}" for reason in said.reasons),
    ]
    return "\n".join([*lines, *([f"  {said.path}"] if said.path else [])]) + "\n"
