"""What an IP-Adapter's file is told to be by its header."""

import pytest

from agents.generator.files.ip_adapter_file import IpAdapterFile, NotAnIpAdapter, describe
from agents.generator.files.safetensors_header import Header, Tensor


def header(projection: dict[str, tuple[int, ...]], width: int = 768, layers: int = 16) -> Header:
    shapes = {f"image_proj.{name}": shape for name, shape in projection.items()}
    for number in range(layers):
        shapes |= {f"ip_adapter.{2 * number + 1}.{part}.weight": (320, width) for part in ("to_k_ip", "to_v_ip")}
    return Header({name: Tensor("F16", shape, 0, 0) for name, shape in shapes.items()}, {}, 0)


PLAIN = {"proj.weight": (3072, 1024), "proj.bias": (3072,), "norm.weight": (768,), "norm.bias": (768,)}
FACES = {"proj.0.weight": (1024, 512), "norm.weight": (768,)}


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (header(PLAIN), IpAdapterFile(16, 768, patches=False, platform="stable_diffusion_1_5")),
        (header(PLAIN, 2048, 70), IpAdapterFile(70, 2048, patches=False, platform="stable_diffusion_xl")),
        (header({"latents": (1, 16, 768)}), IpAdapterFile(16, 768, patches=True, platform="stable_diffusion_1_5")),
        (header(PLAIN, 160, 2), IpAdapterFile(2, 160, patches=False, platform=None)),
    ],
    ids=["for SD 1.5", "for SDXL", "plus", "for another model"],
)
def test_layers_and_width_tell_what_it_is_for(file: Header, expected: IpAdapterFile) -> None:
    assert describe(file) == expected


def without(file: Header, name: str) -> Header:
    return Header({key: tensor for key, tensor in file.tensors.items() if key != name}, {}, 0)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (header(FACES), "InsightFace"),
        (header(FACES | {"perceiver_resampler.proj_in.weight": (768, 1280)}), "InsightFace"),
        (Header({"lora.down": Tensor("F16", (4, 768), 0, 0)}, {}, 0), "not named"),
        (Header({}, {}, 0), "not named"),
        (without(header(PLAIN), "ip_adapter.3.to_v_ip.weight"), "no value"),
        (header(PLAIN, layers=0), "0 widths"),
    ],
    ids=["faces", "faces plus", "a LoRA", "nothing", "a layer without its value", "no layers"],
)
def test_what_cannot_be_followed_is_refused_with_the_reason(file: Header, reason: str) -> None:
    with pytest.raises(NotAnIpAdapter, match=reason):
        describe(file)
