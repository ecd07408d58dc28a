"""Which files of a hub repository are fetched, and which repositories are refused."""

from typing import Any

import pytest

from agents.generator.library.hub_files import (
    MAX_CONFIGURATION_BYTES,
    HubFile,
    ip_adapter_files,
    pipeline_files,
    transformers_files,
)
from protocol.errors import Refused

SHA = "0" * 64
INDEX: dict[str, Any] = {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]}


def weights(path: str, sha256: str | None = SHA) -> HubFile:
    return HubFile(path, MAX_CONFIGURATION_BYTES + 1, sha256=sha256)


def settings(path: str, size: int = 10) -> HubFile:
    return HubFile(path, size, git_sha1="0" * 40)


UNET = weights("unet/diffusion_pytorch_model.safetensors")
CONFIG = settings("unet/config.json")


@pytest.mark.parametrize(
    ("files", "index", "problem"),
    [
        ([CONFIG, UNET], INDEX | {"_class_name": None}, "code from the network"),
        ([UNET, settings("unet/config.json", MAX_CONFIGURATION_BYTES + 1)], INDEX, "which no settings are"),
        ([CONFIG, weights("unet/model.bin")], INDEX, "as a pickle only"),
        ([CONFIG], INDEX, "is not in it"),
        ([CONFIG, weights(UNET.path, sha256=None)], INDEX, "has no SHA-256"),
        ([CONFIG, weights("unet/model.non_ema.safetensors")], INDEX, "in full precision"),
    ],
)
def test_a_pipeline_that_is_not_whole_or_not_safe_is_refused(
    files: list[HubFile], index: dict[str, Any], problem: str
) -> None:
    with pytest.raises(Refused, match=problem):
        pipeline_files(files, index, "float32", "a/b")


@pytest.mark.parametrize(("dtype", "chosen"), [("float16", "fp16"), ("float32", "")])
def test_half_precision_is_fetched_where_it_is_run_in(dtype: str, chosen: str) -> None:
    half = weights("unet/diffusion_pytorch_model.fp16.safetensors")
    found = pipeline_files([CONFIG, UNET, half], INDEX, dtype, "a/b")

    assert found == [CONFIG, half if chosen else UNET]


@pytest.mark.parametrize(
    ("files", "config", "problem"),
    [
        ([weights("model.safetensors")], {"auto_map": {"AutoModel": "x.Y"}}, "code from the network"),
        ([settings("config.json"), weights("pytorch_model.bin")], {}, "no weights as safetensors"),
        ([weights("model.safetensors", sha256=None)], {}, "has no SHA-256"),
    ],
)
def test_a_model_of_transformers_that_is_not_safe_is_refused(
    files: list[HubFile], config: dict[str, Any], problem: str
) -> None:
    with pytest.raises(Refused, match=problem):
        transformers_files(files, config, "a/b")


@pytest.mark.parametrize(
    ("files", "config", "problem"),
    [
        ([], {"auto_map": {}}, "code from the network"),
        ([settings("encoder/config.json"), weights("encoder/model.safetensors")], {}, "adapter.safetensors is not in"),
        (
            [
                settings("encoder/config.json"),
                weights("encoder/model.safetensors", sha256=None),
                weights("adapter.safetensors"),
            ],
            {},
            "without a hash",
        ),
    ],
)
def test_an_ip_adapter_that_is_not_whole_or_not_safe_is_refused(
    files: list[HubFile], config: dict[str, Any], problem: str
) -> None:
    with pytest.raises(Refused, match=problem):
        ip_adapter_files(files, config, "adapter.safetensors", "encoder", "a/b")
