"""Pictures that follow references by command, over a real broker, with tiny random weights: a character through a whole
batch, written into each picture for whoever makes it again."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from agents.doors.cli.rerun.run import job_of
from agents.storage.filing import read_record
from bus.connection import Address
from bus.local_blobs import LocalBlobs
from protocol.commands import GenerateImages, Quality, Requirements
from protocol.parameters import Reference
from protocol.plans import GenerationPlan
from protocol.sources import ImagePrompt
from tests.generator import tiny_ip_adapter
from tests.generator.platforms import install, tiny_xl
from tests.planner.served.test_served import answered, finished, planned
from tests.planner.served.test_served_pictures import painting, put
from tests.workshop import served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def installed(home: Path) -> None:
    """A tiny SDXL and its IP-Adapter where the registry looks for them."""
    install(home / "models", "stable_diffusion_xl")
    folder = home / "ip_adapters" / "ip_adapter_sdxl"
    tiny_ip_adapter.install(folder / "models", tiny_xl().unet)
    (folder / "sdxl_models").mkdir()
    weights = folder / "models" / "ip_adapter.safetensors"
    weights.rename(folder / "sdxl_models" / "ip-adapter_sdxl_vit-h.safetensors")
    lines = "max_pixels = 4096", "native_sizes = [[64, 64]]", "steps = 2"
    (home / "models.toml").write_text("\n".join(["[models.base_sdxl]", *lines]), encoding="utf-8")


async def test_every_picture_of_a_batch_follows_its_character(tmp_path: Path, login: Callable[[str], Address]) -> None:
    settings = painting(tmp_path / "home")
    installed(settings.home)
    async with served(settings, login) as client:
        blobs = LocalBlobs(settings.blobs)
        noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
        image = await put(login, blobs, noise)

        def order(*references: Reference) -> GenerateImages:
            return GenerateImages(
                brief="a mug",
                platform="stable_diffusion_xl",
                seed=3,
                determinism="strict",
                quality=Quality(min_score=0.0),
                requirements=Requirements(quantity=2),
                references=list(references),
            )

        batch, _ = await planned(client, order(Reference(image=image, role="character", weight=0.8)))
        following = (await finished(client, batch)).images
        free, _ = await planned(client, order())
        alone = (await finished(client, free)).images

        for one, other in zip(following, alone, strict=True):
            assert one.path is not None, one
            assert other.path is not None, other
            assert Path(one.path).read_bytes() != Path(other.path).read_bytes()
            record = read_record(Path(one.path).read_bytes())
            assert record.pixels.image_prompts == [
                ImagePrompt(blob=image.blob or "", role="character", adapter="ip_adapter_sdxl", weight=0.8)
            ]
            assert len((record.model_version or "").split("+")) == 2
            assert job_of(record).pixels.image_prompts == record.pixels.image_prompts
            sidecar = json.loads(Path(one.path).with_suffix(".json").read_text())
            assert sidecar["image_prompts"][0]["role"] == "character"

        plan = await answered(client, order(Reference(image=image, role="palette")), GenerationPlan)
        assert plan.generation_plan.refusal is not None
        assert plan.generation_plan.refusal.path == "$.references[0].role"
        assert "character, composition, style, subject" in (plan.generation_plan.refusal.hint or "")
