# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false
"""The GPU bench: its models are those that the makers publish, and it runs, on a CPU in the size of tests."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import torch

from agents.generator.step_engine.flops import FlopCounter
from tests.bench import gpu
from tests.bench.full_size import SUBJECTS, built

META = torch.device("meta")


def empty(*shape: int) -> torch.Tensor:
    return torch.empty(*shape, device=META, dtype=torch.bfloat16)


CALLS: dict[str, tuple[dict[str, Any], float, dict[str, float]]] = {
    "sd15": (
        {"sample": empty(2, 4, 64, 64), "timestep": empty(2), "encoder_hidden_states": empty(2, 77, 768)},
        1.607,
        {"unet": 859.5, "vae": 83.7, "text_encoder": 123.1},
    ),
    "sdxl": (
        {
            "sample": empty(2, 4, 128, 128),
            "timestep": empty(2),
            "encoder_hidden_states": empty(2, 77, 2048),
            "added_cond_kwargs": {"text_embeds": empty(2, 1280), "time_ids": empty(2, 6)},
        },
        13.52,
        {"unet": 2567.5, "vae": 83.7, "text_encoder": 123.1, "text_encoder_2": 694.7},
    ),
    "flux": (
        {
            "hidden_states": empty(1, 4096, 64),
            "timestep": empty(1),
            "encoder_hidden_states": empty(1, 256, 4096),
            "pooled_projections": empty(1, 768),
            "img_ids": empty(4096, 3),
            "txt_ids": empty(256, 3),
        },
        69.47,
        {"transformer": 11891.2, "vae": 83.8, "text_encoder": 123.1, "text_encoder_2": 4762.3},
    ),
}
"""Arguments of the denoiser for one picture of the model's own size, the 10^12 operations that they take, and millions
of parameters by part: all as they are known of these models."""


@pytest.mark.parametrize("name", CALLS)
def test_a_model_has_the_parameters_and_takes_the_operations_that_are_known_of_it(name: str):
    arguments, tflop, millions = CALLS[name]
    pipeline = built(SUBJECTS[name], META, torch.bfloat16, tiny=False)
    found = {part: sum(one.numel() for one in getattr(pipeline, part).parameters()) / 1e6 for part in millions}
    assert found == pytest.approx(millions, abs=0.1)
    with torch.no_grad(), FlopCounter() as counter:
        getattr(pipeline, next(iter(millions)))(**arguments)
    assert counter.total / 1e12 == pytest.approx(tflop, rel=1e-3)


@pytest.fixture
def one_thread() -> Generator[None]:
    """Sums over another number of threads come out differently, and a library may choose the number call by call."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_the_bench_runs_without_a_gpu_in_the_size_of_tests_and_writes_what_it_finds(tmp_path: Path):
    file = tmp_path / "figures" / "gpu.json"
    how = "--tiny --device cpu --compiler eager --seconds 4 --section ceilings --section sd15"
    gpu.main([*how.split(), "--json", str(file)])
    found = json.loads(file.read_text())
    assert found["ceilings"]["device"]["matmul_tflops"] > 0
    equal = found["sd15"]["eager 64 equality"]
    assert (equal["largest_difference_from_the_plain_pipeline"], equal["unchanged_by_companions"]) == (0, 2)
    for way in ("eager", "compiled"):
        assert found["sd15"][f"{way} 64 denoiser"]["calls"][0]["seconds"] > 0
        pictures = found["sd15"][f"{way} 64 pictures"]
        assert pictures["ratio"] == pytest.approx(pictures["engine_per_s"] / pictures["loop_per_s"])
        assert pictures["mfu"] is None
    assert found["goals"]["reached"]["never below the loop"] in (True, False)


def test_what_was_not_measured_is_no_goal_reached(tmp_path: Path):
    assert set(gpu.goals(gpu.Report(tmp_path / "gpu.json")).values()) == {None}
