# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false
"""LoRA files as strangers have them (`loras.toml`): what is told when they are added, and whether they act. What cannot
be used in whole leaves the model as it was, bit for bit."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from agents.generator.library.recognise import recognise
from agents.generator.orders.order import LoraAdapter
from agents.generator.pipelines.loras import LoraAdapters
from agents.generator.pipelines.mounting import MountGuard
from protocol.errors import AcpError
from tests.generator.platforms import PLATFORMS
from tests.strangers.make_loras import make_loras

CASES: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("loras.toml").read_text())
PLATFORM_BY_START = {"xl": "stable_diffusion_xl", "flux": "flux_1_dev", "sd3": "stable_diffusion_3_5"}


class Mounted(NamedTuple):
    """A tiny model, and its picture before anything was mounted."""

    pipeline: Any
    loras: LoraAdapters
    guard: MountGuard
    plain: torch.Tensor


def picture(pipeline: Any) -> torch.Tensor:
    """The latents of one step: as much of a picture as LoRAs decide."""
    generator = torch.Generator("cpu").manual_seed(1)
    made = pipeline("mug", width=64, height=64, num_inference_steps=1, output_type="latent", generator=generator)
    return made.images


@pytest.fixture(scope="session")
def loras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loras")
    make_loras(folder)
    return folder


@pytest.fixture(scope="session")
def models() -> Mapping[str, Mounted]:
    """A tiny model of each platform that the files are for."""
    found: dict[str, Mounted] = {}
    for platform in ("stable_diffusion_1_5", *PLATFORM_BY_START.values()):
        pipeline = PLATFORMS[platform][1]()
        pipeline.set_progress_bar_config(disable=True)
        for part in pipeline.components.values():
            if isinstance(part, torch.nn.Module):
                part.eval()
        guard = MountGuard(pipeline)
        found[platform] = Mounted(pipeline, LoraAdapters(pipeline, guard), guard, picture(pipeline))
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_lora_file_is_accepted_or_refused_in_words_when_it_is_added(name: str, loras: Path) -> None:
    case, file = CASES[name], loras / f"{name}.safetensors"
    if case["add"] == "accepted":
        found = recognise(file)
        assert (found.kind, found.platform) == ("lora", case.get("platform"))
        return
    with pytest.raises(AcpError) as refused:
        recognise(file)
    said = f"{refused.value.body.message} {refused.value.body.hint}"
    assert refused.value.code == "not_installed"
    assert [words for words in case["says"] if words not in said] == []


@pytest.mark.parametrize("name", CASES)
@torch.no_grad()
def test_a_lora_file_acts_as_a_whole_or_leaves_the_model_as_it_was(
    name: str, loras: Path, models: Mapping[str, Mounted]
) -> None:
    case, file = CASES[name], loras / f"{name}.safetensors"
    start = name.partition("_")[0]
    model = models[PLATFORM_BY_START.get(start, "stable_diffusion_1_5")]
    wanted = [LoraAdapter(name, file, 0.8)]
    if case["draw"] == "acts":
        model.loras.activate(wanted)
        assert not torch.equal(picture(model.pipeline), model.plain)
    else:
        with pytest.raises(AcpError) as refused:
            model.loras.activate(wanted)
        said = refused.value.body.message
        assert refused.value.code == "not_installed"
        assert case["add"] == "refused" or [words for words in case["says"] if words not in said] == []
    model.loras.activate([])

    assert torch.equal(picture(model.pipeline), model.plain)
    assert not model.guard.is_broken


def test_every_file_that_is_made_has_its_right_value_in_the_table(loras: Path) -> None:
    assert {file.stem for file in loras.iterdir()} == CASES.keys()
