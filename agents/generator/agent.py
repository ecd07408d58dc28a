"""The generator agent: takes jobs of the platforms whose models it has, and turns each into a picture in the blob
store."""

import asyncio
import contextlib
import hashlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from msgspec.structs import replace

from agents.generator import announce
from agents.generator.engine import AnyOrder, Engine, GenerationStopped, Rendering
from agents.generator.engines.choice import ENGINES
from agents.generator.orders import source_images
from agents.generator.orders.hosted_order import hosted_order_of, load_pictures
from agents.generator.orders.order import Order
from agents.generator.orders.post_stages import order_with_stages
from agents.generator.providers.catalogue import CATALOGUE, Catalogue
from agents.generator.registry import registry, samplers
from agents.generator.registry.registry import Registry
from agents.generator.registry.weights import installed_weights
from agents.shared.presence import base_presence
from agents.shared.settings import Settings
from bus.agent import Agent, Caller, Delivery, Endpoint, Inbound, Intake, Outbound, Outlet, encode_compressed
from bus.blobs import Blobs
from bus.failpoint import pass_failpoint
from bus.local_blobs import LocalBlobs
from protocol import codec, subjects
from protocol.channels import ACP_WORK
from protocol.errors import AcpError, BadMessage, DiskFull, NotSupported
from protocol.messages import (
    CancelBatch,
    CancelImage,
    Control,
    GenerateImage,
    ImageGenerated,
    Job,
    JobCancelled,
    JobFailed,
    JobRef,
    Picture,
    Presence,
    Progress,
    ScoreImage,
    ref_of,
)
from protocol.money import device_cost
from protocol.offers import (
    ControlInfo,
    EmbeddingInfo,
    IpAdapterInfo,
    LoraInfo,
    ModelInfo,
    MotionInfo,
    ToolInfo,
    infos_of,
)
from protocol.pixels import PixelSpec
from protocol.reuse import RemadePicture, RemakePicture, Reuse

NO_DEVICE = "none"
"""What pictures say that no device made."""

MAX_CANCELLED = 4096
"""Cancelled batches and pictures that are remembered. The planner purges their queued work, so few ever matter."""

log = structlog.get_logger()


class Generator(Agent):
    """See the module."""

    role = "generator"

    def __init__(
        self,
        engine: Engine,
        known: Registry,
        blobs: Blobs,
        *,
        slots: int = 2,
        price_per_hour: float | None = None,
    ) -> None:
        """`slots` jobs are held at once; `price_per_hour` is the device's price in dollars, null if not known."""
        self._engine = engine
        self._registry = known
        self._blobs = blobs
        self._slots = slots
        self._price_per_hour = price_per_hour
        self._speeds = announce.Speeds()
        self._versions = announce.Versions()
        self._cancelled: OrderedDict[tuple[str, str] | JobRef, None] = OrderedDict()
        self._outlet: Outlet | None = None

    @property
    def platforms(self) -> list[str]:
        """Platforms that have a model which is installed or whose provider is asked here, by name."""
        return sorted(self._registry.served_platforms)

    def intakes(self) -> Sequence[Intake]:
        """One durable consumer per platform, shared by all generators that serve it."""
        slots = announce.slots_per_platform(self._slots, len(self.platforms))
        return [
            Intake(ACP_WORK, f"generate_{name}", (subjects.work_filter(f"generate.{name}"),), slots)
            for name in self.platforms
        ]

    def endpoints(self) -> Sequence[Endpoint[Any, Any]]:
        return [
            Endpoint(subjects.REMAKE, decode=codec.decode_reuse, answer=self._remake_picture, encode=encode_compressed)
        ]

    def presence(self, instance: str) -> Presence:
        """Every known model, with what to do about those that are not installed."""
        offers = announce.announce(self._registry, self._versions, self._speeds, references=self._engine.max_references)
        return replace(
            base_presence("generator", instance, sum(intake.slots for intake in self.intakes())),
            device=self._engine.device,
            models=infos_of(offers, ModelInfo),
            loras=infos_of(offers, LoraInfo),
            controls=infos_of(offers, ControlInfo),
            ip_adapters=infos_of(offers, IpAdapterInfo),
            tools=infos_of(offers, ToolInfo),
            motions=infos_of(offers, MotionInfo),
            embeddings=infos_of(offers, EmbeddingInfo),
            samplers=[sampler.name for sampler in samplers.SAMPLERS],
            sampler_aliases=samplers.ALIASES,
            offers=announce.offers_beside_lists(offers),
        )

    @asynccontextmanager
    async def running(self, outlet: Outlet) -> AsyncGenerator[None]:
        """Hold the device; warm the pocket model up meanwhile."""
        self._outlet = outlet
        async with self._engine.open(outlet):
            await self._look_up_versions()
            warming = asyncio.create_task(self._warm_up())
            try:
                yield
            finally:
                warming.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await warming

    async def handle(self, message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        """Make the picture of a job. The same job always gives the same picture, so a second delivery is harmless."""
        if not isinstance(message, GenerateImage):
            raise NotSupported(f"the generator takes GENERATE_IMAGE, not {type(message).__name__}")
        job, ref = message.job, ref_of(message.job)
        if not await self._blobs.has_room():
            raise DiskFull
        ready = await self._prepare(job)
        try:
            rendering = await self._engine.generate(
                ready,
                lambda step, steps: self._report_progress(job, step, steps),
                lambda: (job.client_id, job.hash) in self._cancelled or ref in self._cancelled,
            )
        except GenerationStopped:
            log.info("a cancelled picture is dropped", batch=job.hash, index=job.index, attempt=job.attempt)
            return [JobCancelled(ref=ref)]
        self._speeds.note(job, ready.model, rendering.seconds, rendering.stages)
        self._speeds.note_stages(job, rendering.stages)
        self._versions.remember_order(ready, rendering.model_version)
        picture = await self._store_picture(ready, rendering)
        return [ImageGenerated(ref=ref, picture=picture), ScoreImage(job=job, picture=picture)]

    async def give_up(self, message: Inbound, error: AcpError) -> Sequence[Outbound]:
        """The planner hears why an attempt has no picture."""
        if isinstance(message, GenerateImage):
            return [JobFailed(ref=ref_of(message.job), stage="generator", error=error.body)]
        return ()

    async def handle_control(self, message: Control) -> None:
        """Drop a cancelled batch or picture, also what is being made now."""
        match message:
            case CancelBatch():
                self._cancelled[message.client_id, message.hash] = None
            case CancelImage(ref=ref):
                self._cancelled[ref] = None
            case _:
                return
        while len(self._cancelled) > MAX_CANCELLED:
            self._cancelled.popitem(last=False)

    async def _remake_picture(self, question: Reuse, caller: Caller) -> RemadePicture:
        """Make a picture again for whoever compares it: nothing is stored, and nobody pays.

        Raises:
            BadMessage: that is no such question.
            AcpError: it cannot be made here, or not as it was.
        """
        if not isinstance(question, RemakePicture):
            raise BadMessage("invalid_value", f"a generator is not asked {type(question).__name__}")
        job, device = question.job, self._engine.device or NO_DEVICE
        if job.pixels.model in self._registry.hosted:
            raise NotSupported(f"{job.pixels.model} is asked of a provider, which has its price")
        if question.device not in (None, device):
            raise NotSupported(f"the picture was made on {question.device}, this generator has {device}")
        ready = await self._prepare(job)
        rendering = await self._engine.generate(ready, lambda step, steps: None, lambda: False)
        return RemadePicture(blob=hashlib.sha256(rendering.data).hexdigest())

    async def _prepare(self, job: Job) -> AnyOrder:
        """What a job asks for, with its pictures."""
        if job.pixels.model in self._registry.hosted:
            return await load_pictures(self._blobs, hosted_order_of(job, self._registry))
        return await source_images.load_source_images(self._blobs, order_with_stages(job, self._registry))

    async def _store_picture(self, made: AnyOrder, rendering: Rendering) -> Picture:
        cost = rendering.cost_micros
        if cost is None and isinstance(made, Order):
            cost = device_cost(rendering.seconds, self._price_per_hour)
        return Picture(
            blob=await self._blobs.put(rendering.data),
            media_type=rendering.media_type,
            width=rendering.width,
            height=rendering.height,
            size_bytes=len(rendering.data),
            seconds=rendering.seconds,
            provider=rendering.provider,
            model=made.model.name,
            model_version=rendering.model_version,
            device=rendering.device,
            peak_memory=rendering.peak_memory,
            gpu_util=rendering.gpu_util,
            mfu=rendering.mfu,
            cost_micros=cost,
            bucket=max((room for room, _ in rendering.buckets.denoise), default=1) if rendering.buckets else 1,
            buckets=rendering.buckets,
            engine=rendering.engine,
            revised_prompt=rendering.revised_prompt,
            stages=rendering.stages,
            versions=rendering.versions,
        )

    def _report_progress(self, job: Job, step: int, steps: int) -> None:
        pass_failpoint("generator.denoised")
        if self._outlet:
            self._outlet.publish_progress(Progress(ref=ref_of(job), stage="generator", step=step, steps=steps))

    async def _look_up_versions(self) -> None:
        """What is small or was hashed before is known at once; the rest once a picture is made with it."""
        for part in installed_weights(self._registry):
            if version := await self._engine.known_version(part):
                self._versions.remember(part, version)

    async def _warm_up(self) -> None:
        """One step of the pocket model, so that the first picture is quick. It is only a convenience."""
        if "pocket" not in self._registry.models.installed:
            return
        try:
            await self._engine.warm_up(order_with_stages(_warm_up_job(self._registry), self._registry))
        except Exception:
            log.exception("the pocket model could not be warmed up")


def _warm_up_job(known: Registry) -> Job:
    """The smallest job for the pocket model."""
    model = known.models["pocket"]
    width, height = model.native_sizes[0]
    return Job(
        hash="warm_up",
        client_id="local",
        index=0,
        attempt=0,
        image_id="warm_up",
        pixels=PixelSpec(
            prompt="",
            seed=0,
            width=width,
            height=height,
            steps=1,
            guidance=model.guidance,
            sampler=model.sampler,
            model=model.name,
        ),
        platform=model.platform,
    )


def build(settings: Settings, catalogue: Catalogue = CATALOGUE) -> Generator:
    """The generator of a home folder; `catalogue` are the providers of hosted models.

    Raises:
        RegistryError: a registry file is wrong.
        Refused: it is for hosted models, and no provider can be asked.
    """
    known = registry.load(settings.models, settings.loras, settings.home / "models.toml", catalogue)
    engine, served = ENGINES[settings.generator](settings, known, catalogue)
    return Generator(
        engine,
        served,
        LocalBlobs(settings.blobs),
        slots=settings.generator_slots,
        price_per_hour=settings.gpu_price_per_hour,
    )
