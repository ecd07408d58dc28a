"""Pictures that a job is made from: from blobs to pixels of its size. A job carries their hashes alone."""

import asyncio
from dataclasses import replace

from agents.generator.control.map_checks import is_map
from agents.generator.control.maps import TOOL_FOR_MAP, prepare_map
from agents.generator.images import placement
from agents.generator.images.placement import StartImage
from agents.generator.orders.order import ControlModel, Order
from agents.generator.orders.post_stages import ColourTransfer, PostStage
from agents.generator.orders.reference_images import load_pixels
from agents.shared.picture import Rgb
from bus.blobs import Blobs
from protocol.errors import AcpError
from protocol.messages import Job


async def load_source_images(blobs: Blobs, order: Order) -> Order:
    """The order with the pixels of its job's pictures.

    Raises:
        AcpError: a blob is not there, which may work later; or it is no picture, or does not fit.
    """
    job = order.job
    stages = tuple([await _with_target_picture(blobs, stage) for stage in order.stages])
    encoders = {position: adapter.encoder for adapter in order.ip_adapters for position in adapter.prompt_positions}
    maps = [await _load_map(blobs, job, position, control) for position, control in enumerate(order.controls)]
    return replace(
        order,
        start_image=await _load_start_image(blobs, job),
        maps=tuple(one for one, _ in maps),
        missing_maps=frozenset(position for position, (_, made) in enumerate(maps) if not made),
        references=tuple(
            [
                await load_pixels(blobs, one.blob, f"$.job.pixels.image_prompts[{position}]", encoders.get(position))
                for position, one in enumerate(job.pixels.image_prompts)
            ]
        ),
        stages=stages,
    )


async def _with_target_picture(blobs: Blobs, stage: PostStage) -> PostStage:
    """A stage with the picture whose colours are taken."""
    if isinstance(stage, ColourTransfer) and stage.blob is not None:
        return replace(
            stage, towards=await load_pixels(blobs, stage.blob, f"$.job.pixels.post[{stage.position}].towards")
        )
    return stage


async def _load_start_image(blobs: Blobs, job: Job) -> StartImage | None:
    said = job.pixels.init_image
    if said is None:
        return None
    rgb = await load_pixels(blobs, said.blob, "$.job.pixels.init_image")
    if said.box is not None:
        left, top, width, height = said.box
        try:
            lying, anew = placement.pad_to_size(rgb, (left, top, width, height), job.pixels.width, job.pixels.height)
        except ValueError as error:
            raise AcpError("invalid_value", str(error), path="$.job.pixels.init_image.box") from error
        return StartImage(lying, said.strength, anew)
    filling = await asyncio.to_thread(placement.fit_to_size, rgb, job.pixels.width, job.pixels.height)
    if said.mask is None:
        return StartImage(filling, said.strength)
    mask = await load_pixels(blobs, said.mask, "$.job.pixels.init_image.mask")
    return StartImage(filling, said.strength, placement.repaint_mask_of(mask, job.pixels.width, job.pixels.height))


async def _load_map(blobs: Blobs, job: Job, position: int, control: ControlModel) -> tuple[Rgb, bool]:
    """The map that a ControlNet follows, and true; or the picture that its annotator has to make one of."""
    said, path = control.spec, f"$.job.pixels.controls[{position}]"
    rgb = await load_pixels(blobs, said.blob, path)
    filling = await asyncio.to_thread(placement.fit_to_size, rgb, job.pixels.width, job.pixels.height)
    if said.preprocessed:
        return filling, True
    if control.annotator is not None:
        return filling, await asyncio.to_thread(is_map, said.kind, filling)
    try:
        return (await asyncio.to_thread(prepare_map, said.kind, filling))[0], True
    except ValueError as error:
        raise AcpError(
            "invalid_value",
            str(error),
            path=path,
            hint='give a map, with "preprocessed": true; '
            f"or bottega models pull {TOOL_FOR_MAP[said.kind]}, and restart",
        ) from error
