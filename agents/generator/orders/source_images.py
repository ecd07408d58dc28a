"""Pictures that a job is made from: from blobs to pixels of its size. A job carries their hashes alone."""

import asyncio
from dataclasses import replace

from agents.generator.control.map_checks import is_map
from agents.generator.control.maps import SEEN_BY, prepared
from agents.generator.images import placement
from agents.generator.images.placement import Start
from agents.generator.orders.order import ControlModel, Order
from agents.generator.orders.post_stages import Recolouring, Stage
from agents.generator.orders.reference_images import pixels
from agents.shared.picture import Rgb
from bus.blobs import Blobs
from protocol.errors import AcpError
from protocol.messages import Job


async def load(blobs: Blobs, order: Order) -> Order:
    """The order with the pixels of its job's pictures.

    Raises:
        AcpError: a blob is not there, which may work later; or it is no picture, or does not fit.
    """
    job = order.job
    stages = tuple([await _matched(blobs, stage) for stage in order.stages])
    encoders = {position: adapter.encoder for adapter in order.ip_adapters for position in adapter.pictures}
    maps = [await _map(blobs, job, position, control) for position, control in enumerate(order.controls)]
    return replace(
        order,
        start=await _start(blobs, job),
        maps=tuple(one for one, _ in maps),
        unmade=frozenset(position for position, (_, made) in enumerate(maps) if not made),
        references=tuple(
            [
                await pixels(blobs, one.blob, f"$.job.image_prompts[{position}]", encoders.get(position))
                for position, one in enumerate(job.image_prompts)
            ]
        ),
        stages=stages,
    )


async def _matched(blobs: Blobs, stage: Stage) -> Stage:
    """A stage with the picture whose colours are taken."""
    if isinstance(stage, Recolouring) and stage.blob is not None:
        return replace(stage, towards=await pixels(blobs, stage.blob, f"$.job.post[{stage.position}].towards"))
    return stage


async def _start(blobs: Blobs, job: Job) -> Start | None:
    said = job.init_image
    if said is None:
        return None
    rgb = await pixels(blobs, said.blob, "$.job.init_image")
    if said.box is not None:
        left, top, width, height = said.box
        try:
            lying, anew = placement.placed(rgb, (left, top, width, height), job.width, job.height)
        except ValueError as error:
            raise AcpError("invalid_value", str(error), path="$.job.init_image.box") from error
        return Start(lying, said.strength, anew)
    filling = await asyncio.to_thread(placement.filling, rgb, job.width, job.height)
    if said.mask is None:
        return Start(filling, said.strength)
    mask = await pixels(blobs, said.mask, "$.job.init_image.mask")
    return Start(filling, said.strength, placement.anew_by(mask, job.width, job.height))


async def _map(blobs: Blobs, job: Job, position: int, control: ControlModel) -> tuple[Rgb, bool]:
    """The map that a ControlNet follows, and true; or the picture that its annotator has to make one of."""
    said, path = control.said, f"$.job.controls[{position}]"
    rgb = await pixels(blobs, said.blob, path)
    filling = await asyncio.to_thread(placement.filling, rgb, job.width, job.height)
    if said.preprocessed:
        return filling, True
    if control.annotator is not None:
        return filling, await asyncio.to_thread(is_map, said.kind, filling)
    try:
        return (await asyncio.to_thread(prepared, said.kind, filling))[0], True
    except ValueError as error:
        raise AcpError(
            "invalid_value",
            str(error),
            path=path,
            hint=f'give a map, with "preprocessed": true; or bottega models pull {SEEN_BY[said.kind]}, and restart',
        ) from error
