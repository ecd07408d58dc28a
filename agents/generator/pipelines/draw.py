# pyright: basic
"""One picture by a diffusers pipeline: from an order to pixels."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import diffusers
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from agents.generator.device.errors import not_finite_error, withheld_error
from agents.generator.engine import OnProgress
from agents.generator.images import placement
from agents.generator.orders.order import Order
from agents.generator.pipelines.inpaint import Inpainter
from agents.generator.pipelines.prompt_embeddings import embed_prompts
from protocol.errors import Refused
from protocol.prompt_syntax import WEIGHTS, plain_text

Pixels = NDArray[np.uint8]
"""Shape (height, width, 3), sRGB; of a sequence (frames, height, width, 3)."""


def scheduler_for(order: Order, configuration: dict[str, Any]) -> Any:
    """A scheduler of the picture's own, since it keeps the picture's history; `configuration` came with the model."""
    options = dict(order.scheduler.options)
    if order.motion is not None:
        options["beta_schedule"] = order.motion.beta_schedule
    return getattr(diffusers, order.scheduler.name).from_config(configuration, **options)


def draw(pipeline: Any, order: Order, progressed: OnProgress, seen: Sequence[torch.Tensor] = ()) -> Pixels:
    """Run a pipeline that belongs to this picture, scheduler included. The noise is drawn on the CPU from the order's
    seed alone. `seen` is what each IP-Adapter of the order sees of its pictures (`IpAdapters.seen`).

    Raises:
        AcpError: the model's safety checker withheld the picture, or its pixels are no numbers.
    """
    job, model = order.job, order.model
    result = pipeline(
        num_inference_steps=job.pixels.steps,
        output_type=model.family.output_type,
        callback_on_step_end=_step_callback(pipeline, order, progressed),
        **{model.family.guidance_argument: job.pixels.guidance},
        **_prompt_arguments(pipeline, order),
        **_conditioning_arguments(pipeline, order, seen),
    )
    if any(getattr(result, "nsfw_content_detected", None) or ()):
        raise withheld_error(model)
    image = (result.frames if job.pixels.motion else result.images)[0]
    picture = torch.from_numpy(image) if isinstance(image, np.ndarray) else image.movedim(-3, -1)
    if not torch.isfinite(picture).all():
        raise not_finite_error(model, str(picture.device))
    # As diffusers does it (image_processor.py, `numpy_to_pil`), on the device, so that a quarter of the bytes leave it.
    made = (picture.float() * 255).round().to(torch.uint8).cpu().numpy()
    return placement.composite(made, order.start_image) if order.start_image else made


def _prompt_arguments(pipeline: Any, order: Order) -> dict[str, Any]:
    """The words and the noise; with regions a row for each prompt, of the same noise now and at every step."""
    pixels = order.job.pixels
    prompts = [pixels.prompt, *(region.prompt for region in pixels.regions)]
    negative = (pixels.negative_prompt or None) if order.model.negative_prompt else None
    generators = [torch.Generator("cpu").manual_seed(pixels.seed) for _ in prompts]
    if pixels.prompt_syntax == WEIGHTS:
        embeddings = embed_prompts(pipeline, prompts, negative) if order.model.family.reads_weights else None
        if embeddings is not None:
            return embeddings | {"generator": generators if pixels.regions else generators[0]}
        prompts = [plain_text(prompt) for prompt in prompts]
        negative = negative and plain_text(negative)
    rows: dict[str, list[Any]] = {"prompt": prompts, "generator": generators}
    if negative:
        rows["negative_prompt"] = [negative for _ in prompts]
    return rows if pixels.regions else {name: values[0] for name, values in rows.items()}


def _conditioning_arguments(pipeline: Any, order: Order, seen: Sequence[torch.Tensor]) -> dict[str, Any]:
    """What a pipeline is given beside words: the size, and the pictures that the order is made from."""
    job, start = order.job, order.start_image
    options: dict[str, Any] = {"width": job.pixels.width, "height": job.pixels.height}
    if job.pixels.motion is not None:
        options["num_frames"] = job.pixels.motion.frames
    if start is not None:
        image = Image.fromarray(start.rgb)
        options |= {
            "image": [image] * (1 + len(job.pixels.regions)) if job.pixels.regions else image,
            "strength": start.strength,
        }
    if order.controls:
        maps = [Image.fromarray(lines) for lines in order.maps]
        weights, starts, ends = zip(
            *((one.spec.weight, one.spec.start, one.spec.end) for one in order.controls), strict=True
        )
        alone = len(maps) == 1
        options |= {
            "image" if start is None else "control_image": maps[0] if alone else maps,
            "controlnet_conditioning_scale": weights[0] if alone else list(weights),
            "control_guidance_start": list(starts),
            "control_guidance_end": list(ends),
        }
    if seen:
        guided = job.pixels.guidance > 1 and pipeline.unet.config.time_cond_proj_dim is None
        # Without guidance a pipeline takes no row of nothing beside that of the pictures.
        options["ip_adapter_image_embeds"] = [one if guided else one[1:] for one in seen]
    # Some pipelines take the size from the picture that they start from.
    taken = inspect.signature(type(pipeline).__call__).parameters
    return {name: value for name, value in options.items() if name in taken or name not in ("width", "height")}


def _step_callback(pipeline: Any, order: Order, progressed: OnProgress) -> Callable[..., dict[str, Any]]:
    """A pipeline's callback that tells how far it is, and puts back what is to stay."""
    anew = order.start_image.repaint_mask if order.start_image else None
    keeper = None if anew is None else _inpainter(pipeline, order, anew)

    def after_step(running: Any, step: int, timestep: Any, state: dict[str, Any]) -> dict[str, Any]:
        progressed(step, getattr(running, "num_timesteps", order.job.pixels.steps))
        if keeper is not None:
            state["latents"] = keeper.restore_unmasked(step, timestep, state["latents"])
        return state

    return after_step


def _inpainter(pipeline: Any, order: Order, anew: placement.RepaintMask) -> Inpainter:
    stride = order.model.family.latent_stride
    if stride is None:
        raise Refused(
            "not_supported",
            f"{order.model.name} keeps no part of a picture, since its latents do not have the shape of one",
            path="$.job.pixels.init_image.mask",
            hint="leave the mask out",
        )
    return Inpainter(pipeline.scheduler, anew, stride)
