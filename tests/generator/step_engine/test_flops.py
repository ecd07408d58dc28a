# pyright: basic
"""Model FLOP utilisation: counted once for each kind of call, null where nobody promises a peak."""

import pytest
import torch

from agents.generator.step_engine.flops import FlopUtilisation, peak_flops_of

LINEAR = torch.nn.Linear(64, 32, bias=False, dtype=torch.bfloat16)
PER_ROW = 2 * 64 * 32


def call(utilisation: FlopUtilisation, rows: int, model: torch.nn.Linear = LINEAR) -> None:
    dtype = model.weight.dtype
    with torch.no_grad(), utilisation.count_call("linear", rows, dtype):
        model(torch.ones(rows, 64, dtype=dtype))


def test_a_call_is_counted_and_its_seconds_tell_how_much_of_the_peak_it_used():
    utilisation = FlopUtilisation(peak=1e6)
    assert utilisation.mfu_of("linear", 4, 1.0) is None
    call(utilisation, 4)
    assert utilisation.mfu_of("linear", 4, 0.5) == pytest.approx(4 * PER_ROW / 0.5 / 1e6)
    # Rows that only fill a call up are no use.
    assert utilisation.mfu_of("linear", 3, 0.5) == pytest.approx(3 * PER_ROW / 0.5 / 1e6)


def test_what_is_compiled_is_counted_all_the_same():
    compiled = torch.nn.Linear(64, 32, bias=False, dtype=torch.bfloat16)
    compiled.compile(backend="aot_eager")
    utilisation = FlopUtilisation(peak=1.0, compiled=True)
    call(utilisation, 4, compiled)
    assert utilisation.mfu_of("linear", 4, 1.0) == 4 * PER_ROW


def test_convolutions_and_attention_count():
    utilisation = FlopUtilisation(peak=1.0)
    convolution = torch.nn.Conv2d(4, 8, 3, padding=1, dtype=torch.bfloat16)
    with torch.no_grad(), utilisation.count_call("convolution", 1, torch.bfloat16):
        convolution(torch.ones(1, 4, 16, 16, dtype=torch.bfloat16))
    assert utilisation.mfu_of("convolution", 1, 1.0) == 2 * 4 * 8 * 9 * 16 * 16
    tokens = torch.empty(1, 2, 10, 16, dtype=torch.bfloat16, device="meta")
    with torch.no_grad(), utilisation.count_call("attention", 1, torch.bfloat16):
        torch.nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)
    assert utilisation.mfu_of("attention", 1, 1.0) == 2 * (2 * 2 * 10 * 10 * 16)


@pytest.mark.parametrize(
    ("peak", "model"), [(None, LINEAR), (1e6, torch.nn.Linear(64, 32))], ids=["no-peak", "float32"]
)
def test_without_a_peak_or_in_another_precision_nothing_is_said(peak: float | None, model: torch.nn.Linear):
    utilisation = FlopUtilisation(peak)
    call(utilisation, 4, model)
    assert utilisation.mfu_of("linear", 4, 1.0) is None


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA H100 NVL", 835e12),
        ("NVIDIA H200", 989e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA L40S", 362e12),
        ("NVIDIA L4", 121e12),
        ("NVIDIA A10G", None),
        ("", None),
    ],
)
def test_peaks_are_those_of_the_maker_by_the_names_that_devices_have(name: str, peak: float | None):
    assert peak_flops_of(name) == peak
