"""From a job to an order for a hosted model, or to a refusal before anything is paid."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from agents.generator.images import png_writer
from agents.generator.registry.hosted import HostedModel, connect_hint
from agents.generator.registry.registry import Registry
from agents.generator.registry.weights import Weights
from agents.shared.picture import MAX_BYTES, Undecodable
from agents.shared.sandbox.pool import PARSERS
from bus.blobs import BlobMissing, Blobs
from protocol.errors import AcpError, NotSupported, Refused
from protocol.messages import Job
from protocol.pixels import UNBUILT_SETTINGS
from protocol.prompt_syntax import WEIGHTS, plain_text


@dataclass(frozen=True)
class HostedOrder:
    """A job for a hosted model. `pictures` are the files of all pictures that the job names, by their blobs."""

    job: Job
    model: HostedModel
    pictures: Mapping[str, bytes] = field(default_factory=dict[str, bytes])

    @property
    def weights(self) -> tuple[Weights, ...]:
        """None that anybody here knows."""
        return ()


def hosted_order_of(job: Job, registry: Registry) -> HostedOrder:
    """What a provider is to make.

    Raises:
        Refused: its provider is not connected, or the model does not take what the job names.
        AcpError: the size does not suit the model.
    """
    pixels = job.pixels
    model = registry.hosted[pixels.model]
    if model.provider not in registry.providers:
        raise Refused(
            "not_installed",
            f"the provider {model.provider} is not connected",
            path="$.job.pixels.model",
            hint=connect_hint(model.provider),
        )
    if not model.takes_size(pixels.width, pixels.height):
        width, height = model.sizes[0]
        raise AcpError(
            "invalid_value",
            f"{pixels.width}x{pixels.height} does not suit {model.name}",
            path="$.job.pixels.width",
            hint=f"use {width}x{height}",
        )
    if pixels.prompt_syntax not in (None, WEIGHTS):
        problem = f"the prompt syntax {pixels.prompt_syntax!r} is not supported by this version"
        raise NotSupported(problem, path="$.job.pixels.prompt_syntax")
    start = pixels.init_image
    unsupported = {
        "loras": bool(pixels.loras),
        "controls": bool(pixels.controls),
        "motion": pixels.motion is not None,
        "regions": bool(pixels.regions),
        "post": bool(pixels.post),
        "init_image": start is not None and not model.start_image,
        "init_image.mask": start is not None and start.mask is not None and not model.mask,
        "init_image.box": start is not None and start.box is not None and not model.mask,
        "image_prompts": len(pixels.image_prompts) > model.references,
        **{name: getattr(pixels, name) is not None for name in UNBUILT_SETTINGS},
    }
    for name, asked in unsupported.items():
        if asked:
            raise Refused(
                "not_supported",
                f"{model.name} of {model.provider} takes none of the {name} of this job",
                path=f"$.job.pixels.{name}",
                hint=f"leave {name.partition('.')[0]} out, or ask for another model",
            )
    if pixels.prompt_syntax is None:
        return HostedOrder(job, model)
    words = plain_text(pixels.prompt), plain_text(pixels.negative_prompt)
    return HostedOrder(job.with_pixels(prompt=words[0], negative_prompt=words[1]), model)


async def load_pictures(blobs: Blobs, order: HostedOrder) -> HostedOrder:
    """The order with the files of its job's pictures: as they came, and as PNG where a provider that knows nothing of
    orientation, colour profiles and animation would see something else in them.

    Raises:
        AcpError: a blob is not there, which may work later; or it is no picture.
    """
    pixels = order.job.pixels
    named = [one.blob for one in pixels.image_prompts]
    if pixels.init_image is not None:
        named += [blob for blob in (pixels.init_image.blob, pixels.init_image.mask) if blob is not None]
    try:
        pictures = {blob: await _as_seen(await blobs.get(blob, limit=MAX_BYTES)) for blob in dict.fromkeys(named)}
    except Undecodable as error:
        raise AcpError("invalid_value", f"a picture of the job cannot be used: {error}", path="$.job") from error
    except BlobMissing as error:
        raise AcpError(
            "pixels_missing",
            f"a picture that this one is made from is missing: {error}",
            path="$.job",
            hint="all agents must use one blob store; if it was removed, order anew: bottega generate --image FILE",
            retryable=True,
        ) from error
    return replace(order, pictures=pictures)


async def _as_seen(data: bytes) -> bytes:
    picture = await PARSERS.parse(data)
    return await asyncio.to_thread(png_writer.encode, picture.rgb) if picture.adapted else data
