"""From a job to an order: what is looked up, and what is refused with which advice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.generator.announce import Speeds, Versions, announce, slots_per_platform
from agents.generator.orders.order import order_of
from agents.generator.registry.registry import Registry
from protocol.commands import Lora
from protocol.errors import AcpError
from protocol.messages import Job
from protocol.money import device_cost
from protocol.offers import ModelInfo, infos_of
from protocol.post import Upscale

Jobs = Callable[..., Job]
Load = Callable[[], Registry]


def test_an_order_has_the_folder_the_scheduler_and_the_lora_files(job: Jobs, load: Load, home: Path, tiny_folder: Path):
    (home / "loras" / "glow.safetensors").write_bytes(b"")
    ready = order_of(job(sampler="euler a", loras=[Lora(name="glow", weight=0.6)]), load())
    assert ready.folder == tiny_folder
    assert ready.scheduler.name == "EulerAncestralDiscreteScheduler"
    assert [(adapter.file, adapter.weight) for adapter in ready.loras] == [(home / "loras" / "glow.safetensors", 0.6)]


@pytest.mark.parametrize(
    ("fields", "code", "path", "hint"),
    [
        ({"model": "tinny"}, "not_installed", "$.job.pixels.model", "did you mean tiny?"),
        ({"model": "base_sdxl"}, "not_installed", "$.job.pixels.model", "bottega models pull base_sdxl"),
        ({"sampler": "Eular"}, "not_installed", "$.job.pixels.sampler", "did you mean Euler?"),
        ({"loras": [Lora(name="glo")]}, "not_installed", "$.job.pixels.loras[0].name", "did you mean glow?"),
        ({"loras": [Lora(name="glow")]}, "not_installed", "$.job.pixels.loras[0].name", "glow.safetensors"),
        (
            {"loras": [Lora(name="product_lora_v3")]},
            "not_installed",
            "$.job.pixels.loras[0].name",
            "stable_diffusion_xl",
        ),
        ({"width": 60}, "invalid_value", "$.job.pixels.width", "64x64"),
        ({"height": 0}, "invalid_value", "$.job.pixels.width", "64x64"),
        ({"width": 4096, "height": 4096}, "invalid_value", "$.job.pixels.width", "64x64"),
    ],
)
def test_what_cannot_be_made_is_refused_with_what_to_do(
    job: Jobs, load: Load, fields: dict[str, Any], code: str, path: str, hint: str
):
    with pytest.raises(AcpError) as refused:
        order_of(job(**fields), load())
    assert (refused.value.code, refused.value.body.path) == (code, path)
    assert hint in (refused.value.body.hint or "")
    assert not refused.value.retryable


def test_every_model_is_announced_and_the_missing_ones_say_how_to_get_them(load: Load):
    announced = {model.name: model for model in infos_of(announce(load(), Versions(), Speeds()), ModelInfo)}
    assert announced["tiny"].installed
    assert announced["tiny"].install is None
    assert not announced["base_sdxl"].installed
    assert "base_sdxl" in (announced["base_sdxl"].install or "")
    assert "sdxl" in announced["base_sdxl"].aliases


def test_speed_is_the_median_of_all_pictures_by_their_work_and_null_before_the_first(job: Jobs, load: Load):
    speeds, tiny = Speeds(), load().models["tiny"]
    assert speeds.seconds_per_image("tiny") is None
    width, height = tiny.native_sizes[0]
    speeds.note(job(steps=2 * tiny.steps), tiny, 4.0, {"denoise": 3.5})
    assert speeds.seconds_per_image("tiny") == 2.0
    for seconds in (1.0, 9.0):
        speeds.note(job(), tiny, seconds, {})
    assert speeds.seconds_per_image("tiny") == 2.0
    for _ in range(3):
        speeds.note(job(width=2 * width, height=height, guidance=1.0), tiny, 3.0, {})
    assert speeds.seconds_per_image("tiny") == 3.0


def test_the_seconds_of_later_stages_are_no_part_of_the_speed_of_a_model(job: Jobs, load: Load):
    speeds, tiny = Speeds(), load().models["tiny"]
    enlarged = job(post=[Upscale(model="lanczos", scale=2.0)])
    speeds.note(enlarged, tiny, 3.0, {"denoise": 1.0, "upscale": 2.0})
    assert speeds.seconds_per_image("tiny") == 1.0


@pytest.mark.parametrize(
    ("seconds", "price", "micros"), [(3600.0, 2.5, 2_500_000), (1.2, 3.0, 1000), (0.0, 3.0, 0), (5.0, None, None)]
)
def test_cost_is_the_price_of_the_measured_time(seconds: float, price: float | None, micros: int | None):
    assert device_cost(seconds, price) == micros


@pytest.mark.parametrize(
    ("slots", "platforms", "each"), [(2, 1, 2), (2, 3, 2), (1, 3, 1), (8, 2, 4), (8, 8, 2), (4, 0, 4)]
)
def test_slots_are_shared_but_two_are_left_to_each_platform(slots: int, platforms: int, each: int):
    assert slots_per_platform(slots, platforms) == each


@pytest.mark.parametrize(
    "setting",
    [
        {"precision": "bfloat16"},
        {"threads": 2},
        {"prompt_syntax": "haiku"},
        {"step_reuse": 0.1},
        {"guidance_window": (0.0, 0.8)},
    ],
)
def test_a_setting_that_no_engine_obeys_is_refused_and_never_ignored(
    job: Jobs, load: Load, setting: dict[str, Any]
) -> None:
    with pytest.raises(AcpError) as refused:
        order_of(job().with_pixels(**setting), load())
    assert refused.value.code == "not_supported"
    assert refused.value.body.path == f"$.job.pixels.{next(iter(setting))}"
