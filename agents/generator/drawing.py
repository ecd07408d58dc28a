# pyright: basic
"""One picture by the plain diffusers pipeline, in the device's thread: stoppable between steps, timed by stage."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import diffusers
import numpy as np
import torch

from agents.generator.device import Gauge
from agents.generator.engine import Progressed, Stop, Stopped
from agents.generator.failures import withheld
from agents.generator.orders import Order
from agents.generator.pipelines import Resident


@dataclass(frozen=True)
class Drawing:
    """Pixels from 0 to 1, float32, shape (height, width, 3), and what was measured while they were made."""

    pixels: np.ndarray
    stages: dict[str, float]
    peak_memory: int | None
    gpu_util: float | None


def draw(resident: Resident, order: Order, progressed: Progressed, stop: Stop) -> Drawing:
    """Run the pipeline for one order. The noise is drawn on the CPU from the order's seed alone.

    Raises:
        Stopped: `stop` said so between two steps.
        AcpError: the model's safety checker withheld the picture.
    """
    job, model, pipeline = order.job, order.model, resident.pipeline
    scheduler = getattr(diffusers, order.scheduler.name)
    # A new one each time: a scheduler keeps the history of its picture.
    pipeline.scheduler = scheduler.from_config(resident.scheduler, **order.scheduler.options)
    resident.adapters.use(order.adapters)
    clock = _Clock(pipeline.device)
    gauge = Gauge(pipeline.device)

    def after_step(running: Any, step: int, _timestep: Any, state: dict[str, Any]) -> dict[str, Any]:
        steps = getattr(running, "num_timesteps", job.steps)
        progressed(step, steps)
        gauge.sample()
        if step + 1 >= steps:
            clock.mark("denoise")
        elif stop():
            raise Stopped
        return state

    options: dict[str, Any] = {}
    if model.negative_prompt and job.prompt.negative:
        options["negative_prompt"] = job.prompt.negative
    with clock.watching(getattr(pipeline, "transformer", None) or pipeline.unet):
        result = pipeline(
            prompt=job.prompt.text,
            width=job.width,
            height=job.height,
            num_inference_steps=job.steps,
            guidance_scale=job.guidance,
            generator=torch.Generator("cpu").manual_seed(job.seed),
            output_type="np",
            callback_on_step_end=after_step,
            **options,
        )
    clock.mark("decode")
    if any(getattr(result, "nsfw_content_detected", None) or ()):
        raise withheld(model)
    return Drawing(
        pixels=result.images[0],
        stages=clock.stages,
        peak_memory=gauge.peak_memory,
        gpu_util=gauge.utilisation,
    )


class _Clock:
    """Seconds by stage: encode until the denoiser's first call, denoise until its last step, decode until the end."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._since = time.perf_counter()
        self.stages: dict[str, float] = {}

    def mark(self, stage: str) -> None:
        """End a stage. The device is waited for, because its work is only queued when a call returns."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = time.perf_counter()
        self.stages[stage] = now - self._since
        self._since = now

    @contextmanager
    def watching(self, denoiser: torch.nn.Module) -> Generator[None]:
        """Notice the first call of the denoiser."""

        def on_first_call(*_: object) -> None:
            if "encode" not in self.stages:
                self.mark("encode")

        hook = denoiser.register_forward_pre_hook(on_first_call)
        try:
            yield
        finally:
            hook.remove()
