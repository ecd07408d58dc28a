"""Pictures of several stages by one command, over a real broker, with the pocket model: sizes, records, what is shared,
what is reused, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from agents.doors.cli.rerun.run import job_of
from agents.planner.scheduling.reuse import digests
from agents.shared.picture import decode
from agents.shared.settings import Settings
from agents.storage.filing import read_record
from bus.connection import Address
from protocol.commands import Lora
from protocol.parameters import ImageSource
from protocol.pixels import pixel_digest
from protocol.plans import GenerationPlan
from protocol.post import CorrectColour, Refine, RestoreFaces, Upscale
from tests.generator.upscale.test_upscale import save_doubling
from tests.planner.served.test_served import answered, finished, planned
from tests.planner.served.test_served_pictures import order, painting, stored
from tests.workshop import instant_settings, presences, served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def with_network(settings: Settings) -> Settings:
    """A home with an upscaler that doubles pixels."""
    tools = settings.home / "tools"
    tools.mkdir(parents=True)
    save_doubling(tools / "x2.safetensors")
    (settings.home / "models.toml").write_text('[tools.x2]\nkind = "upscaler"\n')
    return settings


async def test_base_upscale_refinement_with_a_style_and_colours_are_one_command(
    tmp_path: Path, login: Callable[[str], Address]
) -> None:
    settings = with_network(painting(tmp_path / "home"))
    steps = [
        Upscale(model="x2", scale=1.5),
        CorrectColour(),
        Refine(strength=0.25, loras=[Lora(name="neon", weight=0.7)]),
    ]
    async with served(settings, login) as client:
        _, plain = await stored(client, order(steps=8))
        batch, plan = await planned(client, order(post=steps, steps=8))
        [image] = (await finished(client, batch)).images

        assert [(stage.op, stage.size.width, stage.engine) for stage in plan.stages] == [
            ("generate", 128, "steps"),
            ("upscale", 192, "pipeline"),
            ("colour_correct", 192, "pipeline"),
            ("refine", 192, "steps"),
        ]
        assert plan.stages[-1].steps == 2
        assert image.dimensions is not None
        assert (image.dimensions.width, image.dimensions.height) == (192, 192)
        assert image.metadata is not None
        assert {"denoise", "upscale", "colour_correct", "refine"} <= image.metadata.stages.keys()
        assert image.metadata.engine == "steps"
        assert len((image.metadata.model_version or "").split("+")) == 3

        file = Path(image.path or "")
        pixels = decode(file.read_bytes()).rgb
        assert pixels.shape == (192, 192, 3)
        larger = plain.repeat(3, 0).repeat(3, 1)[::2, ::2]
        assert np.corrcoef(larger.mean(2).ravel(), pixels.mean(2).ravel())[0, 1] > 0.8
        record = json.loads(file.with_suffix(".json").read_text())
        assert [step["op"] for step in record["post"]] == ["upscale", "colour_correct", "refine"]
        assert record["post"][2]["prompt_suffix"] == "neon sign"
        assert (record["width"], record["generated"]) == (192, {"width": 128, "height": 128})

        # What the planner asks storage for is what storage keeps it by.
        job = job_of(read_record(file.read_bytes()))
        known = digests([job], await presences(login("operator")))
        assert known == {0: pixel_digest(job.pixels, image.metadata.model_version or "")}
        assert known != digests([job.with_pixels(post=steps[:1])], await presences(login("operator")))


async def test_what_cannot_follow_a_picture_is_refused_with_the_step_and_what_works(
    tmp_path: Path, login: Callable[[str], Address]
) -> None:
    settings = with_network(instant_settings(tmp_path / "home"))
    async with served(settings, login) as client:
        for path, step, hint in (
            ("$.post[0].model", Upscale(model="x9"), "x2"),
            ("$.post[0].model", RestoreFaces(model="gfpgan", faces=[[0, 0, 1, 1]]), "bottega models add"),
            ("$.post[0].towards", CorrectColour(towards=ImageSource(blob="0" * 64)), ""),
        ):
            plan = (await answered(client, order(post=[step]), GenerationPlan)).generation_plan
            assert plan.refusal is not None
            assert plan.refusal.path == path
            assert hint in (plan.refusal.hint or "")
        image, pixels = await stored(client, order(post=[Upscale(scale=1.5)]))
        assert image.dimensions is not None
        assert (image.dimensions.width, pixels.shape) == (192, (192, 192, 3))
