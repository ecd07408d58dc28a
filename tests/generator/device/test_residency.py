"""Which models stay in memory, and who goes first."""

import pytest

from agents.generator.device.residency import MAX_OVERTAKEN_S, evictions, index_to_begin, plan_offload
from agents.shared.settings import Offload

HELD = {"old": 4, "middle": 3, "new": 2}


@pytest.mark.parametrize(
    ("needed", "budget", "busy", "gone"),
    [
        pytest.param(1, 10, (), [], id="there-is-room"),
        pytest.param(2, 10, (), ["old"], id="the-least-recently-used-goes-first"),
        pytest.param(6, 10, (), ["old", "middle"], id="as-many-as-it-takes"),
        pytest.param(2, 10, ("old",), ["middle"], id="what-is-in-use-stays"),
        pytest.param(8, 10, ("old",), None, id="it-waits-for-what-is-in-use"),
        pytest.param(20, 10, (), ["old", "middle", "new"], id="what-is-too-large-is-tried-alone"),
        pytest.param(20, 10, ("other",), ["old", "middle", "new"], id="a-busy-model-that-is-not-held-counts-not"),
    ],
)
def test_models_are_let_go_by_their_last_use_and_never_while_in_use(
    needed: int, budget: int, busy: tuple[str, ...], gone: list[str] | None
):
    assert evictions(HELD, needed, budget, busy) == gone


PARTS = {"text_encoder": 2, "text_encoder_2": 9, "transformer": 24, "vae": 1}


@pytest.mark.parametrize(
    ("offload", "budget", "in_turn", "by_block", "filled"),
    [
        pytest.param("auto", 40, "", "", 36, id="all-of-it-fits"),
        pytest.param("auto", 30, "text_encoder text_encoder_2 transformer", "", 30, id="its-parts-fit-in-turn"),
        pytest.param("auto", 18, "text_encoder text_encoder_2", "transformer", 12, id="its-denoiser-does-not-fit"),
        pytest.param("auto", 8, "text_encoder text_encoder_2", "transformer", 8, id="nor-do-its-encoders-together"),
        pytest.param("none", 8, "", "", 36, id="it-is-tried"),
        pytest.param("model", 99, "text_encoder text_encoder_2 transformer", "", 25, id="one-at-a-time-if-asked-for"),
        pytest.param("blocks", 99, "text_encoder text_encoder_2", "transformer", 12, id="by-block-if-asked-for"),
    ],
)
def test_what_of_a_model_is_on_a_gpu_follows_from_its_memory(
    offload: Offload, budget: int, in_turn: str, by_block: str, filled: int
):
    found = plan_offload(PARTS, budget, offload, on_gpu=True)
    assert (found.in_turn, found.by_block, found.filled_bytes) == (set(in_turn.split()), set(by_block.split()), filled)


def test_without_a_gpu_a_model_that_is_too_large_stays_together():
    assert plan_offload(PARTS, budget=8, offload="auto", on_gpu=False).filled_bytes == 36


@pytest.mark.parametrize(
    ("waiting", "resident", "index"),
    [
        pytest.param([("a", 0), ("b", 1)], {"a", "b"}, 0, id="in-their-order"),
        pytest.param([("a", 0), ("b", 1), ("b", 2)], {"b"}, 1, id="the-first-whose-model-is-loaded"),
        pytest.param([("a", 0), ("b", 1)], set[str](), 0, id="nobodys-model-is-loaded"),
        pytest.param([("a", 3 - MAX_OVERTAKEN_S), ("b", 1)], {"b"}, 0, id="nobody-is-overtaken-for-ever"),
    ],
)
def test_pictures_of_loaded_models_overtake_for_a_bounded_time(
    waiting: list[tuple[str, float]], resident: set[str], index: int
):
    assert index_to_begin(waiting, resident, now=3.0) == index


def test_two_models_that_do_not_fit_together_are_not_swapped_for_each_picture():
    waiting = [("a" if number % 2 else "b", float(number)) for number in range(16)]
    resident, loads = {"b"}, 0
    while waiting:
        model, _ = waiting.pop(index_to_begin(waiting, resident, now=16.0))
        loads += model not in resident
        resident = {model}
    assert loads == 1
