# pyright: basic, reportPrivateImportUsage=false
"""The generator on a GPU: models in full size with random weights, eager and compiled, against a diffusers loop.

    python -m tests.bench.gpu [--section sdxl]... [--seconds 480] [--json FILE] [--tiny] [--device cpu]

Sections: `ceilings` of the device; `sd15`, `sdxl` and `flux`, each with calls of the denoiser by rows (seconds, part of
788 TFLOP/s, knee), equality, and pictures per second. Needs no network and no models. Each section has its share of the
time, and the file is written after each figure, so that a run that is cut off loses none.
"""

import argparse
import gc
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import diffusers
import torch

from agents.generator.device.device import numeric_environment
from agents.generator.device.tuning import DEFAULT_TUNING, Tuning
from agents.generator.orders.order import Order, order_of
from agents.generator.pipelines.resident import ResidentPipelines
from agents.generator.registry import registry
from agents.generator.registry.registry import Registry
from agents.generator.step_engine.flops import peak_flops_of
from agents.shared.settings import Compiler
from protocol.errors import AcpError
from protocol.messages import Job
from protocol.pixels import PixelSpec
from tests.bench.full_size import SUBJECTS, Subject, built
from tests.bench.gpu_measures import FLOOR, Make, ceilings, denoiser, engine, equality, first_call, rates

SECTIONS = ("ceilings", *SUBJECTS)
TINY_SIZE = 64

MFU_GOAL = 0.65
"""Part of `FLOOR` that SDXL at 1024x1024 is to reach compiled."""

RATIO_GOAL = 2.0
"""Times the loop's pictures per second that SDXL at 512x512 is to reach."""


@dataclass
class Report:
    """Figures by section and measure; written to `file` after each."""

    file: Path
    found: dict[str, Any] = field(default_factory=dict[str, Any])

    def note(self, section: str, measure: str, figures: object) -> None:
        """Keep and print what was measured."""
        self.found.setdefault(section, {})[measure] = figures
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps(self.found, indent=2) + "\n")
        print(f"{section} · {measure}: {_readable(figures)}", flush=True)

    def ratios(self) -> list[float]:
        """Of all comparisons with the loop."""
        measures = [figures for section in self.found.values() for figures in section.values()]
        return [figures["ratio"] for figures in measures if isinstance(figures, dict) and "ratio" in figures]


@dataclass(frozen=True)
class Setting:
    """Where and how it is measured. `sizes` are rows of calls, `compiler` null compiles nothing."""

    device: torch.device
    dtype: torch.dtype
    tiny: bool
    known: Registry
    threads: int
    compiler: Compiler | None
    sizes: Sequence[int] = (1, 2, 4, 8, 16)

    @property
    def few(self) -> int:
        """Pictures and steps of a comparison for equality, and of everything that is tiny."""
        return 2 if self.tiny else 4

    def order(self, subject: Subject, number: int, size: int, steps: int) -> Order:
        """A picture of a subject: seed, prompt and guidance by its number."""
        job = Job(
            pixels=PixelSpec(
                prompt=("a red mug", "two green cars", "a small blue fish")[number % 3],
                seed=number,
                width=size,
                height=size,
                steps=steps,
                guidance=subject.guidance + number % 4 if subject.guidance else 0.0,
                sampler=subject.sampler,
                model=subject.model,
            ),
            hash="bench",
            client_id="bench",
            index=number,
            attempt=1,
            image_id=f"bench_{number:06d}",
            platform=subject.platform,
        )
        return order_of(job, self.known)


def measure(name: str, setting: Setting, until: float, report: Report) -> None:
    """One section, until the time `until`."""
    if name == "ceilings":
        report.note(name, "device", ceilings(setting.device, 64 if setting.tiny else 8192))
        return
    subject, started = SUBJECTS[name], time.monotonic()
    pipeline = built(subject, setting.device, setting.dtype, setting.tiny)
    report.note(name, "built_s", time.monotonic() - started)
    sizes = (TINY_SIZE,) if setting.tiny else subject.sizes
    ways = [("eager", DEFAULT_TUNING), *([("compiled", Tuning(compile=setting.compiler))] if setting.compiler else [])]
    for number, (way, tuning) in enumerate(ways):
        pipelines = ResidentPipelines(setting.device, tuning)
        pipelines.add(setting.known.models[subject.model], pipeline)
        with engine(setting.device, setting.threads, pipelines) as make:
            for place, size in enumerate(sizes):
                left = (len(ways) - number) * len(sizes) - place
                share = (until - time.monotonic()) / left
                for what, figures in _of_size(subject, size, pipeline, make, setting, way == "eager", share):
                    report.note(name, f"{way} {size} {what}", figures)


def _of_size(
    subject: Subject, size: int, pipeline: Any, make: Make, setting: Setting, eager: bool, seconds: float
) -> Iterator[tuple[str, object]]:
    """What is measured of pictures of one size, by name, in about so many seconds."""
    few, begun = setting.few, time.monotonic()
    steps, most = (few, few) if setting.tiny else (subject.steps, subject.most)
    call = first_call(pipeline, setting.order(subject, 0, size, steps))
    found = denoiser(call, setting.sizes, setting.device, begun + 0.4 * seconds)
    yield "denoiser", found
    if eager:
        unlike = [setting.order(subject, number, size, few + number) for number in range(few)]
        yield "equality", equality(make, pipeline, unlike)
    one = steps * min((figure["seconds"] for figure in found["calls"]), default=seconds)
    # The loop makes them once, the engine twice.
    affordable = int((begun + seconds - time.monotonic()) / (3 * one))
    orders = [setting.order(subject, number, size, steps) for number in range(max(2, min(most, affordable)))]
    yield "pictures", rates(make, pipeline, orders)


def run(setting: Setting, sections: Sequence[str], seconds: float, report: Report) -> None:
    """All sections, each with an equal share of what time is left."""
    known = numeric_environment(setting.device)
    peak = peak_flops_of(known.get("gpu", ""))
    report.note("machine", "device", known | {"kind": setting.device.type, "peak_flops": peak})
    report.note("machine", "versions", {name: version(name) for name in ("torch", "diffusers")})
    end = time.monotonic() + seconds
    for place, name in enumerate(sections):
        now = time.monotonic()
        if now > end:
            report.note(name, "all", "left out: no time was left")
            continue
        try:
            measure(name, setting, now + (end - now) / (len(sections) - place), report)
        except (AcpError, RuntimeError) as error:
            report.note(name, "failed", " ".join(str(error).split())[:500])
        gc.collect()
        if setting.device.type == "cuda":
            torch.cuda.empty_cache()
    report.note("goals", "reached", goals(report))


def goals(report: Report) -> dict[str, bool | None]:
    """What was aimed at and whether it was reached; null where it was not measured."""
    sdxl = report.found.get("sdxl", {})
    compiled = [call["of_floor"] for call in sdxl.get("compiled 1024 denoiser", {}).get("calls", ())]
    small = sdxl.get("compiled 512 pictures") or sdxl.get("eager 512 pictures")
    ratio = small.get("ratio") if isinstance(small, dict) else None
    ratios = report.ratios()
    large = f"SDXL 1024x1024 compiled: at least {MFU_GOAL:.0%} of {FLOOR / 1e12:.0f} TFLOP/s"
    return {
        large: max(compiled) >= MFU_GOAL if compiled else None,
        f"SDXL 512x512: at least {RATIO_GOAL} times the loop": None if ratio is None else ratio >= RATIO_GOAL,
        "never below the loop": min(ratios) >= 1 if ratios else None,
    }


def _readable(figures: object) -> str:
    match figures:
        case float():
            return f"{figures:.4g}"
        case dict():
            told = ", ".join(f"{name} {_readable(value)}" for name, value in figures.items() if name != "calls")
            return told + "".join(f"\n    {_readable(call)}" for call in figures.get("calls", ()))
        case _:
            return str(figures)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--section", action="append", choices=SECTIONS, help="only these; may be given again")
    parser.add_argument("--seconds", type=float, default=480, help="for all sections together")
    parser.add_argument("--json", type=Path, default=Path(".bench/gpu.json"), help="file of all figures")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="the same classes in the size of tests")
    parser.add_argument("--compiler", choices=(*get_args(Compiler), "none"), default="inductor")
    said = parser.parse_args(arguments)
    device = torch.device(said.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error(f"torch {torch.__version__} finds no CUDA device; try: --tiny --device cpu --compiler eager")
    diffusers.utils.logging.set_verbosity_error()
    nowhere = said.json.parent / "no models"
    setting = Setting(
        device=device,
        dtype=torch.bfloat16 if device.type == "cuda" else torch.float32,
        tiny=said.tiny,
        known=registry.load(nowhere, nowhere, nowhere / "models.toml").with_everything_installed(),
        threads=1 if said.tiny else 0,
        compiler=None if said.compiler == "none" else said.compiler,
        sizes=(1, 2, 4) if said.tiny else (1, 2, 4, 8, 16),
    )
    with torch.no_grad():
        run(setting, said.section or SECTIONS, said.seconds, Report(said.json))


if __name__ == "__main__":
    main()
