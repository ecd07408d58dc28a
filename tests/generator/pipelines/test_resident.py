# pyright: basic, reportPrivateImportUsage=false
"""Models in memory: kept while they fit by what was measured, least recently used out first, none that is in use."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import ControlNetModel

from agents.generator.orders.order import ControlModel, Order
from agents.generator.pipelines.resident import ResidentPipelines
from agents.generator.registry.registry import Registry
from protocol.sources import ControlImage

CPU = torch.device("cpu")


@pytest.fixture
def known(load: Callable[[], Registry]) -> Registry:
    """Three models of the same size."""
    found = load()
    tiny = found.models["tiny"]
    others = {name: tiny.model_copy(update={"name": name}) for name in ("first", "second", "third")}
    paths = dict.fromkeys(others, found.models.paths["tiny"])
    return replace(found, kinds={**found.kinds, "model": replace(found.models, entries=others, paths=paths)})


def test_models_stay_while_they_fit_and_the_least_recently_used_makes_room(known: Registry):
    def get(name: str, *busy: str):
        return pipelines.get(known.models[name], known.models.paths[name], busy)

    measured = ResidentPipelines(CPU).get(known.models["first"], known.models.paths["first"])
    assert measured is not None
    pipelines = ResidentPipelines(CPU, budget=int(2.5 * measured.size_bytes))

    first, _ = get("first"), get("second")
    assert get("first") is first
    get("third")
    assert list(pipelines.resident_names) == ["first", "third"]
    assert get("second", "first", "third") is None
    assert list(pipelines.resident_names) == ["first", "third"]
    get("second", "first")
    assert list(pipelines.resident_names) == ["first", "second"]
    assert get("first") is first


def test_controlnets_count_and_make_room_by_letting_idle_models_go(
    known: Registry, tiny_order: Callable[..., Order], tmp_path: Path
):
    first = known.models["first"]
    measured = ResidentPipelines(CPU).get(first, known.models.paths["first"])
    assert measured is not None
    ControlNetModel.from_unet(measured.pipeline.unet).save_pretrained(tmp_path / "edges")
    control = ControlModel(ControlImage(kind="canny", model="edges", blob="c" * 64), tmp_path / "edges")
    pipelines = ResidentPipelines(CPU, budget=2 * measured.size_bytes)
    for name in ("second", "first"):
        resident = pipelines.get(known.models[name], known.models.paths[name])
    assert resident is not None
    resident.variants.pipeline_for(replace(tiny_order(), model=first, controls=(control,)))
    assert resident.size_bytes > measured.size_bytes
    assert list(pipelines.resident_names) == ["first"]


def test_a_model_too_large_for_the_budget_is_tried_alone(known: Registry):
    pipelines = ResidentPipelines(CPU, budget=1)
    assert pipelines.get(known.models["first"], known.models.paths["first"]) is not None
    assert pipelines.get(known.models["second"], known.models.paths["second"], ["first"]) is None
    assert pipelines.get(known.models["second"], known.models.paths["second"]) is not None
    assert list(pipelines.resident_names) == ["second"]
