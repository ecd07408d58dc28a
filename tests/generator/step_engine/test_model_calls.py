# pyright: basic
"""Calls as one: which may be, what arguments become, and what comes back to each."""

from typing import Any

import pytest
import torch

from agents.generator.step_engine.encoder_cache import EncoderCache
from agents.generator.step_engine.model_calls import ModelCall, run_shared, shareable_call

SEEN: list[dict[str, Any]] = []


def model(**arguments: Any) -> Any:
    """Answers with its first argument plus the timestep, in a tuple beside a list; remembers what it was given."""
    SEEN.append(arguments)
    time = arguments["timestep"].reshape(-1, 1).expand(arguments["sample"].shape[0], 1)
    return (arguments["sample"] + time, [arguments["sample"] * 2])


def call(rows: int, time: float = 1.0, **more: Any) -> ModelCall:
    sample = torch.full((rows, 3), time * 10)
    return shareable_call("unet", model, {"sample": sample, "timestep": torch.tensor(time), **more}, {})


def test_each_gets_its_rows_back_and_padding_is_dropped():
    SEEN.clear()
    answers = run_shared([call(2, 1.0), call(1, 2.0)], 4)
    assert SEEN[0]["sample"].shape == (4, 3)
    assert SEEN[0]["timestep"].tolist() == [1.0, 1.0, 2.0, 1.0]
    (first, [first_doubled]), (second, [second_doubled]) = answers
    assert torch.equal(first, torch.full((2, 3), 11.0))
    assert torch.equal(second, torch.full((1, 3), 22.0))
    assert (first_doubled.shape, second_doubled.shape) == ((2, 3), (1, 3))


def test_a_call_alone_at_its_own_size_is_made_as_it_was_meant():
    SEEN.clear()
    alone = call(2)
    run_shared([alone], 2)
    assert SEEN[0]["sample"] is alone.arguments["sample"]
    assert SEEN[0]["timestep"].ndim == 0


@pytest.mark.parametrize("companions", ["a like one", "another", "padding"])
def test_rows_of_any_layout_come_to_a_shared_call_in_one(companions: str):
    SEEN.clear()
    image = torch.zeros(1, 4, 8, 8)
    plain, turned = call(1, image=image), call(1, image=image.to(memory_format=torch.channels_last))
    run_shared({"a like one": [turned, turned], "another": [turned, plain], "padding": [turned]}[companions], 2)
    assert SEEN[0]["image"].is_contiguous()


def test_nested_arguments_are_joined_part_by_part():
    SEEN.clear()
    conditions = [{"text_embeds": torch.full((rows, 2), float(rows))} for rows in (2, 1)]
    residuals = [(torch.zeros(rows, 4), torch.ones(rows, 5)) for rows in (2, 1)]
    run_shared(
        [call(rows, added=conditions[at], residuals=residuals[at]) for at, rows in enumerate((2, 1))],
        4,
    )
    assert SEEN[0]["added"]["text_embeds"][:, 0].tolist() == [2.0, 2.0, 1.0, 2.0]
    assert [part.shape for part in SEEN[0]["residuals"]] == [(4, 4), (4, 5)]


@pytest.mark.parametrize(
    ("more", "other"),
    [
        pytest.param({}, {}, id="nothing-more"),
        pytest.param({"cross": None}, {"cross": None}, id="equal-values"),
        pytest.param({"text": torch.zeros(2, 77, 8)}, {"text": torch.ones(1, 77, 8)}, id="same-shape-of-a-row"),
    ],
)
def test_calls_that_differ_in_rows_alone_may_be_one(more: dict[str, Any], other: dict[str, Any]):
    assert call(2, **more).key == call(1, 5.0, **other).key


@pytest.mark.parametrize(
    ("more", "other"),
    [
        pytest.param({"text": torch.zeros(2, 77, 8)}, {"text": torch.zeros(2, 154, 8)}, id="text-length"),
        pytest.param({"text": torch.zeros(2, 7)}, {"text": torch.zeros(2, 7).half()}, id="dtype"),
        pytest.param({"scale": 1.0}, {"scale": 0.5}, id="values"),
        pytest.param({"mask": None}, {"mask": torch.zeros(2, 4)}, id="with-and-without"),
        pytest.param({"map": torch.zeros(5, 4)}, {"map": torch.zeros(5, 4)}, id="tensors-without-rows"),
        pytest.param({"function": [].append}, {"function": [].extend}, id="objects"),
    ],
)
def test_calls_that_differ_in_anything_else_may_not(more: dict[str, Any], other: dict[str, Any]):
    assert call(2, **more).key != call(2, **other).key


def test_what_all_share_is_compared_by_what_it_holds():
    keys = [
        shareable_call("transformer", model, {"sample": torch.zeros(1, 3), "ids": torch.zeros(4)}, {"ids": held}).key
        for held in ("here", "here", "there")
    ]
    assert keys[0] == keys[1] != keys[2]


def test_embeddings_are_made_once_and_the_least_used_are_forgotten():
    made: list[str] = []

    def get(name: str) -> torch.Tensor:
        return kept.get(name, lambda: made.append(name) or torch.zeros(100))

    kept = EncoderCache(max_bytes=1000)
    first = get("red")
    get("blue")
    assert get("red") is first
    get("green")
    get("red")
    assert made == ["red", "blue", "green"]
    get("blue")
    assert made == ["red", "blue", "green", "blue"]
