"""What a picture is found by: everything that decides its pixels, and nothing else."""

from typing import Any

import msgspec
import pytest

from protocol import codec
from protocol.animation import Motion
from protocol.catalogue import Catalogued, ReferenceBlob
from protocol.messages import Buckets, GenerateImage, Job, Prompt
from protocol.parameters import Lora, Region
from protocol.post import Upscale
from protocol.reuse import pixel_digest
from protocol.sources import ControlImage, ImagePrompt, InitImage

VERSION = "8a91c3d0ef12+77b0c2d4e6f8"

REFERENCE = ReferenceBlob(blob="b" * 64, media_type="image/png", asset="ui")

JOB = Job(
    hash="gen_batch_1", client_id="studio", index=3, attempt=1, image_id="gen_batch_1_000003",
    prompt=Prompt(text="a teal mug", negative="text", references=[REFERENCE]), seed=7, width=128, height=96, steps=20,
    guidance=4.0, sampler="Euler", platform="pocket", model="pocket", loras=[Lora(name="neon", weight=0.8)],
)  # fmt: skip

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
}
"""Field of a job that decides pixels -> another value. `prompt` has fields of its own."""

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
    "text": "a teal cup",
    "negative": "",
    "references": [msgspec.structs.replace(REFERENCE, blob="c" * 64)],
}

PROMPT_BESIDE: dict[str, Any] = {
    "subject": "a teal mug",
    "template": "product_photography",
    "template_version": "2",
    "style_reference": "brand_guidelines_v2",
}
"""What is in the words of a prompt already, or says what will be looked for in the picture."""


def prompted(name: str, value: Any) -> Job:
    return msgspec.structs.replace(JOB, prompt=msgspec.structs.replace(JOB.prompt, **{name: value}))


def test_every_field_of_a_job_is_known_to_decide_pixels_or_not_to() -> None:
    assert {*DECIDES, *BESIDE, "prompt"} == set(Job.__struct_fields__)
    assert {*PROMPT_DECIDES, *PROMPT_BESIDE} == set(Prompt.__struct_fields__)


@pytest.mark.parametrize("name", DECIDES)
def test_what_decides_pixels_changes_the_digest(name: str) -> None:
    assert pixel_digest(msgspec.structs.replace(JOB, **{name: DECIDES[name]}), VERSION) != pixel_digest(JOB, VERSION)


@pytest.mark.parametrize("name", BESIDE)
def test_what_does_not_leaves_it_as_it_is(name: str) -> None:
    assert pixel_digest(msgspec.structs.replace(JOB, **{name: BESIDE[name]}), VERSION) == pixel_digest(JOB, VERSION)


@pytest.mark.parametrize("name", PROMPT_DECIDES)
def test_words_and_reference_pictures_of_a_prompt_change_it(name: str) -> None:
    assert pixel_digest(prompted(name, PROMPT_DECIDES[name]), VERSION) != pixel_digest(JOB, VERSION)


@pytest.mark.parametrize("name", PROMPT_BESIDE)
def test_where_a_prompt_comes_from_does_not(name: str) -> None:
    assert pixel_digest(prompted(name, PROMPT_BESIDE[name]), VERSION) == pixel_digest(JOB, VERSION)


def test_other_weights_under_the_same_name_make_another_picture() -> None:
    assert pixel_digest(JOB, "8a91c3d0ef12+000000000000") != pixel_digest(JOB, VERSION)


def test_the_digest_is_the_same_on_both_sides_of_the_wire_whatever_kind_of_number_was_given() -> None:
    swept = msgspec.structs.replace(JOB, guidance=4, loras=[Lora(name="neon", weight=1)])
    heard = codec.decode_message(codec.encode(GenerateImage(job=swept)))

    assert isinstance(heard, GenerateImage)
    assert pixel_digest(heard.job, VERSION) == pixel_digest(swept, VERSION)
