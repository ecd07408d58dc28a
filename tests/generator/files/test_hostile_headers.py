"""Headers that no program writes: every reader of foreign files answers or refuses in its own words."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from agents.generator.files import checkpoint_file, embedding_file, lora_file, rrdb_file
from agents.generator.files.safetensors_header import Header, Tensor

PIECES = (
    *(
        "body",
        "rdb1",
        "RDB1",
        "conv1",
        "conv_first",
        "conv_up1",
        "conv_body",
        "model",
        "sub",
        "0",
        "1",
        "999999999",
        "x",
    ),
    *("params_ema", "lora_A", "lora_B", "lora_down", "lora_up", "lora", "down", "up", "alpha", "hada_w1_a", "attn2"),
    *("to_k", "attn2_to_k", "weight", "bias", "emb_params", "clip_l", "clip_g", "input_blocks", "diffusion_model", ""),
    *("first_stage_model", "cond_stage_model", "single_blocks", "double_blocks", "²"),
)
NAMES = some.lists(some.sampled_from(PIECES), min_size=1, max_size=7).map(".".join)
SHAPES = some.lists(some.sampled_from([0, 1, 3, 4, 8, 48, 768, 1 << 40]), max_size=5).map(tuple)
TENSORS = some.dictionaries(NAMES, SHAPES.map(lambda shape: Tensor("F16", shape, 0, 0)), max_size=6)
METADATA = some.dictionaries(
    some.sampled_from(["ss_tag_frequency", "ss_base_model_version", "modelspec.architecture", "x"]),
    some.text(max_size=30) | some.just('{"a": {"b": 1, "c": "d"}, "e": [1]}'),
)

SOUND: dict[str, dict[str, tuple[int, ...]]] = {
    "lora": {"unet.x.lora_A.weight": (4, 8), "unet.x.lora_B.weight": (8, 4)},
    "embedding": {"clip_l": (2, 768), "clip_g": (2, 1280)},
    "upscaler": {
        "conv_first.weight": (8, 3, 3, 3),
        "body.0.rdb1.conv1.weight": (4, 8, 3, 3),
        "conv_up1.weight": (8, 8, 3, 3),
    },
    "checkpoint": {
        "model.diffusion_model.input_blocks.1.1.attn2.to_k.weight": (320, 768),
        "first_stage_model.x": (1,),
        "cond_stage_model.x": (1,),
    },
}
"""Beginnings of files that a reader would go on with."""

READERS: dict[str, tuple[Callable[[Header], object], type[ValueError]]] = {
    "lora": (lora_file.describe, lora_file.NotALora),
    "embedding": (embedding_file.describe, embedding_file.NotAnEmbedding),
    "upscaler": (rrdb_file.describe, rrdb_file.NotAnUpscaler),
    "checkpoint": (checkpoint_file.describe, checkpoint_file.NotACheckpoint),
}


@pytest.mark.parametrize("reader", READERS)
@settings(max_examples=400, deadline=None)
@given(tensors=TENSORS, metadata=METADATA, sound=some.booleans())
def test_a_reader_answers_or_refuses(reader: str, tensors: dict[str, Tensor], metadata: dict[str, str], sound: bool):
    describe, refusal = READERS[reader]
    beginning = {name: Tensor("F16", shape, 0, 0) for name, shape in SOUND[reader].items()} if sound else {}
    try:
        assert describe(Header({**beginning, **tensors}, metadata, 0)) is not Ellipsis
    except ValueError as error:
        assert type(error) is refusal  # noqa: PT017 - anything but the reader's own words is a defect
