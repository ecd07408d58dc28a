# pyright: basic
"""A sequence from a command to its file, over a real broker, by a tiny random motion adapter."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agents.doors.cli.rerun.run import job_of
from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.orders.order import order_of
from agents.generator.registry import registry
from agents.shared.picture import decode_frames
from agents.storage.filing import read_record
from bus.connection import Address
from protocol.animation import Animation
from protocol.plans import GenerationPlan
from tests.generator.engines.test_diffusers_engine import made
from tests.generator.pipelines.test_motion_adapter import entered, tiny_motion
from tests.planner.served.test_served import answered, finished, planned, small
from tests.workshop import instant_settings, served

pytestmark = pytest.mark.slow


async def test_a_sequence_is_ordered_made_filed_and_made_again(home: Path, login: Callable[[str], Address]):
    entered(home, tiny_motion())
    settings = instant_settings(home, generator="diffusers", device="cpu", torch_threads=1, stale_s=60.0)
    command = small(1, platform=None, models=["tiny"], seed=5, animation=Animation(frames=4, fps=10))
    async with served(settings, login) as client:
        batch, plan = await planned(client, command)
        [image] = (await finished(client, batch)).images
        pocket = (await answered(client, small(1, animation=Animation()), GenerationPlan)).generation_plan
    assert plan.engine == "pipeline"
    assert any("4 frames by wave" in warning for warning in plan.warnings)
    assert pocket.refusal is not None
    assert pocket.refusal.path == "$.animation"
    assert "stable_diffusion_1_5" in (pocket.refusal.hint or "")

    data = Path(image.path or "").read_bytes()
    with Image.open(Path(image.path or "")) as file:
        assert (file.format, getattr(file, "n_frames", 1), file.info["duration"]) == ("PNG", 4, 100)
    record = read_record(data)
    assert json.loads(Path(image.path or "").with_suffix(".json").read_text())["motion"] == {
        "model": "wave",
        "frames": 4,
        "fps": 10,
    }
    known = registry.load(home / "models", home / "loras", home / "models.toml")
    engine = DiffusersEngine("cpu", 1, home / "again")
    async with engine.open():
        again = await made(engine, order_of(job_of(record), known))
    assert again.model_version == record.model_version
    assert np.array_equal(decode_frames(again.data), decode_frames(data))
