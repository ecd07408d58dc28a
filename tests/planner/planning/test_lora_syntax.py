"""`<lora:name:weight>` in what a client writes, and the words that wake a LoRA."""

from typing import Any

import pytest

from agents.planner.planning.lora_syntax import missing_triggers, move_tags_to_loras, triggers
from protocol.commands import GenerateImages, Lora
from protocol.errors import BadCommand
from protocol.messages import LoraInfo

NEON = Lora(name="neon", weight=0.8)


@pytest.mark.parametrize(
    ("fields", "after", "loras"),
    [
        pytest.param({"brief": "a red mug"}, {"brief": "a red mug"}, [], id="none"),
        pytest.param({"brief": "a mug <lora:neon:0.8>"}, {"brief": "a mug"}, [NEON], id="at-the-end"),
        pytest.param({"brief": "a <lora:neon:.8>"}, {"brief": "a"}, [NEON], id="a-weight-without-its-nought"),
        pytest.param({"brief": "<LORA:neon:0.8>, a  mug"}, {"brief": "a mug"}, [NEON], id="at-the-beginning"),
        pytest.param({"brief": "a, <lora:neon:0.8>, b"}, {"brief": "a, b"}, [NEON], id="between-commas"),
        pytest.param({"brief": "a <lora:x y.v2> b"}, {"brief": "a b"}, [Lora(name="x y.v2", weight=1.0)], id="bare"),
        pytest.param({"brief": "a <lora:neon:-1>"}, {"brief": "a"}, [Lora(name="neon", weight=-1.0)], id="negative"),
        pytest.param(
            {"brief": "a <lora:neon:0.8><lora:b:1>"}, {"brief": "a"}, [NEON, Lora(name="b", weight=1.0)], id="several"
        ),
        pytest.param(
            {"brief": "a <lora:neon:0.8>", "loras": [Lora(name="b")]}, {"brief": "a"}, [Lora(name="b"), NEON], id="more"
        ),
        pytest.param({"brief": "a <lora:neon:0.8>", "loras": [NEON]}, {"brief": "a"}, [NEON], id="said-twice"),
        pytest.param({"brief": "<lora:neon:0.8>"}, {"brief": None}, [NEON], id="nothing-else"),
        pytest.param(
            {"prompts": ["a <lora:neon:0.8>", "<lora:neon:0.8> b"]}, {"prompts": ["a", "b"]}, [NEON], id="each-prompt"
        ),
        pytest.param({"brief": "a <3 b"}, {"brief": "a <3 b"}, [], id="no-tag-at-all"),
        pytest.param({"brief": "a <lora:neon:0.8> <lora:neon:0.5>"}, None, None, id="two-weights"),
        pytest.param({"brief": "a <lora:neon:5>"}, None, None, id="too-strong"),
        pytest.param({"brief": "a <lora:neon"}, None, None, id="not-closed"),
        pytest.param({"brief": "a <lora::1>"}, None, None, id="no-name"),
        pytest.param({"prompts": ["a <lora:neon:0.8>", "b"]}, None, None, id="prompts-that-differ"),
        pytest.param({"prompts": ["<lora:neon:0.8>"]}, None, None, id="a-prompt-of-nothing-else"),
        pytest.param({"brief": "a <lora:neon:0.5>", "loras": [NEON]}, None, None, id="another-weight-in-loras"),
    ],
)
def test_tags_become_loras(fields: dict[str, Any], after: dict[str, Any] | None, loras: list[Lora] | None):
    command = GenerateImages(**fields)
    if after is None:
        with pytest.raises(BadCommand) as refused:
            move_tags_to_loras(command)
        assert refused.value.body.path
        assert refused.value.body.hint
    else:
        done = move_tags_to_loras(command)
        assert {name: getattr(done, name) for name in after} == after
        assert done.loras == loras


KNOWN = {
    "neon": LoraInfo(name="neon", platform="pocket", installed=True, trigger="neon sign"),
    "quiet": LoraInfo(name="quiet", platform="pocket", installed=True),
}


@pytest.mark.parametrize(
    ("loras", "words"),
    [([NEON], ["neon sign"]), ([Lora(name="quiet"), NEON], ["neon sign"]), ([Lora(name="neon", weight=0.0)], [])],
)
def test_loras_that_act_are_woken(loras: list[Lora], words: list[str]):
    assert triggers(loras, KNOWN) == words


def test_a_finished_prompt_without_a_trigger_is_warned_of():
    [warning] = missing_triggers(["a mug, Neon Sign", "a teapot"], ["neon sign"])
    assert "'a teapot'" in warning
    assert "'neon sign'" in warning
