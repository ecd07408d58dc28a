# pyright: basic
"""One picture from its generation to its last stage, in its own thread. Every call of a model or network goes through
`ask`, so it can be stopped, and shared where calls of its kind are."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from agents.generator.device import errors
from agents.generator.images import placement
from agents.generator.images.colour_transfer import transfer_colours
from agents.generator.images.placement import StartImage
from agents.generator.orders.order import Order, Weights
from agents.generator.orders.post_stages import (
    OVERLAP_DIVISOR,
    ColourTransfer,
    Enlargement,
    FaceRestoration,
    PostStage,
    Refinement,
)
from agents.generator.pipelines.draw import Pixels, draw, scheduler_for
from agents.generator.step_engine.model_calls import ModelCall
from agents.generator.step_engine.model_proxies import Ask, CallRequest, pipeline_for_one_picture
from agents.generator.step_engine.regional_prompts import regional_prompts_of
from agents.generator.step_engine.run import Run
from agents.generator.upscale.network import Network, NetworkCache
from agents.generator.upscale.tiles import process_in_tiles, repaint_in_tiles
from protocol.errors import AcpError

TILE, MIN_TILE = 256, 64
"""Pixels of a tile's side before a network enlarges it, about 2 GB of activations at 64 features and a scale of 4; and
where halving it for want of memory ends."""
OVERLAP = 32
"""Pixels that neighbouring tiles share, of which the middle half blends them."""


def run_stages(
    run: Run, order: Order, pipeline: Any, seen: Sequence[torch.Tensor], ask: Ask, networks: NetworkCache
) -> Pixels:
    """The pixels of an order after all of its stages. `pipeline` is the one that generates it, `seen` what each of its
    IP-Adapters sees of the pictures that it follows, also when it is refined.

    Raises:
        AcpError: see `drawing.draw`; or a network does not fit into memory, or cannot be loaded.
    """
    making = _StageRunner(run, order, seen, ask, networks)
    generated = pixels = making.draw(order, pipeline)
    for stage in order.stages:
        run.post_stage = stage.op
        pixels = making.run_stage(stage, pixels, generated)
    return pixels


class _StageRunner:
    """Runs the stages of one picture. It counts the denoising steps that were taken, and those of refinements to
    come."""

    def __init__(self, run: Run, order: Order, seen: Sequence[torch.Tensor], ask: Ask, networks: NetworkCache) -> None:
        self._run = run
        self._image_embeds = seen
        self._ask = ask
        self._networks = networks
        self._steps_taken = 0
        self._steps_to_come = sum(stage.steps * stage.drawing_count for stage in order.stages if stage.op == "refine")

    def draw(self, order: Order, pipeline: Any) -> Pixels:
        """What a pipeline makes, in calls of the order's adapters."""
        run, taken, to_come = self._run, self._steps_taken, self._steps_to_come
        run.order = order

        def progressed(step: int, steps: int) -> None:
            self._steps_taken = taken + step + 1
            run.request.on_progress(taken + step, taken + steps + to_come)

        scheduler = scheduler_for(order, run.resident.scheduler)
        own = pipeline_for_one_picture(
            pipeline, order.model.family, scheduler, self._ask, regional_prompts_of(order.job)
        )
        return draw(own, order, progressed, self._image_embeds)

    def run_stage(self, stage: PostStage, pixels: Pixels, generated: Pixels) -> Pixels:
        """The picture after a stage."""
        match stage:
            case Refinement():
                return self._refine(stage, pixels)
            case Enlargement():
                return self._enlarge(stage, pixels)
            case ColourTransfer():
                towards = generated if stage.towards is None else stage.towards
                return self._ask_device(
                    ("colours", pixels.shape), lambda: transfer_colours(pixels, towards, stage.strength)
                )
            case FaceRestoration():
                return self._restore_faces(stage, pixels)

    def _refine(self, stage: Refinement, pixels: Pixels) -> Pixels:
        numbers = iter(range(stage.drawing_count))

        def refined(part: Pixels) -> Pixels:
            self._steps_to_come -= stage.steps
            order = replace(stage.tile_order(next(numbers)), start_image=StartImage(part, stage.strength))
            return self.draw(order, self._run.resident.variants.pipeline_for(order))

        job = stage.order.job
        if pixels.shape[:2] == (job.pixels.height, job.pixels.width):
            return refined(pixels)
        tile = max(job.pixels.width, job.pixels.height)
        return repaint_in_tiles(pixels, tile, tile // OVERLAP_DIVISOR, refined)

    def _enlarge(self, stage: Enlargement, pixels: Pixels) -> Pixels:
        larger = pixels if stage.network is None else self._run_network(stage.network, pixels)
        if larger.shape[:2] != (stage.height, stage.width):
            key = "lanczos", larger.shape, stage.width, stage.height
            larger = self._ask_device(key, lambda: _scale(larger, stage.width, stage.height))
        return larger if stage.strength == 1 else _mix(pixels, larger, stage.strength)

    def _run_network(self, part: Weights, pixels: Pixels) -> Pixels:
        """A picture through a network, in tiles that become smaller for want of memory."""
        network, tile = self._get_network(part), TILE
        while True:
            try:
                return process_in_tiles(
                    pixels, network.scale, tile, OVERLAP, lambda one: self._call_network(part, network, one)
                )
            except Exception as error:
                if not errors.is_out_of_memory(error):
                    raise
                if tile <= MIN_TILE:
                    raise _too_little_memory_error(part, tile) from error
                tile //= 2

    def _restore_faces(self, stage: FaceRestoration, pixels: Pixels) -> Pixels:
        network = self._get_network(stage.network)
        for box in stage.faces:
            square = placement.face_square(box, pixels.shape[1], pixels.shape[0])
            face = placement.crop_square(pixels, square, network.side)
            try:
                restored = self._call_network(stage.network, network, face)
            except Exception as error:
                if errors.is_out_of_memory(error):
                    raise _too_little_memory_error(stage.network, len(face)) from error
                raise
            new = (restored * 255).round().clip(0, 255).astype(np.uint8)
            pixels = placement.blend_square(pixels, new, square, stage.strength)
        return pixels

    def _get_network(self, part: Weights) -> Network:
        return self._ask_device(("load", part.path), lambda: self._networks.get(part.path))

    def _call_network(self, part: Weights, network: Network, one: Pixels) -> NDArray[np.float32]:
        return self._ask_device((part.path, one.shape), lambda: network.apply(one))

    def _ask_device(self, key: Any, function: Callable[[], Any]) -> Any:
        """What a function returns, which the device's thread calls in its turn."""
        return self._ask(CallRequest("enhance", ModelCall(function, {}, 0, key)))


def _scale(picture: Pixels, width: int, height: int) -> Pixels:
    """By Lanczos, in the colours that the file has, as tools for pictures do."""
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def _mix(before: Pixels, after: Pixels, strength: float) -> Pixels:
    return np.rint(before * (1 - strength) + after.astype(np.float32) * strength).astype(np.uint8)


def _too_little_memory_error(part: Weights, side: int) -> AcpError:
    return AcpError(
        "out_of_memory",
        f"{part.name} does not fit into the device's memory, even {side}x{side} pixels at a time",
        hint="ask for a smaller network, or lanczos",
    )
