"""Pictures, messages and agents for the storage tests."""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from PIL import Image

from agents.shared.settings import Settings
from agents.storage.agent import Storage, build
from bus.agent import Delivery
from bus.local_blobs import LocalBlobs
from protocol.commands import Lora
from protocol.messages import Assessment, Buckets, Job, Picture, PromptOrigin, StoreImage
from protocol.pixels import PixelSpec

DELIVERY = Delivery("acp.v1.work.storage.gen_batch_1.0.1", 1)


def png(colour: tuple[int, int, int] = (10, 140, 142), size: tuple[int, int] = (16, 12)) -> bytes:
    """A PNG file of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def store_image(
    *,
    data: bytes = b"",
    index: int = 0,
    attempt: int = 1,
    disposition: str = "accepted",
    score: float | None = 0.87,
    **job: Any,
) -> StoreImage:
    """A message to store a picture; `job` overrides fields of its job."""
    image_id = f"gen_batch_1_{index:06d}"
    pixels = {name: job.pop(name) for name in PixelSpec.__struct_fields__ if name in job and name != "prompt"}
    if (words := job.pop("prompt", None)) is not None:
        pixels |= {"prompt": words.text, "negative_prompt": words.negative, "references": words.references}
        job["prompt_origin"] = words.origin
    base = Job(
        pixels=PixelSpec(
            prompt="a teal mug, studio photograph",
            negative_prompt="text, watermark",
            seed=1000 + index,
            width=16,
            height=12,
            steps=25,
            guidance=7.0,
            sampler="DPM++ 2M Karras",
            model="pocket",
            loras=[Lora(name="product_lora_v3", weight=0.8)],
        ),
        hash="gen_batch_1",
        client_id="local",
        index=index,
        attempt=attempt,
        image_id=image_id,
        prompt_origin=PromptOrigin(subject="a teal mug"),
        platform="pocket",
        models=["base_sdxl"],
        stand_in_for="stable-diffusion-xl",
        style="product_photography",
        section="hero",
        created_at="2026-11-20T23:59:58+00:00",
        metadata={"campaign": "spring", "slot": 3},
    )
    picture = Picture(
        blob=hashlib.sha256(data).hexdigest(),
        media_type="image/png",
        width=16,
        height=12,
        size_bytes=len(data),
        seconds=0.5,
        provider="local",
        model="pocket",
        model_version="0123abcd",
        bucket=2,
        buckets=Buckets(denoise=[[1, 5], [2, 20]]),
        engine="steps",
        versions={"torch": "2.13.0", "diffusers": "0.42.0"},
    )
    assessment = Assessment(
        score=score, accepted=disposition == "accepted", measures={"sharpness": 0.9, "aesthetic": None}
    )
    fields: Mapping[str, Any] = {
        "job": msgspec.structs.replace(base.with_pixels(**pixels), **job),
        "picture": picture,
        "assessment": assessment,
    }
    return StoreImage(**fields, disposition="accepted" if disposition == "accepted" else "kept")


async def storage_with(home: Path, *pictures: bytes, **settings: Any) -> Storage:
    """A storage agent in a home folder whose blob store holds these pictures."""
    made = Settings(home=home, **settings)
    blobs = LocalBlobs(made.blobs)
    for data in pictures:
        await blobs.put(data)
    return build(made)


class Silent:
    """An outlet for an agent that says nothing outside a delivery."""

    async def publish(self, *messages: object, resend: int = 0) -> None:
        raise AssertionError("storage publishes nothing by itself")

    async def publish_status(self, status: object, client_id: str) -> None:
        raise AssertionError("storage publishes no status")

    def publish_progress(self, progress: object) -> None:
        raise AssertionError("storage has no progress")

    async def publish_control(self, role: object, message: object) -> None:
        raise AssertionError("storage controls nobody")

    async def purge_batch(self, batch: str) -> None:
        raise AssertionError("storage purges nothing")

    async def purge_generation(self, batch: str) -> None:
        raise AssertionError("storage purges nothing")

    async def ask_about_paid_call(self, call: object) -> Any:
        raise AssertionError("storage makes no paid calls")

    async def find_stored(self, question: Any) -> Any:
        raise AssertionError("storage asks nobody what is stored")

    async def draft_prompts(self, wanted: object) -> Any:
        raise AssertionError("storage drafts no prompts")

    async def presences(self) -> list[Any]:
        return []
