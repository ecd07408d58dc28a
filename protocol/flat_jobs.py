"""Work messages of version 0.1.0, in which a job was flat. They are read, from agents and ledgers of that version, and
never written. Their fields are fixed for good. Pure module."""

from msgspec import Struct

from protocol.animation import Motion
from protocol.catalogue import Catalogued
from protocol.counts import Int32
from protocol.ids import Id, Seed
from protocol.messages import (
    Assessment,
    GenerateImage,
    Job,
    MakeContactSheet,
    Message,
    Picture,
    Prompt,
    ScoreImage,
    StoreImage,
    Work,
    WritePrompts,
)
from protocol.parameters import Filing, Lora, Region, Scalar, ServiceClass
from protocol.pixels import Buckets, PixelSpec
from protocol.post import PostStep
from protocol.sources import ControlImage, ImagePrompt, InitImage


class FlatJob(Struct, frozen=True, kw_only=True):
    """A job whose fields were not yet told apart by what they decide. `current` is the same job now."""

    hash: Id
    client_id: Id
    index: Int32
    attempt: Int32
    image_id: Id
    prompt: Prompt
    seed: Seed
    width: Int32
    height: Int32
    steps: Int32
    guidance: float
    sampler: str
    platform: Id
    model: str
    models: list[str] = []
    loras: list[Lora] = []
    stand_in_for: str | None = None
    style: str | None = None
    section: str | None = None
    min_score: float = 0.0
    created_at: str = ""
    metadata: dict[str, Scalar] = {}
    swept: dict[str, Scalar] = {}
    catalogued: Catalogued | None = None
    name_template: str | None = None
    parent: str | None = None
    init_image: InitImage | None = None
    controls: list[ControlImage] = []
    image_prompts: list[ImagePrompt] = []
    regions: list[Region] = []
    post: list[PostStep] = []
    motion: Motion | None = None
    priority: ServiceClass = "batch"
    strict: bool = False
    buckets: Buckets | None = None

    @property
    def current(self) -> Job:
        """The job as it is now."""
        return Job(
            hash=self.hash,
            client_id=self.client_id,
            index=self.index,
            attempt=self.attempt,
            image_id=self.image_id,
            pixels=PixelSpec(
                prompt=self.prompt.text,
                negative_prompt=self.prompt.negative,
                references=self.prompt.references,
                seed=self.seed,
                width=self.width,
                height=self.height,
                steps=self.steps,
                guidance=self.guidance,
                sampler=self.sampler,
                model=self.model,
                loras=self.loras,
                init_image=self.init_image,
                controls=self.controls,
                image_prompts=self.image_prompts,
                regions=self.regions,
                post=self.post,
                motion=self.motion,
                strict=self.strict,
                buckets=self.buckets,
            ),
            prompt_origin=self.prompt.origin,
            platform=self.platform,
            models=self.models,
            stand_in_for=self.stand_in_for,
            style=self.style,
            section=self.section,
            min_score=self.min_score,
            created_at=self.created_at,
            metadata=self.metadata,
            swept=self.swept,
            catalogued=self.catalogued,
            name_template=self.name_template,
            parent=self.parent,
            priority=self.priority,
        )


class GenerateFlatImage(Struct, frozen=True, kw_only=True, tag_field="type", tag="GENERATE_IMAGE"):
    """`GenerateImage` of a flat job."""

    job: FlatJob

    @property
    def current(self) -> GenerateImage:
        """The message as it is now."""
        return GenerateImage(job=self.job.current)


class ScoreFlatImage(Struct, frozen=True, kw_only=True, tag_field="type", tag="SCORE_IMAGE"):
    """`ScoreImage` of a flat job."""

    job: FlatJob
    picture: Picture

    @property
    def current(self) -> ScoreImage:
        """The message as it is now."""
        return ScoreImage(job=self.job.current, picture=self.picture)


class StoreFlatImage(Struct, frozen=True, kw_only=True, tag_field="type", tag="STORE_IMAGE"):
    """`StoreImage` of a flat job."""

    job: FlatJob
    picture: Picture
    assessment: Assessment
    disposition: Filing = "accepted"
    reused: Id | None = None

    @property
    def current(self) -> StoreImage:
        """The message as it is now."""
        return StoreImage(
            job=self.job.current,
            picture=self.picture,
            assessment=self.assessment,
            disposition=self.disposition,
            reused=self.reused,
        )


FlatWork = GenerateFlatImage | ScoreFlatImage | StoreFlatImage
"""What an agent of version 0.1.0 sends in place of the work messages of today."""

KnownMessage = Message | FlatWork
"""Every message that is understood."""

KnownWork = WritePrompts | GenerateImage | ScoreImage | StoreImage | MakeContactSheet | FlatWork
"""Every work message that is understood."""


def current_message(message: KnownMessage) -> Message:
    """The message as it is now."""
    return message.current if isinstance(message, FlatWork) else message


def current_work(work: KnownWork) -> Work:
    """The work message as it is now."""
    return work.current if isinstance(work, FlatWork) else work
