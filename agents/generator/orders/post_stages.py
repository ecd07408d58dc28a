"""Stages after the generation of a picture: from the steps of a job to what an engine can carry out, or to a refusal
that says what to do. Pure module."""

import hashlib
from dataclasses import dataclass, replace
from typing import Literal

from msgspec.structs import replace as changed

from agents.generator.orders.order import Order, order_of
from agents.generator.registry.registry import Registry
from agents.generator.registry.weights import Weights
from agents.generator.upscale.tiles import spans
from agents.shared.picture import Rgb
from protocol.catalogue import Blob
from protocol.errors import Refused
from protocol.ids import MAX_SEED
from protocol.messages import Job
from protocol.nearest import nearest
from protocol.post import (
    LANCZOS,
    CorrectColour,
    FaceBox,
    PostStep,
    Refine,
    RemoveArtefacts,
    RestoreFaces,
    Upscale,
    size_after,
)
from protocol.words import refined_spec

OVERLAP_DIVISOR = 8
"""Tiles share a part of their side with the next: one in so many."""


@dataclass(frozen=True)
class Enlargement:
    """The picture through a network and then to a size in pixels; `network` is null where Lanczos does it alone.
    `strength` is how much of what came out is taken, where the size stays."""

    op: Literal["upscale", "artefact_removal"]
    width: int
    height: int
    network: Weights | None
    strength: float = 1.0

    @property
    def weights(self) -> tuple[Weights, ...]:
        """See `Order.weights`."""
        return (self.network,) if self.network else ()


@dataclass(frozen=True)
class Refinement:
    """The picture denoised again from noise of `strength`, whole or in tiles of the order's size, each of them a
    drawing of `steps` steps."""

    order: Order
    strength: float
    steps: int
    drawing_count: int = 1
    position: int = 0
    op: Literal["refine"] = "refine"

    @property
    def weights(self) -> tuple[Weights, ...]:
        """See `Order.weights`."""
        return self.order.weights

    def tile_order(self, number: int) -> Order:
        """The order of a tile, by its number from 0, with noise of its own."""
        if not number:
            return self.order
        job = self.order.job
        return replace(self.order, job=job.with_pixels(seed=seed_of(job.pixels.seed, self.position, number)))


@dataclass(frozen=True)
class ColourTransfer:
    """The picture with the colours of another, which is the generated one where `blob` is null."""

    strength: float
    blob: Blob | None
    position: int
    towards: Rgb | None = None
    op: Literal["colour_correct"] = "colour_correct"

    @property
    def weights(self) -> tuple[Weights, ...]:
        """See `Order.weights`."""
        return ()


@dataclass(frozen=True)
class FaceRestoration:
    """Faces through a network, each alone."""

    network: Weights
    faces: tuple[FaceBox, ...]
    strength: float
    op: Literal["face_restore"] = "face_restore"

    @property
    def weights(self) -> tuple[Weights, ...]:
        """See `Order.weights`."""
        return (self.network,)


PostStage = Enlargement | Refinement | ColourTransfer | FaceRestoration


def order_with_stages(job: Job, registry: Registry) -> Order:
    """What is to be made, with all that follows.

    Raises:
        Refused: something that a step names is not known or not installed; or see `orders.order`.
        AcpError: see `orders.order`.
    """
    stages = tuple(_post_stage(step, position, job, registry) for position, step in enumerate(job.pixels.post))
    return replace(order_of(job, registry), stages=stages)


def seed_of(seed: int, position: int, tile: int = 0) -> int:
    """The seed of a refinement, from the picture's, the place of its step from 0, and its tile's number: another one
    than the picture's, since noise that was taken out already would come back."""
    digest = hashlib.blake2b(f"{seed}/{position}/{tile}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) & MAX_SEED


def _post_stage(step: PostStep, position: int, job: Job, registry: Registry) -> PostStage:
    width, height = size_after(job.pixels.post[:position], job.pixels.width, job.pixels.height)
    path = f"$.job.pixels.post[{position}]"
    match step:
        case Upscale():
            network = None if step.model == LANCZOS else _network_weights(step.model, registry, path)
            width, height = size_after([step], width, height)
            return Enlargement("upscale", width, height, network)
        case RemoveArtefacts():
            network = _network_weights(step.model, registry, path)
            return Enlargement("artefact_removal", width, height, network, step.strength)
        case Refine():
            return _refinement(step, position, (width, height), job, registry)
        case CorrectColour():
            return ColourTransfer(step.strength, step.towards.blob if step.towards else None, position)
        case RestoreFaces():
            return FaceRestoration(_network_weights(step.model, registry, path), tuple(step.faces), step.strength)


def _refinement(step: Refine, position: int, size: tuple[int, int], job: Job, registry: Registry) -> Refinement:
    steps, tile = step.steps or job.pixels.steps, step.tile
    width, height = size if tile is None else (min(tile, size[0]), min(tile, size[1]))
    across, down = (1 if tile is None else len(spans(side, tile, tile // OVERLAP_DIVISOR)) for side in size)
    pixels = changed(
        refined_spec(job.pixels, step),
        seed=seed_of(job.pixels.seed, position),
        width=width,
        height=height,
        steps=steps,
        guidance=job.pixels.guidance if step.guidance is None else step.guidance,
        loras=job.pixels.loras if step.loras is None else step.loras,
        init_image=None,
        controls=[],
        post=[],
    )
    return Refinement(
        order_of(changed(job, pixels=pixels), registry),
        step.strength,
        int(steps * step.strength),
        across * down,
        position,
    )


def _network_weights(name: str, registry: Registry, path: str) -> Weights:
    if name not in registry.tools or name not in registry.tools.installed:
        raise Refused(
            "not_installed",
            f"the network {name[:64]!r} is not on this machine",
            path=f"{path}.model",
            hint=f"{nearest(name, registry.tools.installed)}; or bottega models add FILE.safetensors",
        )
    return Weights("tool", name, registry.tools.paths[name])
