# pyright: basic
"""One picture from its generation to its last step, in its strand: every call of a model or network goes through `ask`,
so it can be stopped, and shared where calls of its kind are."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from agents.generator.device import errors
from agents.generator.images import placement
from agents.generator.images.colour_transfer import matched
from agents.generator.images.placement import Start
from agents.generator.orders.order import Order, Part
from agents.generator.orders.post_stages import SHARED, Enlargement, FaceRestoration, Recolouring, Refinement, Stage
from agents.generator.pipelines.draw import Pixels, draw, scheduler_for
from agents.generator.step_engine.model_calls import ModelCall
from agents.generator.step_engine.model_proxies import Ask, Asked, for_one_picture
from agents.generator.step_engine.regional_prompts import mixture_of
from agents.generator.step_engine.run import Run
from agents.generator.upscale.network import Network, Networks
from agents.generator.upscale.tiles import in_tiles, one_by_one
from protocol.errors import AcpError

TILE, SMALLEST_TILE = 256, 64
"""Pixels of a tile's side before a network enlarges it, about 2 GB of activations at 64 features and a scale of 4; and
where halving it for want of memory ends."""
OVERLAP = 32
"""Pixels that neighbouring tiles share, of which the middle half blends them."""


def made(run: Run, order: Order, pipeline: Any, seen: Sequence[torch.Tensor], ask: Ask, networks: Networks) -> Pixels:
    """The pixels of an order after all of its stages. `pipeline` is the one that generates it, `seen` what each of its
    IP-Adapters sees of the pictures that it follows, also when it is refined.

    Raises:
        AcpError: see `drawing.draw`; or a network does not fit into memory, or cannot be loaded.
    """
    making = _Making(run, order, seen, ask, networks)
    generated = pixels = making.draw(order, pipeline)
    for stage in order.stages:
        run.doing = stage.op
        pixels = making.performed(stage, pixels, generated)
    return pixels


class _Making:
    """The stages of one picture. `_taken` and `_to_come` are denoising steps, the latter those of refinements."""

    def __init__(self, run: Run, order: Order, seen: Sequence[torch.Tensor], ask: Ask, networks: Networks) -> None:
        self._run = run
        self._seen = seen
        self._ask = ask
        self._networks = networks
        self._taken = 0
        self._to_come = sum(stage.steps * stage.drawings for stage in order.stages if stage.op == "refine")

    def draw(self, order: Order, pipeline: Any) -> Pixels:
        """What a pipeline makes, in calls of the order's adapters."""
        run, taken, to_come = self._run, self._taken, self._to_come
        run.order = order

        def progressed(step: int, steps: int) -> None:
            self._taken = taken + step + 1
            run.request.progressed(taken + step, taken + steps + to_come)

        scheduler = scheduler_for(order, run.resident.scheduler)
        own = for_one_picture(pipeline, scheduler, self._ask, mixture_of(order.job))
        return draw(own, order, progressed, self._seen)

    def performed(self, stage: Stage, pixels: Pixels, generated: Pixels) -> Pixels:
        """The picture after a stage."""
        match stage:
            case Refinement():
                return self._refined(stage, pixels)
            case Enlargement():
                return self._enlarged(stage, pixels)
            case Recolouring():
                towards = generated if stage.towards is None else stage.towards
                return self._asked(("colours", pixels.shape), lambda: matched(pixels, towards, stage.strength))
            case FaceRestoration():
                return self._with_faces(stage, pixels)

    def _refined(self, stage: Refinement, pixels: Pixels) -> Pixels:
        numbers = iter(range(stage.drawings))

        def refined(part: Pixels) -> Pixels:
            self._to_come -= stage.steps
            order = replace(stage.of_tile(next(numbers)), start=Start(part, stage.strength))
            return self.draw(order, self._run.resident.variants.pipeline(order))

        job = stage.order.job
        if pixels.shape[:2] == (job.height, job.width):
            return refined(pixels)
        tile = max(job.width, job.height)
        return one_by_one(pixels, tile, tile // SHARED, refined)

    def _enlarged(self, stage: Enlargement, pixels: Pixels) -> Pixels:
        larger = pixels if stage.network is None else self._through(stage.network, pixels)
        if larger.shape[:2] != (stage.height, stage.width):
            key = "lanczos", larger.shape, stage.width, stage.height
            larger = self._asked(key, lambda: _scaled(larger, stage.width, stage.height))
        return larger if stage.strength == 1 else _mixed(pixels, larger, stage.strength)

    def _through(self, part: Part, pixels: Pixels) -> Pixels:
        """A picture through a network, in tiles that become smaller for want of memory."""
        network, tile = self._network(part), TILE
        while True:
            try:
                return in_tiles(pixels, network.scale, tile, OVERLAP, lambda one: self._call(part, network, one))
            except Exception as error:
                if not errors.is_out_of_memory(error):
                    raise
                if tile <= SMALLEST_TILE:
                    raise _too_little_memory(part, tile) from error
                tile //= 2

    def _with_faces(self, stage: FaceRestoration, pixels: Pixels) -> Pixels:
        network = self._network(stage.network)
        for box in stage.faces:
            square = placement.around(box, pixels.shape[1], pixels.shape[0])
            face = placement.cut(pixels, square, network.side)
            try:
                restored = self._call(stage.network, network, face)
            except Exception as error:
                if errors.is_out_of_memory(error):
                    raise _too_little_memory(stage.network, len(face)) from error
                raise
            new = (restored * 255).round().clip(0, 255).astype(np.uint8)
            pixels = placement.faded_in(pixels, new, square, stage.strength)
        return pixels

    def _network(self, part: Part) -> Network:
        return self._asked(("load", part.place), lambda: self._networks.get(part.place))

    def _call(self, part: Part, network: Network, one: Pixels) -> NDArray[np.float32]:
        return self._asked((part.place, one.shape), lambda: network.made(one))

    def _asked(self, key: Any, function: Callable[[], Any]) -> Any:
        """What a function returns, which the device's thread calls in its turn."""
        return self._ask(Asked("enhance", ModelCall(function, {}, 0, key)))


def _scaled(picture: Pixels, width: int, height: int) -> Pixels:
    """By Lanczos, in the colours that the file has, as tools for pictures do."""
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def _mixed(before: Pixels, after: Pixels, strength: float) -> Pixels:
    return np.rint(before * (1 - strength) + after.astype(np.float32) * strength).astype(np.uint8)


def _too_little_memory(part: Part, side: int) -> AcpError:
    return AcpError(
        "out_of_memory",
        f"{part.name} does not fit into the device's memory, even {side}x{side} pixels at a time",
        hint="ask for a smaller network, or lanczos",
    )
