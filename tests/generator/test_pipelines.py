# pyright: basic
"""Models in memory: kept while they fit by what was measured, least recently used out first, none that is in use."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from agents.generator.pipelines import Pipelines
from agents.generator.registry import Registry

CPU = torch.device("cpu")


@pytest.fixture
def known(load: Callable[[], Registry]) -> Registry:
    """Three models of the same size."""
    found = load()
    tiny = found.models["tiny"]
    others = {name: tiny.model_copy(update={"name": name}) for name in ("first", "second", "third")}
    return replace(found, models=others, places=dict.fromkeys(others, found.places["tiny"]))


def test_models_stay_while_they_fit_and_the_least_recently_used_makes_room(known: Registry):
    def get(name: str, *busy: str):
        return pipelines.get(known.models[name], known.places[name], busy)

    measured = Pipelines(CPU).get(known.models["first"], known.places["first"])
    assert measured is not None
    pipelines = Pipelines(CPU, budget=int(2.5 * measured.size_bytes))

    first, _ = get("first"), get("second")
    assert get("first") is first
    get("third")
    assert list(pipelines.names) == ["first", "third"]
    assert get("second", "first", "third") is None
    assert list(pipelines.names) == ["first", "third"]
    get("second", "first")
    assert list(pipelines.names) == ["first", "second"]
    assert get("first") is first


def test_a_model_too_large_for_the_budget_is_tried_alone(known: Registry):
    pipelines = Pipelines(CPU, budget=1)
    assert pipelines.get(known.models["first"], known.places["first"]) is not None
    assert pipelines.get(known.models["second"], known.places["second"], ["first"]) is None
    assert pipelines.get(known.models["second"], known.places["second"]) is not None
    assert list(pipelines.names) == ["second"]
