# pyright: basic
"""One picture by a diffusers pipeline: from an order to pixels."""

from collections.abc import Callable
from typing import Any

import diffusers
import numpy as np
import torch
from numpy.typing import NDArray

from agents.generator.engine import Progressed
from agents.generator.failures import not_finite, withheld
from agents.generator.orders import Order

Pixels = NDArray[np.uint8]
"""Shape (height, width, 3), sRGB."""


def scheduler_for(order: Order, configuration: dict[str, Any]) -> Any:
    """A scheduler of the picture's own, since it keeps the picture's history; `configuration` came with the model."""
    return getattr(diffusers, order.scheduler.name).from_config(configuration, **order.scheduler.options)


def draw(pipeline: Any, order: Order, progressed: Progressed) -> Pixels:
    """Run a pipeline that belongs to this picture. The noise is drawn on the CPU from the order's seed alone.

    Raises:
        AcpError: the model's safety checker withheld the picture, or its pixels are no numbers.
    """
    job, model = order.job, order.model
    options: dict[str, Any] = {}
    if model.negative_prompt and job.prompt.negative:
        options["negative_prompt"] = job.prompt.negative
    result = pipeline(
        prompt=job.prompt.text,
        width=job.width,
        height=job.height,
        num_inference_steps=job.steps,
        guidance_scale=job.guidance,
        generator=torch.Generator("cpu").manual_seed(job.seed),
        # Kandinsky's pipeline scales colours to 0..1 for `np` alone.
        output_type="np" if model.architecture == "kandinsky_3" else "pt",
        callback_on_step_end=_telling(progressed, job.steps),
        **options,
    )
    if any(getattr(result, "nsfw_content_detected", None) or ()):
        raise withheld(model)
    image = result.images[0]
    picture = torch.from_numpy(image) if isinstance(image, np.ndarray) else image.permute(1, 2, 0)
    if not torch.isfinite(picture).all():
        raise not_finite(model, str(picture.device))
    # As diffusers does it (image_processor.py, `numpy_to_pil`), on the device, so that a quarter of the bytes leave it.
    return (picture.float() * 255).round().to(torch.uint8).cpu().numpy()


def _telling(progressed: Progressed, steps: int) -> Callable[..., dict[str, Any]]:
    """A pipeline's callback that tells how far it is."""

    def after_step(running: Any, step: int, _timestep: Any, state: dict[str, Any]) -> dict[str, Any]:
        progressed(step, getattr(running, "num_timesteps", steps))
        return state

    return after_step
