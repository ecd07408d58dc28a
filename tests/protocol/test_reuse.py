"""What a picture is found by: everything that decides its pixels, and nothing else."""

from typing import Any

import msgspec
import pytest

from protocol import codec
from protocol.animation import Motion
from protocol.catalogue import Catalogued, ReferenceBlob
from protocol.messages import GenerateImage, Job, PromptOrigin
from protocol.parameters import Lora, Region
from protocol.pixels import Buckets, PixelSpec, pixel_digest
from protocol.post import Upscale
from protocol.sources import ControlImage, ImagePrompt, InitImage

VERSION = "8a91c3d0ef12+77b0c2d4e6f8"

REFERENCE = ReferenceBlob(blob="b" * 64, media_type="image/png", asset="ui")

JOB = Job(
    pixels=PixelSpec(
        prompt="a teal mug",
        negative_prompt="text",
        references=[REFERENCE],
        seed=7,
        width=128,
        height=96,
        steps=20,
        guidance=4.0,
        sampler="Euler",
        model="pocket",
        loras=[Lora(name="neon", weight=0.8)],
    ),
    hash="gen_batch_1",
    client_id="studio",
    index=3,
    attempt=1,
    image_id="gen_batch_1_000003",
    platform="pocket",
)

DECIDES: dict[str, Any] = {
    "seed": 8,
    "width": 144,
    "height": 112,
    "steps": 21,
    "guidance": 4.5,
    "sampler": "Euler a",
    "model": "pocket_2",
    "loras": [Lora(name="neon", weight=0.7)],
    "init_image": InitImage(blob="c" * 64, strength=0.6),
    "controls": [ControlImage(kind="canny", model="canny_pocket", blob="d" * 64)],
    "image_prompts": [ImagePrompt(blob="e" * 64, role="style", adapter="ip_adapter_sdxl")],
    "regions": [Region(prompt="a blue star", box=[0.5, 0, 0.5, 1])],
    "post": [Upscale(scale=2.0)],
    "motion": Motion(model="animatediff_sd15", frames=8, fps=8),
    "strict": True,
    "buckets": Buckets(denoise=[[1, 20]]),
    "precision": "bfloat16",
    "threads": 2,
    "prompt_syntax": "weights",
    "step_reuse": 0.1,
    "guidance_window": (0.0, 0.8),
}
"""Field of what decides pixels -> another value. The words have fields of their own."""

BESIDE: dict[str, Any] = {
    "hash": "gen_batch_2",
    "client_id": "rival",
    "index": 4,
    "attempt": 2,
    "image_id": "gen_batch_2_000004",
    "platform": "elsewhere",
    "models": ["base_sdxl"],
    "stand_in_for": "stable_diffusion_xl",
    "style": "product_photography",
    "section": "hero",
    "min_score": 0.9,
    "replaces": 1,
    "created_at": "2026-11-20T12:00:00Z",
    "metadata": {"campaign": "spring"},
    "swept": {"steps": 20},
    "catalogued": Catalogued(catalogue="v3.2", prompt_id="ZH01", quality="1K"),
    "name_template": "{seed}",
    "parent": "gen_batch_0_000003",
    "priority": "interactive",
}
"""Field of a job that its pixels do not depend on -> another value."""

PROMPT_DECIDES: dict[str, Any] = {
    "prompt": "a teal cup",
    "negative_prompt": "",
    "references": [msgspec.structs.replace(REFERENCE, blob="c" * 64)],
}

PROMPT_BESIDE: dict[str, Any] = {
    "subject": "a teal mug",
    "template": "product_photography",
    "template_version": "2",
    "style_reference": "brand_guidelines_v2",
}
"""What is in the words of a prompt already, or says what will be looked for in the picture."""


def digest(job: Job, version: str = VERSION) -> str:
    return pixel_digest(job.pixels, version)


def test_every_field_of_a_job_is_known_to_decide_pixels_or_not_to() -> None:
    assert {*BESIDE, "pixels", "prompt_origin"} == set(Job.__struct_fields__)
    assert {*DECIDES, *PROMPT_DECIDES} == set(PixelSpec.__struct_fields__)
    assert set(PROMPT_BESIDE) == set(PromptOrigin.__struct_fields__)


@pytest.mark.parametrize("name", DECIDES)
def test_what_decides_pixels_changes_the_digest(name: str) -> None:
    assert digest(JOB.with_pixels(**{name: DECIDES[name]})) != digest(JOB)


@pytest.mark.parametrize("name", BESIDE)
def test_what_does_not_leaves_it_as_it_is(name: str) -> None:
    assert digest(msgspec.structs.replace(JOB, **{name: BESIDE[name]})) == digest(JOB)


@pytest.mark.parametrize("name", PROMPT_DECIDES)
def test_words_and_reference_pictures_of_a_prompt_change_it(name: str) -> None:
    assert digest(JOB.with_pixels(**{name: PROMPT_DECIDES[name]})) != digest(JOB)


@pytest.mark.parametrize("name", PROMPT_BESIDE)
def test_where_a_prompt_comes_from_does_not(name: str) -> None:
    origin = msgspec.structs.replace(JOB.prompt_origin, **{name: PROMPT_BESIDE[name]})

    assert digest(msgspec.structs.replace(JOB, prompt_origin=origin)) == digest(JOB)


def test_other_weights_under_the_same_name_make_another_picture() -> None:
    assert digest(JOB, "8a91c3d0ef12+000000000000") != digest(JOB)


def test_the_digest_is_the_same_on_both_sides_of_the_wire_whatever_kind_of_number_was_given() -> None:
    swept = JOB.with_pixels(guidance=4, loras=[Lora(name="neon", weight=1)])
    heard = codec.decode_message(codec.encode(GenerateImage(job=swept)))

    assert isinstance(heard, GenerateImage)
    assert digest(heard.job) == digest(swept)
