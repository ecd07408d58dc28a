"""Stored pictures instead of new ones: the same request costs once."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import pytest
from sqlalchemy import Engine

from agents.planner.ledger.batches import Batch, require_batch
from agents.planner.ledger.states import BatchState
from agents.planner.scheduling.reuse import agreed_versions, digests, first_work, may_reuse
from agents.planner.scheduling.reuse_lookup import look_up_stored
from agents.planner.transitions import accept
from protocol.animation import Motion
from protocol.commands import Amend, GenerateImages
from protocol.errors import ErrorBody, Unavailable
from protocol.ids import image_id
from protocol.messages import (
    Assessment,
    GenerateImage,
    Job,
    JobFailed,
    LoraInfo,
    ModelInfo,
    Picture,
    Presence,
    StoreImage,
    Work,
    ref_of,
)
from protocol.offers import EmbeddingInfo, IpAdapterInfo, MotionInfo
from protocol.parameters import Lora, Sweep
from protocol.pixels import PixelSpec, pixel_digest
from protocol.quality import TECHNICAL_QUALITY
from protocol.reuse import FindStored, StoredPicture, StoredPictures
from protocol.sources import ImagePrompt
from tests.planner.priced import PRICE, PricedWorld, priced_batch
from tests.planner.workbench import NAME, World, adds_up, new_batch
from tests.storage.making import Silent

AGAIN = "gen_again"
VERSION = "8a91c3d0ef12"


def model(name: str = "pocket", version: str | None = VERSION, installed: bool = True) -> ModelInfo:
    return ModelInfo(
        name=name, platform="pocket", installed=installed, native_sizes=[(128, 128)], steps=20, guidance=4.0,
        guidance_range=(1.0, 9.0), sampler="Euler", negative_prompt=True, max_pixels=16384, version=version,
    )  # fmt: skip


def process(role: str, *models: ModelInfo) -> Presence:
    return Presence(
        role=role,  # pyright: ignore[reportArgumentType]
        instance="x", pid=1, host="h", version="0.1.0", started_at="", slots=1, models=list(models),
    )  # fmt: skip


ALIVE = (process("generator", model()), process("storage"))


@dataclass
class KeepingWorld(PricedWorld):
    """A world whose storage finds what it filed. `asked` counts the pictures that it was asked about; with
    `loses_bytes` it cannot file again what it found."""

    kept: dict[tuple[str, str], StoredPicture] = field(default_factory=dict[tuple[str, str], StoredPicture])
    asked: int = 0
    loses_bytes: bool = False

    def stored(self, jobs: Sequence[Job]) -> dict[int, StoredPicture]:
        self.asked += len(jobs)
        sought = digests(jobs, ALIVE)
        found = {index: self.kept.get((jobs[0].client_id, digest)) for index, digest in sought.items()}
        return {index: picture for index, picture in found.items() if picture}

    def act(self, message: Work) -> None:
        if isinstance(message, StoreImage) and message.reused and self.loses_bytes:
            error = ErrorBody(code="internal", message="the picture's bytes are missing", retryable=True)
            self.say(JobFailed(ref=ref_of(message.job), stage="storage", error=error))
            return
        if isinstance(message, StoreImage) and message.disposition == "accepted":
            digest, job = pixel_digest(message.job.pixels, VERSION), message.job
            self.kept[job.client_id, digest] = StoredPicture(
                digest=digest, image_id=job.image_id, picture=message.picture, assessment=message.assessment
            )
        super().act(message)


@pytest.fixture
def world(engine: Engine) -> KeepingWorld:
    return KeepingWorld(engine=engine, dice=random.Random(1))


def seeded(quantity: int, name: str = NAME, client: str = "local", **fields: object) -> Batch:
    """A batch whose client gave the seed, and which takes any score."""
    batch = priced_batch(quantity, name=name, client=client)
    batch.recipe = msgspec.structs.replace(batch.recipe, min_score=0.0)
    batch.command = msgspec.structs.replace(batch.command, seed=batch.seed, **fields)
    return batch


def finished(world: World, batch: Batch) -> Batch:
    world.start(batch)
    return world.run(batch.hash)


def test_the_same_batch_again_is_filed_anew_at_no_cost_and_says_what_it_reused(world: KeepingWorld) -> None:
    finished(world, seeded(6))
    spent, made = world.money(), world.generated
    again = finished(world, seeded(6, AGAIN))
    assert (again.state, again.tally.completed, again.tally.reused) == ("completed", 6, 6)
    assert (world.money(), world.generated) == (spent, made)
    first = {image.index: image for image in world.images(NAME)}
    for image in world.images(AGAIN):
        assert (image.status, image.reused, image.attempts) == ("completed", image_id(NAME, image.index), 0)
        assert image.storage_key == image_id(AGAIN, image.index)
        assert image.quality_score == first[image.index].quality_score
        assert image.cost
        assert image.cost.amount == 0
        assert image.metadata
        assert (image.metadata.seed, image.metadata.processing_time_s) == (42 + image.index, None)
    status = again.status.generation_status
    assert (status.reused, status.cost_per_image, status.performance.avg_time) == (6, 0.0, None)
    assert status.quality_metrics.avg_score is not None


def test_what_is_there_is_reused_and_the_rest_is_made(world: KeepingWorld) -> None:
    finished(world, seeded(6))
    again = finished(world, seeded(9, AGAIN))
    assert (again.tally.completed, again.tally.reused, world.generated) == (9, 6, 9)
    assert [image.reused is not None for image in world.images(AGAIN)] == [True] * 6 + [False] * 3
    assert all(adds_up(status, 9) for status in world.statuses[-20:] if status.completed > 6)


def test_a_batch_whose_seeds_nobody_gave_asks_nothing(world: KeepingWorld) -> None:
    for name in (NAME, AGAIN):
        finished(world, priced_batch(6, name=name))
    assert (world.asked, world.generated) == (0, 12)


def test_a_client_may_want_its_pictures_made_again(world: KeepingWorld) -> None:
    finished(world, seeded(6))
    assert finished(world, seeded(6, AGAIN, reuse=False)).tally.reused == 0
    assert world.generated == 12


def test_no_client_is_given_what_another_has(world: KeepingWorld) -> None:
    finished(world, seeded(6))
    assert finished(world, seeded(6, AGAIN, client="rival")).tally.reused == 0


def test_a_bar_that_is_raised_before_a_picture_is_handed_out_counts(world: KeepingWorld) -> None:
    finished(world, seeded(20))
    scores = {image.index: image.quality_score for image in world.images(NAME)}
    held = seeded(20, AGAIN)
    held.state, held.approval, held.expires_at = BatchState.HELD, "token", world.now + 1000
    world.start(held)
    world.rest()
    world.steer(Amend(hash=AGAIN, min_score=0.6))
    world.follow(world.transact(lambda c: accept.approve(c, require_batch(c, AGAIN), world.window, world.now)))
    world.run(AGAIN)
    for image in world.images(AGAIN):
        assert (image.reused is not None) == ((scores[image.index] or 0.0) >= 0.6)


def test_a_picture_whose_bytes_are_lost_meanwhile_is_made_after_all(world: KeepingWorld) -> None:
    finished(world, seeded(4))
    world.loses_bytes = True
    again = finished(world, seeded(4, AGAIN))
    assert (again.tally.completed, again.tally.reused, again.tally.failed) == (4, 0, 0)
    assert world.generated == 8
    assert {image.reused for image in world.images(AGAIN)} == {None}


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_lost_repeated_or_late_every_picture_ends_once_and_costs_once(engine: Engine, seed: int) -> None:
    dice = random.Random(seed)
    world = KeepingWorld(engine=engine, dice=dice)
    finished(world, seeded(12))
    spent = world.money()[1]
    world.loses, world.repeats, world.shuffles = dice.choice([0.0, 0.2]), dice.choice([0.0, 0.3]), dice.random() < 0.5
    world.loses_bytes = dice.random() < 0.3
    tally = finished(world, seeded(12, AGAIN)).tally
    assert (tally.completed, tally.failed, tally.in_flight) == (12, 0, 0)
    assert tally.reused == sum(image.reused is not None for image in world.images(AGAIN))
    held, after = world.money()
    assert held == 0
    assert spent <= after <= spent + (12 - tally.reused) * PRICE


@pytest.mark.parametrize(
    ("command", "parent", "asks"),
    [
        pytest.param(GenerateImages(seed=7), None, True, id="a seed"),
        pytest.param(GenerateImages(sweep=Sweep(values={"seed": [1, 2]})), None, True, id="swept seeds"),
        pytest.param(GenerateImages(sweep=Sweep(values={"steps": [1, 2]})), None, False, id="no seed"),
        pytest.param(GenerateImages(seed=7, reuse=False), None, False, id="told not to"),
        pytest.param(GenerateImages(seed=7), NAME, False, id="pictures that are made again"),
    ],
)
def test_storage_is_asked_only_where_it_may_have_the_picture(
    command: GenerateImages, parent: str | None, asks: bool
) -> None:
    batch = new_batch(1)
    batch.command, batch.parent = command, parent
    assert may_reuse(batch) == asks


@pytest.mark.parametrize(
    ("announced", "version"),
    [
        pytest.param([model()], VERSION, id="one that knows it"),
        pytest.param([model(), model()], VERSION, id="two that agree"),
        pytest.param([model(), model(version="other")], None, id="two that differ"),
        pytest.param([model(), model(version=None)], None, id="one that does not know it yet"),
        pytest.param([model(), model(version=None, installed=False)], VERSION, id="one that has no such model"),
    ],
)
def test_weights_are_known_where_every_generator_that_may_take_the_job_agrees(
    announced: list[ModelInfo], version: str | None
) -> None:
    assert agreed_versions(announced) == {"pocket": version}


JOB = Job(
    pixels=PixelSpec(
        prompt="a mug",
        seed=7,
        width=128,
        height=128,
        steps=20,
        guidance=4.0,
        sampler="Euler",
        model="pocket",
    ),
    hash=NAME,
    client_id="local",
    index=0,
    attempt=1,
    image_id=image_id(NAME, 0),
    platform="pocket",
)


def stored_picture(score: float | None = 0.8, technical: float | None = None) -> StoredPicture:
    picture = Picture(
        blob="0" * 64, media_type="image/png", width=128, height=128, size_bytes=1, seconds=1.0, provider="local",
        model="pocket", model_version=VERSION,
    )  # fmt: skip
    measures: dict[str, float | None] = {} if technical is None else {TECHNICAL_QUALITY: technical}
    assessment = Assessment(score=score, accepted=True, measures=measures)
    digest = pixel_digest(JOB.pixels, VERSION)
    return StoredPicture(digest=digest, image_id="gen_first_000000", picture=picture, assessment=assessment)


@pytest.mark.parametrize(
    ("stored", "bar", "work"),
    [
        pytest.param(None, 0.0, GenerateImage, id="nothing is there"),
        pytest.param(stored_picture(0.8), 0.5, StoreImage, id="a picture above the bar"),
        pytest.param(stored_picture(0.8), 0.8, StoreImage, id="one that just reaches it"),
        pytest.param(stored_picture(0.8), 0.9, GenerateImage, id="one below it"),
        pytest.param(stored_picture(None), 0.0, GenerateImage, id="one that nobody judged"),
        pytest.param(stored_picture(None, 0.9), 0.8, StoreImage, id="one without a score that is sound"),
        pytest.param(stored_picture(None, 0.7), 0.8, GenerateImage, id="one without a score that is not"),
    ],
)
def test_a_stored_picture_is_reused_where_it_reaches_the_bar(
    stored: StoredPicture | None, bar: float, work: type[Work]
) -> None:
    assert type(first_work(msgspec.structs.replace(JOB, min_score=bar), stored)) is work


def test_a_picture_is_found_by_the_weights_of_its_model_and_of_each_adapter() -> None:
    neon = LoraInfo(name="neon", platform="pocket", installed=True, version="77b0c2d4e6f8")
    job = JOB.with_pixels(loras=[Lora(name="neon")])
    knows = msgspec.structs.replace(process("generator", model()), loras=[neon])
    assert digests([job], [knows]) == {0: pixel_digest(job.pixels, f"{VERSION}+77b0c2d4e6f8")}
    assert digests([job], [process("generator", model())]) == {}
    wave = MotionInfo(name="wave", platform="pocket", max_frames=8, installed=True, version="8a91c3d0ef12")
    moving = JOB.with_pixels(motion=Motion(model="wave", frames=4, fps=8))
    knows = msgspec.structs.replace(process("generator", model()), motions=[wave])
    assert digests([moving], [knows]) == {0: pixel_digest(moving.pixels, f"{VERSION}+8a91c3d0ef12")}
    assert digests([moving], [process("generator", model())]) == {}


@pytest.mark.parametrize(
    ("changes", "versions"),
    [
        pytest.param({}, f"{VERSION}+77b0c2d4e6f8", id="known"),
        pytest.param({"version": None}, None, id="not known yet"),
        pytest.param({"installed": False}, VERSION, id="not installed"),
        pytest.param({"platform": "stable_diffusion_xl"}, VERSION, id="of another platform"),
        pytest.param({"token": "<dark>"}, VERSION, id="not in the prompt"),
    ],
)
def test_a_learned_word_in_a_prompt_decides_the_picture(changes: dict[str, object], versions: str | None) -> None:
    word = EmbeddingInfo(name="dark", platform="pocket", token="dim", installed=True, version="77b0c2d4e6f8")
    job = JOB.with_pixels(prompt="a mug", negative_prompt="Dim light")
    knows = msgspec.structs.replace(
        process("generator", model()), embeddings=[msgspec.structs.replace(word, **changes)]
    )

    assert digests([job], [knows]) == ({0: pixel_digest(job.pixels, versions)} if versions else {})


def test_an_ip_adapter_counts_once_however_many_pictures_it_follows() -> None:
    adapter = IpAdapterInfo(name="plain", platform="pocket", roles=["style"], installed=True, version="0f3c9a51b2de")
    followed = [ImagePrompt(blob=blob * 64, role="style", adapter="plain") for blob in "ab"]
    job = JOB.with_pixels(image_prompts=followed)
    knows = msgspec.structs.replace(process("generator", model()), ip_adapters=[adapter])

    assert digests([job], [knows]) == {0: pixel_digest(job.pixels, f"{VERSION}+0f3c9a51b2de")}
    assert digests([job], [process("generator", model())]) == {}


class Told(Silent):
    """An outlet whose storage says this, or nothing."""

    def __init__(self, alive: Sequence[Presence], answer: StoredPictures | None = None) -> None:
        self.alive = alive
        self.answer = answer
        self.questions: list[FindStored] = []

    async def presences(self) -> list[Presence]:
        return list(self.alive)

    async def find_stored(self, question: FindStored) -> StoredPictures:
        self.questions.append(question)
        if self.answer is None:
            raise Unavailable("timeout", "no answer from storage")
        return self.answer


async def test_storage_is_asked_for_the_client_and_its_answer_is_told_by_index() -> None:
    outlet = Told(ALIVE, StoredPictures(found=[stored_picture()]))
    twin = msgspec.structs.replace(JOB, index=5)
    other = msgspec.structs.replace(JOB.with_pixels(seed=8), index=6)
    assert await look_up_stored(outlet, [JOB, twin, other]) == {0: stored_picture(), 5: stored_picture()}
    [question] = outlet.questions
    assert (question.client_id, len(question.digests)) == ("local", 2)


@pytest.mark.parametrize(
    "outlet",
    [
        pytest.param(Told(ALIVE), id="storage does not answer"),
        pytest.param(Told([process("generator", model())]), id="there is no storage"),
        pytest.param(Told([process("generator"), process("storage")]), id="no generator knows its weights"),
    ],
)
async def test_where_nobody_can_tell_everything_is_made(outlet: Told) -> None:
    assert await look_up_stored(outlet, [JOB]) == {}
