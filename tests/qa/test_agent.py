"""A picture in, a verdict out: the QA agent with a real blob store."""

import asyncio
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from agents.pocket.paths import SCORER
from agents.qa.agent import Qa, build
from agents.qa.scorer import Scorer
from agents.shared.settings import Settings
from bus.agent import Delivery, Outbound
from bus.local_blobs import LocalBlobs
from protocol.errors import AcpError
from protocol.messages import Assessment, ImageScored, JobFailed, Prompt, ScoreImage, StoreImage, ref_of
from protocol.parameters import Region
from protocol.sources import ImagePrompt
from tests.qa.drawings import blurred, disc, encoded, order, static, tower

NOWHERE = "0" * 64


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


@pytest.fixture
def qa(blobs: LocalBlobs) -> Qa:
    return Qa(blobs, scorer=None)


async def say(qa: Qa, message: ScoreImage, delivered: int = 1) -> list[Outbound]:
    return list(await qa.handle(message, Delivery(subject="acp.v1.work.qa.b.0.1", delivered=delivered)))


async def verdict(qa: Qa, message: ScoreImage) -> Assessment:
    first = (await say(qa, message))[0]
    assert isinstance(first, ImageScored)
    assert first.ref == ref_of(message.job)
    return first.assessment


async def test_a_good_picture_is_scored_and_sent_to_storage(qa: Qa, blobs: LocalBlobs) -> None:
    message = order(await blobs.put(encoded(disc())), min_score=0.85)
    scored, store = await say(qa, message)
    assert isinstance(scored, ImageScored)
    assert isinstance(store, StoreImage)
    assert store == StoreImage(job=message.job, picture=message.picture, assessment=scored.assessment)
    assert scored.assessment.accepted
    assert scored.assessment.seconds is not None
    assert scored.assessment.reasons == []


async def test_whether_a_picture_replaces_another_is_left_to_the_planner(qa: Qa, blobs: LocalBlobs) -> None:
    message = order(await blobs.put(encoded(disc())), min_score=0.85)
    again = msgspec.structs.replace(message, job=msgspec.structs.replace(message.job, replaces=1))
    [scored] = await say(qa, again)
    assert isinstance(scored, ImageScored)
    assert scored.assessment.accepted


@pytest.mark.parametrize(
    ("data", "reasons"),
    [
        pytest.param(encoded(blurred(disc(), 5)), ["blurred"], id="blurred"),
        pytest.param(encoded(static()), ["noisy"], id="noise"),
        pytest.param(encoded(np.full((128, 128, 3), 90, np.uint8)), ["blank"], id="blank"),
        pytest.param(encoded(disc(side=64)), ["wrong_size"], id="another size"),
        pytest.param(encoded(disc(), "JPEG"), ["wrong_format"], id="another format"),
        pytest.param(encoded(static())[:20_000], ["undecodable"], id="truncated"),
        pytest.param(b"no picture", ["undecodable"], id="no picture"),
    ],
)
async def test_a_bad_picture_is_a_verdict_to_the_planner_and_nothing_else(
    qa: Qa, blobs: LocalBlobs, data: bytes, reasons: list[str]
) -> None:
    said = await say(qa, order(await blobs.put(data), min_score=0.85))
    assert len(said) == 1
    assert isinstance(said[0], ImageScored)
    assert said[0].assessment.accepted is False
    assert said[0].assessment.reasons == reasons


async def test_without_a_scorer_adherence_and_embedding_are_null(qa: Qa, blobs: LocalBlobs) -> None:
    assessment = await verdict(qa, order(await blobs.put(encoded(disc()))))
    assert assessment.measures["adherence"] is None
    assert assessment.embedding is None
    assert assessment.score is None
    assert assessment.accepted
    assert assessment.measures["technical_quality"] == 1.0


async def test_the_bar_of_a_picture_without_a_score_is_held_against_its_technical_quality(
    qa: Qa, blobs: LocalBlobs
) -> None:
    assessment = await verdict(qa, order(await blobs.put(encoded(blurred(disc(), 5))), min_score=0.85))
    assert (assessment.score, assessment.accepted, assessment.reasons) == (None, False, ["blurred"])
    assert 0 < (assessment.measures["technical_quality"] or 0) < 0.85


async def test_a_missing_blob_is_tried_again_and_then_given_up_as_a_failed_job(qa: Qa) -> None:
    message = order(NOWHERE)
    with pytest.raises(AcpError) as caught:
        await say(qa, message)
    assert caught.value.retryable
    assert await qa.give_up(message, caught.value) == (
        JobFailed(ref=ref_of(message.job), stage="qa", error=caught.value.body),
    )


async def test_a_copy_within_the_batch_is_not_accepted(qa: Qa, blobs: LocalBlobs) -> None:
    await say(qa, order(await blobs.put(encoded(disc())), index=0))
    copy = await verdict(qa, order(await blobs.put(encoded(disc(), "JPEG")), index=1, media_type="image/jpeg"))
    other = await verdict(qa, order(await blobs.put(encoded(tower())), index=2))
    assert (copy.accepted, copy.reasons) == (False, ["near_duplicate"])
    assert other.accepted


async def test_a_delivery_that_comes_again_gets_the_same_verdict(qa: Qa, blobs: LocalBlobs) -> None:
    blob = await blobs.put(encoded(disc()))
    first = await verdict(qa, order(blob, index=0))
    copy = await verdict(qa, order(blob, index=1))
    for index, before in ((0, first), (1, copy)):
        again = await verdict(qa, order(blob, index=index))
        assert (again.accepted, again.score, again.reasons) == (before.accepted, before.score, before.reasons)


async def test_of_two_copies_judged_at_once_one_is_accepted(qa: Qa, blobs: LocalBlobs) -> None:
    blob = await blobs.put(encoded(disc()))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(verdict(qa, order(blob, index=index))) for index in range(4)]
    assert sorted(task.result().accepted for task in tasks) == [False, False, False, True]


async def test_a_restarted_process_knows_from_the_events_what_was_accepted(qa: Qa, blobs: LocalBlobs) -> None:
    blob = await blobs.put(encoded(disc()))
    event = (await say(qa, order(blob, index=0)))[0]
    assert isinstance(event, ImageScored)
    restarted = Qa(blobs, scorer=None)
    await restarted.observe(event)
    assert (await verdict(restarted, order(blob, index=1))).reasons == ["near_duplicate"]
    assert (await verdict(restarted, order(blob, index=0))).accepted


async def test_told_not_to_look_it_accepts_and_states_no_figure(blobs: LocalBlobs) -> None:
    blind = Qa(blobs, scorer=None, scoring=False)
    said = await say(blind, order(await blobs.put(b"anything"), min_score=1))
    assert [type(message) for message in said] == [ImageScored, StoreImage]
    assert await verdict(blind, order(await blobs.put(b"anything"))) == Assessment(
        score=None, accepted=True, measures={}
    )
    with pytest.raises(AcpError):
        await say(blind, order(NOWHERE))


POCKET = Scorer(SCORER)


def words(text: str) -> Prompt:
    return Prompt(text=text, subject=text)


async def test_a_prompt_of_unknown_words_gets_no_score_and_says_which_words(blobs: LocalBlobs) -> None:
    qa = Qa(blobs, None, pocket=POCKET)
    blob = await blobs.put(encoded(disc()))
    assessment = await verdict(qa, order(blob, prompt=words("a portrait of a smiling woman"), min_score=0.9))
    assert (assessment.score, assessment.measures["adherence"]) == (None, None)
    assert (assessment.not_judged, assessment.reasons) == (["smiling woman"], ["not_judged"])
    assert assessment.accepted
    assert assessment.embedding is not None


async def test_an_unknown_word_leaves_the_rest_of_the_prompt_judged(blobs: LocalBlobs) -> None:
    qa = Qa(blobs, None, pocket=POCKET)
    blob = await blobs.put(encoded(disc()))
    part = await verdict(qa, order(blob, index=0, prompt=words("a magenta ball in Paris")))
    whole = await verdict(qa, order(blob, index=0, attempt=2, prompt=words("please, a lovely magenta ball")))
    other = await verdict(qa, order(blob, index=0, attempt=3, prompt=words("a yellow tree in Paris"), min_score=0.9))
    assert part.score is not None
    assert (part.score, part.not_judged, part.reasons[-1:]) == (whole.score, ["paris"], ["not_judged"])
    assert (whole.not_judged, whole.reasons) == (UNSET, [])
    assert (other.accepted, other.reasons) == (False, ["off_prompt", "not_judged"])


async def test_regions_whose_prompts_are_not_known_leave_the_others_judged(blobs: LocalBlobs) -> None:
    qa = Qa(blobs, None, pocket=POCKET)
    message = order(await blobs.put(encoded(np.concatenate([disc(), disc()], axis=1))), size=(256, 128))

    async def judged(left: str, right: str, attempt: int) -> Assessment:
        boxes = [Region(prompt=left, box=[0.0, 0.0, 0.5, 1.0]), Region(prompt=right, box=[0.5, 0.0, 0.5, 1.0])]
        job = replace(message.job.with_pixels(regions=boxes), attempt=attempt)
        return await verdict(qa, replace(message, job=job))

    known = await judged("a magenta ball", "a smiling woman", 1)
    assert known.score is not None
    assert known.not_judged == ["smiling woman"]
    assert (await judged("a cat", "a smiling woman", 2)).score is None


async def test_the_pocket_scorer_judges_pictures_of_the_pocket_model_alone(blobs: LocalBlobs) -> None:
    message = order(await blobs.put(encoded(disc())), prompt=words("a smiling woman"))
    message = replace(message, job=message.job.with_pixels(model="base_sdxl"))
    alone = await verdict(Qa(blobs, None, pocket=POCKET), message)
    assert (alone.score, alone.measures["adherence"], alone.embedding) == (None, None, None)
    assert (alone.not_judged, alone.reasons) == (UNSET, [])
    both = await verdict(Qa(blobs, POCKET, pocket=POCKET), message)
    assert both.score is not None
    assert (both.not_judged, both.embedding is not None) == (UNSET, True)


@pytest.mark.parametrize(
    ("scorer", "pocket", "scoring", "named"),
    [
        (None, POCKET, True, ["pocket"]),
        (POCKET, POCKET, True, ["pocket", "*"]),
        (None, None, True, []),
        (POCKET, POCKET, False, UNSET),
    ],
)
def test_it_announces_whose_pictures_it_can_compare_with_their_prompts(
    blobs: LocalBlobs, scorer: Scorer | None, pocket: Scorer | None, scoring: bool, named: list[str] | UnsetType
) -> None:
    assert Qa(blobs, scorer, pocket=pocket, scoring=scoring).presence("qa_1").scorers == named


def test_it_reads_one_queue_and_watches_verdicts(qa: Qa) -> None:
    (intake,) = qa.intakes()
    assert (intake.stream, intake.durable, intake.filter_subjects) == ("ACP_WORK", "qa", ("acp.v1.work.qa.>",))
    assert [watch.filter_subject for watch in qa.watches()] == ["acp.v1.event.*.*.scored"]
    assert qa.presence("qa_1").role == "qa"


def test_a_scorer_that_is_named_and_not_there_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(AcpError) as caught:
        build(Settings(home=tmp_path, scorer=tmp_path / "clip"))
    assert caught.value.code == "not_installed"
    assert caught.value.body.hint is not None


async def test_the_references_that_a_picture_follows_are_embedded_as_its_own_pixels_are(blobs: LocalBlobs) -> None:
    judging = Qa(blobs, scorer=None, pocket=POCKET)
    shown = await blobs.put(encoded(disc()))
    plain = order(shown)
    followed = [ImagePrompt(blob=shown, role="style"), ImagePrompt(blob=await blobs.put(b"no picture"), role="style")]
    following = replace(
        plain, job=replace(plain.job, pixels=replace(plain.job.pixels, image_prompts=followed), index=1)
    )

    alone, along = await verdict(judging, plain), await verdict(judging, following)

    assert alone.reference is UNSET
    assert alone.embedding is not None
    assert isinstance(along.reference, bytes)
    assert np.frombuffer(along.reference, "<f2") == pytest.approx(np.frombuffer(alone.embedding, "<f2"), abs=2e-3)
    gone = replace(following, job=replace(following.job, pixels=replace(following.job.pixels, image_prompts=[
        ImagePrompt(blob=NOWHERE, role="style")
    ])))  # fmt: skip
    assert (await verdict(judging, gone)).reference is UNSET
